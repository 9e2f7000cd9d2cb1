from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tinygrad_tf import Tensor, no_grad, observe
from tinygrad_tf.ops.layer_norm import layer_norm

X = Tensor(np.array([1.5, -2.0]), requires_grad=True)


def record(seen: list[Any]) -> Callable[..., None]:
    return lambda *call: seen.append(call)


def test_an_observer_is_told_the_op_the_inputs_the_options_and_the_output() -> None:
    seen: list[Any] = []
    weight = np.array([2.0, 5.0])
    with observe(record(seen)):
        out = layer_norm(X, weight, None, eps=0.5)
    [(op, inputs, options, result)] = seen
    assert op is layer_norm
    assert inputs[0] is X
    assert inputs[1] is weight
    assert inputs[2] is None
    assert options == {"eps": 0.5}
    assert result is out
    assert result.requires_grad


def test_observers_nest_and_leave() -> None:
    outer: list[Any] = []
    inner: list[Any] = []
    with observe(record(outer)):
        X.exp()
        with observe(record(inner)):
            X.tanh()
        X.exp()
    X.sin()
    assert [call[0].__name__ for call in outer] == ["exp", "tanh", "exp"]
    assert [call[0].__name__ for call in inner] == ["tanh"]


def test_an_exception_sends_the_observer_away() -> None:
    seen: list[Any] = []
    with pytest.raises(KeyError), observe(record(seen)):
        raise KeyError
    X.exp()
    assert seen == []


def test_observers_also_listen_without_a_graph_but_not_on_the_way_back() -> None:
    seen: list[Any] = []
    with observe(record(seen)), no_grad():
        X.exp()
    with observe(record(seen)):
        (X * 2.0).sum().backward()
    assert [call[0].__name__ for call in seen] == ["exp", "mul", "sum"]
