"""Packed attention is the module it is made of, in fewer ops."""

from typing import Any

import numpy as np
import pytest

from tinygrad_tf import Tensor, observe
from tinygrad_tf.fast.packed import PackedSelfAttention, pack_attention
from tinygrad_tf.transformer import (
    MultiheadSelfAttention,
    TransformerBlock,
    TransformerLanguageModel,
)

Array = np.ndarray[Any, Any]
B, T, C, H = 2, 7, 12, 3
SEEN = np.tri(T, dtype=bool)
PADDING = np.arange(T) >= np.array([[5], [6]])


def twins(dtype: str, **options: Any) -> tuple[TransformerBlock, TransformerBlock]:
    """A block as it is, and its packed copy."""
    block, other = (TransformerBlock(C, H, 20, 0.0, "gelu", **options).to(dtype) for _ in range(2))
    generator = np.random.default_rng(0)
    for p in block.parameters():
        p.data[...] = generator.standard_normal(p.shape) / 3
    other.load_state_dict(block.state_dict())
    return block, pack_attention(other)


def gradients(block: TransformerBlock, dtype: str, **masks: Any) -> dict[str, Array]:
    x, dout = np.random.default_rng(1).standard_normal((2, B, T, C)).astype(dtype)
    leaf = Tensor(x, requires_grad=True)
    out = block(leaf, **masks)
    out.backward(Tensor(dout))
    found = {name: p.grad for name, p in [("x", leaf), *block.named_parameters()]}
    return {"out": out.detach().data, **{n: g.data for n, g in found.items() if g is not None}}


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize(
    "masks",
    [
        {},
        {"is_causal": True},
        {"src_mask": Tensor(~SEEN)},
        {"src_mask": Tensor(~SEEN), "is_causal": True},
        {"src_key_padding_mask": Tensor(PADDING)},
        {"src_key_padding_mask": Tensor(PADDING), "is_causal": True},
    ],
    ids=lambda masks: ", ".join(masks) or "all attend to all",
)
@pytest.mark.parametrize("options", [{}, {"norm_first": True, "bias": False, "fused": True}])
def test_same_outputs_and_gradients(options: Any, masks: Any, dtype: str) -> None:
    plain, packed = (gradients(block, dtype, **masks) for block in twins(dtype, **options))
    assert plain.keys() == packed.keys()
    for name, expected in plain.items():
        limit = (2e-6 if dtype == "f4" else 1e-14) * max(1.0, np.abs(expected).max())
        np.testing.assert_allclose(packed[name], expected, rtol=0, atol=limit, err_msg=name)


def ops(module: Any, *inputs: Any, **options: Any) -> list[str]:
    seen: list[str] = []
    with observe(lambda op, *_: seen.append(op.__name__)):
        module(*inputs, **options)
    return seen


def test_three_ops_where_nothing_is_masked_or_dropped() -> None:
    attention = pack_attention(MultiheadSelfAttention(C, H, dropout=0.5))
    x = Tensor(np.ones((B, T, C), "f4"))
    three = ["linear", "multi_head_attention", "linear"]
    assert ops(attention.eval(), x) == ops(attention, x, is_causal=True) == three
    assert "softmax" in ops(attention.train(), x)
    assert "softmax" in ops(attention.eval(), x, Tensor(SEEN))
    assert ops(attention, Tensor(np.ones((B, 1, T, C), "f4"))) != three


def test_every_attention_of_a_model_and_nothing_else() -> None:
    class Own(MultiheadSelfAttention):
        pass

    model = TransformerLanguageModel(11, T, C, H, 2, 20)
    model.blocks[1].self_attn = Own(C, H)
    before = dict(model.named_parameters())
    assert pack_attention(model) is model
    kinds = [type(block.self_attn) for block in model.blocks]
    assert kinds == [PackedSelfAttention, Own]
    assert all(p is before[name] for name, p in model.named_parameters())


def test_hooks_of_the_output_projection_still_see_it() -> None:
    attention = pack_attention(MultiheadSelfAttention(C, H))
    shapes = []
    attention.out_proj.register_forward_hook(lambda _, inputs, out: shapes.append(inputs[0].shape))
    attention(Tensor(np.ones((B, T, C), "f4")))
    assert shapes == [(B, T, C)]
