"""Buffers are used again and gradients are handed over; nobody who holds an array may notice.

The model is in float32, and its arrays are large enough to come from the pool. After each scene the
arrays that were held are compared with copies made when they were new.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from tinygrad_tf import Tensor, no_grad
from tinygrad_tf.fast import buffers
from tinygrad_tf.nn import functional as F

Array = np.ndarray[Any, Any]
Gradients = dict[str, Array]
BATCH, TOKENS, HEADS, CHANNELS, HIDDEN = 2, 80, 4, 128, 136


class Model:
    """Half a block: attention, a residual, a norm and two linear layers with GELU between them."""

    def __init__(self, seed: int, dtype: str = "f4") -> None:
        generator = np.random.default_rng(seed)
        shapes = {
            "qkv": (3 * CHANNELS, CHANNELS), "norm": (CHANNELS,), "shift": (CHANNELS,),
            "up": (HIDDEN, CHANNELS), "bias": (HIDDEN,), "down": (CHANNELS, HIDDEN),
        }  # fmt: skip
        self.parameters = {
            name: Tensor((0.1 * generator.standard_normal(shape)).astype(dtype), True)
            for name, shape in shapes.items()
        }
        self.hidden: Tensor | None = None

    def __call__(self, x: Tensor) -> Tensor:
        p = self.parameters
        qkv = F.linear(x, p["qkv"]).view(BATCH, TOKENS, 3, HEADS, CHANNELS // HEADS)
        q, k, v = qkv.transpose(-4, -2).unbind(-3)
        context = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + context.transpose(-3, -2).flatten(-2)
        x = F.layer_norm(x, (CHANNELS,), p["norm"], p["shift"])
        self.hidden = F.gelu(F.linear(x, p["up"], p["bias"]))
        return x + F.linear(self.hidden, p["down"])

    def gradients(self) -> Gradients:
        """The very arrays."""
        return {name: p.grad.data for name, p in self.parameters.items() if p.grad is not None}

    def zero_grad(self) -> None:
        for p in self.parameters.values():
            p.grad = None


def draw(seed: int, dtype: str = "f4") -> Tensor:
    drawn = np.random.default_rng(seed).standard_normal((BATCH, TOKENS, CHANNELS))
    return Tensor(drawn.astype("f4").astype(dtype))


def step(model: Model, seed: int) -> Tensor:
    out = model(draw(seed))
    out.backward(draw(seed + 1000))
    return out


def expected(model_seed: int, seed: int) -> Gradients:
    """In float64: no kernel, no pool, nothing handed over."""
    model = Model(model_seed, "f8")
    for p in model.parameters.values():
        p.data = p.data.astype("f4").astype("f8")
    model(draw(seed, "f8")).backward(draw(seed + 1000, "f8"))
    return model.gradients()


def assert_right(gradients: Gradients, truth: Gradients, times: float = 1.0) -> None:
    assert gradients.keys() == truth.keys()
    for name, exact in truth.items():
        error = np.linalg.norm(gradients[name] - times * exact) / np.linalg.norm(times * exact)
        assert error < 5e-6, name


@pytest.fixture(autouse=True)
def _the_pool_is_in_use(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A scene in which no buffer is used again would prove nothing."""
    found, take = [], buffers._Pool.take

    def counted(self: buffers._Pool, size: int) -> Any:
        found.append(bool(self.idle.get(size)))
        return take(self, size)

    monkeypatch.setattr(buffers, "SMALLEST", 1 << 17)
    monkeypatch.setattr(buffers._Pool, "take", counted)
    yield
    assert any(found)


def test_the_model_is_right_and_stays_so_when_its_memory_was_used() -> None:
    model, truth = Model(0), [expected(0, seed) for seed in range(2)]
    for seed in (0, 1, 0, 1):
        model.zero_grad()
        step(model, seed)
        assert_right(model.gradients(), truth[seed])


def test_held_outputs_and_gradients_stay_as_they_are() -> None:
    model = Model(0)
    held, copies = [], []
    for seed in range(4):
        model.zero_grad()
        held += [step(model, seed).data, *model.gradients().values()]
        copies += [a.copy() for a in held[len(copies) :]]
    for a, copy in zip(held, copies, strict=True):
        np.testing.assert_array_equal(a, copy)


def test_a_view_of_a_view_holds_the_memory_alone() -> None:
    model = Model(0)
    step(model, 0)
    views = [model.hidden.detach().numpy()[0].T[::2], model.hidden.flatten(1).data[1:, 5:]]
    views += [a[1:][::-1] for a in model.gradients().values()]
    copies = [a.copy() for a in views]
    for seed in (1, 2):
        model.zero_grad()
        step(model, seed)
    for a, copy in zip(views, copies, strict=True):
        np.testing.assert_array_equal(a, copy)


