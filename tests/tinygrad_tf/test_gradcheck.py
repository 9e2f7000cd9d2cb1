from typing import Any

import numpy as np
import pytest
from support.leaves import draw

from tinygrad_tf import GradcheckError, Tensor, differentiable, gradcheck
from tinygrad_tf.nn import functional as F


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
