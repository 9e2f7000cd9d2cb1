"""Where a bug was born: a value is lost, nothing after it is found, and its parents are right."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from crosscheck.cuts.classes import Value


def excused_of(values: Sequence[Value], is_found: Callable[[Value], bool]) -> set[int]:
    """Return the values that are lost while something after them is found: other spellings.

    Only what is of the same direction, and could not be anything else, excuses.
    """
    leads: set[int] = set()  # what is found, or leads to something that is
    excused: set[int] = set()
    for value in reversed(values):
        solid = is_found(value) and not value.is_trivial and not value.given
        if value.index in leads and not is_found(value):
            excused.add(value.index)
        if solid or value.index in leads:
            leads |= {p for p in value.parents if values[p].backward == value.backward}
    return excused


def births_of(
    values: Sequence[Value], is_found: Callable[[Value], bool], excused: set[int]
) -> list[Value]:
    """Return the values at which something went wrong: forward ones first, each in order."""
    right = {v.index for v in values if is_found(v)} | excused
    for value in values:
        if value.is_whole and value.parents <= right:
            right.add(value.index)

    def is_right(index: int) -> bool:
        return index in right

    lost = [v for v in values if not is_right(v.index)]
    born = [v for v in lost if all(is_right(p) for p in v.parents)]
    return sorted(born, key=lambda v: (v.backward, v.index))
