"""What a brought model does when it runs that a comparison must know of."""

from __future__ import annotations

import sys
import threading
from collections import namedtuple
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import torch
from crosscheck.brought.adapted import (
    adapted,
    output_named,
    parts_of,
    require_one_tensor,
)
from crosscheck.brought.behaviour import examine, on_cpu, require_finite_weights
from crosscheck.brought.surroundings import noticing
from crosscheck.runs import COTANGENT, Batch, run
from crosscheck.weights import get_weights
from tinygrad_tf import nn as our_nn
from torch.nn import functional as F

X = np.random.default_rng(2).standard_normal((2, 5, 4))


class Layer(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> Any:
        return self.linear(x)


class AlwaysDrops(Layer):
    def forward(self, x: torch.Tensor) -> Any:
        return F.dropout(self.linear(x), 0.3)


class Counts(Layer):
    def __init__(self) -> None:
        super().__init__()
        self.runs = [0]

    def __deepcopy__(self, memo: Any) -> Counts:
        return self  # a state that is shared by all copies

    def forward(self, x: torch.Tensor) -> Any:
        self.runs[0] += 1
        return self.linear(x) * self.runs[0]


class Casts(Layer):
    def forward(self, x: torch.Tensor) -> Any:
        return x + F.layer_norm(x.float(), (4,)).type_as(x)


class OnlyFloat32(Layer):
    def forward(self, x: torch.Tensor) -> Any:
        return self.linear(x) @ torch.ones(4, 4, dtype=torch.float32)


class ReturnsFloat32(Layer):
    def forward(self, x: torch.Tensor) -> Any:
        return self.linear(x).float()


class WritesIntoInput(Layer):
    def forward(self, x: torch.Tensor) -> Any:
        x += 1.0
        return self.linear(x)


class Drops(Layer):
    def __init__(self) -> None:
        super().__init__()
        self.drop = torch.nn.Dropout(0.2)

    def forward(self, x: torch.Tensor) -> Any:
        return self.drop(self.linear(x))


def test_a_plain_model_is_left_as_it_is() -> None:
    model = Layer()
    found = examine(model, Batch(X), "both", "Layer")
    assert (found.model, found.dtype, found.notes) == (model, "both", [])


@pytest.mark.parametrize("model", [AlwaysDrops(), Counts()])
def test_two_plain_runs_that_differ_are_told(model: Any) -> None:
    with pytest.raises(ValueError, match=r"compare: two plain runs of Block .* differ by"):
        examine(model, Batch(X), "both", "Block")


def test_dropout_is_off_and_that_is_said() -> None:
    model = Drops().train()
    found = examine(model, Batch(X), "both", "Block")
    assert found.notes == ["Block is run in evaluation mode, where drop drops nothing"]
    assert model.training


@pytest.mark.parametrize("model", [Casts(), OnlyFloat32(), ReturnsFloat32()])
def test_float32_in_the_code_is_said_once_and_judged_in_float32(model: Any) -> None:
    found = examine(model, Batch(X), "both", "Block")
    assert found.dtype == "float32"
    (note,) = found.notes
    assert note.startswith("Block computes in float32, since that is written into its code: it is")
    assert examine(model, Batch(X), "float32", "Block").notes == []
    with pytest.raises(ValueError, match="cannot be judged in float64"):
        examine(model, Batch(X), "float64", "Block")


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
@pytest.mark.parametrize("model", [Layer(), torch.nn.Identity(), torch.nn.ReLU(), our_nn.GELU()])
def test_float64_is_not_taken_for_float32(model: Any, scale: float) -> None:
    assert examine(model, Batch(scale * X), "both", "Block").dtype == "both"


def test_a_constant_model_is_not_taken_for_float32() -> None:
    constant = adapted(Layer(), pick=lambda out: out * 0.0 + 1.0)
    assert examine(constant, Batch(X), "both", "Block").dtype == "both"


def test_a_model_that_writes_into_its_input_is_given_a_copy() -> None:
    model = WritesIntoInput()
    found = examine(model, Batch(X), "both", "Block")
    assert found.notes == ["Block writes into its input: it is given a copy"]
    made = run(found.model, Batch(X), dtype="float64", loss=COTANGENT)
    plain = adapted(model, pick=None)
    with pytest.raises(RuntimeError, match="in-place"):
        run(plain, Batch(X), dtype="float64", loss=COTANGENT)
    np.testing.assert_allclose(made.output, model.double()(torch.tensor(X)).detach(), rtol=1e-12)


def test_one_parameter_under_two_names_is_said() -> None:
    model = Layer()
    model.again = model.linear
    notes = examine(model, Batch(X), "both", "Block").notes
    assert notes == [
        "linear.weight and again.weight of Block are one parameter",
        "linear.bias and again.bias of Block are one parameter",
    ]


def test_a_model_on_another_device_is_copied_or_refused() -> None:
    with pytest.raises(ValueError, match="on the device meta"):
        on_cpu(Layer().to("meta"), "Block")
    assert on_cpu(our_nn.Linear(2, 3), "Block")[1] == []


def test_nan_among_the_weights_is_told() -> None:
    model = Layer()
    require_finite_weights(model, "Block")
    with torch.no_grad():
        model.linear.bias[1] = torch.nan
    with pytest.raises(ValueError, match=r"linear\.bias of Block hold NaN"):
        require_finite_weights(model, "Block")


@dataclass
class Answer:
    hidden: Any
    probs: Any


Pair = namedtuple("Pair", "first second")


@pytest.mark.parametrize(
    ("output", "names"),
    [
        (Answer(1, 2), ["hidden", "probs"]),
        ({"logits": 1, "loss": 2}, ["logits", "loss"]),
        (Pair(1, 2), ["first", "second"]),
        ((1, 2), ["0", "1"]),
        (torch.ones(2), []),
        (np.ones(2), []),
    ],
)
def test_an_output_has_parts_by_name(output: Any, names: list[str]) -> None:
    assert list(parts_of(output)) == names


def test_an_output_of_several_tensors_is_told_with_their_names() -> None:
    answer = Answer(torch.ones(2, 3), torch.ones(2, 2))
    message = r"Block returns an Answer with hidden \(2, 3\), probs \(2, 2\): .* --output hidden"
    with pytest.raises(ValueError, match=message):
        require_one_tensor(answer, "Block")
    with pytest.raises(ValueError, match="returns None, expected one tensor; is a return missing"):
        require_one_tensor(None, "Block")
    with pytest.raises(ValueError, match=r"hiden: Block returns hidden, probs \(did you mean"):
        output_named("hiden", "Block")(answer)


def test_of_a_tuple_the_only_part_with_axes_is_meant() -> None:
    hidden = torch.ones(2, 3)
    require_one_tensor((hidden, torch.tensor(1.0)), "Block")
    require_one_tensor((hidden, None), "Block")
    with pytest.raises(ValueError, match=r"a tuple with 0 \(2, 3\), 1 \(2, 3\): .* --output 0$"):
        require_one_tensor((hidden, hidden), "Block")


class Gives(Layer):
    def forward(self, x: torch.Tensor, scale: Any = None) -> Any:
        out = self.linear(x)
        return {"hidden": out if scale is None else out * scale, "input": x}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_adapted_model_keeps_its_names_and_its_class(dtype: str) -> None:
    model = Gives()
    changed = adapted(model, options={"scale": np.full(4, 2.0)}, pick=lambda out: out["hidden"])
    assert get_weights(changed).keys() == get_weights(model).keys()
    assert isinstance(changed, Gives)
    assert (type(changed).__name__, type(changed).__module__) == ("Gives", __name__)
    made = run(changed, Batch(X), dtype=dtype, loss=COTANGENT)
    assert made.output.dtype == dtype
    expected = 2 * model.linear(torch.tensor(X).float()).detach().numpy()
    np.testing.assert_allclose(made.output, expected, atol=1e-6)
    assert isinstance(model(torch.tensor(X).float()), dict)


def test_code_that_prints_traces_or_starts_threads_is_noticed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    tracer, done = sys.gettrace(), threading.Event()
    with noticing("block.py") as notes:
        print("step 1")
        print("step 2")
        threading.Thread(target=done.wait, daemon=True).start()
        sys.settrace(lambda *_: None)
    done.set()
    assert sys.gettrace() is tracer
    assert capsys.readouterr().out == "step 1\nstep 2\n"
    assert [note.split(":")[0] for note in notes] == [
        "block.py prints when it runs",
        "block.py sets a trace function of its own (sys.settrace, a debugger, coverage)",
        "block.py has started 1 threads that still run",
    ]
    with noticing("block.py") as notes:
        pass
    assert notes == []
