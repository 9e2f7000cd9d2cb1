"""What was expected where a bug was born, and which mistake it looks like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from crosscheck.cuts.case import Segment
from crosscheck.cuts.classes import Value
from crosscheck.cuts.counterpart import aligned
from crosscheck.cuts.flow_graph import Graph
from crosscheck.sides import Array
from crosscheck.tape.call import Call
from crosscheck.tape.fingerprints import Sizes, hint

LARGE = 1 << 22  # entries; above it, no fingerprint is looked for


def expectation(
    segment: Segment, values: Sequence[Value], graph: Graph, tape: Mapping[str, Call]
) -> str:
    """Return a sentence: which value is expected, and which mistake its counterpart looks like."""
    value = segment.value
    if segment.counterpart is None or value.size > LARGE:
        return f"{value.name} expected"
    wrong = aligned(graph.trace.array(segment.counterpart), value)
    said = hint("it", wrong, value.array, sizes_of(tape), at_hand(value, values))
    said = said.removeprefix("it is ").removeprefix("it ")
    return f"{value.name} expected" + (f": {said}" if said else "")


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
