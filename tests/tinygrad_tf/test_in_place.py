"""What changes a tensor in place: PyTorch's answer."""

from typing import Any

import numpy as np
import pytest
from support.changes import (
    CHANGES,
    DOUT,
    OTHERS,
    A,
    B,
    array,
    both,
    each_change,
    other,
    rng,
)

import torch
from tinygrad_tf import Tensor, nn, no_grad

# Under no_grad


@each_change
@pytest.mark.parametrize("kind", ["tensor", "row"])
@pytest.mark.parametrize("requires_grad", [True, False])
def test_under_no_grad_a_leafs_memory_moves(change: Any, kind: str, requires_grad: bool) -> None:
    ours, theirs = both(A, requires_grad)
    memory, shared = ours.data, ours.detach()
    with no_grad(), torch.no_grad():
        result = change(ours, other(kind, 0))
        change(theirs, other(kind, 1))
    assert result is ours
    assert ours.data is memory
    assert ours.is_leaf
    assert ours.requires_grad is requires_grad
    np.testing.assert_allclose(memory, array(theirs), rtol=1e-14)
    assert shared.tolist() == ours.tolist()
    assert not np.allclose(memory, A)


def test_a_step_by_hand_moves_the_model_and_its_state_dict() -> None:
    ours, theirs = nn.Linear(3, 2), torch.nn.Linear(3, 2)
    ours.load_state_dict(theirs.state_dict())
    state = ours.state_dict()
    (ours(Tensor(np.ones((2, 3), "f4"))) ** 2).mean().backward()
    (theirs(torch.ones(2, 3)) ** 2).mean().backward()
    with no_grad(), torch.no_grad():
        for p in (*ours.parameters(), *theirs.parameters()):
            p -= 0.5 * p.grad
    for name, p in theirs.named_parameters():
        np.testing.assert_allclose(state[name].data, array(p), rtol=1e-6)
    ours.weight.grad.zero_()  # with gradients on, as people write it in a loop
    assert not ours.weight.grad.data.any()


def test_under_no_grad_a_view_of_a_leaf_moves_the_leaf() -> None:
    for w in both(A, requires_grad=True):
        with no_grad(), torch.no_grad():
            row = w[1]
            row += 1.0
        np.testing.assert_array_equal(array(w)[1], A[1] + 1.0)
        np.testing.assert_array_equal(array(w)[0], A[0])


def test_the_result_is_computed_before_the_memory_is_written() -> None:
    x, theirs = both(rng.standard_normal((3, 3)))
    with no_grad():
        x += x.T
    np.testing.assert_array_equal(x.data, array(theirs + theirs.T))


# What an op made


CASES = [
    (name, kind, wanted)
    for name in CHANGES
    for kind in OTHERS
    for wanted in ("first", "second", "both")
    if kind != "number" or (wanted == "first" and name != "copy_")  # a number has no gradient
]


@pytest.mark.parametrize(("name", "kind", "wanted"), CASES)
def test_every_name_sees_the_change_and_gradients_are_right(
    name: str, kind: str, wanted: str
) -> None:
    found = []
    for engine in (0, 1):
        leaf = both(A, wanted != "second")[engine]
        y = other(kind, engine, wanted != "first")
        x = leaf * 2.0
        same, again = x, x * 3.0  # an op that used x before it changed
        assert CHANGES[name](x, y) is x
        out = same * x + again
        if out.requires_grad:
            out.backward(both(DOUT)[engine])
        leaves = [t for t in (leaf, y) if not isinstance(t, float) and t.grad is not None]
        found.append([array(out), *(array(t.grad) for t in leaves)])
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_what_a_rule_keeps_is_never_written_to() -> None:
    """PyTorch raises here; our graph stays the one that was built."""
    x = Tensor(A, requires_grad=True)
    y = x.exp()
    z = y * y
    y *= 0.0
    mask = Tensor(B)
    (w := x * mask).tolist()
    mask += 1.0
    (z + w).backward(Tensor(DOUT))
    np.testing.assert_allclose(x.grad.data, DOUT * (2.0 * np.exp(2.0 * A) + B), rtol=1e-12)


def test_what_is_left_of_an_ops_memory_is_not_written_to() -> None:
    x = Tensor(A, requires_grad=True)
    y = x.exp()
    z, d = y * 1.0, y.detach()
    del y  # its rule has kept the array that d has
    with no_grad():
        d *= 0.0
    assert not d.data.any()
    z.backward(Tensor(DOUT))
    np.testing.assert_allclose(x.grad.data, DOUT * np.exp(A), rtol=1e-14)


def test_it_may_be_added_to_itself() -> None:
    grads = []
    for x in both(A, requires_grad=True):
        y = x * 2.0
        y += y
        y.backward(both(DOUT)[isinstance(x, torch.Tensor)])
        grads.append(array(x.grad))
    np.testing.assert_array_equal(*grads)


def test_under_no_grad_what_an_op_made_keeps_its_place_in_the_graph() -> None:
    grads = []
    for x in both(A, requires_grad=True):
        y = x * 2.0
        with no_grad(), torch.no_grad():
            y += 1.0
        assert not y.is_leaf
        (y * y).backward(both(DOUT)[isinstance(x, torch.Tensor)])
        grads.append((array(y), array(x.grad)))
    np.testing.assert_array_equal(*grads)


def test_hooks_stay_with_the_old_value_and_retain_grad_follows_the_tensor() -> None:
    seen = []
    for engine, x in enumerate(both(A, requires_grad=True)):
        log: list[Any] = []
        y = x * 2.0
        y.register_hook(lambda g, log=log: log.append(("before", array(g).tolist())))
        y.retain_grad()
        y *= 3.0
        y.register_hook(lambda g, log=log: log.append(("after", array(g).tolist())))
        (y * 5.0).backward(both(DOUT)[engine])
        seen.append((log, array(y.grad).tolist(), array(x.grad).tolist()))
    assert seen[0] == seen[1]
    assert [name for name, _ in seen[0][0]] == ["after", "before"]


def test_a_tensor_without_gradients_takes_those_of_what_is_added() -> None:
    for engine, y in enumerate(both(A, requires_grad=True)):
        total = both(np.zeros((3, 4)))[engine]
        for _ in range(3):
            total += y
        assert total.requires_grad
        assert not total.is_leaf
        total.backward(both(DOUT)[engine])
        np.testing.assert_allclose(array(y.grad), 3.0 * DOUT, rtol=1e-15)
