"""The map: which ops lie on the residual stream, and which on a branch beside it.

An op is on the stream if every path from the model's input to the end goes through it. A residual
connection is a path around its branch, so the ops of the branch are not on every path.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from crosscheck.walk.schema import Branch, Column, Spine
from crosscheck.walk.schema_of_ops import Op

NAMES = {"softmax": "attention", "activation": "feed-forward"}  # by a kind of op that is in it


def spine_of(ops: Sequence[Op]) -> Spine | None:
    """Return the stream and its branches; None if no path leads from the input to the end."""
    sources = {op.id: [i.source for i in op.inputs if i.kind == "op"] for op in ops}
    ahead: dict[str, int] = {}  # how many paths lead from the input to an op
    for op in ops:
        given = sum(i.kind == "input" for i in op.inputs)
        ahead[op.id] = given + sum(ahead[source] for source in sources[op.id])
    behind = dict.fromkeys(ahead, 0)  # how many lead from it to the end
    if not ops or not ahead[ops[-1].id]:
        return None
    behind[ops[-1].id] = 1
    for op in reversed(ops):
        for source in sources[op.id]:
            behind[source] += behind[op.id]
    total = ahead[ops[-1].id]
    stream = [op.id for op in ops if ahead[op.id] * behind[op.id] == total]
    return Spine(tuple(stream), tuple(_branches(ops, stream, ahead)))


def _branches(ops: Sequence[Op], stream: list[str], ahead: dict[str, int]) -> list[Branch]:
    """Return what lies between two ops of the stream that follow one another."""
    branches = []
    places = {op.id: op.index for op in ops}
    for leaves, joins in itertools.pairwise(stream):
        between = ops[places[leaves] + 1 : places[joins]]
        for from_input in (True, False):  # a learned position, for one, does not leave the stream
            part = [op for op in between if bool(ahead[op.id]) == from_input]
            if part:
                start = leaves if from_input else ""
                ids = tuple(op.id for op in part)
                branches.append(Branch(_name(part), start, joins, ids, _lanes(part)))
    return branches


def _name(ops: Sequence[Op]) -> str:
    for kind, name in NAMES.items():
        if any(op.kind == kind for op in ops):
            return name
    return ops[0].module


def _lanes(ops: Sequence[Op]) -> tuple[int, ...]:
    """Return a lane for each op: that of its first input, unless another op goes on in it."""
    lanes: dict[str, int] = {}
    goes_on: set[str] = set()
    for op in ops:
        before = next((i.source for i in op.inputs if i.source in lanes), None)
        if before is not None and before not in goes_on:
            lanes[op.id] = lanes[before]
            goes_on.add(before)
        else:
            lanes[op.id] = max(lanes.values(), default=-1) + 1
    return tuple(lanes.values())


def columns_of(ops: Sequence[Op]) -> tuple[Column, ...]:
    """Return the ops of each module, in the order of their first op."""
    modules: dict[str, list[str]] = {}
    for op in ops:
        modules.setdefault(op.module, []).append(op.id)
    return tuple(Column(module, tuple(ids)) for module, ids in modules.items())
