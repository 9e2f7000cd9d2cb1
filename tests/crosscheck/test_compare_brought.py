"""What a comparison of brought models says of precision, of constant weights, and of no weights."""

from __future__ import annotations

import importlib.util
import io
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from support.brought import written

import torch
from crosscheck import Batch, Verdict, compare
from torch import nn

X = np.random.default_rng(2).standard_normal((2, 3, 4))


class Scaled(nn.Module):
    """A linear layer whose output is divided by a number."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.linear(x) / math.sqrt(2)
        return y


def init_params() -> dict[str, Any]:
    random = np.random.default_rng(3)
    return {"linear_weight": random.standard_normal((2, 4)), "linear_bias": np.ones(2)}


def forward(x: Any, params: Any) -> Any:
    return (x @ params["linear_weight"].T + params["linear_bias"]) / np.sqrt(2), (x, params)


def backward(dout: Any, cache: Any) -> Any:
    x, params = cache
    dout = dout / np.sqrt(2)
    grads = {"linear_weight": np.einsum("bto,bti->oi", dout, x), "linear_bias": dout.sum((0, 1))}
    return dout @ params["linear_weight"], grads


def backward_that_is_wrong(dout: Any, cache: Any) -> Any:
    return backward(dout / np.sqrt(2), cache)


MAP = {"linear_weight": "linear.weight", "linear_bias": "linear.bias"}


def of_two(way_back: Any, **options: Any) -> Any:
    from crosscheck.brought import as_model

    model = as_model((forward, way_back), parameters=init_params)
    return compare(model, Scaled(), Batch(X), **options)


def test_a_float64_number_in_numpy_by_hand_is_said_once_and_is_no_fault() -> None:
    report = of_two(backward, weights=MAP)
    assert report.agrees
    assert report.dtype == "float64"
    assert sum("np.sqrt(2)" in note for note in report.notes) == 1
    assert report.differences["float32"] < 1e-5
    wrong = of_two(backward_that_is_wrong, weights=MAP)
    assert {row.verdict for _, row in wrong.wrong} == {Verdict.DISAGREE}


def test_who_asks_for_float32_alone_is_told_that_it_is_none() -> None:
    report = of_two(backward, weights=MAP, dtype="float32")
    assert {row.verdict for _, row in report.wrong} == {Verdict.DTYPE}
    assert report.cuts is None
    assert "only their type is not" in str(report)


def constant() -> Any:
    """The layer that holds the numbers of `init_params`."""
    layer = Scaled().double()
    with torch.no_grad():
        layer.linear.weight.copy_(torch.tensor(init_params()["linear_weight"]))
        layer.linear.bias.fill_(1.0)
    return layer


def test_a_weight_of_one_number_that_is_not_redrawn_is_not_proved() -> None:
    from crosscheck.brought import as_model

    model = as_model((forward, backward), parameters=init_params)
    report = compare(model, constant(), Batch(X), weights="value")
    assert not report.agrees
    assert not report.disagrees
    assert [(row.name, row.verdict) for _, row in report.unproved] == [
        ("linear.bias", Verdict.UNCHECKED)
    ]
    assert "nothing was redrawn" in str(report)
    wrong = as_model((forward, backward_that_is_wrong), parameters=init_params)
    rows = compare(wrong, constant(), Batch(X), weights="value").wrong
    assert "linear.bias" in [row.name for _, row in rows]  # what is wrong is not excused


def transposed(dout: Any, cache: Any) -> Any:
    dx, grads = backward(dout, cache)
    return dx, {**grads, "linear_weight": grads["linear_weight"].T}


def test_a_gradient_of_another_shape_is_wrong_and_said_so() -> None:
    report = of_two(transposed, weights=MAP)
    assert [(row.name, row.verdict) for _, row in report.wrong] == [
        ("linear.weight", Verdict.SHAPE)
    ]
    assert "the gradient of linear_weight is (4, 2), and linear_weight is (2, 4)" in str(report)


class Shifted(Scaled):
    """It has a weight that the reference lacks."""

    def __init__(self) -> None:
        super().__init__()
        self.extra_bias = nn.Parameter(torch.ones(2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x) + self.extra_bias


def test_a_gradient_that_was_compared_with_nothing_is_not_proved() -> None:
    report = compare(Shifted(), Scaled(), Batch(X), weights="auto")
    assert not report.disagrees
    assert [(row.name, row.verdict) for _, row in report.unproved] == [
        ("extra_bias", Verdict.UNCHECKED)
    ]


class Softmax(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        e = torch.exp(x - x.amax(-1, keepdim=True))
        return e / e.sum(-1, keepdim=True)


@pytest.mark.parametrize("weights", ["auto", "value", "name", {}])
def test_models_without_weights_can_be_compared(weights: Any) -> None:
    assert compare(Softmax(), nn.Softmax(-1), Batch(X), weights=weights).agrees
    assert compare(Softmax(), nn.Softmax(-2), Batch(X), weights=weights).disagrees


class Dropping(Scaled):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.dropout(super().forward(x))  # and not only in training


class Single(Scaled):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x).float().to(x.dtype)


def copied(kind: Any) -> tuple[Any, Any]:
    mine, theirs = kind(), Scaled()
    theirs.load_state_dict(mine.state_dict())
    return mine, theirs


def test_the_library_examines_what_it_is_given_as_the_command_does() -> None:
    with pytest.raises(ValueError, match="two plain runs of the model on the same input differ"):
        compare(*copied(Dropping), X)
    report = compare(*copied(Single), X)
    assert report.agrees
    assert report.dtype == "float32"
    assert sum("computes in float32" in note for note in report.notes) == 1
    drops = nn.Sequential(nn.Linear(4, 2), nn.Dropout())
    report = compare(drops, nn.Sequential(nn.Linear(4, 2)), X, weights="auto")
    assert report.agrees
    assert "run in evaluation mode" in str(report)


class Long(nn.Module):
    """Lines, names and texts that are too long to stand side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.a_linear_layer_of_a_long_name = nn.LayerNorm(4), nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = (
            x
            + self.a_linear_layer_of_a_long_name(self.norm(x))
            + 0.0 * torch.zeros_like(x).detach()
        )
        return (
            self.norm(x)
            + self.a_linear_layer_of_a_long_name(x)
            - self.a_linear_layer_of_a_long_name(x)
        )


