"""Blocks in the layouts people meet, against PyTorch's encoder layer: maps found by "auto"."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from support.layout_blocks import (
    HIDDEN,
    NAMED,
    STYLES,
    Block,
    C,
    Flat,
    H,
    Interleaved,
    Llama,
    WithoutBias,
    both,
    encoder_layer,
    thirds,
)

import torch_impl
from crosscheck.distance import relative_error
from crosscheck.maps.pairing import pair_weights
from crosscheck.runs import COTANGENT, Batch, Run, run
from torch import Tensor, nn

BATCH = Batch(np.random.default_rng(1).standard_normal((2, 5, C)))


def both_runs(pairing: Any) -> tuple[Run, Run]:
    ours, theirs = (
        run(m, BATCH, dtype="float64", loss=COTANGENT) for m in (pairing.model, pairing.reference)
    )
    return ours, theirs


@pytest.mark.parametrize("style", STYLES)
def test_outputs_and_gradients_agree_through_the_map(style: type[Block]) -> None:
    pairing = pair_weights(style(), encoder_layer(), BATCH, "auto")
    ours, theirs = both_runs(pairing)
    assert relative_error(ours.output, theirs.output) < 1e-12
    mapped = pairing.map.to_reference(ours.gradients)
    assert mapped.keys() == theirs.gradients.keys()
    for name, expected in theirs.gradients.items():
        assert expected is not None
        found = mapped[name]
        assert found is not None
        largest = np.abs(expected).max()
        assert np.abs(found - expected).max() <= 1e-12 * max(1.0, largest), name
    unusual = ["lie unusually: attn.qkv.weight is"] if style is Interleaved else []
    assert len(pairing.notes) == len(unusual)
    assert all(words in note for words, note in zip(unusual, pairing.notes, strict=True))
    assert not pairing.map.unmapped
    assert not pairing.map.uncovered


@cache
def map_of(style: type[Block], bug: str = "") -> dict[str, str]:
    model = style()
    model.bug = bug
    return pair_weights(model, encoder_layer(), BATCH, "auto").map.to_dict()


@pytest.mark.parametrize("bug", ["keys and queries", "merged", "transposed"])
@pytest.mark.parametrize("style", NAMED)
def test_a_bug_does_not_change_the_map(style: type[Block], bug: str) -> None:
    assert map_of(style, bug) == map_of(style)


def test_a_norm_without_bias_is_not_taken_for_the_bias_of_another() -> None:
    pairing = pair_weights(WithoutBias(), encoder_layer(), BATCH, "auto")
    found = pairing.map.to_dict()
    assert (found["n1.weight"], found["n2.weight"]) == ("norm1.weight", "norm2.weight")
    assert {"norm1.bias", "norm2.bias"} <= set(pairing.neutral)


class Stack(nn.Module):
    """Two blocks whose layers have no numbers of their own."""

    def __init__(self) -> None:
        super().__init__()
        self.wte, self.wpe = nn.Embedding(7, C), nn.Embedding(6, C)
        self.h = nn.ModuleList(Flat() for _ in range(2))
        self.ln_f, self.lm_head = nn.LayerNorm(C), nn.Linear(C, 7)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.wte(tokens) + self.wpe.weight[: tokens.shape[1]]
        for block in self.h:
            x = block(x)
        logits: Tensor = self.lm_head(self.ln_f(x))
        return logits


def test_the_number_of_a_block_is_not_taken_for_that_of_a_layer() -> None:
    reference = torch_impl.TransformerLanguageModel(
        7, 6, C, H, 2, HIDDEN, activation="relu", position="learned"
    )
    tokens = Batch(np.random.default_rng(1).integers(0, 7, (2, 5)))
    found = pair_weights(Stack(), reference, tokens, "auto").map.to_dict()
    for number in (0, 1):
        layers = {"c_proj": "self_attn.out_proj", "c_fc": "linear1", "mlp_proj": "linear2"}
        for mine, theirs in layers.items():
            assert found[f"h.{number}.{mine}.weight"] == f"blocks.{number}.{theirs}.weight"


class Wide(Block):
    """Names that do not say how wide the feed-forward layer is; here they are the reference's."""

    def __init__(self) -> None:
        super().__init__()
        self.attn = nn.MultiheadAttention(C, H, batch_first=True)
        self.ln1, self.ln2 = nn.LayerNorm(C), nn.LayerNorm(C)
        self.ff = nn.Sequential(nn.Linear(C, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, C))

    def plain(self) -> dict[str, Any]:
        attn: Any = self.attn
        return {
            **thirds(attn.in_proj_weight, attn.in_proj_bias),
            "out": both(attn.out_proj),
            "fc1": both(self.ff[0]),
            "fc2": both(self.ff[2]),
            "norm1": both(self.ln1),
            "norm2": both(self.ln2),
        }


def test_the_width_of_a_reference_need_not_be_named() -> None:
    pairing = pair_weights(Llama(), Wide(), BATCH, "auto")
    assert pairing.map.to_dict()["mlp.up_proj.weight"] == "ff.0.weight"
    assert not pairing.map.unmapped
