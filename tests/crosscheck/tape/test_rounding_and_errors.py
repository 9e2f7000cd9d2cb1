"""Findings of float32 alone, and rules or walks that raise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.taped import exp_with, honest, only, pair

from crosscheck import Batch, localise
from crosscheck.tape.finding import Kind
from tinygrad_tf import differentiable
from tinygrad_tf.machinery.complaints import complaint


def test_sloppy_float32_is_found_where_float64_is_right(on_both_sides: Any, x: np.ndarray) -> None:
    def sloppy(x: Any, out: Any, dout: Any) -> Any:
        if dout is None:
            return out
        dx = dout * out
        return dx.astype(np.float16).astype(dx.dtype) if dx.dtype == np.float32 else dx

    found = only(localise(*pair(on_both_sides, exp_with(sloppy)), Batch(x)))
    assert (found.kind, found.op, found.argument) == (Kind.ROUNDING, "exp", "dx")
    assert found.rounding is not None
    assert 1e-5 < found.rounding < 1e-3  # float16 has 11 bits
    assert "right in float64, and too inexact in float32" in found.what


def test_float64_that_creeps_into_float32_is_found(on_both_sides: Any, x: np.ndarray) -> None:
    def widened(x: Any, out: Any, dout: Any) -> Any:
        return out if dout is None else dout * out.astype(np.float64)

    found = only(localise(*pair(on_both_sides, exp_with(widened)), Batch(x)))
    assert (found.kind, found.op, found.argument) == (Kind.ROUNDING, "exp", "dx")
    assert found.gap is not None
    assert found.gap.form == "dtype float64, the reference has float32"


def raising(when: str) -> Any:
    def raises(x: Any, out: Any, dout: Any) -> Any:
        if (dout is None) == (when == "forward"):
            raise ZeroDivisionError("no such luck")
        return honest(x, out, dout)

    return raises


@pytest.mark.parametrize("when", ["forward", "backward"])
def test_an_exception_in_a_rule_is_a_finding_and_the_only_one(
    on_both_sides: Any, x: np.ndarray, when: str
) -> None:
    where = localise(*pair(on_both_sides, exp_with(raising(when))), Batch(x))
    found = only(where)
    assert (found.kind, found.op, found.path, found.key) == (
        Kind.RAISED,
        "exp",
        "model",
        "model/exp",
    )
    assert found.what == "it raised ZeroDivisionError: no such luck"
    assert where.unpaired == {"the model": (), "the reference": ()}
    assert str(where).startswith("born here: exp in model: it raised ZeroDivisionError: no such")


@pytest.mark.parametrize("returned", [None, (1.0,)])
def test_a_backward_that_returns_no_arrays_is_named_also_without_a_pair(
    on_both_sides: Any, x: np.ndarray, returned: Any
) -> None:
    @differentiable
    def own(x: Any) -> Any:
        return np.exp(x), lambda dout: returned

    found = only(localise(*pair(on_both_sides, own), Batch(x)))
    assert (found.kind, found.op, found.key) == (Kind.RAISED, "own", "model/own")


def test_an_exception_in_the_run_alone_is_placed_too(on_both_sides: Any, x: np.ndarray) -> None:
    calls: list[int] = []

    def once(x: Any, out: Any, dout: Any) -> Any:
        if dout is not None:
            calls.append(1)
            if len(calls) == 1:  # in the run, and not when it is called alone; NumPy's own words
                raise ValueError("matmul: Input operand 1 has a mismatch")
        return honest(x, out, dout)

    found = only(localise(*pair(on_both_sides, exp_with(once)), Batch(x)))
    assert (found.kind, found.key, found.op) == (Kind.RAISED, "model/exp", "exp")
    assert found.rule.startswith(f"{__file__}:")


def test_our_engines_complaint_about_a_shape_is_placed(on_both_sides: Any, x: np.ndarray) -> None:
    def squashed(x: Any, out: Any, dout: Any) -> Any:
        return out if dout is None else (dout * out).sum(axis=0)

    found = only(localise(*pair(on_both_sides, exp_with(squashed)), Batch(x)))
    assert (found.kind, found.op, found.argument) == (Kind.BACKWARD, "exp", "dx")
    assert found.gap is not None
    assert found.gap.form == "shape (5, 6), the reference has (2, 5, 6)"


def test_a_scalars_gradient_that_is_not_summed_is_the_rules_fault(
    on_both_sides: Any, x: np.ndarray
) -> None:
    @differentiable
    def mul(x: Any, y: Any) -> Any:
        return x * y, lambda dout: (dout * y, dout * x)

    pair = on_both_sides(
        lambda e, self, x: x.exp() * x.mean(), lambda e, self, x: mul(x.exp(), x.mean())
    )
    found = only(localise(*pair, Batch(x)))
    assert (found.kind, found.op, found.argument) == (Kind.BACKWARD, "mul", "dy")
    assert found.gap is not None
    assert found.gap.form == "shape (2, 5, 6), the reference has ()"


def test_a_mistake_in_the_walk_is_nobody_elses(
    on_both_sides: Any, x: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tinygrad_tf.autograd

    def dishonest(start: Any) -> Any:
        raise complaint(RuntimeError, "backward", "lost on the way")

    monkeypatch.setattr(tinygrad_tf.autograd, "newest_first", dishonest)
    found = only(localise(*pair(on_both_sides, exp_with(honest)), Batch(x)))
    assert (found.kind, found.op) == (Kind.RAISED, "backward")
    assert "lost on the way" in found.what
