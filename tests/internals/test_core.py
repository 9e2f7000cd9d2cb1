"""What the graph remembers, and what it lets go."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
import pytest

from tinygrad_tf import Tensor, differentiable
from tinygrad_tf.autograd import newest_first
from tinygrad_tf.graph import Node, Variable


@pytest.mark.usefixtures("without_collector")
def test_a_node_keeps_shape_and_dtype_and_not_the_array() -> None:
    """The rule below keeps nothing, so the result of an op that is used no more can go."""

    @differentiable
    def double(x: np.ndarray) -> Any:
        return 2 * x, lambda dout: (2 * dout,)

    x = Tensor(np.ones((2, 3)), requires_grad=True)
    y = double(x)
    z = double(y)
    gone = weakref.ref(y.data)
    del y
    assert gone() is None
    (node,) = z.node.inputs
    assert (type(node), node.op, node.shape, node.dtype) == (Node, "double", (2, 3), np.float64)
    z.backward(Tensor(np.ones((2, 3))))
    assert x.grad.tolist() == [[4.0] * 3] * 2


def test_newest_first_is_every_node_once_each_before_its_inputs() -> None:
    x = Tensor([2.0], requires_grad=True)
    y = x * x
    z = (y + x) * y
    z * y  # leads nowhere
    nodes = newest_first(z.node)
    assert [node.op for node in nodes] == ["mul", "add", "mul"]
    for i, node in enumerate(nodes):
        assert all(source is x or source in nodes[i + 1 :] for source in node.inputs)
    assert newest_first(x) == []


def test_a_walk_frees_what_it_has_left_behind() -> None:
    x = Tensor([2.0], requires_grad=True)
    y = x.exp() * x
    nodes = newest_first(y.node)
    y.backward()
    assert [(node.backward, node.inputs) for node in nodes] == [(None, ())] * 2


def test_a_variable_makes_no_tensors() -> None:
    with pytest.raises(NotImplementedError):
        Variable(np.ones(2), False).new_tensor(np.ones(2))
