"""A NaN is not only found, but found where it was made."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.engines import NUMPY

from crosscheck import Batch, compare, copy_weights, randomize
from crosscheck.tape.not_finite import first_not_finite

X = np.random.default_rng(0).standard_normal((2, 5, 8)).astype(np.float32)


def block() -> Any:
    model = NUMPY.models.TransformerBlock(8, 2, 12)
    randomize(model)
    return model


def test_an_honest_model_makes_none_even_with_masks_of_minus_infinity() -> None:
    assert first_not_finite(block(), Batch(X, options={"is_causal": True})) is None


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
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
        "the input is not finite: it has 1 bad entries, the first at (1, 2, 3)"
    )


def found(model: Any, batch: Batch) -> str:
    message = first_not_finite(model, batch)
    assert message is not None
    return message


def test_the_op_and_the_module_that_overflow_are_named() -> None:
    model = block().double()
    model.linear1.weight.data[...] = 1e200
    model.linear2.weight.data[...] = 1e200
    assert found(model, Batch(X)).startswith(
        "in float64, the first NaN or infinity is made by linear in linear2: its output (2, 5, 8)"
    )


def test_what_overflows_in_float32_alone_is_found_there() -> None:
    model = block()
    model.linear1.weight.data[...] = 1e30
    model.linear2.weight.data[...] = 1e30
    assert found(model, Batch(X)).startswith(
        "in float32, the first NaN or infinity is made by linear in linear2"
    )


def in_forward(forward: Any) -> Any:
    """A block in whose own forward something is done to the hidden values, beside its children."""

    class Block(NUMPY.models.TransformerBlock):  # type: ignore[misc, name-defined]
        def _feed_forward(self, x: Any) -> Any:
            return self.linear2(self.dropout(forward(self.linear1(x))))

    model = Block(8, 2, 12)
    randomize(model)
    return NUMPY.library.nn.Sequential(NUMPY.library.nn.Linear(8, 8), model)


def test_an_op_between_two_children_is_in_their_parent() -> None:
    message = found(in_forward(lambda hidden: (hidden * 1e5).exp()), Batch(X))
    assert message.startswith("in float64, the first NaN or infinity is made by exp in 1: its")


def test_what_breaks_going_back_is_named_too() -> None:
    # The root of zero is finite, and its slope is not.
    message = found(in_forward(lambda hidden: (hidden * 0.0).sqrt()), Batch(X))
    assert message.startswith(
        "in float64, everything is finite forward; the first NaN or infinity is made going back "
        "through sqrt in 1: the gradient of its input (2, 5, 12) has 120 bad entries"
    )


def test_the_report_says_it(make_pair: Any) -> None:
    ours, theirs = make_pair(lambda engine: engine.models.TransformerBlock(8, 2, 12))
    ours.norm1.bias.data[4] = np.nan
    copy_weights(ours, theirs)
    report = compare(ours, theirs, Batch(X))
    assert not report.agrees
    assert "the weights are not finite: norm1.bias has 1 bad entries, the first at (4,)" in str(
        report
    )
