"""Every reproduction at a small size: the shape of each result, not its last digit."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import crosscheck.flow.papers.xiong2020 as paper_module
from crosscheck.choices import PAPERS
from crosscheck.corpus import Corpus
from crosscheck.flow.initial import draw_weights
from crosscheck.flow.measure import token_variation
from crosscheck.flow.papers.catalogue import reproduce, seeds_of, sides_for
from crosscheck.flow.papers.dong2021 import dong2021, forward, relative_residual
from crosscheck.flow.papers.noci2022 import alike, noci2022
from crosscheck.flow.papers.plain import plain, predicted_factor, relu_gain_everywhere
from crosscheck.flow.papers.result import Claim, Paper, mean_claim
from crosscheck.flow.papers.training import first_gradient, read, steps_of, train, training
from crosscheck.flow.papers.xiong2020 import POST, PRE, their_weights, xiong2020
from crosscheck.flow.stacks import Stacks, Wiring
from crosscheck.models import ModelOptions
from crosscheck.sides import NUMPY, TORCH, Dialect

TEXT = "To be, or not to be, that is the question:\nWhether 'tis nobler in the mind to suffer\n" * 9
OURS, BOTH = (NUMPY,), (NUMPY, TORCH)


def measured(paper: Paper) -> dict[str, float]:
    return {claim.what: claim.measured for claim in paper.claims}


def outside(paper: Paper) -> list[tuple[str, float]]:
    return [(claim.what, claim.measured) for claim in paper.claims if not claim.holds]


def test_plain() -> None:
    found = plain((0, 1, 2, 3, 4, 5), OURS, width=32, depth=16)
    assert [claim.what.split(":")[0] for claim in found.claims] == [
        "default", "xavier", "gpt2", "kaiming",
        "ReLU's gain everywhere, tokens alike", "ReLU's gain everywhere, tokens unlike, 4 blocks",
    ]  # fmt: skip
    *predicted, unlike = found.claims
    for claim in predicted:  # at half the width of the command's, half as sure
        assert 0.8 < claim.measured < 1.2, claim
    assert unlike.holds


@pytest.mark.parametrize(
    ("initialisation", "factor"),
    [
        # A = (D / 2D) (D / 3D) and M = (D / 3D) (F / 3F) / 2, whatever D and F are
        ("default", math.sqrt(1 / 2 * 1 / 3 * 1 / 3 * 1 / 3 / 2)),
        # A = 1 and M = D F (2 / (D + F))^2 / 2
        ("xavier", math.sqrt(64 * 256 * (2 / 320) ** 2 / 2)),
        ("kaiming", 1.0),
        ("gpt2", 0.02**4 / 16 * 64 * math.sqrt(64 * 256 / 2)),
    ],
)
def test_the_predicted_factor_is_that_of_the_formulas(initialisation: str, factor: float) -> None:
    model = ModelOptions(activation="relu")
    weights = draw_weights(initialisation, model, 8, 0)
    assert predicted_factor(weights) == pytest.approx(factor, rel=0.02)


def test_relus_gain_everywhere_gives_a_variance_of_2_over_in() -> None:
    """A = 4 and M = 2: the factor is sqrt(8)."""
    weights = relu_gain_everywhere(ModelOptions(activation="relu"), 8, 0)
    for name, size in (
        ("self_attn.in_proj_weight", 64),
        ("linear1.weight", 64),
        ("linear2.weight", 256),
    ):
        assert np.var(weights[f"3.{name}"]) * size == pytest.approx(2.0, rel=0.05), name
    assert predicted_factor(weights) == pytest.approx(math.sqrt(8), rel=0.02)


def test_xiong2020() -> None:
    found = xiong2020(range(6), OURS, width=32, depths=(8, 16, 32))
    assert outside(found) == []
    assert all(0.0 < (claim.error or 0.0) < 0.15 for claim in found.claims)
    slopes = [claim.measured for claim in found.claims[:2]]
    assert slopes[0] < slopes[1] - 0.3


def test_xiong2020_needs_norms_in_their_places(monkeypatch: pytest.MonkeyPatch) -> None:
    class Swapped(Stacks):
        def load(self, wiring: Wiring, weights: Any) -> Any:
            return super().load({PRE: POST, POST: PRE}[wiring], weights)

    monkeypatch.setattr(paper_module, "Stacks", Swapped)
    assert len(outside(xiong2020(range(3), OURS, width=32, depths=(4, 8, 16)))) >= 3


def test_xiong2020_needs_weights_of_variance_1_over_d(monkeypatch: pytest.MonkeyPatch) -> None:
    def unscaled(model: ModelOptions, depth: int, seed: int) -> Any:
        weights = their_weights(model, depth, seed)
        return {
            name: weight * math.sqrt(model.width)
            if "in_proj" in name or "linear" in name
            else weight
            for name, weight in weights.items()
        }

    monkeypatch.setattr(paper_module, "their_weights", unscaled)
    assert len(outside(xiong2020(range(3), OURS, width=32, depths=(4, 8, 16)))) >= 3


def test_a_mean_over_seeds_has_its_standard_error() -> None:
    claim = mean_claim("x", [1.0, 2.0, 3.0, 6.0], 0.0, 1.0)
    assert claim.measured == 3.0
    assert claim.error == pytest.approx(math.sqrt((4 + 1 + 0 + 9) / 3 / 4))
    assert mean_claim("x", [1.5], 0.0, 1.0).error is None


def test_their_attention_is_a_plain_average() -> None:
    """W_Q = W_K = 0 and W_O = 1: the block's attention is the mean of W_V x."""
    model = ModelOptions(width=6, heads=1, feed_forward=6, activation="relu")
    weights = their_weights(model, 1, 0)
    block = Stacks(model, OURS).load(POST, weights)[NUMPY][0]
    x = np.random.default_rng(0).standard_normal((1, 5, 6))
    [_, attended] = forward(NUMPY, [block], x, "attention")
    values = x @ weights["0.self_attn.in_proj_weight"][12:].T
    np.testing.assert_allclose(attended, np.broadcast_to(values.mean(1, keepdims=True), x.shape))


