"""Each kind of finding, by a wrong rule or model made here: what it names, and that it is alone."""

from __future__ import annotations

import inspect
import json
from typing import Any

import numpy as np
import pytest

from crosscheck import Batch, Finding, Localisation, compare, localise
from crosscheck.distance import relative_error
from crosscheck.tape.finding import Kind
from tinygrad_tf import differentiable
from tinygrad_tf.machinery.complaints import complaint

Forward = Any


def exp_with(wrong: Any) -> Any:
    """An exp whose out and dx are what `wrong(x, out, dout)` makes of them; dout is None first."""

    @differentiable
    def exp(x: Any) -> Any:
        out = wrong(x, np.exp(x), None)

        def backward(dout: Any) -> Any:
            return (wrong(x, out, dout),)

        return out, backward

    return exp


def honest(x: Any, out: Any, dout: Any) -> Any:
    return out if dout is None else dout * out


def wrong_slope(x: Any, out: Any, dout: Any) -> Any:
    return out if dout is None else 1.5 * dout * out


def wrong_output(x: Any, out: Any, dout: Any) -> Any:
    if dout is not None:
        return dout * out
    bent = out.copy()
    bent[1, 2, 3] += 0.25
    return bent


def around(op: Any) -> Any:
    """The forward of a model in the midst of which exp stands."""
    return lambda e, self, x: ((x * self.w).sin() + op(x * self.v)).tanh() * self.w


def pair(on_both_sides: Any, rule: Any) -> Any:
    return on_both_sides(around(lambda x: x.exp()), around(rule), w=(6,), v=(5, 1))


def only(where: Localisation) -> Finding:
    assert len(where.findings) == 1, str(where)
    assert where.first is where.findings[0]
    return where.findings[0]


def test_the_same_rule_without_a_mistake_is_not_accused(on_both_sides: Any, x: np.ndarray) -> None:
    where = localise(*pair(on_both_sides, exp_with(honest)), Batch(x))
    assert (where.findings, where.inherited, where.first) == ((), 0, None)
    assert str(where) == ""


def test_a_wrong_backward_is_named_by_op_and_argument(on_both_sides: Any, x: np.ndarray) -> None:
    where = localise(*pair(on_both_sides, exp_with(wrong_slope)), Batch(x))
    found = only(where)
    assert (found.kind, found.op, found.path, found.key) == (
        Kind.BACKWARD,
        "exp",
        "model",
        "model/exp",
    )
    assert found.argument == "dx"
    assert found.tolerance == pytest.approx(0.5, rel=1e-12)
    assert found.hint == "dx is 1.5 times what it should be, in every entry"
    assert where.inherited == 1  # of all before it, only the product is given something wrong


def test_a_wrong_forward_is_named_at_its_worst_entry(on_both_sides: Any, x: np.ndarray) -> None:
    where = localise(*pair(on_both_sides, exp_with(wrong_output)), Batch(x))
    found = only(where)
    assert (found.kind, found.op, found.argument) == (Kind.FORWARD, "exp", "out")
    assert found.gap is not None
    assert found.gap.worst == (1, 2, 3)
    assert found.gap.ours - found.gap.reference == pytest.approx(0.25, rel=1e-12)
    assert where.inherited > 3  # what comes after, and going back nearly all


def test_the_worst_entry_and_the_tolerance_are_those_of_the_arrays(
    on_both_sides: Any, x: np.ndarray
) -> None:
    noise = np.random.default_rng(7).standard_normal(x.shape)
    made: dict[str, Any] = {}

    def noisy(x: Any, out: Any, dout: Any) -> Any:
        if dout is None:
            return out
        made["right"], made["wrong"] = dout * out, dout * out + 0.1 * noise
        return made["wrong"]

    # Alone is how a rule is called last: on the reference's values, so `made` holds what is meant.
    found = only(localise(*pair(on_both_sides, exp_with(noisy)), Batch(x), seed=3))
    difference = np.abs(made["wrong"] - made["right"])
    worst = tuple(int(i) for i in np.unravel_index(difference.argmax(), difference.shape))
    assert found.gap is not None
    assert found.gap.worst == worst
    assert found.gap.ours == pytest.approx(float(made["wrong"][worst]), rel=1e-5)
    assert found.gap.reference == pytest.approx(float(made["right"][worst]), rel=1e-5)
    error = relative_error(made["wrong"], made["right"])
    assert found.tolerance == pytest.approx(error, rel=1e-5)
    assert f"a tolerance of {error:.1e} would pass it" in str(found)


