import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tinygrad_tf.fast import attention as kernel
from tinygrad_tf.ops.attention import scaled_dot_product_attention as attention

Check = Callable[..., None]
K, KV = 3, 8  # not 5: see `_LEFT_TO_THE_PAGE` in kernels/layer_norm.py
TOKENS = [(4, 6), (6, 4), (1, 7), (7, 1), (5, 5), (150, 130), (130, 150), (70, 40)]


def shapes(t: int, s: int, *leading: int) -> tuple[Any, ...]:
    """Of q, k and v."""
    return (*leading, t, K), (*leading, s, K), (*leading, s, KV)


@pytest.fixture(params=["whole", "tiles", "tiles, computed again"])
def memory(request: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Little memory: tiles of 64 rows or of few heads, and no exponentials kept."""
    if request.param != "whole":
        monkeypatch.setattr(kernel, "TILE", 4 * 64 * 40)
    if "again" in request.param:
        monkeypatch.setattr(kernel, "KEPT", 0)


@pytest.mark.usefixtures("memory")
@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize(("t", "s"), TOKENS)
def test_the_fast_form_is_the_page(t: int, s: int, is_causal: bool, check_kernel: Check) -> None:
    check_kernel(attention, *shapes(t, s, 2, 3), is_causal=is_causal)


@pytest.mark.usefixtures("memory")
@pytest.mark.parametrize("scale", [1e-3, 30.0])
def test_at_every_scale(scale: float, check_kernel: Check) -> None:
    check_kernel(attention, *shapes(150, 130, 2, 3), scale=scale)


@pytest.mark.usefixtures("memory")
@pytest.mark.parametrize("scale", [0.05, 2.0])
def test_the_scale_is_the_callers(scale: float) -> None:
    generator = np.random.default_rng(0)
    arrays = [generator.standard_normal(shape, dtype="f4") for shape in shapes(70, 40, 2, 3)]
    exact, exact_backward = attention.rule(*(a.astype("f8") for a in arrays), scale=scale)
    found, backward = kernel.scaled_dot_product_attention(*arrays, scale=scale)
    dout = generator.standard_normal(found.shape, dtype="f4")
    for a, b in zip([found, *backward(dout)], [exact, *exact_backward(dout)], strict=True):
        if a is not None:
            np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-5)


@pytest.mark.usefixtures("memory")
def test_many_sequences_and_heads(check_kernel: Check) -> None:
    check_kernel(attention, *shapes(9, 8, 7, 11))
    check_kernel(attention, *shapes(30, 29, 5, 4), is_causal=True)


@pytest.mark.usefixtures("memory")
def test_scores_of_ten_thousand() -> None:
    generator = np.random.default_rng(0)
    q, k, v = (generator.standard_normal(shape) for shape in shapes(70, 40, 1, 2))
    arrays = [np.round(q) * 100, np.round(k) * 100, v]  # exact also in float32
    exact, _ = attention.rule(*arrays)
    found, backward = kernel.scaled_dot_product_attention(*(a.astype("f4") for a in arrays))
    np.testing.assert_allclose(found, exact, rtol=1e-3, atol=1e-3)
    assert all(np.isfinite(d).all() for d in backward(np.ones_like(found))[:3])


def test_tiles_cover_every_pair_that_may_attend_once() -> None:
    for size, room in itertools.product((1 << 20, 4 * 64 * 40, 4), (0, 1 << 16, 1 << 30)):
        for t, s in TOKENS:
            for is_causal in (False, True):
                visits = np.zeros((2, 3, t, s), dtype=int)
                groups = kernel._groups((2, 3, t), s, is_causal, size, room)
                for tile in itertools.chain(*(group.tiles for group in groups)):
                    visits[(*tile.queries, tile.keys[2])] += 1
                keys = [{(str(t.keys[0]), str(t.keys[1])) for t in g.tiles} for g in groups]
                assert all(len(k) == 1 for k in keys)  # none adds to another group's keys
                assert len(set.union(*keys)) == len(groups)
                allowed = np.tri(t, s, dtype=bool) if is_causal else True
                assert (visits[np.broadcast_to(allowed, visits.shape)] == 1).all()
                assert visits.max() == 1
                kept = [group.keep for group in groups]
                assert kept == sorted(kept, reverse=True)  # those that come first
                assert all(kept) == (room >= 24 * t * s)
                largest = 4 * t * s * math.ceil(6 / len(groups))
                assert room - largest < 24 * t * s * sum(kept) / len(kept) <= room or all(kept)


@pytest.mark.parametrize(
    ("given", "options"),
    [
        (shapes(4, 6), {}),
        (shapes(4, 6, 2), {}),
        (((1, 1, 4, 3), (1, 1, 6, 2), (1, 1, 6, 5)), {}),
        (((1, 1, 4, 3), (1, 1, 6, 3), (1, 1, 5, 5)), {}),
        (((2, 1, 4, 3), (1, 1, 6, 3), (1, 1, 6, 5)), {}),
        (shapes(4, 0, 1, 1), {}),
        (shapes(0, 6, 1, 1), {}),
        ((*shapes(4, 6, 1, 1), (4, 6)), {}),
        (shapes(4, 6, 1, 1), {"dropout_p": 0.5}),
    ],
)
def test_what_it_leaves_to_the_page(given: Any, options: Any) -> None:
    arrays = [np.ones(shape, dtype="f4") for shape in given]
    assert kernel.scaled_dot_product_attention(*arrays, **options) is NotImplemented


def test_the_context_lies_by_tokens() -> None:
    arrays = [np.ones(shape, dtype="f4") for shape in shapes(4, 6, 2, 3)]
    context, _ = kernel.scaled_dot_product_attention(*arrays)
    merged = context.swapaxes(1, 2).reshape(2, 4, 3 * KV)
    assert np.shares_memory(merged, context)
