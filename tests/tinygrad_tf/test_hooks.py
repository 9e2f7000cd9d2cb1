import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tinygrad_tf import Tensor


def test_hooks_run_in_order_and_see_each_others_replacement() -> None:
    seen = []
    x = Tensor([2.0], requires_grad=True)

    def hook(name: str, factor: float) -> Callable[[Tensor], Tensor]:
        def times(dx: Tensor) -> Tensor:
            seen.append((name, dx.item()))
            return dx * factor

        return times

    x.register_hook(hook("first", 10.0))
    x.register_hook(hook("second", 0.5))
    (x * 3.0).backward()
    assert seen == [("first", 3.0), ("second", 30.0)]
    assert x.grad.tolist() == [15.0]


def test_a_hook_that_returns_nothing_changes_nothing() -> None:
    x = Tensor([2.0], requires_grad=True)
    x.register_hook(lambda dx: None)
    (x * 3.0).backward()
    assert x.grad.tolist() == [3.0]


def test_a_hook_within_the_graph_changes_what_flows_on() -> None:
    x = Tensor([2.0], requires_grad=True)
    y = x * 3.0
    y.register_hook(lambda dy: dy * 100.0)
    (y * 1.0 + x).backward()
    assert x.grad.tolist() == [301.0]


def test_a_hook_on_the_root_sees_the_gradient_that_was_given() -> None:
    x = Tensor([2.0, 3.0], requires_grad=True)
    y = x * 1.0
    seen: list[Any] = []
    y.register_hook(lambda dy: seen.append(dy.tolist()))
    y.backward(Tensor([5.0, 7.0]))
    assert seen == [[5.0, 7.0]]


def test_hooks_can_be_removed_also_by_leaving_a_block() -> None:
    x = Tensor([1.0], requires_grad=True)
    handle = x.register_hook(lambda dx: dx * 2.0)
    with x.register_hook(lambda dx: dx * 10.0):
        (x * 1.0).backward()
        assert x.grad.tolist() == [20.0]
    (x * 1.0).backward()
    assert x.grad.tolist() == [20.0 + 2.0]
    handle.remove()
    handle.remove()  # harmless
    (x * 1.0).backward()
    assert x.grad.tolist() == [20.0 + 2.0 + 1.0]


def test_a_hook_may_remove_itself_and_add_others() -> None:
    x = Tensor([1.0], requires_grad=True)

    def once(dx: Tensor) -> Tensor:
        handle.remove()
        x.register_hook(lambda dx: dx * 7.0)
        return dx * 2.0

    handle = x.register_hook(once)
    (x * 1.0).backward()
    assert x.grad.tolist() == [2.0]
    (x * 1.0).backward()
    assert x.grad.tolist() == [2.0 + 7.0]


@pytest.mark.parametrize(
    ("replacement", "error", "message"),
    [
        (
            Tensor([1.0]),
            ValueError,
            r"returned \(1,\) float32 for a gradient that is \(2,\) flo",
        ),
        (
            Tensor(np.ones(2)),
            ValueError,
            r"returned \(2,\) float64 for a gradient that is",
        ),
        (np.ones(2), TypeError, "returned ndarray, expected a Tensor or None"),
    ],
)
def test_a_replacement_that_does_not_fit(replacement: Any, error: Any, message: str) -> None:
    x = Tensor([1.0, 2.0], requires_grad=True)
    x.register_hook(lambda dx: replacement)
    with pytest.raises(error, match=f"^register_hook: the hook {message}"):
        (x * 1.0).backward(Tensor([1.0, 1.0]))


def test_an_exception_in_a_hook_leaves_the_engine_usable() -> None:
    x, y = Tensor([2.0], requires_grad=True), Tensor([3.0], requires_grad=True)
    handle = x.register_hook(lambda dx: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        (x * y).backward()
    handle.remove()
    x.grad = y.grad = None
    (x * y).backward()
    assert (x.grad.tolist(), y.grad.tolist()) == ([3.0], [2.0])


def test_hooks_and_retain_grad_need_a_gradient() -> None:
    for method in (lambda x: x.register_hook(print), lambda x: x.retain_grad()):
        with pytest.raises(RuntimeError, match="the tensor does not require grad"):
            method(Tensor([1.0]))


def test_retain_grad_keeps_what_arrives_after_the_hooks_and_adds_up() -> None:
    x = Tensor([2.0], requires_grad=True)
    y = x * 3.0
    y.retain_grad()
    y.register_hook(lambda dy: dy * 10.0)
    z = y * 5.0
    z.backward(retain_graph=True)
    assert y.grad.tolist() == [50.0]
    z.backward()
    assert y.grad.tolist() == [100.0]
    assert x.grad.tolist() == [300.0]
    assert z.grad is None


def test_gradients_that_others_hold_are_copied() -> None:
    x, factor, dout = Tensor([2.0], requires_grad=True), Tensor([7.0]), Tensor([5.0])
    y = x * 1.0
    y.retain_grad()
    x.register_hook(lambda dx: factor)
    y.backward(dout)
    assert not np.shares_memory(y.grad.data, dout.data)
    assert not np.shares_memory(x.grad.data, factor.data)
    assert (x.grad.item(), y.grad.item()) == (7.0, 5.0)


def test_retain_grad_on_a_leaf_changes_nothing() -> None:
    x = Tensor([2.0], requires_grad=True)
    x.retain_grad()
    (x * 3.0).backward()
    assert x.grad.tolist() == [3.0]


@pytest.mark.usefixtures("without_collector")
def test_a_gradient_that_was_kept_leaves_no_cycle() -> None:
    x = Tensor([2.0], requires_grad=True)
    y = x * 3.0
    y.retain_grad()
    (y * y).sum().backward()
    gone = weakref.ref(y.data)
    del y
    assert gone() is None