def test_dong2021() -> None:
    # At this size the spread between seeds is wide: three of them do not show the mean.
    found = dong2021(range(6), BOTH, width=32, tokens=16)
    assert outside(found) == []
    assert found.agrees
    assert len(found.agreements) == 2 * 6 * 5


def test_the_residual_measure_has_its_closed_form() -> None:
    """X = [[1, 0], [0, 1]]: R = +-1/2 everywhere, so |R|_1 = |R|_inf = 1, as of X."""
    assert relative_residual(np.eye(2)[None]) == pytest.approx(1.0)
    x = np.array([[[3.0, 1.0], [3.0, 3.0]]])  # R = [[0, -1], [0, 1]]: 2 and 1; X: 6 and 6
    assert relative_residual(x) == pytest.approx(math.sqrt(2 * 1) / 6)


def test_noci2022() -> None:
    found = noci2022((0, 1), BOTH, width=32, depth=48)
    assert outside(found) == []
    assert found.agrees


@pytest.mark.parametrize("spread", [0.5, 1e-3])
def test_alike_tokens_vary_by_their_spread(spread: float) -> None:
    x = alike(np.random.default_rng(0).standard_normal((1, 32, 64)), spread, 0)
    assert token_variation(x) == pytest.approx(spread / math.sqrt(1 + spread**2), rel=1e-6)


@pytest.mark.parametrize("side", BOTH, ids=repr)
def test_training(side: Dialect) -> None:
    """On a text of two lines, residuals get below the unigram entropy, and their lack does not."""
    model = ModelOptions(
        layers=3, width=24, heads=2, feed_forward=48, context=12, activation="relu"
    )
    text = read(Corpus(TEXT, "here", complete=False))
    with_residual, without = (
        train(side, text, model, Wiring("post", residual), 0, (100,))[0]
        for residual in (True, False)
    )
    assert with_residual < without - 0.5
    assert without > text.unigram() - 0.2


def test_both_sides_train_alike() -> None:
    model = ModelOptions(layers=1, width=8, heads=2, feed_forward=12, context=6, activation="relu")
    text = read(Corpus(TEXT, "here", complete=False))
    wiring = Wiring("pre", residual=True)
    for measure, options in ((train, ((2, 5),)), (first_gradient, ())):
        ours, theirs = (measure(side, text, model, wiring, 0, *options) for side in BOTH)
        assert ours == pytest.approx(theirs, rel=1e-4)


def test_a_training_that_goes_on_has_had_the_same_loss_before() -> None:
    model = ModelOptions(layers=1, width=8, heads=2, feed_forward=12, context=6, activation="relu")
    text, wiring = read(Corpus(TEXT, "here", complete=False)), Wiring("pre", residual=False)
    short, long = (train(TORCH, text, model, wiring, 0, ends) for ends in ((3,), (3, 6)))
    assert short == long[:1]
    assert long[1] != long[0]


def test_the_training_paper_claims_each_wiring() -> None:
    model = ModelOptions(layers=1, width=8, heads=2, feed_forward=12, context=6, activation="relu")
    steps: list[int] = []
    text = Corpus(TEXT, "here", complete=False)
    found = training((0,), (TORCH,), text, steps=2, long=2, model=model, advance=steps.append)
    assert len(found.claims) == 6 + 3 + 4 * 2
    assert sum(steps) == 2 * 6 + 2
    assert not found.holds  # two steps teach nothing
    assert "1 seed," in found.setting


def test_the_unigram_entropy_is_that_of_the_counts() -> None:
    text = read(Corpus("ab" * 500, "here", complete=False))
    assert text.unigram() == pytest.approx(math.log(2), abs=1e-3)


@pytest.mark.parametrize(
    ("low", "high", "value", "holds"),
    [(0.0, 1.0, 0.5, True), (0.0, 1.0, 1.5, False), (0.0, 1.0, math.nan, False)],
)
def test_a_claim_holds_within_its_range(low: float, high: float, value: float, holds: bool) -> None:
    assert Claim("x", value, low, high).holds is holds


@pytest.mark.parametrize(
    ("value", "holds"), [(0.41, True), (0.39, False), (1.09, True), (1.11, False)]
)
def test_a_mean_may_lie_outside_by_two_standard_errors(value: float, holds: bool) -> None:
    assert Claim("x", value, 0.5, 1.0, error=0.05).holds is holds


def test_the_catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(PAPERS) == {"xiong2020", "dong2021", "noci2022", "plain", "training"}
    assert seeds_of("plain", 7, None) == (7, 8, 9, 10, 11, 12)
    assert len(seeds_of("xiong2020", 0, None)) == 12
    assert seeds_of("training", 0, None) == (0,)
    assert seeds_of("training", 1, 2) == (1, 2)
    assert sides_for("training", None) == (TORCH,)
    assert sides_for("plain", None) == sides_for("plain", "both") == BOTH
    assert sides_for("plain", "torch") == sides_for("training", "torch") == (TORCH,)
    with pytest.raises(ValueError, match="one engine"):
        sides_for("training", "both")
    assert steps_of((0, 1)) == 300 * 6 * 2 + 700 * 3 + 1000

    def no_text() -> Any:
        raise AssertionError("only the training reads a text")

    assert reproduce("dong2021", (0,), OURS, no_text, lambda steps: None).name == "dong2021"
