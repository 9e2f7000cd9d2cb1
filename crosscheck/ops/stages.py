"""Training on one side, stage by stage: two gradients added up, clipped, and a step taken."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from crosscheck.sides import Dialect, Gradients

MAX_NORM = 0.5
Loss = Callable[[Any, int], Any]
TOTAL = "total norm"  # the name of what clipping returns


def stages(
    side: Dialect,
    model: Any,
    loss: Loss,
    optimiser_name: str,
    options: Mapping[str, Any],
    *,
    steps: int = 3,
    dtype: str = "float64",
    max_norm: float = MAX_NORM,
    grouped: Callable[[list[Any]], Any] = list,
    zeroed_by_model: bool = False,
    set_to_none: bool = True,
) -> Iterator[tuple[str, Gradients]]:
    """Yield the name of each stage of each step, and the gradients or the weights after it.

    Each step adds up the gradients of two multiples of the loss, so that a second backward counts.
    loss: returns a scalar of the model, given the model and the number of the step, from 0 on.
    grouped: what the optimiser is given, made of the list of parameters. zeroed_by_model: call the
    zero_grad of the model, not of the optimiser. set_to_none: what it is asked for. The model is
    copied.
    """
    model = side.copy(model, dtype)
    parameters = list(model.parameters())
    make = getattr(side.library.optim, optimiser_name)
    optimiser = make(grouped(parameters), **options)
    for step in range(steps):
        (model if zeroed_by_model else optimiser).zero_grad(set_to_none=set_to_none)
        yield "zero_grad", _gradients(side, model)
        for factor in (0.5, 2.0):
            (loss(model, step) * factor).backward()
        yield "backward", _gradients(side, model)
        total = side.clip_grad_norm(parameters, max_norm)
        clipped = None if total is None else np.asarray(float(total))
        yield "clip_grad_norm_", {**_gradients(side, model), TOTAL: clipped}
        optimiser.step()
        yield optimiser_name, dict(side.weights(model))


def _gradients(side: Dialect, model: Any) -> Gradients:
    """Return copies of the gradients: clipping writes into them."""
    gradients = side.gradients(model)
    return {name: None if g is None else np.array(g) for name, g in gradients.items()}
