"""The values of the reference's run: everything that a run of the same function is sure to compute.

A *value* is an array of the reference's tape, whatever its shape: an output, a parameter, a
gradient at one of these, or what a single use of one of these sends back. Arrays of one direction
that have the same entries, in whatever order, are one value, in several arrangements.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from crosscheck.cuts.arrangement import are_close
from crosscheck.cuts.names import names_of
from crosscheck.distance import largest_entry
from crosscheck.in_projection import LETTERS, is_stacked, split
from crosscheck.sides import Array
from crosscheck.tape.call import LOSS, THE_INPUT, Call
from crosscheck.traces.signature import Signature, signature

CONSTANT = "a constant"  # the origin of what no gradient flows into
SORTED_UP_TO = 1 << 16  # entries; beyond, signatures alone decide whether arrays are equal
NOTHING = 1e-12  # of the largest entry of its direction: a gradient as small as this is zero

# What the gradient of an op depends on besides dout: for each of its inputs, which other inputs.
# An op that is not here may depend on all of them.
PASSING = {
    "add", "sub", "neg", "reshape", "permute", "transpose", "sum", "mean", "expand", "cat", "stack",
    "swapaxes", "getitem", "cast",
}  # fmt: skip
NEEDS: dict[str, tuple[tuple[int, ...], ...]] = {
    "linear": ((1,), (0,), ()),
    "matmul": ((1,), (0,)),
    "mul": ((1,), (0,)),
    "layer_norm": ((0, 1), (0,), ()),
    "embedding": ((), ()),
}

Key = tuple[str, ...]  # ("f", origin), ("g", origin) or ("u", key of the call, position)


@dataclass
class Value:
    """Arrays of one content and direction, and what they are computed from."""

    index: int
    name: str  # in the reference's words: "scores", "d scores"
    backward: bool
    arrays: list[Array]  # one for each arrangement in which the reference has it
    signature: Signature
    call: Call | None  # the op that makes it, or sends it back
    given: bool = False  # the input, a parameter, dout: right from the start
    is_trivial: bool = False  # all its entries are the same number: it would pair with anything
    parameter: str = ""  # of which parameter this is the gradient, or INPUT's origin
    is_whole: bool = False  # its parents are its parts: it is right if they are
    forward: int | None = None  # for a gradient: the value that it is the gradient of
    keys: list[Key] = field(default_factory=list)
    parents: set[int] = field(default_factory=set)

    @property
    def size(self) -> int:
        """How many entries it has."""
        return self.signature.size

    @property
    def array(self) -> Array:
        """The value in the arrangement in which it first appears."""
        return self.arrays[0]


@dataclass
class _Node:
    key: Key
    name: str
    array: Array
    parents: list[Key]
    call: Call | None
    given: bool = False
    parameter: str = ""
    is_whole: bool = False


def values_of(tape: Mapping[str, Call]) -> list[Value]:
    """Return the values of a tape, in an order in which parents come before their children."""
    calls = [call for call in tape.values() if call.path != LOSS and call.output is not None]
    nodes = [*_forward(calls), *_backward(calls)]
    scale = max((largest_entry(n.array) for n in nodes if n.key[0] != "f"), default=0.0)
    values: list[Value] = []
    of_key: dict[Key, Value] = {}
    for node in nodes:
        backward = node.key[0] != "f"
        trivial = is_trivial(node.array, scale if backward else 0.0)
        mark = signature(node.array)
        value = None if trivial else _same(values, node.array, mark, backward)
        if value is None:
            value = Value(
                len(values), node.name, backward, [node.array], mark, node.call, node.given, trivial
            )
            values.append(value)
        elif not any(a.shape == node.array.shape for a in value.arrays):
            value.arrays.append(node.array)
        if node.key[0] == "g" and value.keys and value.keys[0][0] == "u":
            value.name = node.name  # it is all that arrives there
        value.given |= node.given
        value.is_whole |= node.is_whole
        value.parameter = value.parameter or node.parameter
        value.keys.append(node.key)
        of_key[node.key] = value
        # An edge against the order would close a circle: a part of what it is itself a part of.
        value.parents |= {
            of_key[k].index for k in node.parents if k in of_key and of_key[k].index < value.index
        }
    for value in values:
        if value.backward:
            tied = [
                of_key["f", *k[1:]] for k in value.keys if k[0] == "g" and ("f", *k[1:]) in of_key
            ]
            value.forward = tied[0].index if tied else None
    return values


def is_trivial(array: Array, scale: float = 0.0) -> bool:
    """Whether all entries are one number, or so small beside the scale that they stand for zero."""
    if array.size == 0 or largest_entry(array) <= NOTHING * scale:
        return True
    first = array.flat[0]
    if array.size == 1:
        return bool(first in (0.0, 1.0))
    if not np.isfinite(first) or not abs(array.flat[-1] - first) <= NOTHING * abs(first):
        return False
    return bool(np.abs(array - first).max() <= NOTHING * abs(first))


def are_equal(a: Array, b: Array) -> bool:
    """Whether two arrays have the same entries, in any order, to within rounding."""
    if a.size != b.size:
        return False
    if a.size > SORTED_UP_TO:
        return signature(a).is_like(signature(b))
    return are_close(np.sort(a, axis=None), np.sort(b, axis=None))


def _same(values: list[Value], array: Array, mark: Signature, backward: bool) -> Value | None:
    for value in values:
        if (
            value.backward == backward
            and not value.is_trivial
            and value.signature.is_like(mark)
            and (array.size > SORTED_UP_TO or are_equal(array, value.array))
        ):
            return value
    return None


def _forward(calls: list[Call]) -> Iterator[_Node]:
    seen: set[str] = set()
    names = names_of(calls)
    keys = {call.key for call in calls}
    for call in calls:
        for source in call.inputs:
            origin = source.origin
            if origin in keys or origin in seen or origin == CONSTANT or source.array is None:
                continue
            seen.add(origin)
            if origin != THE_INPUT and is_stacked(origin):
                for letter, part in split(source.array).items():
                    yield _Node(("f", origin, letter), f"{origin}[{letter}]", part, [], None, True)
            name = "input" if origin == THE_INPUT else origin
            yield _Node(("f", origin), name, np.asarray(source.array, np.float64), [], None, True)
        if call.output is None:
            continue
        origins = [s.origin for s in call.inputs if s.origin != CONSTANT]
        parents: list[Key] = [("f", origin) for origin in origins]
        whole = _is_in_projection(call)
        if whole:
            for i, letter in enumerate(LETTERS):
                of_part: list[Key] = [
                    ("f", o, letter) if is_stacked(o) else ("f", o) for o in origins
                ]
                array = np.split(call.output, len(LETTERS), axis=-1)[i]
                yield _Node(("f", call.key, letter), letter, array, of_part, call)
            parents = [("f", call.key, letter) for letter in LETTERS]
        yield _Node(("f", call.key), names[call.key], call.output, parents, call, is_whole=whole)


def _is_in_projection(call: Call) -> bool:
    return call.op == "linear" and any(is_stacked(s.origin) for s in call.inputs)


def _backward(calls: list[Call]) -> Iterator[_Node]:
    """The gradients, from the output to the leaves."""
    names = names_of(calls)
    keys = {call.key for call in calls}
    sent: dict[str, list[tuple[Key, Array | None]]] = {}  # to each origin: by which nodes
    for place, call in enumerate(reversed(calls)):
        if call.dout is None:
            continue
        name = f"d {names[call.key]}"
        arriving: list[Key] = [key for key, _ in sent.get(call.key, [])]
        whole = _is_in_projection(call)
        yield _Node(
            ("g", call.key), name, call.dout, arriving, call, given=place == 0, is_whole=whole
        )
        if whole:
            for letter, part in zip(LETTERS, np.split(call.dout, 3, axis=-1), strict=True):
                yield _Node(("g", call.key, letter), f"d {letter}", part, [("g", call.key)], call)
        for i, (source, dinput) in enumerate(zip(call.inputs, call.dinputs, strict=True)):
            if dinput is None or source.origin == CONSTANT:
                continue
            if call.op == "getitem" and source.origin in keys:  # among zeros: nobody makes it
                sent.setdefault(source.origin, []).append((("g", call.key), None))
                continue
            needed = [j for j in needs_of(call, i) if call.inputs[j].origin != CONSTANT]
            parents: list[Key] = [("g", call.key), *(("f", call.inputs[j].origin) for j in needed)]
            key: Key = ("u", call.key, str(i))
            what = names.get(
                source.origin, "input" if source.origin == THE_INPUT else source.origin
            )
            sender = call.path if call.op in ("linear", "layer_norm") else names[call.key]
            whole = is_stacked(source.origin) and _is_in_projection(call)
            if whole:
                for letter, part in split(dinput).items():
                    of_part: list[Key] = [("g", call.key, letter), *parents[1:]]
                    yield _Node(
                        ("g", source.origin, letter), f"d {source.origin}[{letter}]", part, of_part,
                        call, parameter=f"{source.origin}[{letter}]",
                    )  # fmt: skip
                parents = [("g", source.origin, letter) for letter in LETTERS]
            yield _Node(key, f"d {what} from {sender}", dinput, parents, call, is_whole=whole)
            sent.setdefault(source.origin, []).append((key, dinput))
    yield from _at_leaves(calls, sent, keys)


def _at_leaves(
    calls: list[Call], sent: Mapping[str, list[tuple[Key, Array | None]]], keys: set[str]
) -> Iterator[_Node]:
    """The gradients at what no op makes: sums of what was sent there."""
    for origin, arrived in sent.items():
        arrays = [array for _, array in arrived if array is not None]
        if origin in keys or not arrays:
            continue
        what = "input" if origin == THE_INPUT else origin
        total = sum(arrays[1:], start=arrays[0])
        users = [c for c in calls if any(s.origin == origin for s in c.inputs)]
        yield _Node(
            ("g", origin), f"d {what}", total, [key for key, _ in arrived], users[0],
            parameter=what, is_whole=is_stacked(origin),
        )  # fmt: skip


def needs_of(call: Call, i: int) -> tuple[int, ...]:
    """Which inputs the gradient of input i depends on."""
    if call.op in PASSING:
        return ()
    needs = NEEDS.get(call.op)
    if needs is not None and i < len(needs):
        return tuple(j for j in needs[i] if j < len(call.inputs))
    return tuple(range(len(call.inputs)))
