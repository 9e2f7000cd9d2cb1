"""A subject: an example that is compared, what is made of its file, and the reference beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

import numpy as np

import torch
from crosscheck.draws import Stream, draws
from crosscheck.mutants.foreign.bug import EXAMPLES, module_of
from crosscheck.runs import Batch
from torch_impl import TransformerBlock


@dataclass(frozen=True)
class Sizes:
    """The sizes of a block and its input, as in the README."""

    B: int = 2
    T: int = 5
    C: int = 12
    H: int = 3
    F: int = 20

    @property
    def K(self) -> int:  # noqa: N802
        """The size of a head."""
        return self.C // self.H


# Of the honest runs. Whatever is special about sizes is here.
SIZES = (
    Sizes(),
    Sizes(B=1),
    Sizes(T=1),
    Sizes(T=2, C=10, H=2, F=7),
    Sizes(C=6, H=6, F=9),  # heads of size 1
    Sizes(B=3, T=4, C=8, H=1, F=16),
    Sizes(4, 4, 4, 2, 4),
    Sizes(1, 1, 4, 4, 4),
    Sizes(2, 9, 16, 4, 24),
)


@dataclass(frozen=True)
class Subject:
    """An example, and how it is compared with PyTorch's block, written out."""

    file: str  # its name in the folder EXAMPLES
    # (the module of the file, the sizes, whether it is causal) -> what `compare` is given
    make: Callable[[ModuleType, Sizes, bool], Any]
    # The weights of what is made, as expressions over those of the reference.
    weights: Callable[[Sizes], Mapping[str, str]]
    norm_first: bool = False
    activation: str = "relu"
    masks: tuple[bool, ...] = (False, True)  # whether it can be causal; bugs run under the last
    four_to_one: bool = False  # whether its F is always 4 C
    sizes: tuple[Sizes, ...] = SIZES  # of the honest runs

    def build(
        self, source: str, sizes: Sizes, seed: int, causal: bool | None = None
    ) -> tuple[Any, torch.nn.Module, Batch, dict[str, str]]:
        """Return the model of this source, the reference, a batch and the weights' map.

        causal: if not given, as its bugs are judged.
        """
        causal = self.masks[-1] if causal is None else causal
        sizes = replace(sizes, F=4 * sizes.C) if self.four_to_one else sizes
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            model = self.make(module_of(source, self.file), sizes, causal)
            reference = self.reference(sizes, causal)
        shape = (sizes.B, sizes.T, sizes.C)
        batch = Batch(draws(Stream.INPUT, seed).standard_normal(shape))
        return model, reference, batch, dict(self.weights(sizes))

    def source(self) -> str:
        """Return the example as it is."""
        return (EXAMPLES / self.file).read_text("utf-8")

    def reference(self, sizes: Sizes, causal: bool) -> torch.nn.Module:
        """Return PyTorch's block, written out, with the example's norm and activation."""
        block = TransformerBlock(
            sizes.C, sizes.H, sizes.F, 0.0, self.activation, norm_first=self.norm_first
        )
        return called_with(block, is_causal=True) if causal else block


def called_with(module: torch.nn.Module, **options: Any) -> torch.nn.Module:
    """Let the forward of this module always have these options. Its weights keep their names."""
    kind = type(module)

    def forward(self: Any, x: torch.Tensor) -> Any:
        return kind.forward(self, x, **options)

    module.__class__ = type(kind.__name__, (kind,), {"forward": forward})
    return module


def allowed(tokens: int) -> Any:
    """(T, T): True where a token may look under a causal mask."""
    return torch.tensor(np.tri(tokens, dtype=bool))
