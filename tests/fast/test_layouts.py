"""A kernel may assume nothing of how its arrays lie in memory, nor of what its buffers hold.

Every array is read-only, and every buffer starts full of NaN: what is written into an input, or is
read before it was written, shows.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from support.fast_forms import fast_form

from tinygrad_tf import fast
from tinygrad_tf.fast import threads
from tinygrad_tf.ops.attention import scaled_dot_product_attention as attention
from tinygrad_tf.ops.embedding import embedding
from tinygrad_tf.ops.gelu import gelu
from tinygrad_tf.ops.layer_norm import layer_norm
from tinygrad_tf.ops.linear import linear
from tinygrad_tf.ops.multi_head_attention import multi_head_attention

Array = np.ndarray[Any, Any]
Layout = Callable[[Array], Array]
B, T, S, H, K = 3, 5, 9, 2, 4
IDS = np.random.default_rng(1).integers(0, 6, (B, T))

LAYOUTS: dict[str, Layout] = {
    "rows": np.array,
    "columns": np.asfortranarray,
    "every third": lambda a: np.repeat(a, 3, axis=-1)[..., ::3],
    "backwards": lambda a: np.flip(np.flip(a).copy()),
    "last axis backwards": lambda a: a[..., ::-1].copy()[..., ::-1],
    "amid others": lambda a: np.pad(a, 2, constant_values=np.nan)[(slice(2, -2),) * a.ndim],
    "first axis last": lambda a: np.moveaxis(np.moveaxis(a, 0, -1).copy(), -1, 0),
}

CASES: dict[str, tuple[Any, tuple[Any, ...], dict[str, Any]]] = {
    "gelu": (gelu, ((B, T, 7),), {}),
    "layer_norm": (layer_norm, ((B, T, 7), (7,), (7,)), {"eps": 1e-5}),
    "layer_norm, no weight": (layer_norm, ((B, T, 7), None, (7,)), {"eps": 1e-5}),
    "layer_norm, no bias": (layer_norm, ((B, T, 7), (7,), None), {"eps": 1e-5}),
    "layer_norm, one token": (layer_norm, ((1, 7),), {"eps": 1e-5}),
    "linear": (linear, ((B, T, 7), (4, 7), (4,)), {}),
    "linear, no bias": (linear, ((S, 7), (1, 7), None), {}),
    "linear, many outputs": (linear, ((1, 2, 7), (24, 7), (24,)), {}),
    "linear, one row": (linear, ((1, 7), (4, 7), (4,)), {}),
    "embedding": (embedding, (IDS, (6, 7)), {}),
    "attention": (attention, ((B, H, T, K), (B, H, S, K), (B, H, S, 3)), {}),
    "causal attention": (
        attention,
        ((B, H, T, K), (B, H, S, K), (B, H, S, K)),
        {"is_causal": True},
    ),
    "causal attention, more queries than keys": (
        attention,
        ((B, H, S, K), (B, H, T, K), (B, H, T, K)),
        {"is_causal": True},
    ),
    "attention with a scale of its own": (
        attention,
        ((B, H, T, K), (B, H, S, K), (B, H, S, K)),
        {"scale": -0.7},
    ),
    "heads": (multi_head_attention, ((B, T, 3 * H * K),), {"num_heads": H}),
    "causal heads": (
        multi_head_attention,
        ((B, T, 3 * H * K),),
        {"num_heads": H, "is_causal": True},
    ),
    "attention, one query": (attention, ((B, H, 1, K), (B, H, S, K), (B, H, S, K)), {}),
}
each_case = pytest.mark.parametrize("case", CASES)
each_layout = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)


@pytest.fixture(autouse=True)
def _dirty_buffers(monkeypatch: pytest.MonkeyPatch) -> None:
    for form in fast.SECOND_FORMS.values():
        monkeypatch.setattr(
            sys.modules[form.__module__],
            "empty",
            lambda shape, dtype: np.full(shape, np.nan, dtype),
            raising=False,
        )


@pytest.fixture(
    params=[
        "whole", "pieces", "pieces, computed again", "pieces, half of them computed again",
        "pieces in three threads",
    ]
)  # fmt: skip
def _memory(request: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """GELU in blocks of 16 entries; attention in tiles of one head, or of two."""
    if "threads" in request.param:
        monkeypatch.setattr(threads, "NUMBER", 3)
        monkeypatch.setattr(fast.linear, "NUMBER", 3)
        monkeypatch.setattr(fast.linear, "ENOUGH", 0)
        monkeypatch.setattr(fast.linear, "matmul", fast.linear.shared_matmul)
    if request.param != "whole":
        monkeypatch.setattr(fast.gelu, "BLOCK", 16)
        monkeypatch.setattr(fast.attention, "TILE", 4 * T * S * 2)
    if "again" in request.param:
        half = 4 * B * H * T * S // 2
        monkeypatch.setattr(fast.attention, "KEPT", half if "half" in request.param else 0)


@contextmanager
def frozen(arrays: list[Array | None]) -> Iterator[None]:
    """Nobody can write into these arrays, and nobody did."""
    before = [None if a is None else a.copy() for a in arrays]
    for a in arrays:
        if a is not None:
            a.flags.writeable = False
    yield
    for a, copy in zip(arrays, before, strict=True):
        assert a is None or (a == copy).all()


def draw(shapes: Any, layout: Layout) -> list[Array | None]:
    generator = np.random.default_rng(3)
    arrays = []
    for given in shapes:
        if isinstance(given, tuple):
            given = layout(generator.standard_normal(given, dtype="f4"))
        arrays.append(given)
    return arrays


def run(form: Any, arrays: list[Array | None], dout: Array | None, options: Any) -> Any:
    out, backward = form(*arrays, **options)
    if dout is None:
        return out
    return [out, *backward(dout)[: len(arrays)]]


def judge(op: Any, arrays: list[Array | None], layout: Layout, options: Any) -> None:
    """The fast form against the page: float64 is the truth, and float32 shows what is possible."""
    wide = [a if a is None or a.dtype.kind != "f" else a.astype("f8") for a in arrays]
    shape = run(op.rule, wide, None, options).shape
    dout = layout(np.random.default_rng(4).standard_normal(shape, dtype="f4"))
    truth = run(op.rule, wide, dout.astype("f8"), options)
    page = run(op.rule, arrays, dout, options)
    with frozen([*arrays, dout]):
        found, again = (run(fast_form(op), arrays, dout, options) for _ in range(2))
    for a, repeated, b, exact in zip(found, again, page, truth, strict=True):
        assert (a is None) == (exact is None)
        if a is None:
            continue
        assert (a.shape, a.dtype) == (exact.shape, np.float32)
        np.testing.assert_array_equal(a, repeated)
        size = np.linalg.norm(exact)
        assert size > 0, "vacuous"
        assert np.linalg.norm(a - exact) <= max(4 * np.linalg.norm(b - exact), 2e-6 * size)


@pytest.mark.usefixtures("_memory")
@each_layout
@each_case
def test_inputs_and_dout_may_lie_anyhow(case: str, layout: Layout) -> None:
    op, shapes, options = CASES[case]
    judge(op, draw(shapes, layout), layout, options)


@each_layout
@each_case
def test_dout_alone_may_lie_anyhow(case: str, layout: Layout) -> None:
    op, shapes, options = CASES[case]
    judge(op, draw(shapes, np.array), layout, options)


@each_case
def test_dout_may_be_one_row_seen_everywhere(case: str) -> None:
    """As the gradient of a sum is, or of what was broadcast."""
    op, shapes, options = CASES[case]
    judge(op, draw(shapes, np.array), lambda a: np.broadcast_to(a[:1], a.shape), options)


@pytest.mark.usefixtures("_memory")
@pytest.mark.parametrize("is_causal", [False, True])
def test_heads_cut_from_one_projection(is_causal: bool) -> None:
    """As the block makes them: views of one (B, T, 3C) array, transposed and never copied."""
    qkv = np.random.default_rng(5).standard_normal((B, T, 3 * H * K), dtype="f4")
    stacked = qkv.reshape(B, T, 3, H, K).swapaxes(-4, -2)
    q, k, v = (stacked[..., i, :, :] for i in range(3))
    assert np.shares_memory(q, qkv)
    judge(attention, [q, k, v], LAYOUTS["rows"], {"is_causal": is_causal})


@pytest.mark.usefixtures("_memory")
def test_one_array_as_query_key_and_value() -> None:
    (x,) = draw([(B, H, T, K)], LAYOUTS["first axis last"])
    judge(attention, [x, x, x], LAYOUTS["rows"], {})
    (x,) = draw([(6, 6)], LAYOUTS["columns"])
    judge(linear, [x, x, x[0]], LAYOUTS["rows"], {})


@each_case
def test_results_share_no_memory_with_the_inputs_nor_with_one_another(case: str) -> None:
    op, shapes, options = CASES[case]
    arrays = draw(shapes, np.array)
    dout = np.random.default_rng(4).standard_normal(
        run(op.rule, arrays, None, options).shape, dtype="f4"
    )
    everything = [*arrays, dout, *run(fast_form(op), arrays, dout, options)]
    present = [a for a in everything if a is not None]
    for i, a in enumerate(present):
        assert not any(np.shares_memory(a, b) for b in present[:i])


@each_case
def test_a_later_call_changes_nothing_of_an_earlier_one(case: str) -> None:
    """Forward and backward passes of two calls, interleaved: each keeps to its own."""
    op, shapes, options = CASES[case]
    one = draw(shapes, np.array)
    other = [a if a is None or a.dtype.kind != "f" else a + 1 for a in one]
    out, backward = fast_form(op)(*one, **options)
    copy, dout = out.copy(), np.ones_like(out) + out
    expected = run(fast_form(op), one, dout, options)
    out2, backward2 = fast_form(op)(*other, **options)
    backward2(np.ones_like(out2))
    np.testing.assert_array_equal(out, copy)
    for a, b in zip(backward(dout), expected[1:], strict=False):
        assert (a is None) == (b is None)
        assert a is None or (a == b).all()
