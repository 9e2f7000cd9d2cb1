"""A study in words, each chosen by a rule from the numbers; no sentence is there beforehand.

A wiring's initialisations are read one by one, and those of which the same can be said are told
together, with the range of their numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from crosscheck.flow.stacks import Wiring
from crosscheck.flow.summary import Summary

STEADY = 10.0  # a gradient that changes by less than this over the whole stack keeps its size
EVEN = 0.25  # halves whose logarithms differ by less than this share of the larger: one factor
APART = 0.1  # tokens that vary by more than this, as a share of their size, stay apart
COLLAPSED = 1e-3
SILENT = 1e-6  # the gradient of W_Q over that of W_V, below which queries learn nothing
LEFT_RANGE = "leaves the range of float64"


class Words(NamedTuple):
    """What is said of one summary: of the gradient, how evenly, of the tokens, of the queries."""

    gradient: str
    evenly: str
    tokens: str
    queries: str


def words(found: Summary) -> Words:
    """The words for one summary: what each means is in the constants above."""
    if found.ratio == 0.0:
        gradient = LEFT_RANGE
    elif 1 / STEADY <= found.ratio <= STEADY:
        gradient = "keeps its size"
    else:
        gradient = "grows" if found.ratio > 1 else "shrinks"
    evenly = _evenly(found) if gradient != "keeps its size" else ""
    if found.variation > APART:
        tokens = "stay apart"
    else:
        tokens = "become alike" if found.variation < COLLAPSED else "draw together"
    queries = "learn nothing" if found.queries < SILENT else ""
    return Words(gradient, evenly, tokens, queries)


def reading(summaries: Sequence[Summary]) -> list[tuple[str, list[str]]]:
    """For each wiring, what it does at the largest depth: its label, and a line per kind."""
    deepest = at_largest_depth(summaries)
    wirings = dict.fromkeys(found.wiring for found in deepest)
    return [
        (wiring.label, _lines([found for found in deepest if found.wiring == wiring]))
        for wiring in wirings
    ]


def conclusion(summaries: Sequence[Summary]) -> str:
    """Counts, with residuals and without: where the gradient is lost, and where the tokens are."""
    deepest = at_largest_depth(summaries)
    groups = [[f for f in deepest if f.wiring.residual == residual] for residual in (True, False)]
    return " ".join(_counts(group) for group in groups if group)


def at_largest_depth(summaries: Sequence[Summary]) -> list[Summary]:
    """The summaries of the deepest stacks."""
    depth = max((found.depth for found in summaries), default=0)
    return [found for found in summaries if found.depth == depth]


def _evenly(found: Summary) -> str:
    """Whether both halves of the stack multiply alike, or which of them does the most."""
    if min(found.halves) <= 0.0:
        return ""
    first, second = np.log(found.halves)
    if abs(first - second) <= EVEN * max(abs(first), abs(second)):
        return "by about the same factor in every block"
    return "mostly near the input" if abs(first) > abs(second) else "mostly near the output"


def _lines(group: list[Summary]) -> list[str]:
    kinds: dict[Words, list[Summary]] = {}
    for found in group:
        kinds.setdefault(words(found), []).append(found)
    return [_line(said, members, len(kinds) == 1) for said, members in kinds.items()]


def _line(said: Words, members: list[Summary], alone: bool) -> str:
    depth = members[0].depth
    who = "" if alone and len(members) > 1 else f"{', '.join(m.initialisation for m in members)}: "
    gradient = f"the gradient {said.gradient}"
    if said.gradient != LEFT_RANGE:
        gradient += f" (times {_range([m.ratio for m in members])} over {_blocks(depth)})"
    if said.evenly:
        gradient += f", {said.evenly}"
        gradient += f" ({_range([f for m in members for f in m.factors])} each)"
    tokens = f"tokens {said.tokens} ({_percent([m.variation for m in members])})"
    layers = [m.alike_from for m in members if m.alike_from is not None]
    if said.tokens == "become alike" and layers:
        low, high = min(layers), max(layers)
        tokens += f", within 1 % from layer {low if low == high else f'{low} to {high}'} on"
    queries = "; queries and keys of the last block learn nothing" if said.queries else ""
    return f"{who}{gradient}; {tokens}{queries}."


def _counts(group: list[Summary]) -> str:
    total, said = len(group), [words(found) for found in group]
    lost = sum(w.gradient in ("shrinks", LEFT_RANGE) for w in said)
    grown = sum(w.gradient == "grows" for w in said)
    alike = sum(w.tokens == "become alike" for w in said)
    return (
        f"{'With' if group[0].wiring.residual else 'Without'} residual connections, of {total} stacks the gradient shrinks in {lost} and grows in {grown}; "
        f"the tokens become alike in {alike}."
    )


def _range(values: Sequence[float]) -> str:
    low, high = f"{min(values):.2g}", f"{max(values):.2g}"
    return low if low == high else f"{low} to {high}"


def _percent(values: Sequence[float]) -> str:
    low, high = min(values), max(values)
    if high < 1e-4:
        return "less than 0.01 % apart at the output"
    shown = [f"{100 * value:.2g}" for value in (low, high)]
    return f"{shown[0] if shown[0] == shown[1] else ' to '.join(shown)} % apart at the output"


def _blocks(depth: int) -> str:
    return f"{depth} block{'s' if depth > 1 else ''}"
