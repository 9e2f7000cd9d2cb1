"""Law 6: what becomes of gradients on their way back. The derivatives here are trivial."""

import itertools
import math
from typing import Any

import numpy as np
import pytest

from tinygrad_tf import Tensor
from tinygrad_tf.nn import functional as F


def leaf(*values: float) -> Tensor:
    return Tensor(np.array(values), requires_grad=True)


def grad(x: Tensor) -> list[float]:
    assert x.grad is not None
    return x.grad.tolist()


def give(*values: float) -> Tensor:
    return Tensor(np.array(values))


# Sums of paths


def test_a_second_pass_adds() -> None:
    x = leaf(2.0, 3.0)
    (x * 5.0).backward(give(1.0, 10.0))
    assert grad(x) == [5.0, 50.0]
    (x * x).backward(give(1.0, 1.0))
    assert grad(x) == [5.0 + 4.0, 50.0 + 6.0]


def test_a_value_used_often_collects_from_every_use() -> None:
    x = leaf(2.0)
    y = x * 3.0
    (y * y + y * x + x).backward()  # 9 x^2 + 3 x^2 + x
    assert grad(x) == [24 * 2.0 + 1]


def test_a_diamond() -> None:
    x = leaf(2.0)
    left, right = x * 3.0, x * x
    (left * right).backward()  # 3 x^3
    assert grad(x) == [9 * 4.0]


def test_a_node_is_visited_once_however_many_paths_lead_to_it() -> None:
    visits = []
    x = leaf(1.0)
    y = x * 1.0
    y.register_hook(lambda dy: visits.append(dy.item()))
    z = y
    for _ in range(40):
        z = z + z  # 2^40 paths
    z.backward()
    assert visits == [2.0**40]
    assert grad(x) == [2.0**40]


def test_a_long_way_before_a_short_one() -> None:
    x = leaf(2.0)
    y = x * 1.0
    far = y
    for _ in range(5):
        far = far * 2.0
    (y * far).backward()  # 32 x^2; the short way must wait for the long one
    assert grad(x) == [64 * 2.0]


def test_a_chain_of_ten_thousand() -> None:
    x = leaf(1.0)
    y = x
    for _ in range(10_000):
        y = y + 1.0
    y.backward()
    assert grad(x) == [1.0]


def test_only_what_wants_a_gradient_gets_one() -> None:
    x, constant, frozen = leaf(2.0), Tensor(np.array([3.0])), leaf(4.0)
    frozen.requires_grad_(False)
    y = x * constant * frozen
    y.backward()
    assert grad(x) == [12.0]
    assert constant.grad is frozen.grad is y.grad is None


def test_gradients_of_two_leaves_never_share_memory() -> None:
    x, y, dout = leaf(1.0, 2.0), leaf(3.0, 4.0), give(5.0, 6.0)
    (x + y).backward(dout)
    assert x.grad is not None
    x.grad.data += 100.0
    assert grad(y) == [5.0, 6.0]
    assert dout.tolist() == [5.0, 6.0]


def test_no_rule_can_write_into_what_it_shares() -> None:
    """The same dout goes to both inputs of a sum; adding there must not change it here."""
    x = leaf(1.0)
    left, right = x * 1.0, x * 1.0
    left.retain_grad()
    right.retain_grad()
    total = left + right
    (total + left).backward()
    assert (grad(left), grad(right), grad(x)) == ([2.0], [1.0], [3.0])


def test_large_gradients_share_no_memory_either() -> None:
    """Large float32 arrays come from used memory, and fresh ones become `.grad` without a copy."""
    generator = np.random.default_rng(0)
    x, y, z, bias = leaves = [
        Tensor(generator.standard_normal(shape, dtype="f4"), requires_grad=True)
        for shape in ((300, 300), (300, 300), (90_000,), (300,))
    ]
    total = F.linear(x, y, bias) + z.view(300, 300)
    first, second = (F.gelu(total) - total.transpose(0, 1)).chunk(2)
    out = F.layer_norm(first + second, (300,)) + x[150:] - bias
    dout = Tensor(generator.standard_normal(out.shape, dtype="f4"))
    held = dout.data.copy()
    out.backward(dout, retain_graph=True)
    once = [p.grad.data.copy() for p in leaves]
    arrays = [dout.data, out.data, *(p.data for p in leaves), *(p.grad.data for p in leaves)]
    for a, b in itertools.combinations(arrays, 2):
        assert not np.may_share_memory(a, b)
    for p in leaves:
        p.grad.data[...] = 0.0
    out.backward(dout)
    for p, gradient in zip(leaves, once, strict=True):
        np.testing.assert_array_equal(p.grad.data, gradient)
    np.testing.assert_array_equal(dout.data, held)


