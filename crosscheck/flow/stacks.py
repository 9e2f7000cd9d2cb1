"""Stacks of blocks: six wirings, on either side, with the same weights."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, NamedTuple

from crosscheck.models import ModelOptions
from crosscheck.sides import DIALECTS, Array, Dialect
from crosscheck.weights import set_weights


def sides_of(engine: str | None) -> tuple[Dialect, ...]:
    """Return the side of this key, or all sides for "both" and for None."""
    return tuple(side for key, side in DIALECTS.items() if engine in (key, "both", None))


class Wiring(NamedTuple):
    """How the branches of a block are wired to each other."""

    norm: str  # where layer norm stands: "pre", "post" or "none"
    residual: bool  # whether there are residual connections

    @property
    def norm_label(self) -> str:
        """Where layer norm stands, in words."""
        return "no norm" if self.norm == "none" else f"{self.norm}-norm"

    @property
    def label(self) -> str:
        """The wiring in words."""
        return f"{self.norm_label}, {'residual' if self.residual else 'no residual'}"


WIRINGS = tuple(
    Wiring(norm, residual) for residual in (True, False) for norm in ("pre", "post", "none")
)


class Stacks:
    """Stacks of one size. Each wiring's blocks are built once and used for many weights."""

    def __init__(self, options: ModelOptions, sides: Iterable[Dialect]) -> None:
        self.options = options  # the sizes of a block; a wiring sets its norm and its residual
        self.sides = tuple(sides)
        self._blocks: dict[tuple[Dialect, Wiring], list[Any]] = {}

    def load(self, wiring: Wiring, weights: dict[str, Array]) -> dict[Dialect, Any]:
        """Return, by side, a stack that holds the weights in float64 and is as deep as they are.

        A stack is a ModuleList of blocks, and `weights` has its names: "0.linear1.weight". The
        weights of norms are left out if the wiring has no norm.
        """
        depth = 1 + max(int(name.split(".")[0]) for name in weights)
        stacks = {}
        for side in self.sides:
            stack = side.library.nn.ModuleList(self._pool(side, wiring, depth)[:depth])
            names = stack.state_dict().keys()
            set_weights(stack, {n: w for n, w in weights.items() if n in names})
            stacks[side] = stack
        return stacks

    def _pool(self, side: Dialect, wiring: Wiring, depth: int) -> list[Any]:
        pool = self._blocks.setdefault((side, wiring), [])
        options = replace(self.options, norm=wiring.norm, residual=wiring.residual)
        while len(pool) < depth:
            pool.append(side.models.TransformerBlock(**options.block_arguments()).double())
        return pool
