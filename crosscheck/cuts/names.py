"""What the reference's own source calls a value: the variable that its line assigns to."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from crosscheck.in_projection import LETTERS
from crosscheck.tape.call import ROOT, THE_INPUT, Call

OF_A_MODULE = ("linear", "layer_norm", "embedding")  # such an op is what its module computes


def names_of(calls: Sequence[Call]) -> dict[str, str]:
    """Return a name for the output of each call, by its key.

    The last op of a line has the name of the variable that the line assigns to. What a module
    alone computes is called after it: `norm1.out`. Three pieces that one line cuts off are q, k
    and v. Anything else is called after its op.
    """
    lines: dict[tuple[str, str], list[Call]] = {}
    for call in calls:
        lines.setdefault((call.path, call.caller), []).append(call)
    names: dict[str, str] = {}
    for same_line in lines.values():
        pieces = [call for call in same_line if call.op == "getitem"]
        if len(pieces) == len(LETTERS) and same_line[-1].op == "getitem":
            names |= {call.key: letter for call, letter in zip(pieces, LETTERS, strict=True)}
        variable = variable_of(same_line[-1].caller)
        for call in same_line:
            if call.op in OF_A_MODULE and call.path != ROOT:
                names.setdefault(call.key, f"{call.path}.out")
            elif call is same_line[-1] and variable:
                names.setdefault(call.key, variable)
            elif variable:
                names.setdefault(call.key, f"{call.op} for {variable}")
            else:
                names.setdefault(call.key, call.key)
    softmaxed = {c.inputs[0].origin for c in calls if c.op == "softmax" and c.inputs}
    for call in calls:
        if call.op == "add" and call.key in softmaxed:
            names[call.key] = "masked scores"
        elif call.op == "add" and names[call.key] == call.key and len(call.inputs) == 2:
            names[call.key] = " + ".join(
                names.get(s.origin, "input" if s.origin == THE_INPUT else s.origin)
                for s in call.inputs
            )
    last = {(key.partition("/")[0], name): key for key, name in names.items()}
    for key, name in names.items():
        if last[key.partition("/")[0], name] != key:  # the same variable is assigned once more
            names[key] = f"{key.partition('/')[2].partition('#')[0]} for {name}"
    return _told_apart(names)


def _told_apart(names: Mapping[str, str]) -> dict[str, str]:
    """Return the names with the module before those that several modules use."""
    several: dict[str, set[str]] = {}
    for key, name in names.items():
        several.setdefault(name, set()).add(key.partition("/")[0])
    return {
        key: f"{key.partition('/')[0]}: {name}" if len(several[name]) > 1 else name
        for key, name in names.items()
    }


def variable_of(caller: str) -> str:
    """Return the one variable that the line `file:number` assigns to; empty if there is none."""
    file, _, line = caller.rpartition(":")
    return _variables(file).get(int(line), "") if line.isdigit() else ""


@cache
def _variables(file: str) -> dict[int, str]:
    try:
        tree = ast.parse(Path(file).read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):
        return {}
    found: dict[int, str] = {}
    for node in ast.walk(tree):
        target = None
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target = node.targets[0]
        elif isinstance(node, ast.AnnAssign | ast.AugAssign):
            target = node.target
        if isinstance(target, ast.Name) and isinstance(node, ast.stmt):
            for line in range(node.lineno, (node.end_lineno or node.lineno) + 1):
                found[line] = target.id
    return found
