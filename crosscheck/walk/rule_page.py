"""The page of a rule, read from its docstring and its source: formulas, derivation, steps."""

from __future__ import annotations

import ast
import functools
import inspect
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tinygrad_tf
from crosscheck.walk.schema_of_ops import Rule, SourceLine

ROOT = Path(tinygrad_tf.__file__).parents[1]
PARTS = ("Backward.", "Fact:", "Source:", "Mirrors:")  # of a docstring, in their order
# A formula ends where its sentence does, where a gap or a semicolon does, or another one begins.
END = r"(?=\.(?:\s|$)|,?\s{2,}|;|\n|, d\w+(?:\[[^\]]*\])? = |$)"
STEPS = re.compile(r"#\s*(\d+(?:(?:, | to )\d+)*)(?:\s|$)")


@functools.cache
def rule_page(op: str, rule: Any) -> Rule:
    """Return the page of this op. rule: its function of arrays, from `tinygrad_tf/ops/`."""
    parts = _parts(inspect.getdoc(rule) or "")
    opening, backward = parts[""], parts["Backward."]
    first = opening.split("\n\n")[0]
    formula = _first_formula(first)
    begins = first.find(formula) if formula else 0
    arguments = list(inspect.signature(rule).parameters)
    return Rule(
        op=op,
        summary=_sentence(first[:begins]) if begins else "",
        forward=(formula or _sentence(first),),
        backward=tuple(_gradients(backward, arguments)) or (_sentence(backward),),
        derivation=backward,
        fact=_one_line(parts["Fact:"]),
        source=_one_line(parts["Source:"]),
        mirrors=_one_line(parts["Mirrors:"]).removesuffix("."),
        file=str(Path(inspect.getsourcefile(rule) or "").relative_to(ROOT)),
        lines=tuple(_lines(rule)),
    )


def _parts(page: str) -> dict[str, str]:
    """Return what stands before the first of PARTS under "", and the rest under each of them."""
    found = dict.fromkeys(("", *PARTS), "")
    name = ""
    for piece in re.split(f"({'|'.join(map(re.escape, PARTS))})", page):
        if piece in PARTS:
            name = piece
        else:
            found[name] += piece.strip(" ") if not found[name] else piece
    return {name: text.strip() for name, text in found.items()}


def _first_formula(text: str) -> str:
    found = re.search(rf"(?:^|(?<=\. ))\w+(?:\[[^\]]*\])? = .+?{END}", text)
    return found[0] if found else ""


def _gradients(text: str, arguments: list[str]) -> Iterator[str]:
    """Yield a formula for the gradient of each argument that has one.

    One that stands on a line of its own is meant more than one in a sentence; of several, the last
    is the result.
    """
    lines = text.split("\n")
    displayed = "\n".join(line for line in lines if re.match(r"\s+\S|\* ", line))
    prose = _one_line(text)
    for argument in arguments:
        # Not the end of ds/dx, nor a value that is agreed on at one point.
        gradient = rf"(?<!/)(?<!take )\bd{argument}(?:\[[^\]]*\])?"
        slope = rf"\bd ?\w+ ?/ ?d ?{argument} = .+?{END}"
        found = (
            re.findall(rf"{gradient} = .+?{END}", displayed)
            or re.findall(rf"{gradient} = .+?{END}", prose)
            or re.findall(slope, displayed)
            or re.findall(slope, prose)
            or re.findall(rf"(?<!of )\bd{argument} (?:is|has) .+?(?=\.(?:\s|$)|$)", prose)
        )
        if found:
            yield found[-1].strip().removesuffix(",")


def _sentence(text: str) -> str:
    line = _one_line(text)
    found = re.match(r".+?\.(?=\s|$)", line)
    return found[0] if found else line


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _lines(rule: Any) -> Iterator[SourceLine]:
    """Yield the lines of a rule, without its docstring, each with the steps that it names."""
    source, first = inspect.getsourcelines(rule)
    (tree,) = ast.parse(textwrap.dedent("".join(source))).body
    assert isinstance(tree, ast.FunctionDef)
    page = tree.body[0]
    hidden = range(page.lineno, (page.end_lineno or page.lineno) + 1)
    nested = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    backward = range(nested[-1].lineno, (nested[-1].end_lineno or 0) + 1) if nested else range(0)
    for number, text in enumerate(source, 1):
        if number not in hidden:
            line = first + number - 1
            yield SourceLine(line, text.rstrip(), _steps(text), number in backward)


def _steps(line: str) -> tuple[int, ...]:
    """Return the numbers in a comment such as "# 2", "# 2, 1" and "# 4 to 1"."""
    found = STEPS.search(line)
    if found is None:
        return ()
    if " to " in found[1]:
        last, first = map(int, found[1].split(" to "))
        return tuple(range(last, first - 1, -1))
    return tuple(map(int, found[1].split(", ")))
