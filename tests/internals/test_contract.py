"""What a rule may return from its backward, and what the engine says to anything else."""

import tracemalloc
import weakref
from typing import Any

import numpy as np
import pytest

from tinygrad_tf import Tensor, differentiable

ONES = Tensor(np.ones(2))
MATRIX = np.ones((3, 2))


def leaf() -> Tensor:
    return Tensor(np.array([1.0, 2.0]), requires_grad=True)


def rule_returning(*gradients: Any) -> Any:
    @differentiable
    def careless(x: np.ndarray, y: np.ndarray) -> Any:
        return x + y, lambda dout: gradients

    return careless


@pytest.mark.parametrize(
    ("gradients", "message"),
    [
        ([np.ones(2)], "careless: backward returned 1 gradients for 2 inputs"),
        ([np.ones(2)] * 3, "careless: backward returned 3 gradients for 2 inputs"),
        (
            [np.ones(2), np.ones((3, 2))],
            r"careless: backward returned \(3, 2\) float64 for input 1, which is \(2,\) float64; "
            r"is a sum_to missing\?",
        ),
        ([MATRIX, MATRIX], r"careless: .*\(3, 2\) float64 for input 0, which is \(2,\) float64"),
        ([np.ones(2, "f4"), np.ones(2)], r"careless: .*\(2,\) float32 for input 0, which is \(2,"),
    ],
)
def test_a_rule_that_returns_something_else_is_named(gradients: Any, message: str) -> None:
    out = rule_returning(*gradients)(leaf(), leaf())
    with pytest.raises(RuntimeError, match=f"^{message}") as failure:
        out.backward(ONES)
    assert failure.value.op == "careless"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("wrong", "op"),
    [
        (lambda: leaf() + Tensor(np.ones(2, "f4")), "add"),
        (lambda: leaf() @ Tensor(np.ones(3)), "matmul"),
        (lambda: leaf().reshape(5), "reshape"),
        (lambda: leaf() * object(), "mul"),
        (lambda: leaf().masked_fill(Tensor(np.ones(2, bool)), value=leaf()), "masked_fill"),
        (lambda: (leaf() * 2.0).backward(), "backward"),
        (lambda: Tensor(np.ones(2)).backward(ONES), "backward"),
    ],
)
def test_an_error_says_which_op_is_to_blame(wrong: Any, op: str) -> None:
    with pytest.raises((TypeError, ValueError, RuntimeError), match=f"^{op}: ") as failure:
        wrong()
    assert failure.value.op == op  # type: ignore[attr-defined]


def test_the_input_whose_gradient_is_wrong_is_named_though_both_get_one_array() -> None:
    @differentiable
    def add(x: np.ndarray, y: np.ndarray) -> Any:
        return x + y, lambda dout: (dout, dout)

    x = Tensor(MATRIX, requires_grad=True)
    with pytest.raises(RuntimeError, match=r"\(3, 2\) float64 for input 1, which is \(2,\)"):
        add(x, leaf()).backward(Tensor(MATRIX))


def test_none_is_no_gradient_and_may_stand_for_an_input_left_out() -> None:
    x, y = leaf(), leaf()
    rule_returning(np.ones(2), None, None)(x, y).backward(ONES)
    assert x.grad.tolist() == [1.0, 1.0]
    assert y.grad is None


@pytest.mark.parametrize("second", [lambda dx: dx, lambda dx: dx[:], lambda dx: dx.T])
@pytest.mark.parametrize("swap", [False, True])
def test_a_rule_may_give_one_array_to_two_inputs(second: Any, swap: bool) -> None:
    @differentiable
    def double_sum(x: np.ndarray, y: np.ndarray) -> Any:
        def backward(dout: np.ndarray) -> Any:
            dx = dout * 2.0
            return (second(dx), dx) if swap else (dx, second(dx))

        return 2.0 * (x + y), backward

    x, y = leaf(), leaf()
    (double_sum(x, y) + double_sum(x, y)).backward(ONES)
    assert (x.grad.tolist(), y.grad.tolist()) == ([4.0, 4.0], [4.0, 4.0])
    double_sum(x, y).backward(ONES)
    x.grad.data[...] = 0.0
    assert y.grad.tolist() == [6.0, 6.0]


def test_one_array_given_twice_becomes_two_gradients() -> None:
    dx = np.ones(2)
    x, y = leaf(), leaf()
    rule_returning(dx, dx)(x, y).backward(ONES)
    assert not np.shares_memory(x.grad.data, y.grad.data)


def test_a_rule_may_pass_dout_itself_on() -> None:
    @differentiable
    def same(x: np.ndarray) -> Any:
        return x.copy(), lambda dout: (dout,)

    x, dout = leaf(), Tensor(np.ones(2))
    same(x).backward(dout)
    assert x.grad.tolist() == [1.0, 1.0]
    assert not np.shares_memory(x.grad.data, dout.data)


def test_what_a_rule_kept_is_forgotten_on_the_way() -> None:
    class Kept:
        pass

    @differentiable
    def keeping(x: np.ndarray) -> Any:
        kept = Kept()
        remembered.append(weakref.ref(kept))
        return 2.0 * x, lambda dout: (2.0 * dout if kept else dout,)

    remembered: list[Any] = []
    y = keeping(keeping(leaf()))
    assert all(kept() is not None for kept in remembered)
    y.backward(ONES)
    assert all(kept() is None for kept in remembered)


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (None, "careless: backward returned NoneType, expected a tuple of arrays; .* the return"),
        (np.ones(2), "careless: backward returned ndarray, expected a tuple of arrays; .*a comma"),
        ((np.ones(2), 2.0), "careless: backward returned float for an input, expected an array"),
    ],
)
def test_what_is_no_tuple_of_arrays(returned: Any, message: str) -> None:
    @differentiable
    def careless(x: np.ndarray, y: np.ndarray) -> Any:
        return x + y, lambda dout: returned

    with pytest.raises(RuntimeError, match=message):
        careless(leaf(), leaf()).backward(ONES)


def test_a_list_of_arrays_will_do() -> None:
    @differentiable
    def double(x: np.ndarray) -> Any:
        return 2 * x, lambda dout: [2 * dout]

    x = leaf()
    double(x).backward(ONES)
    assert x.grad is not None
    assert x.grad.tolist() == [2.0, 2.0]


def test_gradients_are_not_held_twice_when_they_become_grad() -> None:
    """In float64 each is copied into `.grad`, and the one that arrived is let go at once."""
    leaves = [Tensor(np.ones(50_000), requires_grad=True) for _ in range(20)]
    total = leaves[0] * 1.0
    for x in leaves[1:]:
        total = total + x * 1.0
    dout = Tensor(np.ones(50_000))
    tracemalloc.start()
    try:
        total.backward(dout)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1.5 * 20 * 50_000 * 8
