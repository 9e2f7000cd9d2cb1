"""`compare` passes honest models, and fails each kind of dishonest one in its own words."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

import tinygrad_tf as tg
import torch
from crosscheck import Batch, Verdict, compare
from crosscheck.draws import Stream, draws
from tinygrad_tf import differentiable, nn

C, F = 6, 5
X = np.random.default_rng(0).standard_normal((3, 4, C)).astype(np.float32)


def linear_pair(make_pair: Any) -> tuple[Any, Any]:
    return make_pair(lambda engine: engine.library.nn.Linear(C, F))


def verdicts(report: Any) -> dict[str, Verdict]:
    return {row.name: row.verdict for row in report.comparisons[0].rows}


class Bent(nn.Module):
    """A linear layer with something done to its output."""

    def __init__(self, layer: nn.Linear, bend: Any) -> None:
        super().__init__()
        self.weight, self.bias, self.bend = layer.weight, layer.bias, bend

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        bent: tg.Tensor = self.bend(nn.functional.linear(x, self.weight, self.bias))
        return bent


def bent(make_pair: Any, bend: Any) -> Any:
    ours, theirs = linear_pair(make_pair)
    return compare(Bent(ours, bend), theirs, Batch(X))


def test_an_honest_pair_agrees_and_the_models_are_left_alone(make_pair: Any) -> None:
    ours, theirs = linear_pair(make_pair)
    report = compare(ours, theirs, Batch(X))
    assert report.agrees
    *table, last = str(report).split("\n")
    assert last == "4 rows, all agree"
    assert table[0] == "Under random cotangent"
    rows = [line.split()[0] for line in table if line.endswith("agree")]
    assert rows == ["output", "weight", "bias", "input"]
    assert list(verdicts(report)) == ["output", "weight", "bias", "input"]
    assert ours.weight.dtype == np.float32
    assert ours.weight.grad is None
    assert theirs.weight.grad is None
    assert ours.training


def test_a_norm_is_pytorchs_norm_of_the_gradient(make_pair: Any) -> None:
    ours, theirs = linear_pair(make_pair)
    row = compare(ours, theirs, Batch(X), dtype="float64").comparisons[0].gradients[0]
    theirs.double()
    cotangent = draws(Stream.COTANGENT, 0).standard_normal((3, 4, F))
    theirs(torch.tensor(X, dtype=torch.float64)).backward(torch.tensor(cotangent))
    assert row.norm_reference == pytest.approx(float(theirs.weight.grad.norm()), rel=1e-12)
    assert row.error is not None
    assert row.error < 1e-14


@pytest.mark.parametrize("factor", [1 + 1e-9, -1.0, 4.0])
def test_a_wrong_backward_behind_a_right_output_is_caught(make_pair: Any, factor: float) -> None:
    @differentiable
    def scaled_gradient(x: Any) -> Any:
        return x.copy(), lambda dout: (dout * factor,)

    report = bent(make_pair, scaled_gradient)
    assert verdicts(report) == {
        "output": Verdict.AGREE,
        "weight": Verdict.DISAGREE,
        "bias": Verdict.DISAGREE,
        "input": Verdict.DISAGREE,
    }
    assert not report.agrees
    assert "3 of 4 rows fail" in str(report)


def test_a_severed_graph_is_a_missing_gradient(make_pair: Any) -> None:
    ours, theirs = linear_pair(make_pair)
    ours.bias.requires_grad_(False)
    report = compare(ours, theirs, Batch(X))
    assert verdicts(report)["bias"] == Verdict.MISSING
    assert "the model has none" in str(report)


@pytest.mark.parametrize("poorer", ["the model", "the reference"])
def test_a_name_that_one_side_lacks_is_missing(make_pair: Any, poorer: str) -> None:
    ours, theirs = linear_pair(make_pair)
    model = ours if poorer == "the model" else theirs
    model.bias = None
    report = compare(ours, theirs, Batch(X))
    assert verdicts(report)["bias"] == Verdict.MISSING
    assert f"{poorer} has none" in str(report)


class Widened(torch.nn.Linear):
    """Gives float64 whatever it is given."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x).double()


def test_float64_creeping_into_a_float32_run_is_caught(make_pair: Any) -> None:
    ours, theirs = linear_pair(make_pair)
    widened = Widened(C, F)
    widened.load_state_dict(theirs.state_dict())
    report = compare(ours, widened, Batch(X))
    assert verdicts(report)["output"] == Verdict.DTYPE
    assert "the reference gave float64 in a float32 run" in str(report)


