"""What gradcheck must not accuse, and what it must not let pass: sizes, zeros, overwriting."""

from typing import Any

import numpy as np
import pytest
from support.leaves import draw

import torch
from tinygrad_tf import GradcheckError, Tensor, differentiable, gradcheck
from tinygrad_tf.nn import functional as F


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("function", "entries"),
    [
        (lambda x: x.log(), [1e-4, 0.3, 0.6999]),
        (lambda x: x.log(), [1e-12, 0.3, 1e6]),
        (lambda x: x.sqrt(), [[1e-9], [1.0], [1e4]]),
        (lambda x: F.layer_norm(x, (3,), eps=1e-30), [[1e-6, 3e-6, -2e-6], [1.0, 0.5, -2.0]]),
        (lambda x: F.layer_norm(x, (3,), eps=1e-30), [[0.0, 3e-8, -2e-8], [1e3, 5e2, -2e3]]),
    ],
    ids=["log", "log-wide", "sqrt", "tokens", "tokens-with-zero"],
)
def test_right_rules_pass_on_entries_of_unlike_size(function: Any, entries: Any, seed: int) -> None:
    assert gradcheck(function, Tensor(np.array(entries), requires_grad=True), seed=seed)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_rule_wrong_at_one_of_them_is_caught(place: int) -> None:
    """The gradient of the first is 1e9 times as large as those of the others."""
    x = Tensor(np.array([1e-9, 0.3, 0.6999]), requires_grad=True)

    @differentiable
    def log(x: np.ndarray) -> Any:
        factors = np.where(np.arange(3) == place, 1.001, 1.0)
        return np.log(x), lambda dout: (factors * dout / x,)

    with pytest.raises(GradcheckError, match=r"along a random direction of input 0"):
        gradcheck(log, x)


@pytest.mark.parametrize("seed", range(3))
def test_the_log_of_many_probabilities_passes(seed: int) -> None:
    """The smallest is 7e-6, where a step of 1e-6 for all entries would be too long."""
    p = np.random.default_rng(0).dirichlet(np.ones(65), 8)
    assert gradcheck(lambda x: x.log(), Tensor(p, requires_grad=True), seed=seed)


@pytest.mark.parametrize("small", [1e-3, 1e-4, 1e-6])
@pytest.mark.parametrize("factor", [1.0, 1.001, -1.0, 2.0])
@pytest.mark.parametrize("op", ["log", "sqrt", "reciprocal", "log-softmax"])
def test_beside_a_singular_point_right_rules_pass_and_wrong_ones_do_not(
    op: str, factor: float, small: float
) -> None:
    def softmax(x: np.ndarray) -> np.ndarray:
        shares = np.exp(x - x.max())
        return shares / shares.sum()

    functions: dict[str, Any] = {
        "log": (np.log, lambda x, dout: dout / x),
        "sqrt": (np.sqrt, lambda x, dout: dout / (2 * np.sqrt(x))),
        "reciprocal": (np.reciprocal, lambda x, dout: -dout / x**2),
        "log-softmax": (
            lambda x: np.log(softmax(np.log(x))),
            lambda x, dout: (dout - softmax(np.log(x)) * dout.sum()) / x,
        ),
    }

    @differentiable
    def rule(x: np.ndarray) -> Any:
        function, slope = functions[op]
        return function(x), lambda dout: (factor * slope(x, dout),)

    x = Tensor(np.array([small, 2 * small, 0.3]), requires_grad=True)
    if factor == 1.0:
        assert gradcheck(rule, x)
    else:
        with pytest.raises(GradcheckError, match=r"along a random direction of input 0"):
            gradcheck(rule, x)


def test_a_rule_wrong_at_an_entry_that_is_small_by_chance_is_caught() -> None:
    @differentiable
    def double(x: np.ndarray) -> Any:
        return 2 * x, lambda dout: (np.where(np.abs(x) < 1e-8, 0.0, 2 * dout),)

    with pytest.raises(GradcheckError, match=r"along a random direction of input 0"):
        gradcheck(double, Tensor(np.array([1e-10, 0.3, 0.7]), requires_grad=True))


def test_a_gradient_of_zero_may_be_rounding_where_zero_is_allowed() -> None:
    """Softmax does not see a bias that all its inputs share; what backward gives is 1e-17."""
    inputs = [draw(3, 5), draw(1, seed=1)]

    def function(x: Tensor, bias: Tensor) -> Tensor:
        return F.softmax(x + bias, dim=-1)

    function(*inputs).backward(draw(3, 5, seed=2))
    assert inputs[1].grad is not None
    assert 0.0 < abs(inputs[1].grad.item()) < 1e-15
    assert gradcheck(function, inputs, allow_zero=True)
    with pytest.raises(GradcheckError, match="nothing is tested at input 1"):
        gradcheck(function, inputs)
    with pytest.raises(GradcheckError, match="nothing is tested at input 0"):  # not zero by rights
        gradcheck(lambda x: x * 1e-6 + 1e6, draw(5), allow_zero=True)


@pytest.mark.parametrize("who", ["the function", "the backward of the function"])
def test_a_rule_that_overwrites_its_input_is_refused(who: str) -> None:
    @differentiable
    def double(x: np.ndarray) -> Any:
        def backward(dout: np.ndarray) -> Any:
            if who != "the function":
                x[1] = 7.0
            return (2 * dout,)

        out = 2 * x
        if who == "the function":
            x *= 2
        return out, backward

    x = draw(3)
    before = x.data.copy()
    with pytest.raises(GradcheckError, match=rf"^gradcheck: {who} has written into input 0 \(3,\)"):
        gradcheck(double, x)
    np.testing.assert_array_equal(x.data, before)


def test_a_rule_that_overwrites_the_incoming_gradient_is_refused() -> None:
    @differentiable
    def double(x: np.ndarray) -> Any:
        def backward(dout: np.ndarray) -> Any:
            dout *= 2
            return (dout,)

        return 2 * x, backward

    with pytest.raises(GradcheckError, match=r"has written into the incoming gradient"):
        gradcheck(double, draw(3))


@pytest.mark.parametrize(
    ("function", "inputs", "message"),
    [
        (F.relu, np.ones(3), r"input 0 is numpy\.ndarray, expected a Tensor of tinygrad_tf"),
        (F.relu, [draw(3), np.ones(3)], r"input 1 is numpy\.ndarray"),
        (F.relu, torch.ones(3), r"input 0 is torch\.Tensor, expected a Tensor of tinygrad_tf"),
        (F.relu, (torch.ones(3),), r"input 0 is torch\.Tensor"),
        (F.relu, 3.0, "input 0 is float"),
        (draw(3), F.relu, r"the first argument is .*\.Tensor, expected a function"),
        (lambda x: torch.ones(3), draw(3), r"the function returned torch\.Tensor"),
        (lambda x: (x, x), draw(3), "the function returned tuple"),
    ],
)
def test_a_call_with_something_else_names_the_mistake(
    function: Any, inputs: Any, message: str
) -> None:
    with pytest.raises(TypeError, match=f"^gradcheck: {message}"):
        gradcheck(function, inputs)


def test_what_cannot_be_measured_is_not_called_wrong() -> None:
    """ReLU at its corner, a random function, and one that loses its digits on the way."""
    generator, corner = np.random.default_rng(0), Tensor(draw(3).data)
    for function in (
        lambda x: F.relu(x - corner),
        lambda x: x * Tensor(generator.standard_normal(3)),
        lambda x: (x + 1e8) - 1e8,
    ):
        with pytest.raises(GradcheckError, match=r"nothing is tested .* does not settle"):
            gradcheck(function, draw(3))
