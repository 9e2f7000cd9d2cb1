"""The NumPy blocks in examples/brought are right: PyTorch's own layer is the witness."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, reduce
from typing import Any

import numpy as np
import pytest

import torch
from crosscheck import randomize
from crosscheck.maps.expression import evaluate
from crosscheck.mutants.foreign.bug import module_of
from crosscheck.mutants.foreign.subject import Sizes
from crosscheck.mutants.foreign.trial import SUBJECTS

Arrays = dict[str, np.ndarray[Any, Any]]
# (module, weights, x, dout, causal) -> the output, dx, and the gradients by the example's names
Run = Callable[[Any, Arrays, Any, Any, bool], tuple[Any, Any, Arrays]]
SIZES = Sizes()


def run_caches(module: Any, weights: Arrays, x: Any, dout: Any, causal: bool) -> Any:
    out, cache = module.forward(x, {**weights, "n_heads": SIZES.H})
    return out, *module.backward(dout, cache)


def run_flat(module: Any, weights: Arrays, x: Any, dout: Any, causal: bool) -> Any:
    np.testing.assert_array_equal(
        module.block(x, weights, causal=causal), module.block(x, weights, dout, causal)[0]
    )
    return module.block(x, weights, dout, causal)


def run_layers(module: Any, weights: Arrays, x: Any, dout: Any, causal: bool) -> Any:
    block = module.Block(SIZES.C, SIZES.H, SIZES.F, causal)
    places = {name: _place(block, name) for name in weights}
    for name, (layer, own) in places.items():
        setattr(layer, own, weights[name])
    out = block.forward(x)
    dx = block.backward(dout)
    return out, dx, {name: getattr(layer, f"d{own}") for name, (layer, own) in places.items()}


def _place(block: Any, name: str) -> tuple[Any, str]:
    *path, own = name.split(".")
    return reduce(getattr, path, block), own


def run_engine(module: Any, weights: Arrays, x: Any, dout: Any, causal: bool) -> Any:
    block = module.Block(SIZES.C, SIZES.H, SIZES.F, causal)
    for name, array in weights.items():
        setattr(block, name, module.Tensor(array))
    given = module.Tensor(x)
    out = block(given)
    out.backward(dout)
    return out.data, given.grad, {name: getattr(block, name).grad for name in weights}


RUNS: dict[str, Run] = {
    "numpy_caches.py": run_caches,
    "numpy_layers.py": run_layers,
    "numpy_flat.py": run_flat,
    "tensor_engine.py": run_engine,
}
ACTIVATIONS = {"gelu-tanh": partial(torch.nn.functional.gelu, approximate="tanh")}


@pytest.mark.parametrize(
    ("file", "causal"), [(file, causal) for file in RUNS for causal in SUBJECTS[file].masks]
)
def test_a_block_is_pytorchs_layer(file: str, causal: bool) -> None:
    subject, (B, T, C, H, F) = SUBJECTS[file], (SIZES.B, SIZES.T, SIZES.C, SIZES.H, SIZES.F)
    layer = torch.nn.TransformerEncoderLayer(
        C, H, F, dropout=0.0, batch_first=True, norm_first=subject.norm_first,
        activation=ACTIVATIONS.get(subject.activation, subject.activation),
    )  # fmt: skip
    randomize(layer)
    layer.double()
    held = dict(layer.named_parameters())
    x, dout = torch.from_numpy(np.random.default_rng(0).standard_normal((2, B, T, C)))
    x.requires_grad_()
    mask = torch.ones(T, T).triu(1) > 0 if causal else None
    expected = layer(x, src_mask=mask)
    gradients = torch.autograd.grad(expected, [x, *held.values()], dout)

    names = subject.weights(SIZES)
    theirs = {name: p.detach().numpy() for name, p in held.items()}
    weights = {name: np.array(evaluate(text, theirs)) for name, text in names.items()}
    module = module_of(subject.source(), file)
    out, dx, found = RUNS[file](module, weights, x.detach().numpy(), dout.numpy(), causal)

    slopes = {name: g.numpy() for name, g in zip(held, gradients[1:], strict=True)}
    largest = max(float(np.abs(g).max()) for g in slopes.values())
    assert_close(out, expected.detach().numpy(), 1.0)
    assert_close(dx, gradients[0].numpy(), largest)
    for name, text in names.items():
        assert_close(found[name], evaluate(text, slopes), largest)


def assert_close(mine: Any, theirs: Any, largest: float) -> None:
    assert mine.shape == theirs.shape
    assert np.abs(mine - theirs).max() <= 1e-12 * largest
