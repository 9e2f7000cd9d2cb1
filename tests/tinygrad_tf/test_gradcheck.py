from typing import Any

import numpy as np
import pytest

import torch
from tinygrad_tf import GradcheckError, Tensor, differentiable, gradcheck
from tinygrad_tf.nn import functional as F


def draw(*shape: int, seed: int = 0) -> Tensor:
    return Tensor(np.random.default_rng(seed).normal(size=shape), requires_grad=True)


def product(dx: Any, dy: Any) -> Any:
    """x @ y for square matrices, with the given backward: (dout, x, y) -> a gradient."""

    @differentiable
    def planted(x: np.ndarray, y: np.ndarray) -> Any:
        return x @ y, lambda dout: (dx(dout, x, y), dy(dout, x, y))

    return planted


def right_dx(dout: Any, x: Any, y: Any) -> Any:
    return dout @ y.T


def right_dy(dout: Any, x: Any, y: Any) -> Any:
    return x.T @ dout


def test_a_right_rule_passes() -> None:
    assert gradcheck(product(right_dx, right_dy), [draw(3, 3), draw(3, 3, seed=1)])


@pytest.mark.parametrize(
    "dy",
    [
        lambda dout, x, y: -(x.T @ dout),
        lambda dout, x, y: (x.T @ dout).T,
        lambda dout, x, y: x @ dout,
        lambda dout, x, y: x.T @ dout.T,
        lambda dout, x, y: 1.0001 * (x.T @ dout),
        lambda dout, x, y: x.T @ dout + 1e-3,
        lambda dout, x, y: np.zeros_like(y),
        lambda dout, x, y: np.full_like(y, np.nan),
        lambda dout, x, y: None,
    ],
    ids=["sign", "transposed", "x", "dout", "scaled", "shifted", "zero", "nan", "none"],
)
def test_a_wrong_rule_is_caught_and_the_input_named(dy: Any) -> None:
    with pytest.raises(GradcheckError, match=r"^gradcheck: along .* of input 1 \(3, 3\), backward"):
        gradcheck(product(right_dx, dy), [draw(3, 3), draw(3, 3, seed=1)])


def test_a_missing_term_is_caught_even_where_a_plain_sum_sees_nothing() -> None:
    @differentiable
    def forgetful_softmax(x: np.ndarray) -> Any:
        e = np.exp(x)
        out = e / e.sum(-1, keepdims=True)
        return out, lambda dout: (out * dout,)

    with pytest.raises(GradcheckError, match=r"backward gives .*, finite differences give .*allow"):
        gradcheck(forgetful_softmax, [draw(2, 5)])
    assert gradcheck(lambda x: F.softmax(x, dim=-1), [draw(2, 5)])


def test_a_rule_wrong_in_one_entry_is_caught() -> None:
    @differentiable
    def copy(x: np.ndarray) -> Any:
        def backward(dout: np.ndarray) -> Any:
            dx = dout.copy()
            dx[3, 4] *= 1.01
            return (dx,)

        return x.copy(), backward

    with pytest.raises(GradcheckError):
        gradcheck(copy, [draw(7, 9)])


def test_float32_is_refused() -> None:
    x = Tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(ValueError, match=r"^gradcheck: input 1 is float32; .*\.to\(float64\)"):
        gradcheck(lambda y, x: x * 2.0, [draw(2), x])


def test_the_advice_can_be_followed() -> None:
    x = Tensor([1.0, 2.0], requires_grad=True)
    assert gradcheck(lambda x: x * x, [x.to(np.float64)])


@pytest.mark.parametrize("inputs", [[], [Tensor(np.ones(3))]])
def test_nothing_to_check_is_refused(inputs: list[Tensor]) -> None:
    with pytest.raises(ValueError, match=r"^gradcheck: no input requires grad"):
        gradcheck(lambda *inputs: Tensor(np.ones(2)), inputs)


