"""Stacks of blocks: six wirings, in either engine, with the same weights."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, NamedTuple

import tinygrad_tf.transformer
import torch
import torch_impl
from crosscheck.engines import Array, Engine, NumPyEngine, TorchEngine
from crosscheck.models import ModelOptions
from crosscheck.weights import set_weights

ENGINES: dict[str, Engine] = {"numpy": NumPyEngine(), "torch": TorchEngine()}
BLOCKS: dict[str, Any] = {
    "numpy": tinygrad_tf.transformer.TransformerBlock,
    "torch": torch_impl.TransformerBlock,
}
FUNCTIONAL: dict[str, Any] = {
    "numpy": tinygrad_tf.nn.functional,
    "torch": torch.nn.functional,
}
LISTS: dict[str, Any] = {"numpy": tinygrad_tf.nn.ModuleList, "torch": torch.nn.ModuleList}


class Wiring(NamedTuple):
    """Where layer norm stands ("pre", "post" or "none"), and whether there are residuals."""

    norm: str
    residual: bool

    @property
    def label(self) -> str:
        """The wiring in words."""
        norm = "no norm" if self.norm == "none" else f"{self.norm}-norm"
        return f"{norm}, {'residual' if self.residual else 'no residual'}"


WIRINGS = tuple(
    Wiring(norm, residual) for residual in (True, False) for norm in ("pre", "post", "none")
)


class Stacks:
    """Stacks of one size in one wiring each, built once and used for many weights.

    options: the sizes of a block; its norm and residual are those of the wiring asked for.
    engines: names among ENGINES.
    """

    def __init__(self, options: ModelOptions, engines: Iterable[str]) -> None:
        self.options = options
        self.engines = tuple(engines)
        self._blocks: dict[tuple[str, Wiring], list[Any]] = {}

    def load(self, wiring: Wiring, weights: dict[str, Array]) -> dict[str, Any]:
        """By engine, a stack as deep as the weights, which it holds in float64.

        A stack is a ModuleList of blocks, and `weights` has its names: "0.linear1.weight". Weights
        of norms are left out where there are none.
        """
        depth = 1 + max(int(name.split(".")[0]) for name in weights)
        stacks = {}
        for engine in self.engines:
            stack = LISTS[engine](self._pool(engine, wiring, depth)[:depth])
            names = stack.state_dict().keys()
            set_weights(stack, {n: w for n, w in weights.items() if n in names})
            stacks[engine] = stack
        return stacks

    def _pool(self, engine: str, wiring: Wiring, depth: int) -> list[Any]:
        pool = self._blocks.setdefault((engine, wiring), [])
        options = replace(self.options, norm=wiring.norm, residual=wiring.residual)
        while len(pool) < depth:
            pool.append(BLOCKS[engine](**options.block_arguments()).double())
        return pool
