"""Right rules in a wrong run: another constant, wrong wiring, or an array that is overwritten."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.taped import exp_with, only, pair

from crosscheck import Batch, localise
from crosscheck.tape.finding import Kind
from tinygrad_tf import differentiable


def test_a_wrong_constant_is_shown_beside_the_right_one(on_both_sides: Any, x: np.ndarray) -> None:
    def forward(eps: float) -> Any:
        return lambda e, self, x: e.functional.layer_norm(x, (6,), self.w, self.b, eps)

    found = only(localise(*on_both_sides(forward(1e-5), forward(1e-6), w=(6,), b=(6,)), Batch(x)))
    assert (found.kind, found.op, found.argument) == (Kind.CONSTANT, "layer_norm", "out")
    assert found.what == "called with 1e-06, the reference with 1e-05"


def test_an_array_from_the_wrong_place_is_wiring(on_both_sides: Any, x: np.ndarray) -> None:
    def theirs(e: Any, self: Any, x: Any) -> Any:
        a, b = x.sin(), x.cos()
        return a.tanh() + b * a

    def ours(e: Any, self: Any, x: Any) -> Any:
        a, b = x.sin(), x.cos()
        return b.tanh() + b * a

    found = only(localise(*on_both_sides(theirs, ours), Batch(x)))
    assert (found.kind, found.op, found.argument) == (Kind.WIRING, "tanh", "x")
    assert found.what == "its x comes from model/cos, the reference's from model/sin"
    assert "the reference has this array as model/cos: are the two confused?" in found.hint


def test_a_step_left_out_is_named_by_the_hint(on_both_sides: Any, x: np.ndarray) -> None:
    pair = on_both_sides(
        lambda e, self, x: (x.sin() + x.cos()).tanh() * x.exp(),
        lambda e, self, x: x.sin().tanh() * x.exp(),
    )
    first = localise(*pair, Batch(x)).first
    assert first is not None
    assert (first.kind, first.op, first.argument) == (Kind.WIRING, "tanh", "x")
    assert "the add that the reference has between model/sin and this is left out" in first.hint


def test_a_way_back_that_is_cut_is_wiring(on_both_sides: Any, x: np.ndarray) -> None:
    pair = on_both_sides(
        lambda e, self, x: x.sin() * x.cos(), lambda e, self, x: x.sin().detach() * x.cos()
    )
    found = only(localise(*pair, Batch(x)))
    assert (found.kind, found.op, found.argument) == (Kind.WIRING, "mul", "dx")
    assert "is there a detach" in found.hint
    assert found.gap is not None
    assert found.gap.form == "missing here"


def test_another_number_of_tensors_is_wiring(on_both_sides: Any, x: np.ndarray) -> None:
    pair = on_both_sides(
        lambda e, self, x: e.functional.linear(x, self.w, self.b),
        lambda e, self, x: e.functional.linear(x, self.w),
        w=(4, 6),
        b=(4,),
    )
    found = only(localise(*pair, Batch(x)))
    assert (found.kind, found.op) == (Kind.WIRING, "linear")
    assert found.what == "it is given 2 tensors, in the reference 3"


def test_what_is_right_alone_and_wrong_in_the_run_is_state(
    on_both_sides: Any, x: np.ndarray
) -> None:
    calls: list[int] = []

    def first_is_wrong(x: Any, out: Any, dout: Any) -> Any:
        if dout is not None:
            return dout * out
        calls.append(1)
        return out + 1 if len(calls) == 1 else out

    found = only(localise(*pair(on_both_sides, exp_with(first_is_wrong)), Batch(x)))
    assert (found.kind, found.op, found.argument) == (Kind.STATE, "exp", "out")
    assert found.what == (
        "right alone, wrong in this run: it gives something else on the same inputs"
    )


@pytest.mark.parametrize("held", ["dout", "out", "input 0"])
def test_a_backward_that_writes_into_what_others_hold_is_state(
    on_both_sides: Any, x: np.ndarray, held: str
) -> None:
    def overwriting(x: Any, out: Any, dout: Any) -> Any:
        if dout is None:
            return out
        dx = dout * out
        {"dout": dout, "out": out, "input 0": x}[held][...] = 7.0
        return dx

    findings = localise(*pair(on_both_sides, exp_with(overwriting)), Batch(x)).findings
    first = findings[0]
    assert (first.kind, first.op, first.argument) == (Kind.STATE, "exp", held)
    assert first.hint == f"is {held} written to in place?"


def test_an_input_that_is_overwritten_on_the_way_forward_is_found(
    on_both_sides: Any, x: np.ndarray
) -> None:
    @differentiable
    def exp(x: Any) -> Any:
        out = np.exp(x, out=x)
        return out, lambda dout: (dout * out,)

    def forward(op: Any) -> Any:
        def run(e: Any, self: Any, x: Any) -> Any:
            h = x.sin()
            return op(h) + h.tanh()

        return run

    # Of the ops that are given what sin has made, the first is to blame, and tanh is not.
    found = only(localise(*on_both_sides(forward(lambda x: x.exp()), forward(exp)), Batch(x)))
    assert (found.op, found.kind) == ("exp", Kind.WIRING)
    assert "was x overwritten" in found.hint


def test_a_sum_that_is_wrong_where_all_that_arrives_is_right(
    on_both_sides: Any, x: np.ndarray
) -> None:
    def forward(hook: Any) -> Any:
        def run(e: Any, self: Any, x: Any) -> Any:
            h = x.sin()
            if hook is not None:
                h.register_hook(hook)
            return h.exp() * h.cos()

        return run

    where = localise(*on_both_sides(forward(None), forward(lambda dh: dh * 2.0)), Batch(x))
    found = only(where)
    assert (found.kind, found.op, found.argument) == (Kind.SUM, Kind.SUM.value, "dout")
    assert (
        found.what
        == "the 2 gradients that arrive at the output of model/sin agree, and their sum does not"
    )
    assert found.tolerance == pytest.approx(1.0)
    assert where.inherited == 0  # of what comes before, there is only the input


def test_one_of_two_gradients_that_is_lost_is_told(on_both_sides: Any, x: np.ndarray) -> None:
    kept: dict[str, Any] = {}

    def forward(hook: Any) -> Any:
        def run(e: Any, self: Any, x: Any) -> Any:
            h = x.sin()
            if hook is not None:
                h.register_hook(hook)
            a, b = h.exp(), h.cos()
            if hook is not None:
                a.register_hook(lambda da: kept.__setitem__("share", da * a.detach()))
            return a * 3.0 + b

        return run

    found = only(
        localise(*on_both_sides(forward(None), forward(lambda dh: kept["share"])), Batch(x))
    )
    assert (found.kind, found.op) == (Kind.SUM, Kind.SUM.value)
    assert found.hint.startswith("it is what model/exp alone sends back: is = written for +=")


def test_a_grad_that_is_not_what_arrives(on_both_sides: Any, x: np.ndarray) -> None:
    def ours(e: Any, self: Any, x: Any) -> Any:
        self.w.register_hook(lambda dw: dw * 2.0)
        return x.sin() * self.w

    found = only(
        localise(*on_both_sides(lambda e, self, x: x.sin() * self.w, ours, w=(6,)), Batch(x))
    )
    assert (found.kind, found.op, found.argument) == (Kind.SUM, "backward", "w.grad")
    assert found.what == "what one op sends back agrees, and the .grad it ends in does not"
    assert found.hint == (
        "w.grad is twice what it should be: is it added up twice, or is a division by B missing?"
    )
