"""The trace of a module of our engine, against PyTorch's trace of the same source and weights."""

from __future__ import annotations

import linecache
from functools import cache
from typing import Any

import numpy as np
import pytest

import tinygrad_tf
import torch_impl
from crosscheck.distance import gap_between
from crosscheck.runs import Batch, run
from crosscheck.traces import trace_run
from crosscheck.traces.trace import Place, Trace
from crosscheck.weights import copy_weights
from tinygrad_tf import Tensor, differentiable
from tinygrad_tf.nn import functional

pytestmark = pytest.mark.usefixtures("no_other_tracer")

C = 6
HOW: Any = {"loss": "random cotangent", "seed": 3}
BATCH = Batch(np.random.default_rng(0).standard_normal((2, 5, C)))


def traced(model: Any) -> Trace:
    trace = trace_run(model, BATCH, **HOW)
    assert trace is not None
    assert trace.notes == ()
    return trace


@cache
def blocks() -> tuple[Any, Any]:
    reference = torch_impl.TransformerBlock(C, 2, 7, activation="gelu")
    model = tinygrad_tf.transformer.TransformerBlock(C, 2, 7, activation="gelu")
    copy_weights(reference, model)
    return model, reference


def assert_same_as_plain(trace: Trace, model: Any) -> None:
    plain = run(model, BATCH, dtype="float64", **HOW)
    assert trace.output is not None
    np.testing.assert_array_equal(trace.array(trace.output), plain.output)
    for name, gradient in plain.gradients.items():
        last = [r for r in trace.records if r.value == trace.given[name] and r.backward][-1]
        np.testing.assert_array_equal(trace.array(last.index), gradient, err_msg=name)


def test_every_array_is_one_of_pytorchs_at_a_line_of_the_model() -> None:
    ours, theirs = (traced(model) for model in blocks())
    assert_same_as_plain(ours, blocks()[0])
    assert len(ours.records) > 60
    for record in ours.records:
        like = [
            other
            for other in theirs.records
            if other.backward == record.backward
            and other.signature.is_like(record.signature)
            and other.shape == record.shape
            and gap_between(ours.array(record.index), theirs.array(other.index)).agrees
        ]
        # PyTorch cuts into q, k and v in one step.
        assert like or record.op == "getitem backward", record
        if record.place is not None:
            assert "transformer" in record.place.file
    assert [text(place) for place in ours.executed] == [text(place) for place in theirs.executed]


def text(place: Place) -> str:
    return linecache.getline(place.file, place.line)


@differentiable
def doubled(x: Any) -> Any:
    """A rule of the user."""
    out = x * 2

    def backward(dout: Any) -> Any:
        dx = dout * 2
        return (dx,)

    return out, backward


class Mine(tinygrad_tf.nn.Module):
    """x (B, T, C), used twice, through a layer, a rule, a hook and NumPy."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = tinygrad_tf.nn.Linear(C, C)

    def forward(self, x: Tensor) -> Tensor:
        h = doubled(self.layer(x))
        h.register_hook(lambda g: g * 3)
        h.data[0] += 1
        return functional.gelu(h) * x


def test_the_lines_of_a_model_of_the_user_and_of_its_rule() -> None:
    model = Mine()
    trace = traced(model)
    assert_same_as_plain(trace, model)
    assert trace.files == (__file__,)
    names = {record.name for record in trace.records}
    assert {"out", "dx", "h"} <= names
    (written,) = [r for r in trace.records if r.changed]
    (activated,) = [r for r in trace.records if r.op == "gelu"]
    assert written.index in activated.sources
    (tripled,) = [r for r in trace.records if r.backward and r.op == "mul" and not r.value]
    (left,) = [r for r in trace.records if tripled.index in r.sources]
    np.testing.assert_array_equal(trace.array(left.index), trace.array(tripled.index))
    (dx,) = [r for r in trace.records if r.name == "dx"]
    assert left.index in dx.sources


class Shifted(tinygrad_tf.nn.Module):
    """A layer whose shift is a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = tinygrad_tf.nn.Linear(C, 3)
        self.register_buffer("shift", tinygrad_tf.arange(3.0))

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) + self.shift


def test_a_buffer_is_a_value_that_is_given() -> None:
    trace = traced(Shifted())
    (buffer,) = (r for r in trace.records if r.name == "shift")
    np.testing.assert_array_equal(trace.array(buffer.index), np.arange(3.0))
    assert any(buffer.index in r.sources for r in trace.records)
