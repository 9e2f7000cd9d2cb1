"""A study in words. A rule chooses each word from the numbers; no sentence is written beforehand.

A wiring's initialisations are read one by one. Initialisations that read the same share a line,
which gives the range of their numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from crosscheck.flow.summary import Summary

SLOW = 0.9  # a change by less than this factor (or its inverse) per block is called slow
SMALL = 0.01  # a change by less than this factor over the whole stack is no vanishing or explosion
# The two halves of a stack have about the same factor if their logarithms differ by less than this
# share of the larger one.
EVEN = 0.5
APART = 0.1  # tokens that vary by more than this, as a share of their size, stay apart
COLLAPSED = 1e-3  # tokens that vary by less than this, as a share of their size, become alike
SILENT = 1e-6  # queries learn nothing if W_Q's gradient over that of W_V is below this

UNDERFLOW = "is lost with the activations, which leave the range of float64"
OVERFLOW = "is lost: the activations or it leave the range of float64 upwards"
LOST = (UNDERFLOW, OVERFLOW)
SLOWLY, NEITHER = "changes slowly", "neither vanishes nor explodes"
MODERATE = (SLOWLY, NEITHER)


class Words(NamedTuple):
    """What is said of one summary; a word is empty where there is nothing to say."""

    gradient: str  # "vanishes", "explodes", one of MODERATE, or one of LOST
    evenly: str  # where in the stack the gradient changes
    tokens: str  # "stay apart", "draw together" or "become alike"
    queries: str  # "learn nothing", or empty


def words(found: Summary) -> Words:
    """Return the words for one summary, by the limits above."""
    slow = SLOW**found.depth
    if not (math.isfinite(found.ratio) and math.isfinite(found.activation)):
        return Words(OVERFLOW, "", "", "")
    if found.activation == 0.0:
        gradient = UNDERFLOW
    elif slow <= found.ratio <= 1 / slow:
        gradient = SLOWLY
    elif SMALL <= found.ratio <= 1 / SMALL:
        gradient = NEITHER
    else:
        gradient = "explodes" if found.ratio > 1 else "vanishes"
    evenly = "" if gradient in (*MODERATE, *LOST) else _evenly(found)
    if found.variation > APART:
        tokens = "stay apart"
    else:
        tokens = "become alike" if found.variation < COLLAPSED else "draw together"
    queries = "learn nothing" if found.queries < SILENT else ""
    return Words(gradient, evenly, tokens, queries)


def reading(summaries: Sequence[Summary]) -> list[tuple[str, list[str]]]:
    """Return each wiring's label, and what is said of it at the largest depth, line by line."""
    deepest = at_largest_depth(summaries)
    wirings = dict.fromkeys(found.wiring for found in deepest)
    return [
        (wiring.label, _lines([found for found in deepest if found.wiring == wiring]))
        for wiring in wirings
    ]


def conclusion(summaries: Sequence[Summary]) -> str:
    """Return how many stacks lose the gradient, and in how many the tokens become alike."""
    deepest = at_largest_depth(summaries)
    groups = [[f for f in deepest if f.wiring.residual == residual] for residual in (True, False)]
    return " ".join(_counts(group) for group in groups if group)


def at_largest_depth(summaries: Sequence[Summary]) -> list[Summary]:
    """Return the summaries of the deepest stacks."""
    depth = max((found.depth for found in summaries), default=0)
    return [found for found in summaries if found.depth == depth]


def _evenly(found: Summary) -> str:
    """Return whether both halves of the stack have one factor, or else which half does the most."""
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
    names = ", ".join(member.initialisation for member in members)
    who = "" if alone and len(members) > 1 else f"{names}: "
    gradient = f"the gradient {said.gradient}"
    if said.gradient not in LOST:
        over = f"{depth} block{'s' if depth > 1 else ''}"
        gradient += f" (times {_range([m.ratio for m in members])} over {over})"
    if said.evenly:
        gradient += f", {said.evenly} ({_range([f for m in members for f in m.factors])} each)"
    queries = "; queries and keys of the last block learn nothing" if said.queries else ""
    tokens = f"; {_tokens(said, members)}" if said.tokens else ""
    return f"{who}{gradient}{tokens}{queries}."


def _tokens(said: Words, members: list[Summary]) -> str:
    layers = [m.alike_from for m in members if m.alike_from is not None]
    share = _percent([m.variation for m in members])
    if said.tokens != "become alike":
        return f"tokens {said.tokens} (they differ by {share} of their size)"
    low, high = min(layers), max(layers)
    since = f"layer {low}" if low == high else f"layers {low} to {high}"
    return f"tokens become alike (they differ by less than 1 % from {since} on, and end at {share})"


def _counts(group: list[Summary]) -> str:
    said = [words(found) for found in group]
    lost = sum(w.gradient in ("vanishes", UNDERFLOW) for w in said)
    exploded = sum(w.gradient == "explodes" for w in said)
    overflowed = sum(w.gradient == OVERFLOW for w in said)
    alike = sum(w.tokens == "become alike" for w in said)
    connected = "With" if group[0].wiring.residual else "Without"
    stacks = f"{len(group)} stack{'s' if len(group) > 1 else ''}"
    upwards = f" and leaves the range of float64 upwards in {overflowed}" if overflowed else ""
    return (
        f"{connected} residual connections, of {stacks}: the gradient vanishes in {lost} and "
        f"explodes in {exploded}{upwards}; the tokens become alike in {alike}."
    )


def _range(values: Sequence[float]) -> str:
    low, high = f"{min(values):.2g}", f"{max(values):.2g}"
    return low if low == high else f"{low} to {high}"


def _percent(values: Sequence[float]) -> str:
    low, high = min(values), max(values)
    if high < 1e-4:
        return "less than 0.01 %"
    shown = [f"{100 * value:.2g}" for value in (low, high)]
    return f"{shown[0] if shown[0] == shown[1] else ' to '.join(shown)} %"
