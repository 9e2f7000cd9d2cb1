"""What the tests of the model share: both sides, weights, masks and a verdict."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from crosscheck.draws import Stream, draws
from crosscheck.sides import NUMPY, TORCH
from crosscheck.sides import Dialect as Engine

Arrays = dict[str, np.ndarray]

ENGINES = (NUMPY, TORCH)
each_engine = pytest.mark.parametrize("engine", ENGINES, ids=repr)


def random_weights(model: Any, seed: int = 0) -> Arrays:
    """A value for every name in the state dict: norm weights around 1, no bias zero."""
    rng = draws(Stream.WEIGHTS, seed)  # shared with no test's own default_rng(seed)
    weights = {}
    for name, parameter in model.state_dict().items():
        noise = rng.standard_normal(tuple(parameter.shape))
        if noise.ndim == 1:
            weights[name] = 0.3 * noise + ("norm" in name and name.endswith("weight"))
        else:
            weights[name] = noise / math.sqrt(noise.shape[-1])
    return weights


def load(engine: Engine, model: Any, weights: Arrays, dtype: str = "float64") -> Any:
    """The model in this precision, with these weights."""
    model = model.to(getattr(engine.library, dtype))
    model.load_state_dict({n: engine.tensor(w.astype(dtype)) for n, w in weights.items()})
    return model


def run(
    engine: Engine, model: Any, x: np.ndarray, dout: np.ndarray | None = None, **options: Any
) -> Arrays:
    """The output, and the gradients of x and of every parameter, by name.

    Without dout there are no gradients: the model runs under no_grad. Integers x have none either.
    """
    dtype = next(iter(model.parameters())).detach().numpy().dtype
    given = engine.options(options, dtype)
    if dout is None:
        with engine.library.no_grad():
            return {"out": model(engine.tensor(x), **given).numpy()}
    model.zero_grad()
    source = engine.tensor(x, requires_grad=x.dtype.kind == "f")
    out = model(source, **given)
    out.backward(engine.tensor(dout))
    results = {"out": out.detach().numpy()}
    if source.requires_grad:
        results["dx"] = source.grad.numpy()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, f"{name} has no gradient in {engine}"
        results[f"d{name}"] = parameter.grad.numpy()
    return results


def worst(actual: Arrays, expected: Arrays, relative: bool = False) -> float:
    """The largest |a - b| of all tensors; if relative, over the tensor's largest entry above 1.

    Names, shapes and dtypes must be the same, all values finite; and no tensor may be so small that
    agreement would mean nothing.
    """
    assert actual.keys() == expected.keys()
    largest_difference = 0.0
    for name, b in expected.items():
        a = actual[name]
        assert (a.shape, a.dtype) == (b.shape, b.dtype), name
        assert np.isfinite(a).all(), f"{name} is not finite"
        assert np.isfinite(b).all(), f"{name} of the reference is not finite"
        largest = float(np.abs(b).max())
        assert largest > 1e-3, f"{name} of the reference is at most {largest}: vacuous"
        difference = float(np.abs(a - b).max()) / (max(largest, 1.0) if relative else 1.0)
        largest_difference = max(largest_difference, difference)
    return largest_difference


def random_mask(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """True = may not attend, at random; every query may attend to itself (shape (..., T, T))."""
    mask = rng.random(shape) < 0.4
    mask[..., range(shape[-1]), range(shape[-1])] = False
    return mask


def padding_mask(batch: int, tokens: int) -> np.ndarray:
    """True at the padded keys (B, T): another number of them in each sequence, at its end."""
    return np.arange(tokens) >= tokens - 1 - np.arange(batch)[:, None] % (tokens - 1)
