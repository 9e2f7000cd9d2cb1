"""The PyTorch blocks in examples/brought are right: PyTorch's own layer is the witness."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

import torch
from crosscheck import randomize
from crosscheck.mutants.foreign.bug import EXAMPLES, module_of
from torch_impl import TransformerLanguageModel

B, T, C, H, F = 2, 5, 12, 3, 48  # a block in GPT's manner has F = 4 C
K = C // H
Weights = dict[str, torch.Tensor]


def load(file: str) -> Any:
    return module_of((EXAMPLES / file).read_text("utf-8"), file)


def gpt_block() -> torch.nn.Module:
    gpt = load("torch_gpt.py")
    return gpt.Block(gpt.GPTConfig(block_size=8, n_head=H, n_embd=C))  # type: ignore[no-any-return]


def gpt_weights(w: Weights) -> Weights:
    own = {"ln_1": "norm1", "attn.c_proj": "self_attn.out_proj", "ln_2": "norm2",
           "mlp.c_fc": "linear1", "mlp.c_proj": "linear2"}  # fmt: skip
    return renamed(w, own) | {
        f"attn.c_attn.{kind}": w[f"self_attn.in_proj_{kind}"] for kind in ("weight", "bias")
    }


def renamed(w: Weights, modules: dict[str, str]) -> Weights:
    return {
        f"{mine}.{kind}": w[f"{theirs}.{kind}"]
        for mine, theirs in modules.items()
        for kind in ("weight", "bias")
    }


def split(w: Weights, names: tuple[str, str, str]) -> Weights:
    """The in-projection as three linear layers of these names."""
    return {
        f"{name}.{kind}": w[f"self_attn.in_proj_{kind}"].chunk(3)[i]
        for i, name in enumerate(names)
        for kind in ("weight", "bias")
    }


def bert_weights(w: Weights) -> Weights:
    own = {"attention_output.dense": "self_attn.out_proj", "attention_output.LayerNorm": "norm1",
           "intermediate.dense": "linear1", "output.dense": "linear2",
           "output.LayerNorm": "norm2"}  # fmt: skip
    return renamed(w, own) | split(w, ("self.query", "self.key", "self.value"))


def annotated_weights(w: Weights) -> Weights:
    lins = "self_attn.linears."
    norms = {
        f"sublayer.{i}.norm.{mine}": w[f"norm{i + 1}.{theirs}"]
        for i in (0, 1)
        for mine, theirs in (("a_2", "weight"), ("b_2", "bias"))
    }
    own = {f"{lins}3": "self_attn.out_proj", "feed_forward.w_1": "linear1",
           "feed_forward.w_2": "linear2"}  # fmt: skip
    return renamed(w, own) | norms | split(w, (f"{lins}0", f"{lins}1", f"{lins}2"))


def einsum_weights(w: Weights) -> Weights:
    found = renamed(w, {"norm_attn": "norm1", "norm_ff": "norm2"}) | {
        "attn.w_o": w["self_attn.out_proj.weight"].t().reshape(H, K, C),
        "attn.b_o": w["self_attn.out_proj.bias"],
        "ff.w_in": w["linear1.weight"].t(), "ff.b_in": w["linear1.bias"],
        "ff.w_out": w["linear2.weight"].t(), "ff.b_out": w["linear2.bias"],
    }  # fmt: skip
    for name, weight, bias in zip(
        "qkv", w["self_attn.in_proj_weight"].chunk(3), w["self_attn.in_proj_bias"].chunk(3),
        strict=True,
    ):  # fmt: skip
        found[f"attn.w_{name}"] = weight.reshape(H, K, C).transpose(1, 2)
        found[f"attn.b_{name}"] = bias.reshape(H, K)
    return found


def functions_weights(w: Weights) -> Weights:
    found = {}
    for mine, theirs in (("o", "self_attn.out_proj"), ("up", "linear1"), ("down", "linear2")):
        found |= {f"w_{mine}": w[f"{theirs}.weight"], f"b_{mine}": w[f"{theirs}.bias"]}
    for i, name in enumerate("qkv"):
        found[f"w_{name}"] = w["self_attn.in_proj_weight"].chunk(3)[i]
        found[f"b_{name}"] = w["self_attn.in_proj_bias"].chunk(3)[i]
    for i in "12":
        found |= {f"gamma{i}": w[f"norm{i}.weight"], f"beta{i}": w[f"norm{i}.bias"]}
    return found


@dataclass(frozen=True)
class Brought:
    """An example, and what makes PyTorch's layer the same function."""

    make: Callable[[], torch.nn.Module]
    weights: Callable[[Weights], Weights]  # from the layer's names to the example's
    settings: dict[str, Any]  # of nn.TransformerEncoderLayer
    causal: dict[str, Any] | None = None  # what makes the example causal; None: it cannot be
    always_causal: bool = False