def test_file_and_line_are_those_of_the_rule_and_of_the_call(
    on_both_sides: Any, x: np.ndarray
) -> None:
    slope, output = exp_with(wrong_slope), exp_with(wrong_output)
    file, start = inspect.getsourcefile(slope.rule), inspect.getsourcelines(slope.rule)[1]
    source = inspect.getsource(slope.rule).splitlines()
    step = next(i for i, line in enumerate(source) if "def backward" in line)
    backward = only(localise(*pair(on_both_sides, slope), Batch(x)))
    forward = only(localise(*pair(on_both_sides, output), Batch(x)))
    assert forward.rule == f"{file}:{start}"
    assert backward.rule == f"{file}:{start + step}"
    caller = inspect.getsourcelines(around)[1] + 2
    assert backward.caller == forward.caller == f"{__file__}:{caller}"
    assert f"called from tests/crosscheck/tape/test_findings.py:{caller}" in str(backward)


def test_the_float32_errors_of_both_sides_stand_beside_it(
    on_both_sides: Any, x: np.ndarray
) -> None:
    found = only(localise(*pair(on_both_sides, exp_with(wrong_slope)), Batch(x)))
    assert found.rounding == pytest.approx(0.5, rel=1e-4)  # there the same rule computes
    assert found.rounding_reference is not None
    assert 0 < found.rounding_reference < 1e-6
    assert f"in float32: error 5.0e-01, the reference's own {found.rounding_reference:.1e}" in str(
        found
    )


@pytest.mark.parametrize("loss", ["random cotangent", "sum"])
def test_two_bugs_are_told_apart_in_one_run_and_nothing_else_is_born(
    on_both_sides: Any, x: np.ndarray, loss: str
) -> None:
    @differentiable
    def tanh(x: Any) -> Any:
        out = np.tanh(x)
        return out, lambda dout: (dout * (1.0 + out * out),)

    slope = exp_with(wrong_output)

    def ours(e: Any, self: Any, x: Any) -> Any:
        return tanh((x * self.w).sin() + slope(x * self.v)) * self.w

    where = localise(
        *on_both_sides(around(lambda x: x.exp()), ours, w=(6,), v=(5, 1)), Batch(x), loss=loss
    )
    assert [(f.kind, f.op, f.argument) for f in where.findings] == [
        (Kind.FORWARD, "exp", "out"),
        (Kind.BACKWARD, "tanh", "dx"),
    ]
    assert where.inherited > 3


def test_one_rule_in_many_places_is_one_paragraph(on_both_sides: Any, x: np.ndarray) -> None:
    exp = exp_with(wrong_slope)

    def thrice(op: Any) -> Any:
        return lambda e, self, x: op(op(x * 0.5).sin()) + op(-x)

    where = localise(*on_both_sides(thrice(lambda x: x.exp()), thrice(exp)), Batch(x))
    assert [f.key for f in where.findings] == ["model/exp#3", "model/exp#2", "model/exp"]
    assert str(where).count("born here:") == 1
    assert "and so born in 2 places more: model#2, model" in str(where)


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
    assert found.what == "right alone, wrong in this run"


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

    findings = localise(*on_both_sides(forward(lambda x: x.exp()), forward(exp)), Batch(x)).findings
    assert any(
        f.op == "tanh" and f.kind is Kind.WIRING and "was x overwritten" in f.hint for f in findings
    ), findings


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
    assert found.what == "what 1 ops send back agrees, and the .grad it ends in does not"
    assert found.hint == "w.grad is twice what it should be: is it added up twice?"


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
def test_a_backward_that_returns_no_arrays_is_named_also_without_a_twin(
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


def test_a_finding_is_plain_data(on_both_sides: Any, x: np.ndarray) -> None:
    where = localise(*pair(on_both_sides, exp_with(wrong_slope)), Batch(x))
    plain = json.loads(json.dumps(where.to_dict()))
    assert plain["findings"][0]["kind"] == "backward"
    assert plain["findings"][0]["tolerance"] == pytest.approx(0.5)
    assert plain["findings"][0]["gap"]["worst"] == list(only(where).gap.worst)  # type: ignore[union-attr]
    assert plain["paired"] == where.paired
    assert plain["unpaired"] == {"the model": [], "the reference": []}


def test_compare_says_where_and_json_holds_it(on_both_sides: Any, x: np.ndarray) -> None:
    report = compare(*pair(on_both_sides, exp_with(wrong_slope)), Batch(x))
    assert not report.agrees
    text = str(report)
    for part in (
        "born here: exp in model: its dx is wrong, on right inputs and a right dout",
        "rule at tests/crosscheck/tape/test_findings.py:",
        "hint: dx is 1.5 times what it should be",
        "inherited from there: 1 of",
    ):
        assert part in text, text
    assert report.to_dict()["localisation"]["findings"][0]["op"] == "exp"


def test_models_that_agree_are_not_searched(
    on_both_sides: Any, x: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    import crosscheck.comparison

    monkeypatch.setattr(
        crosscheck.comparison, "localise", lambda *_, **__: pytest.fail("it searched")
    )
    report = compare(*pair(on_both_sides, exp_with(honest)), Batch(x))
    assert report.agrees
    assert report.localisation is None