@pytest.mark.parametrize("dtype", ["both", "float64", "float32"])
def test_a_loss_that_tests_nothing_is_vacuous(make_pair: Any, dtype: str) -> None:
    # One score per line: its softmax is 1 whatever it is, and every gradient is zero.
    ours, theirs = make_pair(lambda engine: engine.library.nn.Linear(C, 1))

    class Constant(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight, self.bias = theirs.weight, theirs.bias

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.nn.functional.linear(x, self.weight, self.bias).softmax(-1)

    model = Bent(ours, lambda out: nn.functional.softmax(out, -1))
    report = compare(model, Constant(), Batch(X), dtype=dtype)
    assert verdicts(report) == {
        "output": Verdict.AGREE,
        "weight": Verdict.VACUOUS,
        "bias": Verdict.VACUOUS,
        "input": Verdict.VACUOUS,
    }
    assert "nothing is tested here" in str(report)
    assert "3 of 4 rows are not proved" in str(report)


def test_the_key_bias_must_be_zero(make_pair: Any) -> None:
    ours, theirs = make_pair(lambda engine: engine.models.MultiheadSelfAttention(C, 2))
    report = compare(ours, theirs, Batch(X))
    assert verdicts(report)["in_proj_bias[k]"] == Verdict.ZERO

    @differentiable
    def leak(x: Any) -> Any:
        def backward(dout: Any) -> Any:
            leaked = dout.copy()
            leaked[C : 2 * C] += 1e-6
            return (leaked,)

        return x.copy(), backward

    class Leaky(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.in_proj_weight, self.in_proj_bias = ours.in_proj_weight, ours.in_proj_bias
            self.out_proj = ours.out_proj

        def forward(self, x: tg.Tensor) -> Any:
            inner = copy.copy(ours)
            inner.in_proj_weight, inner.out_proj = self.in_proj_weight, self.out_proj
            vars(inner)["in_proj_bias"] = leak(self.in_proj_bias)  # assigned, it would be refused
            return inner(x)

    assert verdicts(compare(Leaky(), theirs, Batch(X)))["in_proj_bias[k]"] == Verdict.DISAGREE


def test_weights_that_differ_are_an_error_that_says_what_to_do(make_pair: Any) -> None:
    ours, theirs = linear_pair(make_pair)
    ours.bias.data[1] += 1e-7
    with pytest.raises(ValueError, match=r"differ in bias; call copy_weights"):
        compare(ours, theirs, Batch(X))


def test_a_model_compared_with_itself_proves_nothing(make_pair: Any) -> None:
    ours, theirs = linear_pair(make_pair)
    for model in (ours, theirs):
        with pytest.raises(TypeError, match=r"^compare: model and reference are one and the same"):
            compare(model, model, Batch(X))


def test_any_two_kinds_are_compared(make_pair: Any) -> None:
    ours, theirs = linear_pair(make_pair)
    for model, reference in (
        (theirs, copy.deepcopy(theirs)),
        (ours, copy.deepcopy(ours)),
        (theirs, ours),
    ):
        report = compare(model, reference, Batch(X))
        assert report.agrees, str(report)
        reference.weight.data[1] *= 1.5
        with pytest.raises(ValueError, match="the models' weights differ in weight"):
            compare(model, reference, Batch(X))


def test_a_batch_may_be_nested_lists(make_pair: Any) -> None:
    pair = make_pair(lambda engine: engine.library.nn.Embedding(7, F))
    ids, targets = [[1, 6, 0], [2, 2, 5]], [[0, 4, 1], [3, 2, 0]]
    report = compare(*pair, Batch(ids, targets))  # type: ignore[arg-type]
    assert report.agrees, str(report)
    assert report == compare(*pair, Batch(np.array(ids), np.array(targets)))
    assert isinstance(Batch(ids, targets).targets, np.ndarray)  # type: ignore[arg-type]
    assert Batch(ids).targets is None  # type: ignore[arg-type]


def test_an_unknown_dtype_is_an_error(make_pair: Any) -> None:
    with pytest.raises(ValueError, match="dtype is 'float16', expected one of both"):
        compare(*linear_pair(make_pair), Batch(X), dtype="float16")


def test_a_model_of_another_kind_is_an_error() -> None:
    with pytest.raises(TypeError, match=r"^compare: the model: got object, expected a module of"):
        compare(object(), object(), Batch(X))


def test_float32_alone_is_judged_by_rounding(make_pair: Any) -> None:
    report = compare(*linear_pair(make_pair), Batch(X), dtype="float32")
    assert report.agrees
    for row in report.comparisons[0].rows:
        assert row.error is None
        assert row.rounding is not None
        assert 0 < row.rounding < 1e-6


def test_sloppy_float32_arithmetic_fails_although_float64_is_exact(make_pair: Any) -> None:
    def sloppy(out: tg.Tensor) -> tg.Tensor:
        lost = out.data.astype(np.float16) if out.dtype == np.float32 else out.data
        return out + (lost.astype(out.dtype) - out.data)

    report = bent(make_pair, sloppy)
    assert verdicts(report)["output"] == Verdict.ROUNDING
    assert report.comparisons[0].rows[0].error == pytest.approx(0.0, abs=1e-15)


def test_more_failures_than_a_reader_wants_are_counted(make_pair: Any) -> None:
    ours, theirs = make_pair(lambda engine: engine.models.TransformerBlock(C, 2, F))
    ours.linear1.weight.data[0, 0] = theirs.linear1.weight.data[0, 0] = np.nan
    text = str(compare(ours, theirs, Batch(X)))
    assert (
        "the weights are not finite: linear1.weight has 1 bad entries, the first at (0, 0)" in text
    )
    assert "... and 5 more" in text
