"""What names mean beside each other, and what is done where they say nothing."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from support.layout_blocks import HIDDEN, C, H

from crosscheck.brought.reference import choose_reference
from crosscheck.brought.sizes import Sizes
from crosscheck.comparison import compare
from crosscheck.distance import relative_error
from crosscheck.maps.numbered import understood
from crosscheck.maps.pairing import pair_weights
from crosscheck.runs import COTANGENT, Batch, run
from torch import Tensor, nn
from torch.nn import functional as F

BATCH = Batch(np.random.default_rng(1).standard_normal((2, 5, C)))
PARTS = ("n1", "q", "k", "v", "o", "n2", "f1", "f2")


class Renamed(nn.Module):
    """PyTorch's layer, whose parts have the names that are given, in the order that is given."""

    def __init__(self, names: dict[str, str], wide: int = HIDDEN) -> None:
        super().__init__()
        self.names, self.bug, self.n_head = names, "", H
        made = {"n1": nn.LayerNorm(C), "n2": nn.LayerNorm(C), "f1": nn.Linear(C, wide)}
        made["f2"] = nn.Linear(wide, C)
        for part, name in names.items():
            self.add_module(name, made.get(part) or nn.Linear(C, C))

    def forward(self, x: Tensor) -> Tensor:
        part: dict[str, Any] = {p: getattr(self, name) for p, name in self.names.items()}
        first = part["n1"](x) if self.bug != "norms" else part["n2"](x)
        q, k, v = (part[p](first).unflatten(-1, (H, -1)).transpose(1, 2) for p in "qkv")
        scores = q @ k.transpose(-1, -2) / math.sqrt(C // H)
        mixed = scores.softmax(-2 if self.bug == "softmax" else -1) @ v
        x = x + part["o"](mixed.transpose(1, 2).flatten(2))
        made: Tensor = x + part["f2"](F.relu(part["f1"](part["n2"](x))))
        return made


def named(names: str) -> dict[str, str]:
    return dict(zip(PARTS, names.split(), strict=True))


NUMBERED = {
    "from 0": named("norm_0 query key value out norm_1 dense_0 dense_1"),
    "from nothing": named("norm q k v o norm2 fc fc2"),
    "Keras": named("ln dense dense_1 dense_2 dense_3 ln_1 dense_4 dense_5"),
    "T5": named("ln_0 q k v o ln_1 wi wo"),
    "nothing": named("a b c d e f g h"),
    "half": named("norm1 q k v out norm2 a b"),
    "words": named("pre_attn_norm q k v out pre_ff_norm lin1 lin2"),
}


@pytest.mark.parametrize("wide", [HIDDEN, C])
@pytest.mark.parametrize("names", NUMBERED.values(), ids=NUMBERED)
def test_an_honest_block_is_paired(names: dict[str, str], wide: int) -> None:
    layer = encoder_layer(wide)
    pairing = pair_weights(Renamed(names, wide), layer, BATCH)
    ours, theirs = (
        run(m, BATCH, dtype="float64", loss=COTANGENT) for m in (pairing.model, pairing.reference)
    )
    assert relative_error(ours.output, theirs.output) < 1e-12
    assert not pairing.map.unmapped
    assert not pairing.doubt


def encoder_layer(wide: int = HIDDEN) -> nn.Module:
    return nn.TransformerEncoderLayer(
        C, H, wide, dropout=0.0, activation="relu", norm_first=True, batch_first=True
    )


def test_another_order_of_definition_is_found() -> None:
    names = dict(zip(("q", "k", "v", "o", "n1", "f1", "f2", "n2"), "abcdefgh", strict=True))
    pairing = pair_weights(Renamed(names), encoder_layer(), BATCH)
    assert pairing.map.expressions["e.weight"] == "norm1.weight"
    assert not pairing.doubt


def test_a_wrong_forward_under_names_that_say_nothing_is_asked_about() -> None:
    """An honest block in an order that nobody tried looks the same: nobody is accused."""
    model, layer = Renamed(NUMBERED["half"], C), encoder_layer(C)
    model.bug = "softmax"
    with pytest.raises(ValueError, match="no name says which weight") as raised:
        compare(model, layer, BATCH, weights="auto", dtype="float64")
    words = str(raised.value)
    assert "--weights map.json" in words
    guess = json.loads(words[words.index("{") :])
    assert guess["q.weight"] == "self_attn.in_proj_weight[q]"
    right = {**guess, "a.weight": "linear1.weight"}
    assert not pair_weights(model, layer, BATCH, right).doubt  # whoever gives a map is believed


@pytest.mark.parametrize("bug", ["softmax", "norms"])
def test_a_wrong_forward_under_names_that_say_it_is_wrong(bug: str) -> None:
    model = Renamed(NUMBERED["from 0"])
    model.bug = bug
    pairing = pair_weights(model, encoder_layer(), BATCH)
    assert not pairing.doubt
    assert pairing.map.expressions["norm_1.weight"] == "norm2.weight"
    ours, theirs = (
        run(m, BATCH, dtype="float64", loss=COTANGENT) for m in (pairing.model, pairing.reference)
    )
    assert relative_error(ours.output, theirs.output) > 0.01


def test_without_a_reference_a_guess_accuses_nobody_either() -> None:
    model = Renamed(NUMBERED["half"], C)
    model.bug = "softmax"
    sizes = Sizes.wanted(C, H, C, BATCH.inputs.shape, causal=None, seed=0)
    with pytest.raises(ValueError, match="nobody can tell a wrong map from a wrong model"):
        choose_reference(model, BATCH, sizes, mask="none")


def test_numbers_are_read_beside_their_like() -> None:
    def ranks(*names: str) -> list[list[str]]:
        return list(understood(dict.fromkeys(names)).values())

    assert ranks("n_0", "n_1") == ranks("n", "n_1") == [["n", "1"], ["n", "2"]]
    assert ranks("net.0.weight", "net.3.weight") == [["net", "weight", n] for n in "12"]
    assert ranks("h.2.weight") == [["h", "2", "weight"]]
    assert ranks("layers.1.to_out.weight") == [["layers", "to", "out", "weight"]]
    # The bias of dense_0 has no fellow, and is that of the first all the same.
    found = understood(dict.fromkeys(["dense_0_kernel", "dense_1_kernel", "dense_0_bias"]))
    assert found["dense_0_bias"] == ["dense", "bias", "1"]
