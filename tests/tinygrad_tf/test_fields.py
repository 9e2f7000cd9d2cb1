"""What may be set on a tensor, and what copies of it have: PyTorch's answer, or a refusal."""

import copy
import gc
import weakref
from typing import Any

import numpy as np
import pytest
from support.changes import (
    DOUT,
    A,
    B,
    array,
    both,
    integers,
)

import torch
from tinygrad_tf import Tensor, nn, no_grad
from tinygrad_tf.nn import Parameter


def test_a_step_on_data_is_taken_in_the_memory_itself() -> None:
    w, theirs = both(A, requires_grad=True)
    memory = w.data
    (w * w).backward(Tensor(DOUT))
    (theirs * theirs).backward(torch.tensor(DOUT))
    w.data -= 0.1 * w.grad
    theirs.data -= 0.1 * theirs.grad
    assert w.data is memory
    np.testing.assert_allclose(memory, array(theirs), rtol=1e-14)
    with pytest.raises(RuntimeError, match=r"^subtract: .* requires grad"):
        w.data -= w
    with pytest.raises(ValueError, match="broadcast"):
        w.data -= Tensor(np.ones((2, 3, 4)))


@pytest.mark.parametrize("shape", [(3, 4), (2,)])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_data_can_be_set_to_a_tensor_or_an_array(shape: Any, dtype: str) -> None:
    new = np.ones(shape, dtype)
    for value in (new, Tensor(new), Parameter(new)):
        w = Parameter(A)
        w.data = value
        assert w.data is new
        assert w.requires_grad
    theirs = torch.nn.Parameter(torch.tensor(A))
    theirs.data = torch.tensor(new)
    assert array(theirs).dtype == new.dtype


def test_what_is_no_data_is_refused() -> None:
    ours, theirs = both(A, requires_grad=True)
    for value in (3, None, [1.0]):
        for w in (ours, theirs):
            with pytest.raises(TypeError):
                w.data = value
    for w, value in ((ours, Tensor([1])), (ours, np.arange(2)), (theirs, torch.tensor([1]))):
        with pytest.raises(RuntimeError, match=r"requires? grad"):
            w.data = value
    assert ours.data.shape == (3, 4)


@pytest.mark.parametrize("kind", ["number", "array", "shape", "dtype", "itself"])
def test_a_gradient_that_does_not_fit_is_refused_as_by_pytorch(kind: str) -> None:
    for engine, w in enumerate(both(A, requires_grad=True)):
        values = {
            "number": 0,
            "array": np.ones((3, 4)),
            "shape": both(np.ones(4))[engine],
            "dtype": both(np.ones((3, 4), "f4"))[engine],
            "itself": w,
        }
        expected = TypeError if kind in ("number", "array") else RuntimeError
        with pytest.raises(expected, match="grad"):
            w.grad = values[kind]
        assert w.grad is None
        w.grad = both(B)[engine]
        w.backward(both(DOUT)[engine])
        np.testing.assert_array_equal(array(w.grad), B + DOUT)
        w.grad = None


@pytest.mark.parametrize("value", [0.0, "plain", "array", "module"])
def test_only_a_parameter_or_none_takes_a_parameters_place(value: Any) -> None:
    words = r"cannot assign .* as parameter 'weight' .*Parameter or None expected"
    for engine, kind in enumerate((nn, torch.nn)):
        layer = kind.Linear(2, 2)
        values = {"plain": both(np.eye(2, dtype="f4"))[engine], "array": A, "module": kind.ReLU()}
        with pytest.raises(TypeError, match=words):
            layer.weight = values.get(value, value)
        before = layer.weight
        with no_grad(), torch.no_grad():
            layer.weight += 1.0
        assert layer.weight is before
        layer.weight = kind.Parameter(both(np.eye(2, dtype="f4"))[engine])
        assert set(dict(layer.named_parameters())) == {"weight", "bias"}
        layer.weight = None
        assert set(dict(layer.named_parameters())) == {"bias"}


@pytest.mark.parametrize("value", [True, False, 1, None])
def test_requires_grad_is_checked_when_it_is_set(value: Any) -> None:
    for engine, leaf in enumerate(both(A, requires_grad=True)):
        with pytest.raises(RuntimeError):
            (leaf * 2.0).requires_grad = value
        if value is not False:
            with pytest.raises((RuntimeError, TypeError)):
                integers()[engine].requires_grad = value
        if isinstance(value, bool):
            leaf.requires_grad = value
            assert leaf.requires_grad is value
            integers()[engine].requires_grad = False


# Copies, and what keeps memory


def test_deepcopy_takes_leaves_with_their_gradients_and_nothing_else() -> None:
    for engine, w in enumerate(both(A, requires_grad=True)):
        with pytest.raises(RuntimeError, match="leaves"):
            copy.deepcopy(w * 2.0)
        w.grad = both(B)[engine]
        twins = copy.deepcopy([w, w])
        assert twins[0] is twins[1]
        assert twins[0].requires_grad
        with no_grad(), torch.no_grad():
            twins[0].add_(1.0)
            twins[0].grad.add_(1.0)
        np.testing.assert_array_equal(array(w), A)
        np.testing.assert_array_equal(array(w.grad), B)
        np.testing.assert_array_equal(array(twins[0].grad), B + 1.0)


def test_deepcopy_leaves_hooks_out_and_of_parameters_the_gradient() -> None:
    for engine, kind in enumerate((nn, torch.nn)):
        leaf, layer = both(A, requires_grad=True)[engine], kind.Linear(3, 4)
        layer.weight.grad = both(np.ones((4, 3), "f4"))[engine]
        for x in (leaf, layer.weight):
            x.register_hook(lambda g: g * 0.0)
        twin, model = copy.deepcopy(leaf), copy.deepcopy(layer)
        assert type(model.weight) is kind.Parameter
        assert model.weight.grad is None
        assert layer.weight.grad is not None
        twin.backward(both(DOUT)[engine])
        np.testing.assert_array_equal(array(twin.grad), DOUT)
        model(both(np.ones((2, 3), "f4"))[engine]).backward(both(np.ones((2, 4), "f4"))[engine])
        assert array(model.weight.grad).all()


def test_retain_grad_without_a_backward_leaves_no_cycle() -> None:
    x = Tensor(A, requires_grad=True)
    gc.collect()
    gc.disable()
    try:
        y = x * 2.0
        y.retain_grad()
        gone = weakref.ref(y)
        del y
        assert gone() is None
    finally:
        gc.enable()
