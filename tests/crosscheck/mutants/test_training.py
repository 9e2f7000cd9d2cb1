"""Training on both sides: honest optimisers agree, and a wrong stage is named."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

import tinygrad_tf.optim
from crosscheck import Batch
from crosscheck.mutants import training
from crosscheck.mutants.training import check_training
from crosscheck.sides import NUMPY


@pytest.fixture
def models(make_pair: Any) -> Any:
    """An embedding with a head, on both sides, and some tokens."""
    inputs, targets = np.random.default_rng(0).integers(0, 7, (2, 3, 5))
    pair = make_pair(
        lambda e: e.library.nn.Sequential(
            e.library.nn.Embedding(7, 6), e.library.nn.LayerNorm(6), e.library.nn.Linear(6, 7)
        )
    )
    return *pair, Batch(inputs, targets)


def test_honest_training_agrees_and_leaves_the_models_alone(models: Any) -> None:
    before = [p.detach().numpy().copy() for p in models[0].parameters()]
    assert check_training(*models) == ()
    for parameter, value in zip(models[0].parameters(), before, strict=True):
        np.testing.assert_array_equal(parameter.detach().numpy(), value)
        assert parameter.grad is None


def test_a_step_that_differs_is_named_with_its_optimiser(
    models: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = tinygrad_tf.optim.AdamW.step

    def longer(self: Any) -> None:
        step(self)
        for group in self.param_groups:
            for p in group["params"]:
                p.data[...] *= 1 + 1e-9

    monkeypatch.setattr(tinygrad_tf.optim.AdamW, "step", longer)
    (found,) = check_training(*models)
    assert (found.op, found.path) == ("AdamW", "training")
    assert "before it everything agreed" in found.what
    assert found.gap is not None
    assert found.gap.error == pytest.approx(1e-9, rel=0.1)


def test_clipping_that_differs_is_named_under_both(
    models: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    unclipped = dataclasses.replace(NUMPY, clip_grad_norm=lambda parameters, norm: None)
    monkeypatch.setattr(training, "NUMPY", unclipped)
    assert [found.op for found in check_training(*models)] == ["clip_grad_norm_"] * 2


def test_an_exception_is_a_finding(models: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def raising(*_: Any) -> None:
        raise RuntimeError("out of luck")

    monkeypatch.setattr(tinygrad_tf.optim.SGD, "step", raising)
    (found,) = check_training(*models)
    assert (found.op, found.what) == ("SGD", "it raised RuntimeError: out of luck")
