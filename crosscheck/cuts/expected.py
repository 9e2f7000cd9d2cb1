"""What was expected where a bug was born, and which mistake it looks like."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from crosscheck.cuts.case import Segment
from crosscheck.cuts.classes import Value
from crosscheck.cuts.counterpart import aligned
from crosscheck.cuts.flow_graph import Graph
from crosscheck.sides import Array
from crosscheck.tape.call import Call
from crosscheck.tape.fingerprints import Sizes, hint
from crosscheck.tape.other_forms import other_form

LARGE = 1 << 22  # entries; above it, no fingerprint is looked for
MOST_BLOCKS = 16  # into which a loop cuts an array
# What the inputs of an op are called where forms are known by these names; of others, x and y.
INPUTS = {"linear": ("x", "weight", "bias"), "layer_norm": ("x", "weight", "bias")}


def expectation(
    segment: Segment, values: Sequence[Value], graph: Graph, tape: Mapping[str, Call]
) -> str:
    """Return a sentence: which value is expected, and which mistake its counterpart looks like."""
    value = segment.value
    if segment.counterpart is None or value.size > LARGE:
        return f"{value.name} expected"
    wrong = graph.trace.array(segment.counterpart)
    said = _of_the_op(wrong, value, tape)
    if not said and wrong.size == value.size:
        given = at_hand(value, values)
        said = hint("it", aligned(wrong, value.array), value.array, sizes_of(tape), given)
    if " fits this: " in said:
        said = f"it fits {said.partition(' fits this: ')[2]}"
    said = said.removeprefix("it is ")
    return f"{value.name} expected" + (f": {said}" if said else "")


def _of_the_op(wrong: Array, value: Value, tape: Mapping[str, Call]) -> str:
    """Say which form of the op that makes the value, or sends it back, the wrong array has."""
    for kind, key, *rest in value.keys:
        call = tape.get(key)
        if call is None or kind not in ("f", "u"):
            continue
        names = INPUTS.get(call.op, ("x", "y"))
        tensors = dict(zip(names, (source.array for source in call.inputs), strict=False))
        right = call.output if kind == "f" else call.dinputs[int(rest[0])]
        if right is None or len(tensors) != len(call.inputs):
            continue
        argument = "out" if kind == "f" else f"d{names[int(rest[0])]}"
        for block in _blocks_like(wrong, right):
            ours, theirs = aligned(wrong, block(right)), block(right)
            given = {**tensors, "dout": call.dout}
            cut = {name: None if a is None else block(a) for name, a in given.items()}
            arguments: dict[str, Any] = {**cut, "constants": call.constants, "options": {}}
            if said := other_form(call.op, argument, ours, theirs, arguments):
                return said
    return ""


def _blocks_like(wrong: Array, right: Array) -> Iterator[Callable[[Array], Array]]:
    """Yield what cuts out of arrays each block of which the wrong array may be a version.

    A loop over heads or sequences makes one block after the other.
    """
    count, left = divmod(right.size, max(wrong.size, 1))
    if count == 1:
        yield lambda array: array
    elif not left and count <= MOST_BLOCKS:
        for axis, length in enumerate(right.shape):
            if length % count == 0:
                yield from (_cut(right.ndim, axis, length, count, i) for i in range(count))


def _cut(ndim: int, axis: int, length: int, count: int, i: int) -> Callable[[Array], Array]:
    """Return what cuts along this axis; an array of another form it returns as it is."""

    def cut(array: Array) -> Array:
        is_cut = array.ndim == ndim and array.shape[axis] == length
        return np.split(array, count, axis)[i] if is_cut else array

    return cut


def at_hand(value: Value, values: Sequence[Value]) -> dict[str, Array]:
    """The arrays that the op of a value has, by the reference's names."""
    arrays: dict[str, Array] = {}
    for parent in sorted(value.parents):
        if parent != value.index:
            arrays[values[parent].name] = values[parent].array
    call = value.call
    if call is not None and value.backward:
        for i, source in enumerate(call.inputs):
            if source.array is not None:
                arrays.setdefault("x" if i == 0 else source.origin, source.array)
        if call.output is not None:
            arrays["out"] = call.output
        if call.dout is not None:
            arrays["dout"] = call.dout
    return arrays


def sizes_of(tape: Mapping[str, Call]) -> Sizes:
    """The sizes of the reference's run, as far as its attention tells them."""
    for call in tape.values():
        if call.op == "softmax" and call.output is not None and call.output.ndim == 4:
            B, H, T, _ = call.output.shape
            first = next(iter(tape.values())).output
            C = None if first is None else first.shape[-1]
            return Sizes(B, T, C, H)
    return Sizes()
