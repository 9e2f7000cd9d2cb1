"""Which record the user's run took for a value that is lost: known where the next op shows it.

The reference's next op is made once more with a record of the user's in the place of the lost
value. If the user's run holds just what comes out, that record is what was taken for the value.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from crosscheck.cuts.arrangement import is_merged
from crosscheck.cuts.classes import Value, needs_of
from crosscheck.cuts.counterpart import aligned
from crosscheck.cuts.finder import Finder
from crosscheck.cuts.flow_graph import Graph
from crosscheck.cuts.pairing import in_blocks
from crosscheck.in_projection import LETTERS
from crosscheck.sides import Array
from crosscheck.tape.call import Call

TRIED = 200  # records, at most, for one value
LARGE = 1 << 18  # entries; above it, nothing is tried
# These make what they are given, in another shape: they show nothing.
SHAPING = {"reshape", "permute", "transpose", "swapaxes", "getitem", "expand", "cast", "clone"}


def stand_in_of(
    value: Value,
    values: Sequence[Value],
    calls: Sequence[Call],
    graph: Graph,
    finder: Finder,
) -> tuple[int, int] | None:
    """Return the record in the place of a value, and the one that shows it; None if none does."""
    if value.size > LARGE:
        return None
    users = list(_users(value, calls))
    rests = _rests(value, values)
    if not users and not rests:
        return None
    for record in _candidates(value, graph, finder):
        after = graph.after([record])
        for array in _fitted(graph.trace.array(record), value):
            for made in itertools.chain(
                _made(users, array), (array + rest for rest in rests if rest.shape == array.shape)
            ):
                shown = _shown(made, record, after, graph, finder)
                if shown is not None:
                    return record, shown
    return None


def _rests(value: Value, values: Sequence[Value]) -> list[Array]:
    """What is added to what one use sends back, to make the gradient that arrives in all."""
    if value.keys[0][0] != "u":
        return []
    sums = [v for v in values if v.backward and value.index in v.parents and v.size == value.size]
    return [
        v.array.reshape(value.array.shape) - value.array
        for v in sums
        if v.array.shape == value.array.shape and any(k[0] == "g" for k in v.keys)
    ]


def taken_instead(
    value: Value, values: Sequence[Value], graph: Graph, finder: Finder
) -> tuple[int, int] | None:
    """Return the record that the op of a value was given in the place of one of its inputs.

    And the record that shows it. None if no other value of the reference explains anything.
    """
    call = value.call
    if value.size > LARGE or call is None or call.again is None or call.op in SHAPING:
        return None
    if any(s.array is None or s.array.size > LARGE for s in call.inputs):
        return None
    for other in values:
        held = graph.pairing.found.get(other.index, [])
        given = [graph.trace.given[k[1]] for k in other.keys if k[-1] in graph.trace.given]
        if other.given and "input" in graph.trace.given and other.name == "input":
            given = [graph.trace.given["input"]]
        if other.index == value.index or other.is_trivial or not (held or given):
            continue
        for made in _made_instead(value, call, other):
            found = finder.equal(made) or list(in_blocks([made], finder))
            for shown in found:
                if graph.is_settled(shown):
                    continue
                before = graph.ancestors(shown)
                taken = [x for x in (held or given) if x in before]
                if taken:
                    return taken[-1], shown
    return None


def _made_instead(value: Value, call: Call, other: Value) -> Iterator[Array]:
    """What the op of a value makes if another value takes the place of one of its inputs."""
    assert call.again is not None
    inputs = [s.array for s in call.inputs if s.array is not None]
    dout = call.dout if value.backward else None
    part = next((LETTERS.index(k[2]) for k in value.keys if k[-1] in LETTERS), None)
    position = next((int(k[2]) for k in value.keys if k[0] == "u" and k[1] == call.key), None)
    if value.backward and position is None and part is None:
        return
    if part is not None and value.backward:
        position = next((i for i, x in enumerate(inputs) if x.size == 3 * value.size), None)
    for array in other.arrays:
        trials: list[tuple[list[Array], Array | None]] = []
        if other.backward:
            if dout is None or array is dout:
                continue
            if array.shape == dout.shape:
                trials.append((inputs, array))
            elif part is not None and array.shape == (*dout.shape[:-1], dout.shape[-1] // 3):
                pieces = np.split(dout, len(LETTERS), axis=-1)
                pieces[part] = array
                trials.append((inputs, np.concatenate(pieces, axis=-1)))
        else:
            for i, right in enumerate(inputs):
                if array.shape == right.shape and array is not right:
                    trials.append(([*inputs[:i], array, *inputs[i + 1 :]], dout))
        for given, arriving in trials:
            try:
                out, dinputs = call.again(given, None if arriving is None else arriving.copy())
            except (RuntimeError, ValueError, IndexError):
                continue
            made = dinputs[position] if value.backward and position is not None else out
            if made is None or made.size < 2:
                continue
            if part is not None and made.size == 3 * value.size:
                made = np.split(made, len(LETTERS), axis=0 if value.backward else -1)[part]
            yield made


def _candidates(value: Value, graph: Graph, finder: Finder) -> list[int]:
    """The records of the value's size, known values first: what follows forgives a shift."""
    records = [
        i
        for i in finder.of_size(value.size)
        if i not in graph.trivial and (value.backward or not graph.trace.records[i].backward)
    ]

    def rank(index: int) -> tuple[int, int]:
        record = graph.trace.records[index]
        kind = 0 if graph.is_right(index) else 1 if index in graph.waypoints else 2
        return kind + 3 * (record.backward != value.backward), index

    return sorted(records, key=rank)[:TRIED]


