"""A wrong rule, made here: what its finding names, that it is alone, and where it is shown."""

from __future__ import annotations

import inspect
import json
from typing import Any

import numpy as np
import pytest
from support.taped import around, exp_with, honest, only, pair, wrong_output, wrong_slope

from crosscheck import Batch, compare, localise
from crosscheck.distance import relative_error
from crosscheck.tape.finding import Kind
from tinygrad_tf import differentiable


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
    caller = inspect.getsourcelines(around)[1] + 2  # the line of its lambda
    assert backward.caller == forward.caller == f"{file}:{caller}"
    assert f"called from tests/support/taped.py:{caller}" in str(backward)


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
        "rule at tests/support/taped.py:",
        "hint: dx is 1.5 times what it should be",
        "inherited from there: 1 of",
    ):
        assert part in text, text
    assert report.to_dict()["localisation"]["findings"][0]["op"] == "exp"


def test_models_that_agree_are_not_searched(
    on_both_sides: Any, x: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    import crosscheck.located

    monkeypatch.setattr(crosscheck.located, "localise", lambda *_, **__: pytest.fail("it searched"))
    report = compare(*pair(on_both_sides, exp_with(honest)), Batch(x))
    assert report.agrees
    assert report.localisation is None
