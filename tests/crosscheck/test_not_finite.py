"""A NaN is not only found, but found where it was made."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.engines import NUMPY

from crosscheck import Batch, compare, copy_weights, randomize
from crosscheck.not_finite import first_not_finite

X = np.random.default_rng(0).standard_normal((2, 5, 8)).astype(np.float32)


def block() -> Any:
    model = NUMPY.models.TransformerBlock(8, 2, 12)
    randomize(model)
    return model


def test_an_honest_model_makes_none_even_with_masks_of_minus_infinity() -> None:
    assert "everything is finite" in str(
        first_not_finite(block(), Batch(X, options={"is_causal": True}))
    )


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_bad_weight_is_named_with_its_place(bad: float) -> None:
    model = block()
    model.self_attn.out_proj.weight.data[2, 3] = bad
    assert first_not_finite(model, Batch(X)) == (
        "the weights are not finite: self_attn.out_proj.weight has 1 bad entries, "
        "the first at (2, 3)"
    )


def test_a_bad_input_is_named_with_its_place() -> None:
    x = X.copy()
    x[1, 2, 3] = np.nan
    assert first_not_finite(block(), Batch(x)) == (
        "the input is not finite: has 1 bad entries, the first at (1, 2, 3)"
    )


def test_the_op_and_the_module_that_overflow_are_named() -> None:
    model = block().double()
    model.linear1.weight.data[...] = 1e200
    model.linear2.weight.data[...] = 1e200
    message = first_not_finite(model, Batch(X))
    assert message is not None
    assert message.startswith(
        "the first NaN or infinity is made in linear2 by linear, whose output (2, 5, 8) has"
    )


def test_an_op_outside_every_child_is_in_the_model_itself() -> None:
    class Overflowing(NUMPY.nn.Module):  # type: ignore[misc, name-defined]
        def forward(self, x: Any) -> Any:
            return (x * 1e5).exp()

    message = first_not_finite(Overflowing(), Batch(X))
    assert message is not None
    assert message.startswith("the first NaN or infinity is made in the model itself by exp")


def test_the_report_says_it(make_pair: Any) -> None:
    ours, theirs = make_pair(lambda engine: engine.models.TransformerBlock(8, 2, 12))
    ours.norm1.bias.data[4] = np.nan
    copy_weights(ours, theirs)
    report = compare(ours, theirs, Batch(X))
    assert not report.agrees
    assert "the weights are not finite: norm1.bias has 1 bad entries, the first at (4,)" in str(
        report
    )
