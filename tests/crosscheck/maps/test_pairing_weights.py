"""Two models are given the same weights: by name, by a map, by value, and what cannot be."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.layout_blocks import (
    HIDDEN,
    Bert,
    Block,
    C,
    H,
    Lens,
    Nameless,
    Nano,
    Numpy,
    both,
    encoder_layer,
)

import torch
import torch_impl
from crosscheck.distance import relative_error
from crosscheck.maps.pairing import Pairing, pair_weights
from crosscheck.maps.weight_map import WeightMap
from crosscheck.runs import COTANGENT, Batch, run
from crosscheck.weights import get_weights, randomize
from tinygrad_tf.transformer import TransformerBlock
from torch import Tensor, nn

BATCH = Batch(np.random.default_rng(1).standard_normal((2, 5, C)))


class Foreign:
    """A block of another engine, which keeps the weights that it has."""

    engine = "another engine"

    def __init__(self, block: Block) -> None:
        self.block = block

    def state_dict(self) -> dict[str, Any]:
        return get_weights(self.block)

    def linearize(self, inputs: Any, dtype: str, **options: Any) -> Any:
        """Forward only."""
        with torch.no_grad():
            return self.block.double()(torch.tensor(inputs)).numpy(), None


class GivenForeign(Foreign):
    """The same, but it can be given weights."""

    def load_state_dict(self, weights: Mapping[str, Any]) -> None:
        self.block.load_state_dict({name: torch.tensor(x) for name, x in weights.items()})


class Language(nn.Module):
    """A language model with nanoGPT's names, without a bias of the head."""

    def __init__(self, *, tied: bool) -> None:
        super().__init__()
        self.transformer = nn.ModuleDict(
            {"wte": nn.Embedding(7, C), "wpe": nn.Embedding(6, C)}
            | {"h": nn.ModuleList(Nano() for _ in range(2)), "ln_f": nn.LayerNorm(C)}
        )
        self.lm_head = nn.Linear(C, 7, bias=False)
        if tied:
            self.lm_head.weight = self.transformer["wte"].weight  # type: ignore[union-attr]

    def forward(self, tokens: Tensor) -> tuple[Tensor, None]:
        parts: Any = self.transformer
        x = C**0.5 * parts["wte"](tokens) + parts["wpe"](torch.arange(tokens.shape[1]))
        for block in parts["h"]:
            x = block(x)
        return self.lm_head(x), None


def language_reference(**options: Any) -> nn.Module:
    return torch_impl.TransformerLanguageModel(
        7, 6, C, H, 2, HIDDEN, activation="relu", position="learned", **options
    )


TOKENS = Batch(np.random.default_rng(1).integers(0, 7, (2, 5)))


def outputs_agree(pairing: Pairing) -> bool:
    ours = run(pairing.model, BATCH, dtype="float64", loss=COTANGENT)
    theirs = run(pairing.reference, BATCH, dtype="float64", loss=COTANGENT)
    return relative_error(ours.output, theirs.output) < 1e-12


def test_equal_names_are_strict_and_redraw_nothing() -> None:
    block, layer = TransformerBlock(C, H, HIDDEN), encoder_layer()
    with pytest.raises(ValueError, match=r"call copy_weights"):
        pair_weights(block, layer, BATCH, "name")
    with pytest.raises(ValueError, match="compared under equal names"):
        pair_weights(Nano(), layer, BATCH, "name")
    pairing = pair_weights(layer, layer, BATCH, "name")
    assert pairing.model is pairing.reference is layer
    assert not pairing.redrawn
    assert pairing.map.to_dict() == {name: name for name in layer.state_dict()}


def test_copies_are_redrawn_and_the_models_are_left_alone() -> None:
    block, layer = TransformerBlock(C, H, HIDDEN), encoder_layer()
    layer.register_buffer("mask", torch.ones(3))
    before = get_weights(block), get_weights(layer)
    pairing = pair_weights(block, layer, BATCH, seed=3)
    for model, old in zip((block, layer), before, strict=True):
        assert all(np.array_equal(old[name], x) for name, x in get_weights(model).items())
    randomize(layer, seed=3)
    drawn = get_weights(layer)
    assert all(np.array_equal(drawn[name], x) for name, x in get_weights(pairing.model).items())
    assert pairing.reference.mask.sum() == 3
    assert pairing.redrawn
    assert outputs_agree(pairing)


