"""The reference is a witness and not the truth: a finite difference may say that it is wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import torch
from crosscheck import Batch, compare
from crosscheck.tape.finding import Kind

B, T, C, H = 3, 5, 12, 3
X = np.random.default_rng(0).standard_normal((B, T, C))
LOWEST = float(torch.finfo(torch.float32).min)


def whole_sequence_masked(by: float) -> Batch:
    mask = np.zeros((B * H, T, T))
    mask[H : 2 * H] = by  # all keys of the second sequence
    return Batch(X, None, {"src_mask": mask})


@pytest.fixture
def blocks(make_pair: Any) -> Any:
    return make_pair(lambda side: side.models.TransformerBlock(C, H, 20, 0.0, fused=True))


@pytest.mark.parametrize("by", [-1e9, LOWEST])
def test_a_sequence_that_is_masked_by_finite_numbers_accuses_nobody(blocks: Any, by: float) -> None:
    report = compare(*blocks, whole_sequence_masked(by), dtype="float64")
    assert report.agrees, str(report)


class WrongTanh(torch.autograd.Function):
    """tanh, with one and a half times its slope."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        out = x.tanh()
        ctx.save_for_backward(out)
        return out

    @staticmethod
    def backward(ctx: Any, *douts: torch.Tensor) -> torch.Tensor:
        (out,) = ctx.saved_tensors
        return 1.5 * douts[0] * (1 - out * out)


def tanh(x: torch.Tensor) -> Any:
    """PyTorch's tanh, if its backward were wrong; modes see it like any function of PyTorch's."""
    if torch.overrides.has_torch_function_unary(x):
        return torch.overrides.handle_torch_function(tanh, (x,), x)
    return WrongTanh.apply(x)


def test_where_the_reference_is_wrong_the_finding_says_so(on_both_sides: Any) -> None:
    pair = on_both_sides(
        lambda e, self, x: tanh(x * self.w), lambda e, self, x: (x * self.w).tanh(), w=(C,)
    )
    report = compare(*pair, Batch(X), dtype="float64")
    assert report.disagrees  # which of the two is wrong is another question
    assert report.localisation is not None
    (found,) = report.localisation.findings
    assert (found.kind, found.op, found.argument) == (Kind.REFERENCE, "tanh", "dx")
    assert found.gap is not None
    assert found.gap.reference == pytest.approx(1.5 * found.gap.ours)
    assert found.finite_difference == pytest.approx(found.gap.ours, rel=1e-6)
    said = str(found)
    assert said.startswith("not born here: tanh in model: the reference is wrong here, in its dx")
    for number in (found.gap.ours, found.gap.reference, found.finite_difference):
        assert f"{number:.4g}"[:5] in said


def test_where_ours_is_wrong_the_witness_is_with_the_reference(make_pair: Any) -> None:
    from crosscheck.mutants.catalogue import mutant_called

    pair = make_pair(lambda side: side.models.TransformerBlock(C, H, 20, 0.0, "gelu"))
    with mutant_called("softmax-diagonal-only").planted():
        report = compare(*pair, Batch(X), dtype="float64")
    assert report.localisation is not None
    first = report.localisation.findings[0]
    assert first.kind == Kind.BACKWARD
    assert first.gap is not None
    assert first.finite_difference == pytest.approx(first.gap.reference, rel=1e-6)
