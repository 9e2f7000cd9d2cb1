from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import torch
from tinygrad_tf.ops.multi_head_attention import multi_head_attention

Check = Callable[..., None]
B, T = 2, 5


def split_attend_merge(qkv: Any, num_heads: int, is_causal: bool) -> torch.Tensor:
    """By PyTorch's ops: the last axis is (3, H, K)."""
    q, k, v = qkv.unflatten(-1, (3, num_heads, -1)).permute(2, 0, 3, 1, 4)
    context = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=is_causal)
    return context.transpose(1, 2).flatten(2)


@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize(("heads", "size"), [(1, 4), (3, 4), (4, 1)])
def test_values_and_gradients(heads: int, size: int, is_causal: bool, check_op: Check) -> None:
    options = {"num_heads": heads, "is_causal": is_causal}
    check_op(
        partial(multi_head_attention, **options),
        (B, T, 3 * heads * size),
        theirs=partial(split_attend_merge, **options),
    )


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_between_pytorchs_own_projections(dtype: str) -> None:
    """`multi_head_attention_forward` with projections that change nothing, but for the queries'."""
    C, heads = 6, 2
    x = np.random.default_rng(0).standard_normal((T, 1, C)).astype(dtype)
    w = np.random.default_rng(1).standard_normal((3 * C, C)).astype(dtype)
    b = np.random.default_rng(2).standard_normal(3 * C).astype(dtype)
    tensors = [torch.tensor(a) for a in (x, w, b, np.eye(C, dtype=dtype))]
    theirs, _ = torch.nn.functional.multi_head_attention_forward(
        *[tensors[0]] * 3, C, heads, *tensors[1:3], None, None, False, 0.0, tensors[3], None
    )
    ours, _ = multi_head_attention.rule(x.swapaxes(0, 1) @ w.T + b, num_heads=heads)
    tolerance = 1e-6 if dtype == "f4" else 1e-14
    np.testing.assert_allclose(ours, theirs.swapaxes(0, 1).numpy(), atol=tolerance)


def test_heads_do_not_mix() -> None:
    heads, size = 3, 4
    qkv = np.random.default_rng(0).standard_normal((B, T, 3 * heads * size))
    out, backward = multi_head_attention.rule(qkv, num_heads=heads)
    dout = np.zeros((B, T, heads, size))
    dout[:, :, 1] = np.random.default_rng(1).standard_normal((B, T, size))
    (dqkv,) = backward(dout.reshape(out.shape))
    shares = dqkv.reshape(B, T, 3, heads, size)
    assert shares[:, :, :, 1].all()
    assert not shares[:, :, :, [0, 2]].any()


@pytest.mark.parametrize(
    ("shape", "heads", "words"),
    [
        ((T, 12), 2, r"qkv has shape \(5, 12\), expected \(B, T, 3C\)"),
        ((B, T, 12), 3, r"the last axis of qkv \(2, 5, 12\) does not split .* of 3 heads"),
        ((B, T, 12), 0, "0 heads"),
    ],
)
def test_wrong_shapes(shape: tuple[int, ...], heads: int, words: str) -> None:
    with pytest.raises(ValueError, match=f"^multi_head_attention: .*{words}"):
        multi_head_attention.rule(np.ones(shape), num_heads=heads)
