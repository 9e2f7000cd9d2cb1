"""Small programs of our ops, as data: drawn at random, run by either engine, printed as code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
from hypothesis import strategies as st
from support.engines import TORCH, Engine
from support.program_ops import OPS, Op
from support.program_shapes import Shape

import torch

# Chosen to fit each other in many ways, with axes of size 1 and 0 among them.
SHAPES = [
    *((4,), (2, 3, 4), (3, 4), (5, 4), (5,), (2, 1, 4), (4, 4), (3, 1), (1,), ()),
    *((2, 0, 4), (0, 4), (0,), (2, 3, 3)),
]
LARGEST = 300  # entries; a step that would make more is left out


@dataclass(frozen=True)
class Step:
    """One line of a program: v<n> = op(v<input>, ..., option=...)."""

    op: str
    inputs: tuple[int, ...]
    options: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        given = [f"v{i}" for i in self.inputs] + [f"{n}={v!r}" for n, v in self.options.items()]
        return f"{self.op}({', '.join(given)})"

    def run(self, engine: Engine, values: list[Any]) -> Any:
        op = OPS[self.op]
        out = op.run(engine, *(values[i] for i in self.inputs), **self.options)
        return out.sin() if op.grows else out


@dataclass(frozen=True)
class Program:
    """Values v0, v1, ...: first the leaves, then one for each step."""

    leaves: tuple[Shape, ...]
    steps: tuple[Step, ...]

    def __repr__(self) -> str:
        lines = [f"v{i} = leaf{shape}" for i, shape in enumerate(self.leaves)]
        lines += [f"v{i} = {step}" for i, step in enumerate(self.steps, len(self.leaves))]
        return "\n" + "\n".join(lines)

    def run(self, engine: Engine, arrays: list[np.ndarray]) -> list[Any]:
        values = [engine.tensor(a, requires_grad=True) for a in arrays]
        for step in self.steps:
            values.append(step.run(engine, values))
        return values

    def sinks(self) -> list[int]:
        """The values that no step uses."""
        used = {i for step in self.steps for i in step.inputs}
        return [i for i in range(len(self.leaves) + len(self.steps)) if i not in used]


@st.composite
def programs(draw: st.DrawFn, first: str) -> Program:
    """A program that begins with this op and goes on with any, using every value again at will."""
    arity = OPS[first].arity
    fitting = [shapes for shapes in product(SHAPES, repeat=arity) if OPS[first].fits(*shapes)]
    leaves = draw(st.sampled_from(fitting))
    leaves += tuple(draw(st.lists(st.sampled_from(SHAPES), max_size=3)))
    steps = [draw_step(draw, first, leaves, [tuple(range(arity))])]
    values = [torch.zeros(shape, dtype=torch.float64) for shape in leaves]
    values.append(steps[0].run(TORCH, values))
    for name in draw(st.lists(st.sampled_from(sorted(OPS)), max_size=7)):
        shapes = [tuple(value.shape) for value in values]
        inputs = fitting_inputs(OPS[name], shapes)
        if inputs:
            step = draw_step(draw, name, shapes, inputs)
            out = step.run(TORCH, values)
            if out.numel() <= LARGEST:
                steps.append(step)
                values.append(out)
    return Program(leaves, tuple(steps))


def fitting_inputs(op: Op, shapes: Sequence[Shape]) -> list[tuple[int, ...]]:
    """Which values the op can take."""
    candidates = product(range(len(shapes)), repeat=op.arity)
    return [chosen for chosen in candidates if op.fits(*(shapes[i] for i in chosen))]


def draw_step(
    draw: st.DrawFn, name: str, shapes: Sequence[Shape], inputs: list[tuple[int, ...]]
) -> Step:
    chosen = draw(st.sampled_from(inputs))
    options = OPS[name].options(*(shapes[i] for i in chosen))
    return Step(name, chosen, {option: draw(values) for option, values in options.items()})