def causal(seen: bool) -> torch.Tensor:
    """(T, T): True where a token may look, or where it may not."""
    return (torch.ones(T, T).tril() > 0) == seen


def gelu_tanh(x: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.gelu(x, approximate="tanh")


BROUGHT = {
    "gpt": Brought(
        gpt_block, gpt_weights, {"norm_first": True, "activation": gelu_tanh}, always_causal=True
    ),
    "bert": Brought(
        lambda: load("torch_bert.py").BertLayer(C, H, F), bert_weights, {"activation": "gelu"},
        {"attention_mask": causal(True)[None, None].double()},
    ),
    "annotated": Brought(
        lambda: load("torch_annotated.py").EncoderLayer(C, H, F), annotated_weights,
        {"activation": "relu", "norm_first": True}, {"mask": causal(True)[None]},
    ),
    "einsum": Brought(
        lambda: load("torch_einsum.py").EinsumBlock(C, H, F), einsum_weights,
        {"activation": "gelu"}, {"causal": True},
    ),
    "functions": Brought(
        lambda: load("torch_functions.py").FunctionBlock(C, H, F), functions_weights,
        {"activation": "gelu"},
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "masked"),
    [
        (name, masked)
        for name, one in BROUGHT.items()
        for masked in (False, True)
        if (one.causal is not None or masked == one.always_causal)
    ],
)
def test_a_block_is_pytorchs_layer(name: str, masked: bool) -> None:
    """Gradients are taken through the map, so both sides have them under the layer's names."""
    brought = BROUGHT[name]
    layer = torch.nn.TransformerEncoderLayer(
        C, H, F, dropout=0.0, batch_first=True, **brought.settings
    )
    randomize(layer)
    layer.double()
    model = brought.make().double()
    generator = torch.Generator().manual_seed(0)
    x, dout = torch.randn(2, B, T, C, generator=generator, dtype=torch.float64)
    x.requires_grad_()
    weights = dict(layer.named_parameters())
    leaves = [x, *weights.values()]

    expected = layer(x, src_mask=causal(False) if masked else None)
    mapped = brought.weights(weights)
    assert set(mapped) == {n for n, _ in model.named_parameters()}
    options = (brought.causal or {}) if masked else {}
    out = torch.func.functional_call(model, mapped, (x,), options)

    assert_close(out, expected)
    for mine, theirs in zip(
        torch.autograd.grad(out, leaves, dout), torch.autograd.grad(expected, leaves, dout),
        strict=True,
    ):  # fmt: skip
        assert_close(mine, theirs)


def test_the_gpt_is_the_language_model() -> None:
    """With embeddings as they are, and a head without bias."""
    gpt = load("torch_gpt.py")
    model = gpt.GPT(gpt.GPTConfig(8, 11, 2, H, C)).double()
    reference = TransformerLanguageModel(
        11, 8, C, H, 2, 4 * C, activation="gelu-tanh", norm_first=True, position="learned",
        tie_weights=True,
    )  # fmt: skip
    randomize(reference)
    reference.double().scale = 1.0
    assert reference.head.bias is not None
    reference.head.bias.data.zero_()
    weights = dict(reference.named_parameters())
    mapped = {
        "transformer.wte.weight": weights["token_embedding.weight"],
        "transformer.wpe.weight": weights["position.weight"],
        "transformer.ln_f.weight": weights["norm.weight"],
        "transformer.ln_f.bias": weights["norm.bias"],
    }
    for i in range(2):
        prefix = f"blocks.{i}."
        own = {n.removeprefix(prefix): w for n, w in weights.items() if n.startswith(prefix)}
        mapped |= {f"transformer.h.{i}.{name}": w for name, w in gpt_weights(own).items()}
    leaves = [w for name, w in weights.items() if name != "head.bias"]

    tokens = torch.randint(11, (B, T), generator=torch.Generator().manual_seed(1))
    logits, none = torch.func.functional_call(model, mapped, (tokens,))
    assert none is None
    targets = tokens.roll(1, -1)
    _, loss = torch.func.functional_call(model, mapped, (tokens, targets))
    expected = reference(tokens)
    expected_loss = torch.nn.functional.cross_entropy(expected.flatten(0, 1), targets.flatten())
    assert_close(logits, expected)
    for mine, theirs in zip(
        torch.autograd.grad(loss, leaves), torch.autograd.grad(expected_loss, leaves), strict=True
    ):
        assert_close(mine, theirs)


def assert_close(mine: torch.Tensor, theirs: torch.Tensor) -> None:
    """Equal to 1e-12 of the largest entry."""
    assert mine.shape == theirs.shape
    assert (mine - theirs).abs().max() <= 1e-12 * theirs.abs().max()
