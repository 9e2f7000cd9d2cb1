import threading

import pytest

from tinygrad_tf import Tensor, is_grad_enabled, no_grad


def test_no_grad_records_nothing() -> None:
    x = Tensor(2.0, requires_grad=True)
    assert is_grad_enabled()
    with no_grad():
        assert not is_grad_enabled()
        y = x * 3.0
        with no_grad():
            pass
        assert not is_grad_enabled()
    assert is_grad_enabled()
    assert y.is_leaf
    assert not y.requires_grad
    assert x.requires_grad


def test_no_grad_as_a_decorator_can_be_used_again_and_again() -> None:
    @no_grad()
    def triple(x: Tensor, depth: int = 2) -> Tensor:
        return triple(x, depth - 1) if depth else x * 3.0

    for _ in range(2):
        assert not triple(Tensor(2.0, requires_grad=True)).requires_grad
        assert is_grad_enabled()


def test_an_exception_ends_no_grad() -> None:
    with pytest.raises(KeyError), no_grad():
        raise KeyError
    assert is_grad_enabled()


def test_no_grad_in_one_thread_leaves_the_others_alone() -> None:
    inside, checked = threading.Event(), threading.Event()
    found = []

    def work() -> None:
        with no_grad():
            inside.set()
            checked.wait(5)
            found.append(is_grad_enabled())

    thread = threading.Thread(target=work)
    thread.start()
    assert inside.wait(5)
    assert is_grad_enabled()
    checked.set()
    thread.join()
    assert found == [False]