def _fitted(array: Array, value: Value) -> Iterator[Array]:
    """The array in the shape of the value, in each order of axes that its own shape allows."""
    array = np.asarray(array, np.float64)
    for form in value.arrays:
        if is_merged(array.shape, form.shape) or array.shape == form.shape:
            yield array.reshape(form.shape)
        if array.ndim == form.ndim and array.shape != form.shape:
            for axes in itertools.permutations(range(form.ndim)):
                if tuple(array.shape[i] for i in axes) == form.shape:
                    yield array.transpose(axes)
    yield aligned(array, value)


def _users(value: Value, calls: Sequence[Call]) -> Iterator[tuple[Call, int | None]]:
    """The calls that are given the value: as an input (which one), or as their dout (None)."""
    forward = {key[1] for key in value.keys if key[0] == "f" and len(key) == 2}
    backward = {key[1] for key in value.keys if key[0] == "g" and len(key) == 2}
    for call in calls:
        if call.again is None or call.op in SHAPING or call.output is None:
            continue
        if call.op in ("mul", "div") and len(call.inputs) == 1:
            continue  # a factor shows nothing: whatever is scaled may be scaled by it
        if not value.backward:
            for i, source in enumerate(call.inputs):
                if source.origin in forward and source.array is not None:
                    yield call, i
        elif call.key in backward and call.dout is not None:
            yield call, None


def _made(users: Sequence[tuple[Call, int | None]], array: Array) -> Iterator[Array]:
    """What these calls make of the array, in the place of the value."""
    for call, i in users:
        inputs = [s.array for s in call.inputs if s.array is not None]
        if len(inputs) != len(call.inputs) or call.again is None or call.output is None:
            continue
        try:
            if i is not None:
                given = [a if j != i else array.reshape(a.shape) for j, a in enumerate(inputs)]
                yield call.again(given, None).output
            elif call.op not in ("add", "sub"):
                made = call.again(inputs, array.reshape(call.output.shape).copy())
                for j, dinput in enumerate(made.dinputs):
                    # A bias has the sum of dout, whatever the op is: that shows nothing.
                    if dinput is not None and dinput.size > 1 and needs_of(call, j):
                        yield dinput
        except (RuntimeError, ValueError, IndexError):
            continue  # the array does not fit there


def _shown(made: Array, record: int, after: set[int], graph: Graph, finder: Finder) -> int | None:
    """The record that holds what was made; None if there is none that shows anything."""
    found = finder.equal(made)
    if not found and np.isneginf(made).any():
        found = finder.masked(made)
    for index in found or in_blocks([made], finder):
        unlike = index != record and index not in graph.trivial and not graph.is_right(index)
        if unlike and index in after:
            return index
    return None
