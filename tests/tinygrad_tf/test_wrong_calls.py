"""Everything public is called wrongly, again and again: every error says whose it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.wrong_calls import is_named, wrong_calls

import tinygrad_tf
from tinygrad_tf import Tensor, nn, optim

X = Tensor(np.ones((2, 3)))
Y = Tensor(np.ones((4, 5)))

# What NumPy says where it is given one of PyTorch's tensors.
of_torch = pytest.mark.filterwarnings("ignore:__array_wrap__ must accept:DeprecationWarning")


def refused_and_nameless(seed: int, count: int) -> tuple[int, list[str]]:
    """Return how many calls were refused, and those of them whose error names nobody."""
    refused, nameless = 0, []
    with np.errstate(all="ignore"):  # a warning about a value is no error of a call
        for call in wrong_calls(seed, count):
            try:
                call.run()
            except Exception as error:
                refused += 1
                if not is_named(error, call.target.names):
                    nameless.append(f"{call}: {type(error).__name__}: {error}")
    return refused, nameless


@of_torch
def test_wrong_calls_are_refused_by_name() -> None:
    refused, nameless = refused_and_nameless(seed=0, count=28)
    assert nameless == []
    assert refused > 5000


@pytest.mark.honest
@of_torch
def test_many_more_wrong_calls_are_refused_by_name() -> None:
    refused, nameless = refused_and_nameless(seed=1, count=600)
    assert nameless == []
    assert refused > 100_000


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: X < Y, ValueError, r"^lt: .*\(2, 3\).*\(4, 5\)"),
        (lambda: X.all(7), IndexError, r"^all: .*7"),
        (lambda: X.any("a"), TypeError, r"^any: "),
        (lambda: X.size(5), IndexError, r"^size: "),
        (lambda: X.new_zeros("a"), TypeError, r"^new_zeros: "),
        (lambda: X.sum(2**70), OverflowError, r"^sum: .*\(2, 3\)"),
        (lambda: X.view(5), ValueError, r"^view: x \(2, 3\) has 6 entries"),
        (lambda: tinygrad_tf.softmax(None, 0), TypeError, r"^softmax: .*NoneType"),
        (lambda: tinygrad_tf.stack([X, Y]), ValueError, r"^stack: .*\(1, 2, 3\)"),
        (lambda: tinygrad_tf.zeros(-1), ValueError, r"^zeros: "),
        (lambda: nn.Linear("a", 2), TypeError, r"^Linear: "),
        (lambda: nn.functional.mse_loss(X, None), TypeError, r"^mse_loss: .*NoneType"),
        (lambda: optim.SGD(None), TypeError, r"^SGD: .*NoneType"),
        (lambda: optim.AdamW([X], lr="a"), ValueError, r"^AdamW: lr is 'a'"),
        (lambda: optim.SGD([X], momentum=-0.1), ValueError, r"^SGD: momentum is -0.1"),
        (lambda: optim.SGD([X, [1.0]]), TypeError, r"^SGD: a parameter is builtins.list"),
        (lambda: X.size(slice(1)), TypeError, r"^size: .*slice"),
        (lambda: tinygrad_tf.cat(X), TypeError, r"^cat: .*got one Tensor \(2, 3\)"),
        (lambda: tinygrad_tf.stack(X), TypeError, r"^stack: .*got one Tensor \(2, 3\)"),
        (lambda: nn.init.normal_(X.long()), TypeError, r"^normal_: .*floats, got int64"),
        (lambda: nn.Linear(2, 3).train(1), ValueError, r"^train: mode is int, expected a bool"),
        (lambda: Tensor([1.0], np.float64), RuntimeError, r"^Tensor: expected a bool, got type"),
        (lambda: tinygrad_tf.zeros(X), TypeError, r"^zeros: .*got a Tensor \(2, 3\)"),
        (lambda: Tensor([1.0]).fill_(1j), TypeError, r"^fill_: value is complex"),
        (lambda: X[:0] * None, TypeError, r"^mul: inputs \(0, 3\) float64, None gave object"),
        (lambda: tinygrad_tf.argmax(np.ones(3)), TypeError, r"^argmax: .*got \(ndarray\)"),
        (lambda: X.split([0.5, 1.5]), TypeError, r"^split: split_size is 0.5"),
    ],
)
def test_errors_of_other_names_and_of_what_is_no_op(call: Any, kind: Any, message: str) -> None:
    with pytest.raises(kind, match=message):
        call()


def test_what_a_callback_raises_stays_as_it_is() -> None:
    class OwnError(ValueError):
        pass

    def modules() -> Any:
        raise OwnError("mine")
        yield

    with pytest.raises(OwnError, match=r"^mine$"):
        nn.ModuleList(modules())
