import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import torch
from tinygrad_tf import Tensor, zeros
from tinygrad_tf.nn import init

OUT, IN = 300, 700
UNIFORM = [
    ("uniform_", {}, 1 / math.sqrt(12)),
    ("uniform_", {"a": -3.0, "b": 1.0}, 4 / math.sqrt(12)),
    ("xavier_uniform_", {}, math.sqrt(2 / (IN + OUT))),
    ("xavier_uniform_", {"gain": 3.0}, 3 * math.sqrt(2 / (IN + OUT))),
    ("kaiming_uniform_", {}, math.sqrt(2 / IN)),
    ("kaiming_uniform_", {"a": math.sqrt(5)}, math.sqrt(1 / (3 * IN))),
    ("kaiming_uniform_", {"mode": "fan_out", "nonlinearity": "tanh"}, 5 / 3 / math.sqrt(OUT)),
]
NORMAL = [
    ("normal_", {}, 1.0),
    ("normal_", {"mean": 5.0, "std": 0.02}, 0.02),
    ("xavier_normal_", {}, math.sqrt(2 / (IN + OUT))),
    ("xavier_normal_", {"gain": 0.5}, 0.5 * math.sqrt(2 / (IN + OUT))),
    ("kaiming_normal_", {}, math.sqrt(2 / IN)),
    ("kaiming_normal_", {"nonlinearity": "relu"}, math.sqrt(2 / IN)),
    ("kaiming_normal_", {"mode": "fan_out", "nonlinearity": "linear"}, 1 / math.sqrt(OUT)),
]


def filled(name: str, options: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """A weight filled by us, and one by PyTorch."""
    ours = vars(init)[name](zeros(OUT, IN), **options, generator=np.random.default_rng(0))
    generator = torch.Generator().manual_seed(0)
    theirs = getattr(torch.nn.init, name)(torch.zeros(OUT, IN), **options, generator=generator)
    return ours.data, theirs.numpy()


@pytest.mark.parametrize(("name", "options", "std"), [*UNIFORM, *NORMAL])
def test_spread_and_centre(name: str, options: Any, std: float) -> None:
    ours, theirs = filled(name, options)
    assert ours.dtype == np.float32
    assert ours.std() == pytest.approx(std, rel=0.02)
    assert theirs.std() == pytest.approx(std, rel=0.02)
    assert ours.mean() == pytest.approx(theirs.mean(), abs=0.02 * std)


@pytest.mark.parametrize(("name", "options", "std"), UNIFORM)
def test_uniform_draws_fill_the_interval_and_stay_inside(
    name: str, options: Any, std: float
) -> None:
    ours, theirs = filled(name, options)
    half = math.sqrt(3) * std
    centre = (options.get("a", 0.0) + options.get("b", 1.0)) / 2 if name == "uniform_" else 0.0
    for draws in (ours, theirs):
        assert np.abs(draws - centre).max() <= half * (1 + 1e-6)
        assert np.abs(draws - centre).max() > 0.999 * half


@pytest.mark.parametrize(("name", "options", "std"), NORMAL)
def test_normal_draws_have_tails(name: str, options: Any, std: float) -> None:
    ours, _ = filled(name, options)
    distance = np.abs(ours - options.get("mean", 0.0)) / std
    assert (distance > 1).mean() == pytest.approx(0.3173, abs=0.005)
    assert (distance > 2).mean() == pytest.approx(0.0455, abs=0.005)


@pytest.mark.parametrize(("name", "options", "std"), [*UNIFORM, *NORMAL])
def test_the_generator_decides(name: str, options: Any, std: float) -> None:
    fill = vars(init)[name]
    first, again = (
        fill(zeros(3, 5), **options, generator=np.random.default_rng(1)) for _ in range(2)
    )
    assert (first == again).all()
    assert (fill(zeros(3, 5), **options) != fill(zeros(3, 5), **options)).any()


def test_filling_is_in_place_and_leaves_the_graph_alone() -> None:
    x = Tensor(np.zeros((2, 3)), requires_grad=True)
    data = x.data
    for fill, value in ((init.ones_, 1.0), (init.zeros_, 0.0)):
        assert fill(x) is x
        assert x.data is data
        assert (x == value).all()
    assert (init.constant_(x, 2.5) == 2.5).all()
    assert x.is_leaf
    assert x.requires_grad
    assert x.dtype == np.float64


@pytest.mark.parametrize("nonlinearity", ["linear", "sigmoid", "tanh", "relu", "leaky_relu"])
def test_gains_are_pytorchs(nonlinearity: str) -> None:
    expected = torch.nn.init.calculate_gain(nonlinearity)
    assert init.calculate_gain(nonlinearity) == pytest.approx(expected, rel=1e-15)
    assert init.calculate_gain("leaky_relu", 0.3) == torch.nn.init.calculate_gain("leaky_relu", 0.3)


def test_a_fan_of_one() -> None:
    assert init.kaiming_std(zeros(5, 1), 0.0, "fan_in", "linear") == 1.0
    assert init.kaiming_std(zeros(1, 5), 0.0, "fan_out", "linear") == 1.0


@pytest.mark.parametrize("shape", [(0, 3), (3, 0)])
def test_a_weight_without_entries(shape: tuple[int, int]) -> None:
    assert init.kaiming_uniform_(zeros(*shape)).shape == shape
    assert init.kaiming_normal_(zeros(*shape), mode="fan_out").shape == shape


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: init.xavier_uniform_(zeros(3)),
            r"^xavier_uniform_: expected .*\(out, in\), got \(3,\)",
        ),
        (
            lambda: init.kaiming_normal_(zeros(2, 3, 4)),
            r"^kaiming_normal_: expected .*got \(2, 3, 4\)",
        ),
        (
            lambda: init.kaiming_uniform_(zeros(2, 3), mode="fan"),
            "^kaiming_uniform_: mode is 'fan', expected 'fan_in' or 'fan_out'",
        ),
        (
            lambda: init.kaiming_uniform_(zeros(2, 3), nonlinearity="gelu"),
            "^kaiming_uniform_: unknown nonlinearity 'gelu'; known: linear, sigmoid, tanh, relu",
        ),
    ],
)
def test_what_does_not_fit_is_named(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
