"""The masks that a check draws: what each hides, and that a check with a mask sees a bug in it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from crosscheck.check import run_check
from crosscheck.choices import MASKS
from crosscheck.corpus import Corpus
from crosscheck.judge import Verdict
from crosscheck.masks import FORBIDDEN, biases, layer_masks, model_masks, padding
from crosscheck.models import ModelOptions
from crosscheck.mutants.mutant import Mutant
from crosscheck.parity import encoder_layer_parity

CORPUS = Corpus("What is he that builds stronger than either the mason? " * 9, "here", False)
SMALL = {"layers": 1, "width": 8, "heads": 2, "feed_forward": 12, "context": 7}


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("shape", [(1, 3), (2, 3), (5, 9)])
def test_padding_shortens_some_windows_at_their_end(shape: tuple[int, int], seed: int) -> None:
    hidden = padding(shape, seed)
    lengths = (~hidden).sum(axis=1)
    assert hidden.shape == shape
    assert (hidden == (np.arange(shape[1]) >= lengths[:, None])).all()
    assert lengths.min() >= 2
    assert lengths.min() < shape[1]
    assert len(set(lengths)) > 1 or shape[0] == 1


def test_every_length_occurs() -> None:
    lengths = {int((~padding((1, 6), seed)).sum()) for seed in range(40)}
    assert lengths == {2, 3, 4, 5}


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("tokens", [2, 9])
def test_a_float_mask_has_both_and_leaves_a_token_to_itself(tokens: int, seed: int) -> None:
    mask = biases(tokens, seed)
    forbidden = mask == np.float32(FORBIDDEN)
    assert forbidden.any()
    assert not forbidden.diagonal().any()
    assert np.abs(mask[~forbidden]).max() < 10
    assert len(set(mask[~forbidden])) == (~forbidden).sum()
    assert mask.dtype == np.float32  # else its rounding would count as an error of float32


def test_seeds_differ_and_repeat() -> None:
    assert (padding((4, 50), 0) == padding((4, 50), 0)).all()
    assert (padding((4, 50), 0) != padding((4, 50), 1)).any()
    assert (biases(5, 0) != biases(5, 1)).any()


def test_what_a_model_is_given() -> None:
    given = {mask: model_masks(mask, (3, 5), 0) for mask in MASKS}
    assert given["causal"] == {"is_causal": True}
    assert given["none"] == {"is_causal": False}
    assert set(given["float"]) == {"is_causal", "mask"}
    for mask in ("padding", "both"):
        assert set(given[mask]) == {"is_causal", "src_key_padding_mask"}
        assert given[mask]["is_causal"] is (mask == "both")


def test_what_pytorchs_layer_is_given() -> None:
    assert layer_masks("causal", (2, 4), 0) == layer_masks("none", (2, 4), 0) == {}
    assert set(layer_masks("padding", (2, 4), 0)) == {"src_key_padding_mask"}
    assert set(layer_masks("float", (2, 4), 0)) == {"src_mask"}
    both = layer_masks("both", (2, 4), 0)
    assert set(both) == {"src_mask", "src_key_padding_mask"}
    assert (both["src_mask"] == [[0, 1, 1, 1], [0, 0, 1, 1], [0, 0, 0, 1], [0, 0, 0, 0]]).all()


ATTENTION = "tinygrad_tf.transformer.attention"
MODEL = "tinygrad_tf.transformer.language_model"
NOT_CAUSAL = (MODEL, "src_key_padding_mask, is_causal)", "src_key_padding_mask, False)")
BUGS: dict[str, tuple[tuple[str, str, str], set[str]]] = {
    "padding is forgotten": (
        (ATTENTION, "if key_padding_mask is not None:", "if False:"), {"padding", "both"},
    ),
    "padding replaces the other mask": (
        (ATTENTION, "padding if mask is None else mask + padding", "padding"), {"both"},
    ),
    "biases are forgotten": (
        (ATTENTION, "return mask.to(like)", "return mask.to(like) * (mask < -1e3)"), {"float"},
    ),
    "the future is seen": (NOT_CAUSAL, {"causal", "both"}),
}  # fmt: skip


@pytest.mark.parametrize("bug", BUGS)
def test_a_bug_in_a_mask_is_seen_where_there_is_that_mask(bug: str) -> None:
    (module, old, new), masks = BUGS[bug]
    mutant = Mutant(
        id="x", family="masks", what=bug, module=module, old=old, new=new, found=("add",)
    )
    with mutant.planted():
        found = {mask for mask in MASKS if not check(mask).agrees}
    assert found == masks


def check(mask: str) -> Any:
    return run_check(ModelOptions(mask=mask, **SMALL), CORPUS, dtype="float64").report


@pytest.mark.parametrize("mask", MASKS)
def test_the_whole_check_agrees(mask: str) -> None:
    for attention in ("written", "fused"):
        options = ModelOptions(mask=mask, attention=attention, **SMALL)
        assert run_check(options, CORPUS).agrees


def test_the_loss_leaves_out_what_is_padding() -> None:
    """The initial loss of padded windows is the mean over the tokens that are left."""
    from crosscheck.check import text_batch
    from crosscheck.text import CharacterTokenizer

    tokenizer = CharacterTokenizer(CORPUS.text)
    plain, padded = (
        text_batch(tokenizer, CORPUS.text, ModelOptions(mask=mask, **SMALL), 3, 0)
        for mask in ("causal", "both")
    )
    hidden = padded.options["src_key_padding_mask"]
    assert plain.targets is not None
    assert padded.targets is not None
    assert (padded.inputs == plain.inputs).all()
    assert (padded.targets[~hidden] == plain.targets[~hidden]).all()
    assert (padded.targets[hidden] == -100).all()


@pytest.mark.parametrize("mask", ["padding", "both", "float"])
def test_pytorchs_own_layer_has_the_mask_too(mask: str) -> None:
    """Both sides of the mirror could share a mistake in a mask; PyTorch's own layer does not."""
    options = ModelOptions(mask=mask, **SMALL)
    assert [row.verdict for row in encoder_layer_parity(options).rows] == [Verdict.AGREE] * 4
    mutant = Mutant(
        id="x", family="masks", what="no mask", module=ATTENTION,
        old="mask = self._merge_masks(x, attn_mask, key_padding_mask)", new="mask = None",
        found=("add",),
    )  # fmt: skip
    with mutant.planted():
        assert [row.agrees for row in encoder_layer_parity(options).rows] == [
            False,
            True,
            False,
            True,
        ]


@pytest.mark.parametrize("mask", ["padding", "both"])
def test_too_few_tokens_for_padding(mask: str) -> None:
    with pytest.raises(ValueError, match=r"--mask padding needs a --context of more than 2, not 2"):
        run_check(ModelOptions(mask=mask, **{**SMALL, "context": 2}), CORPUS)
