"""Gradients that are zero by rights are found under any name, and tested; what vanished is not."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from support.engines import NUMPY

from crosscheck import Batch, Verdict, compare

T, C = 5, 6
X = np.random.default_rng(0).standard_normal((3, T, C))


def attention(side: Any, *, values_are_keys: bool = False, leak: float = 0.0) -> Any:
    """One head, whose layers have names that nobody could know."""

    class Attention(side.library.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            linear = side.library.nn.Linear
            self.query, self.value = linear(C, C), linear(C, C)
            self.linears = side.library.nn.ModuleList([linear(C, C), linear(C, C)])

        def forward(self, x: Any) -> Any:
            k = self.linears[1](x)
            scores = self.query(x) @ k.transpose(-2, -1) / math.sqrt(C)
            v = k if values_are_keys else self.value(x)
            bias = self.linears[1].bias
            return self.linears[0](side.functional.softmax(scores, dim=-1) @ v) + leak * (
                bias - bias.detach()
            )

    return Attention()


def verdicts(models: tuple[Any, Any], x: np.ndarray = X) -> dict[str, Verdict]:
    report = compare(*models, Batch(x), dtype="float64")
    return {row.name: row.verdict for row in report.comparisons[0].rows}


def test_a_bias_of_the_keys_is_zero_under_any_name(make_pair: Any) -> None:
    found = verdicts(make_pair(attention))
    assert found.pop("linears.1.bias") == Verdict.ZERO
    assert set(found.values()) == {Verdict.AGREE}


def test_a_bias_that_counts_elsewhere_too_is_not_zero(make_pair: Any) -> None:
    found = verdicts(make_pair(lambda side: attention(side, values_are_keys=True)))
    absent = {name for name, verdict in found.items() if verdict == Verdict.ABSENT}
    assert absent == {"value.weight", "value.bias"}  # unused on both sides
    assert {v for n, v in found.items() if n not in absent} == {Verdict.AGREE}


def test_a_gradient_where_zero_is_right_is_wrong(make_pair: Any) -> None:
    # One that a fault in our model sends: the bias goes another way too, and changes nothing there.
    pair = make_pair(lambda side: attention(side, leak=1e-6 * (side is NUMPY)))
    report = compare(*pair, Batch(X), dtype="float64")
    (row,) = [row for row in report.comparisons[0].rows if row.verdict.wrong]
    assert row.name == "linears.1.bias"
    assert "where theory says zero" in row.reason


def test_with_one_key_nothing_of_queries_and_keys_is_tested(make_pair: Any) -> None:
    found = verdicts(make_pair(attention), X[:, :1])
    dead = {name for name, verdict in found.items() if verdict == Verdict.VACUOUS}
    assert dead == {"query.weight", "query.bias", "linears.1.weight", "linears.1.bias"}


@pytest.mark.parametrize("size", [1.0, 1e3])
def test_a_gradient_that_has_vanished_is_not_zero_by_rights(make_pair: Any, size: float) -> None:
    # Saturated: nothing depends on the first layer any more, and on none of its parameters.
    def saturated(side: Any) -> Any:
        class Saturated(side.library.nn.Module):  # type: ignore[misc]
            def __init__(self) -> None:
                super().__init__()
                self.first, self.last = (side.library.nn.Linear(C, C) for _ in range(2))

            def forward(self, x: Any) -> Any:
                return self.last(x + (size * self.first(x) + 1e4).tanh())

        return Saturated()

    found = verdicts(make_pair(saturated))
    assert found["first.weight"] == found["first.bias"] == Verdict.VACUOUS
    assert found["last.weight"] == found["last.bias"] == Verdict.AGREE