def test_a_gradient_tensor_is_not_added_to_by_later_steps() -> None:
    """`.grad` becomes another tensor; who kept the earlier one keeps its numbers."""
    model = Model(0)
    step(model, 0)
    earlier = {name: p.grad for name, p in model.parameters.items()}
    copies = {name: grad.data.copy() for name, grad in earlier.items()}
    step(model, 0)
    step(model, 1)
    for name, grad in earlier.items():
        np.testing.assert_array_equal(grad.data, copies[name])
        assert model.parameters[name].grad is not grad


def test_a_second_backward_through_a_kept_graph() -> None:
    model, truth = Model(0), expected(0, 0)
    out = model(draw(0))
    out.backward(draw(1000), retain_graph=True)
    once = {name: a.copy() for name, a in model.gradients().items()}
    model.zero_grad()
    step(Model(1), 5)  # takes the memory that the first pass left
    out.backward(draw(1000), retain_graph=True)
    for name, a in model.gradients().items():
        np.testing.assert_array_equal(a, once[name])
    out.backward(draw(1000))
    assert_right(model.gradients(), truth, times=2.0)


def test_what_hooks_saw_and_retained_gradients_stay_as_they_are() -> None:
    model = Model(0)
    seen: list[Tensor] = []
    for p in model.parameters.values():
        p.register_hook(seen.append)
    kept = []
    for seed in range(3):
        model.zero_grad()
        x = draw(seed).requires_grad_()
        out = model(x)
        out.retain_grad()
        model.hidden.retain_grad()
        model.hidden.register_hook(seen.append)
        out.register_hook(seen.append)
        out.backward(draw(seed + 1000))
        kept += [(t, t.data.copy()) for t in [*seen, x.grad, out.grad, model.hidden.grad]]
        for a, b in itertools.product(model.gradients().values(), seen):
            assert not np.shares_memory(a, b.data)
        seen.clear()
    for tensor, copy in kept:
        np.testing.assert_array_equal(tensor.data, copy)
    assert len(kept) == 3 * (len(model.parameters) + 5)


@pytest.mark.parametrize("place", ["norm", "hidden", "bias"])
def test_an_exception_in_mid_pass(place: str) -> None:
    model, truth = Model(0), expected(0, 0)
    failures = []
    for _ in range(3):
        out = model(draw(0))
        source = model.hidden if place == "hidden" else model.parameters[place]
        bad = source.register_hook(lambda dx: 1 / 0)
        with bad, pytest.raises(ZeroDivisionError) as failure:
            out.backward(draw(1000))
        failures.append((failure.value, out.data, out.data.copy()))  # and with it, its frames
    model.zero_grad()
    step(model, 0)
    assert_right(model.gradients(), truth)
    for _, held, copy in failures:
        np.testing.assert_array_equal(held, copy)


def test_an_exception_in_mid_forward() -> None:
    model, truth = Model(0), expected(0, 0)
    with pytest.raises(ValueError, match="layer_norm: weight") as failure:
        F.layer_norm(model(draw(1)), (CHANNELS,), Tensor(np.ones(3, "f4")))
    for _ in range(2):
        model.zero_grad()
        step(model, 0)
        assert_right(model.gradients(), truth)
    assert failure.value  # and what it holds lived on


def test_two_models_take_turns() -> None:
    models, truths = [Model(0), Model(1)], [expected(0, 0), expected(1, 1)]
    outs = [model(draw(seed)) for seed, model in enumerate(models)]
    copies = [out.data.copy() for out in outs]
    with no_grad():
        models[0](draw(7))
    for seed in (1, 0):
        outs[seed].backward(draw(seed + 1000))
    for model, truth, out, copy in zip(models, truths, outs, copies, strict=True):
        assert_right(model.gradients(), truth)
        np.testing.assert_array_equal(out.data, copy)


def test_a_model_for_each_thread() -> None:
    truths = [expected(seed, seed) for seed in range(3)]

    def work(seed: int) -> None:
        model = Model(seed)
        for _ in range(6):
            model.zero_grad()
            step(model, seed)
            assert_right(model.gradients(), truths[seed])

    with ThreadPoolExecutor(3) as threads:
        assert list(threads.map(work, range(3))) == [None] * 3  # or the exception of one of them


def test_forward_here_and_backward_in_another_thread() -> None:
    model, truth = Model(0), expected(0, 0)
    with ThreadPoolExecutor(1) as thread:
        for _ in range(4):
            model.zero_grad()
            out = model(draw(0))
            thread.submit(out.backward, draw(1000)).result()
            assert_right(model.gradients(), truth)
