"""A use of an op: an expression that both sides compute, and what it is given."""

from __future__ import annotations

import dataclasses
import inspect
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from crosscheck.draws import Stream, draws
from crosscheck.ops.examine import examine_op
from crosscheck.ops.inputs import backwards, every_other, in_column_order, stretched
from crosscheck.ops.outcome import Outcome
from crosscheck.sides import Array
from crosscheck.tape.fingerprints import Sizes

B, T, C = 2, 5, 6  # of x, the one input of the plain cases

# (side, *tensors) -> a tensor, written in PyTorch's dialect, so that one line runs on both sides.
Use = Callable[..., Any]


@dataclass(frozen=True)
class OpCase:
    """One use of an op."""

    op: str  # the rule's name
    name: str  # what is special in this case
    use: Use  # the expression; its arguments are named as the inputs are to be called
    shapes: tuple[tuple[int, ...], ...] = ((B, T, C),)  # of the inputs, all of them floats
    scale: float = 1.0  # the standard deviation of their entries
    prepare: Callable[[Array], Array] | None = None  # what is made of each array that was drawn
    layout: Callable[[Array], Array] | None = None  # how our arrays lie in memory
    smooth: bool = True  # False where the expression has a kink: no finite difference
    # Whether a gradient may be small because large numbers cancel, as where a function saturates.
    # In float32 it is rounding then, and may be off by a share of the largest gradient.
    cancels: bool = False
    may_vanish: bool = False  # whether all gradients may be too small to be tested

    @cached_property
    def inputs(self) -> list[str]:
        """The names of the inputs."""
        return list(inspect.signature(self.use).parameters)[1:]

    @property
    def sizes(self) -> Sizes:
        """The sizes of the first input, which is (B, T, C) or (B, H, T, K), for hints."""
        shape = self.shapes[0]
        if len(shape) == 4:
            return Sizes(B=shape[0], T=shape[2], C=shape[1] * shape[3], H=shape[1])
        return Sizes(*shape) if len(shape) == 3 else Sizes()

    def stream(self, stream: Stream, seed: int) -> np.random.Generator:
        """Return the numbers that are drawn for this case, whatever other cases there are."""
        return draws(stream, (seed, zlib.crc32(f"{self.op}, {self.name}".encode())))

    def arrays(self, seed: int, dtype: str = "float64") -> list[Array]:
        """Draw the inputs, in float64. Each is a number that this dtype can hold as it is."""
        generator = self.stream(Stream.INPUT, seed)
        drawn = (self.scale * generator.standard_normal(shape) for shape in self.shapes)
        made = (array if self.prepare is None else self.prepare(array) for array in drawn)
        return [array.astype(dtype).astype(np.float64) for array in made]

    def examine(self, seed: int, dtype: str) -> Outcome:
        """Run both sides and judge. dtype: "float64", "float32" or "both"."""
        return examine_op(self, seed, dtype)


def plain_cases(op: str, use: Use, tiny: bool = True, huge: float = 1e3) -> Iterator[OpCase]:
    """Yield what every op is tried on: inputs (B, T, C) of all sizes, in all kinds of memory.

    tiny: whether inputs near zero are right for this use. huge: the scale of the largest.
    """
    plain = OpCase(op, "ordinary inputs", use)
    yield plain
    for scale in (1e-3, 1e-6) if tiny else ():
        yield dataclasses.replace(
            plain, name=f"tiny inputs, {scale:g}", scale=scale, may_vanish=True
        )
    for scale in sorted({10.0, huge}):
        yield dataclasses.replace(
            plain, name=f"huge inputs, {scale:g}", scale=scale, may_vanish=True, cancels=True
        )
    for name, layout in (
        ("a transposed input", in_column_order),
        ("a sliced input", every_other),
        ("a flipped input", backwards),
    ):
        yield dataclasses.replace(plain, name=name, layout=layout)
    yield dataclasses.replace(plain, name="an expanded input", prepare=stretched, layout=stretched)
