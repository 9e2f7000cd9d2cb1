"""What is excused in float32, and what is not: a bug just beyond each excuse is still a bug."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import torch
from crosscheck import Batch, Verdict, compare, copy_weights, randomize
from crosscheck.check import run_check
from crosscheck.corpus import Corpus
from crosscheck.excuses import excused
from crosscheck.forms import has_fast_forms
from crosscheck.models import ModelOptions
from crosscheck.mutants.mutant import Mutant
from crosscheck.report import Report
from crosscheck.row import Comparison, Row
from crosscheck.sides import NUMPY
from crosscheck.tape.finding import Kind
from tinygrad_tf import differentiable


def planted(module: str, old: str, new: str) -> Any:
    mutant = Mutant(
        id="made here", family="", what="", module=f"tinygrad_tf.{module}", old=old, new=new,
        found=(),
    )  # fmt: skip
    return mutant.planted()


SMALL = {"width": 16, "heads": 2, "feed_forward": 24, "context": 8}
DSCORES = "dscores = probs * (dprobs - average)"
IN_FLOAT32 = "({} if probs.dtype == np.float32 else 1.0)"


@pytest.mark.skipif(not has_fast_forms(), reason="packed attention lives beside the fast forms")
@pytest.mark.parametrize(("norm", "factor"), [("none", 1.03), ("post", 1.003)])
def test_an_op_without_a_partner_is_no_excuse(corpus: Corpus, norm: str, factor: float) -> None:
    with planted("ops.attention", DSCORES, f"{DSCORES} * {IN_FLOAT32.format(factor)}"):
        options = ModelOptions(attention="packed", norm=norm, **SMALL)
        assert run_check(options, corpus, batch_size=2).disagrees


def test_pytorchs_own_layer_has_other_ops_and_that_is_no_excuse() -> None:
    layer = torch.nn.TransformerEncoderLayer(16, 2, 24, 0.0, batch_first=True)
    randomize(layer)
    block = NUMPY.models.TransformerBlock(16, 2, 24, 0.0)
    copy_weights(layer, block)
    x = np.random.default_rng(0).standard_normal((2, 5, 16))
    assert compare(block, layer, Batch(x)).agrees
    with planted(
        "ops.softmax", "dx = out *", "dx = (1.05 if out.dtype == 'float32' else 1) * out *"
    ):
        assert compare(block, layer, Batch(x)).disagrees


def test_a_loss_that_is_a_little_off_in_float32_is_wrong(corpus: Corpus) -> None:
    old = "out = _reduce(losses, len(rows), reduction)"
    new = f"{old} * losses.dtype.type(1.0005 if losses.dtype == 'float32' else 1)"
    with planted("ops.cross_entropy", old, new):
        assert run_check(ModelOptions(layers=1, **SMALL), corpus, batch_size=2).disagrees


def row(name: str, norm: float, ours: float, theirs: float, verdict: Verdict) -> Row:
    return Row(
        name=name, shape=(3,), norm=norm, norm_reference=norm, cosine=1.0, worst=(0,), ours=1.0,
        reference=1.0, error=1e-15, rounding=ours, rounding_reference=theirs, verdict=verdict,
        reason="float32 error",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("ours", "theirs", "composed", "expected"),
    [
        (1e-4, 1e-6, True, Verdict.AGREE),
        (1e-4, 1e-6, False, Verdict.ROUNDING),
        (0.05, 1e-6, True, Verdict.ROUNDING),  # the reference is calm, and this is far from it
        (0.9, 1e-2, True, Verdict.AGREE),  # it is not calm
    ],
)
def test_how_far_an_excuse_goes(
    monkeypatch: pytest.MonkeyPatch, ours: float, theirs: float, composed: bool, expected: Verdict
) -> None:
    monkeypatch.setattr("crosscheck.excuses.is_composed", lambda *_, **__: composed)
    rows = (row("bad", 1.0, ours, theirs, Verdict.ROUNDING), row("good", 1.0, 0, 0, Verdict.AGREE))
    report = Report("both", 0, (Comparison("random cotangent", 1.0, 1.0, (), rows),))
    found = excused(report, None, Batch(np.zeros(3))).comparisons[0].gradients
    assert [r.verdict for r in found] == [expected, Verdict.AGREE]


def test_state_that_is_kept_outside_of_the_backward_is_found(make_pair: Any) -> None:
    kept: list[np.ndarray] = []  # no closure of a backward shows what is in it

    @differentiable
    def tanh(x: np.ndarray) -> Any:
        out = np.tanh(x)
        kept.append(out)
        return out, lambda dout: (dout * (1 - kept[-1] ** 2),)

    class Twice(NUMPY.library.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self, linear: Any) -> None:
            super().__init__()
            self.weight, self.bias = linear.weight, linear.bias

        def forward(self, x: Any) -> Any:
            h = NUMPY.functional.linear(x, self.weight, self.bias)
            return tanh(tanh(h))

    class Theirs(torch.nn.Module):
        def __init__(self, linear: Any) -> None:
            super().__init__()
            self.weight, self.bias = linear.weight, linear.bias

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            h = torch.nn.functional.linear(x, self.weight, self.bias)
            return h.tanh().tanh()

    ours, theirs = make_pair(lambda side: side.library.nn.Linear(4, 3))
    report = compare(
        Twice(ours), Theirs(theirs), np.random.default_rng(0).standard_normal((5, 4)),
        dtype="float64",
    )  # fmt: skip
    assert report.localisation is not None
    (found,) = report.localisation.findings
    assert (found.kind, found.key, found.argument) == (Kind.STATE, "model/tanh", "dx")