@pytest.mark.parametrize("kind", ["dictionary", "file"])
def test_a_map_of_some_weights_leaves_the_rest_to_be_found(kind: str, tmp_path: Path) -> None:
    """Without it, names that say nothing would be taken in their order."""
    swapped = {"parts.0.weight": "in_proj_weight[k]", "parts.0.bias": "in_proj_bias[k]"}
    model = Nameless()
    model.order = ("k", "q", "v", "out")
    given: Any = swapped
    if kind == "file":
        given = tmp_path / "map.json"
        pair_weights(model, encoder_layer(), BATCH, swapped).map.save(given)
    pairing = pair_weights(model, encoder_layer(), BATCH, given)
    assert pairing.map.expressions["parts.1.weight"] == "self_attn.in_proj_weight[q]"
    assert outputs_agree(pairing)


def test_a_wrong_map_is_obeyed() -> None:
    """Whoever gives a map is believed: the outputs differ, and that is for the report to say."""
    pairing = pair_weights(Numpy(), encoder_layer(), BATCH, {"Wo": "out_proj.weight"})
    assert pairing.map.expressions["Wo"] == "out_proj.weight"
    assert not outputs_agree(pairing)


@pytest.mark.parametrize("double", [False, True])
def test_equal_numbers_are_found_in_any_arrangement(double: bool) -> None:
    pairing = pair_weights(Lens(), encoder_layer(), BATCH)
    model = pairing.model.double() if double else pairing.model
    again = pair_weights(model, pairing.reference, BATCH, "value")
    assert again.model is model
    assert again.map.to_dict() == pairing.map.to_dict()
    assert again.unproved == again.notes == ()


def test_what_holds_one_number_only_is_not_proved() -> None:
    """Zeros and ones of a fresh model are paired by names, and nothing shows where they are."""
    layer, block = encoder_layer(), Nano()
    with torch.no_grad():
        block.attn["c_attn"].weight.copy_(layer.self_attn.in_proj_weight)
        block.attn["c_attn"].bias.zero_()
    for own, module in (
        (block.attn["c_proj"], layer.self_attn.out_proj),
        (block.mlp["c_fc"], layer.linear1),
        (block.mlp["c_proj"], layer.linear2),
    ):
        own.load_state_dict(module.state_dict())
    pairing = pair_weights(block, layer, BATCH, "value")
    assert pairing.unproved == (
        *(f"self_attn.in_proj_bias[{letter}]" for letter in "qkv"), "self_attn.out_proj.bias",
        "norm1.weight", "norm1.bias", "norm2.weight", "norm2.bias",
    )  # fmt: skip
    assert "holds one number only" in pairing.notes[0]
    assert not pairing.map.unmapped
    assert outputs_agree(pairing)


def test_numbers_that_are_nowhere_are_named() -> None:
    with pytest.raises(ValueError, match=r"does not hold the numbers of Wq \(12, 12\) \(nearest"):
        pair_weights(Numpy(), encoder_layer(), BATCH, "value")


def test_another_engine_is_given_weights_if_it_takes_them() -> None:
    pairing = pair_weights(GivenForeign(Bert()), encoder_layer(), BATCH)
    assert pairing.redrawn
    assert pairing.notes == ()
    output, _ = pairing.model.linearize(BATCH.inputs, "float64")
    theirs = run(pairing.reference, BATCH, dtype="float64", loss=COTANGENT)
    assert relative_error(output, theirs.output) < 1e-12


def test_the_reference_takes_over_what_cannot_be_redrawn() -> None:
    model, layer = Foreign(Bert()), encoder_layer()
    pairing = pair_weights(model, layer, BATCH)
    assert pairing.model is model
    assert not pairing.redrawn
    assert "a copy of the reference takes them over" in pairing.notes[0]
    assert "norm1.weight" in pairing.unproved
    held = pairing.map.to_model(get_weights(pairing.reference))
    assert all(np.array_equal(held[name], x) for name, x in model.state_dict().items())


def test_a_language_model_without_a_bias_of_the_head() -> None:
    pairing = pair_weights(Language(tied=False), language_reference(), TOKENS)
    assert pairing.how == "by the layout of nanoGPT"
    assert pairing.neutral == pairing.map.left_out == ("head.bias",)
    assert not pairing.reference.head.bias.any()
    assert pairing.map.unmapped == ("transformer.ln_f.weight", "transformer.ln_f.bias")
    assert any("only the model has transformer.ln_f.weight" in note for note in pairing.notes)