def test_the_pieces_of_a_value_come_together() -> None:
    x = leaf(1.0, 2.0, 3.0)
    first, second, third = x
    (first * 10.0 + (third * second + x.sum()) + second).backward()
    assert grad(x) == [11.0, 3.0 + 1.0 + 1.0, 3.0]


def test_a_leaf_is_its_own_derivative() -> None:
    x, dout = leaf(7.0), give(3.0)
    x.backward()
    assert grad(x) == [1.0]
    x.grad = None
    x.backward(dout)
    assert grad(x) == [3.0]
    assert not np.shares_memory(x.grad.data, dout.data)


def test_what_does_not_lead_to_a_loss_keeps_no_gradient() -> None:
    x, bystander = leaf(1.0), leaf(2.0)
    (x * 2.0).backward()
    assert bystander.grad is None


# What backward() is asked


def test_a_single_entry_of_any_shape_is_a_loss() -> None:
    x = Tensor(np.ones((1, 1)), requires_grad=True)
    (x * 3.0).backward()
    assert grad(x) == [[3.0]]


def test_more_entries_need_a_gradient() -> None:
    with pytest.raises(ValueError, match=r"^backward: the tensor has shape \(2,\), not one elem"):
        (leaf(1.0, 2.0) * 2.0).backward()


@pytest.mark.parametrize(
    ("gradient", "error", "message"),
    [
        (give(1.0), ValueError, r"gradient is \(1,\) float64, expected \(2,\) float64, like the t"),
        (Tensor([1.0, 2.0]), ValueError, r"gradient is \(2,\) float32, expected \(2,\) float64"),
        (np.ones(2), TypeError, "gradient is ndarray, expected a Tensor"),
    ],
)
def test_a_gradient_that_does_not_fit(gradient: Any, error: Any, message: str) -> None:
    x = leaf(1.0, 2.0)
    with pytest.raises(error, match=f"^backward: {message}"):
        (x * 2.0).backward(gradient)
    assert x.grad is None


def test_nothing_to_walk_back() -> None:
    for x in (give(1.0), give(1.0) * 2.0, leaf(1.0).detach()):
        with pytest.raises(RuntimeError, match=r"^backward: this tensor does not require grad"):
            x.backward()


def test_a_freed_graph_names_the_op() -> None:
    y = leaf(2.0) * 3.0
    y.backward()
    with pytest.raises(RuntimeError, match=r"^backward: the graph through 'mul' was freed .*retai"):
        y.backward()


def test_a_freed_part_of_a_new_graph_is_noticed() -> None:
    y = leaf(2.0) * 3.0
    y.backward()
    with pytest.raises(RuntimeError, match="through 'mul' was freed"):
        (y + 1.0).backward()


def test_a_retained_graph_can_be_walked_again() -> None:
    x = leaf(2.0)
    y = x * x
    for times in (1, 2, 3):
        y.backward(retain_graph=times < 3)
        assert grad(x) == [4.0 * times]
    with pytest.raises(RuntimeError, match="freed"):
        y.backward()


def test_detach_cuts_the_graph_and_shares_the_data() -> None:
    x = leaf(2.0)
    y = x * 3.0
    cut = y.detach()
    assert cut.is_leaf
    assert not cut.requires_grad
    assert np.shares_memory(cut.data, y.data)
    (cut * x).backward()
    assert grad(x) == [6.0]


@pytest.mark.parametrize("requires_grad", [True, False])
def test_only_a_leaf_may_ask_for_gradients(requires_grad: bool) -> None:
    with pytest.raises(RuntimeError, match=r"^requires_grad_: an op made .*detach\(\)"):
        (leaf(1.0) * 2.0).requires_grad_(requires_grad)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_a_number_used_many_times(dtype: str) -> None:
    x = Tensor(np.array(3.0, dtype), requires_grad=True)
    (F.gelu(x * x * x * x) + F.gelu(x) + F.gelu(x) + x + x + x).backward()
    assert type(x.grad.data) is np.ndarray
    assert x.grad.dtype == np.dtype(dtype)
    slope = 0.5 * (1 + math.erf(3 / 2**0.5)) + 3 * math.exp(-4.5) / (2 * math.pi) ** 0.5
    assert x.grad.item() == pytest.approx(4 * 27 + 2 * slope + 3, rel=1e-6)
