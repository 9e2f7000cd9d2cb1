"""What rounding does to a reference: moves of one unit in the last place, and their effect."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import torch
from crosscheck.amplification import DRAWS, Amplification, moved
from crosscheck.runs import COTANGENT, Batch, run

X = np.random.default_rng(0).standard_normal((3, 4))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_entry_moves_by_one_unit_up_or_down(dtype: str) -> None:
    x = X.astype(dtype)
    for draw in range(DRAWS):
        units = (moved(x, draw) - x) / np.spacing(np.abs(x))
        assert set(np.unique(units)) == {-1.0, 1.0}
        assert moved(x, draw).dtype == dtype
    assert not np.array_equal(moved(x, 0), moved(x, 1))


def test_equal_numbers_move_together_and_zero_stays() -> None:
    x = np.array([[1.5, 0.0, -1.5], [0.0, 1.5, 2.5]])
    near = moved(x, 0)
    assert near[0, 0] == near[1, 1] != 1.5
    assert (near[x == 0] == 0).all()
    assert moved(np.array(1.5), 0) == near[0, 0]
    assert moved(x.T, 0).T.tolist() == near.tolist()  # whatever the layout


def test_whole_numbers_stay() -> None:
    ids = np.arange(6)
    assert moved(ids, 0) is ids


class Cancelling(torch.nn.Module):
    """x * weight, of which all but a few digits are lost on the way."""

    def __init__(self, large: float) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(4) / 3)
        self.large = large

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x * self.weight + self.large) * (x * self.weight - self.large)


def amplification(model: Any, dtype: str = "float64") -> Amplification:
    return Amplification(model, Batch(X), dtype=dtype, loss=COTANGENT, seed=0)


def test_the_effect_grows_with_what_the_model_makes_of_a_rounding() -> None:
    effects = []
    for large in (1.0, 1e4):
        model = Cancelling(large)
        truth = run(model, Batch(X), dtype="float64", loss=COTANGENT)
        gradient = truth.gradients["weight"]
        assert gradient is not None
        near = amplification(model)
        effects.append(near.effect(lambda run: run.gradients["weight"], gradient, 1e-9))
        assert effects[-1] < 1e-9
    assert 1e-17 < effects[0] < 1e-14
    # The gradient is the same, but it is what two large numbers leave.
    assert effects[1] > 100 * effects[0]


def test_no_more_runs_are_made_than_can_matter() -> None:
    model, made = Cancelling(1.0), []
    truth = run(model, Batch(X), dtype="float64", loss=COTANGENT).output

    class Counted(Cancelling):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            made.append(1)
            return super().forward(x)

    near = amplification(Counted(1.0))
    effect = near.effect(lambda run: run.output, truth, 1e-18)
    assert len(made) == 1  # which explains it
    near.effect(lambda run: run.output, truth, 1.0)
    assert len(made) == 1  # nothing will
    near.effect(lambda run: run.output, truth, 100 * effect)
    assert len(made) == DRAWS


def test_the_reference_is_left_alone() -> None:
    model = Cancelling(1.0)
    before = model.weight.detach().clone()
    list(amplification(model).runs)
    assert torch.equal(model.weight, before)
    assert model.weight.grad is None