@pytest.mark.parametrize("reference_too", [False, True])
def test_tied_weights_are_tied_on_both_sides(reference_too: bool) -> None:
    reference = language_reference(tie_weights=reference_too, bias=True)
    pairing = pair_weights(Language(tied=True), reference, TOKENS)
    assert pairing.reference.head.weight is pairing.reference.token_embedding.weight
    assert any("made one too" in note for note in pairing.notes) != reference_too
    tied = {"lm_head.weight", "transformer.wte.weight"}
    assert tied == {*pairing.map.labels["token_embedding.weight"]}


def test_two_parameters_may_be_one_in_the_reference() -> None:
    """The gradients of both are added up, as the reference's are."""
    pairing = pair_weights(Language(tied=False), language_reference(tie_weights=True), TOKENS)
    ones = {name: np.ones_like(x) for name, x in get_weights(pairing.model).items()}
    gradient = pairing.map.to_reference(dict(ones))["token_embedding.weight"]
    assert gradient is not None
    np.testing.assert_array_equal(gradient, 2.0)


def test_matrices_without_partner_are_listed_with_the_nearest() -> None:
    model = Numpy()
    del model.W2
    model.register_parameter("W_extra", nn.Parameter(torch.ones(C, HIDDEN + 1)))
    with pytest.raises(ValueError, match=r"no partner was found for W_extra \(12, 21\) \(nearest"):
        pair_weights(model, encoder_layer(), BATCH)


class Sum(nn.TransformerEncoderLayer):
    """Queries and keys do the same: they may be exchanged."""

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        stacked = nn.functional.linear(
            x, self.self_attn.in_proj_weight, self.self_attn.in_proj_bias
        )
        q, k, _ = stacked.chunk(3, dim=-1)
        return x + q * k


class NamelessSum(Nameless):
    def forward(self, x: Tensor) -> Tensor:
        return x + self.parts[0](x) * self.parts[1](x)


def test_what_cannot_be_told_apart_is_asked_for() -> None:
    reference = Sum(C, H, HIDDEN, dropout=0.0, batch_first=True)
    with pytest.raises(ValueError, match="nothing tells them apart") as raised:
        pair_weights(NamelessSum(), reference, BATCH)
    words = str(raised.value)
    assert "parts.0.weight is self_attn.in_proj_weight[q] or self_attn.in_proj_weight[k]" in words
    assert "Give a dictionary" in words


class Square(Block):
    """Four square matrices of which nothing says how they lie, and a forward that is wrong."""

    bug = "scale"

    def __init__(self) -> None:
        super().__init__()
        self.rest = encoder_layer()
        for name in "qkvo":
            self.register_parameter(f"W{name}", nn.Parameter(torch.ones(C, C)))

    def plain(self) -> dict[str, Any]:
        rest: Any = self.rest
        biases = dict(zip("qkv", rest.self_attn.in_proj_bias.chunk(3), strict=True))
        return {
            **{part: (getattr(self, f"W{part}"), bias) for part, bias in biases.items()},
            "out": (self.Wo, rest.self_attn.out_proj.bias),
            **{f"fc{i}": both(getattr(rest, f"linear{i}")) for i in (1, 2)},
            **{f"norm{i}": both(getattr(rest, f"norm{i}")) for i in (1, 2)},
        }


@pytest.mark.parametrize("out_in", [False, True])
def test_a_score_chooses_where_no_outputs_are_equal(out_in: bool) -> None:
    model = Square()
    del model.rest.self_attn.in_proj_weight, model.rest.self_attn.out_proj.weight
    model.rest.self_attn.in_proj_weight = model.rest.self_attn.out_proj.weight = None
    wanted = "self_attn.in_proj_weight[q]" + ("" if out_in else ".T")

    def score(model: Any, reference: Any, weight_map: WeightMap) -> float:
        return 0.5 + 0.1 * (weight_map.expressions["Wq"] == wanted)

    pairing = pair_weights(model, encoder_layer(), BATCH, score=score)
    assert pairing.map.expressions["Wq"] == wanted
    assert "most values on the way agree" in pairing.notes[0]


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ("nmae", "expected one of name, value, auto, or the path of a JSON file"),
        ({"q": 3}, "gives 3 for 'q'"),
        ({"Wx": "out_proj.weight"}, "no weight Wx"),
        ({"Wq": "linear1.weight"}, r"Wq has the shape \(12, 12\)"),
    ],
)
def test_wrong_ways_are_said(weights: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        pair_weights(Numpy(), encoder_layer(), BATCH, weights)