def test_grad_is_left_as_it_was() -> None:
    x, y = draw(3), draw(3, seed=1)
    x.grad = held = Tensor(np.array([7.0, 8.0, 9.0]))
    before = x.data.copy()
    assert gradcheck(lambda x, y: x * y, [x, y])
    assert x.grad is held
    assert held.tolist() == [7.0, 8.0, 9.0]
    assert y.grad is None
    np.testing.assert_array_equal(x.data, before)


def test_indices_and_constants_are_passed_along() -> None:
    indices, scale = Tensor(np.array([0, 2, 2])), Tensor(np.array(3.0))
    assert gradcheck(
        lambda indices, weight, scale: F.embedding(indices, weight) * scale,
        [indices, draw(3, 2), scale],
    )


def test_a_gradient_of_zero_tests_nothing_unless_it_is_allowed() -> None:
    inputs = [draw(3), draw(4)]
    with pytest.raises(GradcheckError, match=r"nothing is tested at input 1 \(4,\).*allow_zero"):
        gradcheck(lambda x, y: x * 2.0, inputs)
    assert gradcheck(lambda x, y: x * 2.0, inputs, allow_zero=True)


def test_a_small_gradient_is_judged_by_its_own_size() -> None:
    @differentiable
    def severed(x: np.ndarray) -> Any:
        return x * 1e-7, lambda dout: (np.zeros_like(x),)

    with pytest.raises(GradcheckError, match="finite differences give"):
        gradcheck(severed, draw(5), allow_zero=True)
    assert gradcheck(lambda x: x * 1e-7, draw(5))


def test_a_gradient_that_drowns_in_rounding_tests_nothing() -> None:
    with pytest.raises(GradcheckError, match="which rounding alone"):
        gradcheck(lambda x: x * 1e-6 + 1e6, draw(5))


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_the_step_goes_by_the_size_of_the_input(scale: float) -> None:
    x = Tensor(scale * (0.5 + np.random.default_rng(0).random(6)), requires_grad=True)
    assert gradcheck(lambda x: x.log(), x)
    assert gradcheck(lambda x: x * x, x)


def test_something_else_than_a_tensor_is_refused() -> None:
    with pytest.raises(TypeError, match=r"^gradcheck: the function returned float, expected a Ten"):
        gradcheck(lambda x: x.sum().item(), [draw(3)])  # type: ignore[arg-type, return-value]


def test_the_same_tensor_in_two_places() -> None:
    x = draw(3)
    assert gradcheck(lambda x, y: x * y * y, [x, x])


@pytest.mark.parametrize("shape", [(), (0,), (1, 1)])
def test_shapes_at_the_edge(shape: tuple[int, ...]) -> None:
    assert gradcheck(lambda x: x * x, [draw(*shape)])


def test_a_probe_moves_one_input_both_ways_by_one_step() -> None:
    x, y = draw(30, 20), draw(30, 20, seed=1)
    seen = []

    def product(a: Tensor, b: Tensor) -> Tensor:
        seen.append([np.linalg.norm(a.data - x.data), np.linalg.norm(b.data - y.data)])
        return a * b

    gradcheck(product, [x, y], step=1e-3, directions=5)
    assert len(seen) == 1 + 2 * 5 * 2
    step = 1e-3 * float(np.linalg.norm(x.data))  # a random direction is about as long as x / rms(x)
    expected = [[0, 0], *[[step, 0]] * 10, *[[0, step]] * 10]
    np.testing.assert_allclose(seen, expected, rtol=0.15)


def test_options_are_kept() -> None:
    def cube(x: Tensor) -> Tensor:
        return x * x * x

    assert gradcheck(cube, [draw(4)], step=1e-2, tolerance=1e-2)
    with pytest.raises(GradcheckError, match=r"allowed difference \d\.\de-1\d"):
        gradcheck(slightly_wrong, [draw(4)], step=1e-2, tolerance=1e-12, directions=1, seed=3)
    assert gradcheck(slightly_wrong, [draw(4)], tolerance=1e-4)


@differentiable
def slightly_wrong(x: np.ndarray) -> Any:
    return 2 * x, lambda dout: ((2 + 1e-5) * dout,)


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