class Reference(Long):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.a_linear_layer_of_a_long_name(self.norm(x))
        return self.norm(x) * 1.5


def test_lines_of_source_stay_lines_at_every_width() -> None:
    from crosscheck.render_compare import print_comparison

    report = compare(Long(), Reference(), X, weights="auto")
    assert "✗" in report.annotated()
    for width in (80, 110, 200):
        screen = io.StringIO()
        print_comparison(report, Console(file=screen, width=width, color_system=None), {})
        lines = screen.getvalue().split("\n")
        (crossed,) = [i for i, line in enumerate(lines) if "✗" in line]
        column = lines[crossed].index("✗")
        assert {line[column] for line in lines if line[column : column + 1] in tuple("✓✗~")}
        source = [line for line in lines[lines.index("") :] if "self." in line]
        assert all(len(line) <= width for line in source if "✗" not in line)


def test_gradients_are_compared_whatever_holds_where_compare_is_called() -> None:
    with torch.no_grad():
        report = compare(nn.Linear(4, 2), nn.Linear(4, 2), Batch(X), weights="auto")
        assert not torch.is_grad_enabled()
    names = {row.name for row in report.comparisons[0].gradients}
    assert report.agrees
    assert names == {"input", "weight", "bias"}


def test_the_search_for_a_line_draws_nothing_from_pytorchs_generator() -> None:
    layers = [
        nn.TransformerEncoderLayer(12, 3, 20, dropout=0.0, norm_first=first, batch_first=True)
        for first in (False, True)
    ]
    before = torch.get_rng_state()
    report = compare(*layers, np.random.default_rng(0).standard_normal((2, 5, 12)), weights="auto")
    assert report.cuts is not None
    assert torch.equal(torch.get_rng_state(), before)


def test_a_file_that_is_loaded_again_is_read_again(tmp_path: Path) -> None:
    wrong = "def forward(x):\n    return x.relu() * 2\n"

    def first_of(source: str, seconds: int) -> Any:
        path = written(tmp_path, source)
        os.utime(path, (seconds, seconds))
        spec = importlib.util.spec_from_file_location("edited", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        model = nn.Module()
        model.forward = module.forward
        return compare(model, nn.ReLU(), Batch(X))

    assert first_of(f"# a line\n# another\n{wrong}", 1).first.place.line == 4
    report = first_of(wrong, 2)
    assert report.first.place.line == 2
    assert "return x.relu() * 2" in report.annotated()


class Masked(nn.Module):
    """A large number takes digits away, and is no float32."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + ((x - 1e9) + 1e9)


class Doubled(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + x


class InFloat32(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return -(x.float() * 2).to(x.dtype)


def test_digits_lost_to_a_large_number_are_not_taken_for_float32() -> None:
    report = compare(Masked(), Doubled(), Batch(X))
    assert report.disagrees
    assert report.dtype == "both"
    assert "float32" not in " ".join(report.notes)
    assert report.first is not None


def test_of_what_was_judged_in_float32_nobody_says_that_float64_agrees() -> None:
    said = " ".join(compare(InFloat32(), Doubled(), Batch(X)).notes)
    assert "the model computes in float32" in said
    assert "float64 agrees" not in said
    report = compare(nn.ReLU(), Doubled(), Batch(X), dtype="float32")
    assert report.disagrees
    assert "float64 agrees" not in str(report)
    assert report.cuts is not None
