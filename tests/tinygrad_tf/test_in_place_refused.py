"""Changes in place that are refused, and the dtypes that they keep."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support.changes import (
    DOUT,
    A,
    array,
    both,
    each_change,
    iadd,
    idiv,
    integers,
    other,
)

import tinygrad_tf
from tinygrad_tf import Tensor, no_grad
from tinygrad_tf.nn import Parameter


@each_change
def test_a_leaf_that_requires_grad_is_refused_in_pytorchs_words(change: Any) -> None:
    words = "a leaf Variable that requires grad is being used in an in-place operation."
    for engine, w in enumerate(both(A, requires_grad=True)):
        with pytest.raises(RuntimeError, match=words):
            change(w, other("tensor", engine))
        np.testing.assert_array_equal(array(w), A)


VIEWS: dict[str, Callable[[Any], Any]] = {
    "getitem": lambda x: x[0],
    "entry": lambda x: x[1, 2],
    "entry of a row": lambda x: list(x[1])[2],
    "unbind": lambda x: x[1].unbind()[2],
    "slice": lambda x: x[:, 1:],
    "view": lambda x: x.view(4, 3),
    "transpose": lambda x: x.transpose(0, 1),
    "of a view": lambda x: x.reshape(2, 6)[0].unsqueeze(0),
    "split": lambda x: x.split(2, 1)[1],
    "detach": lambda x: x.detach(),
    "copy": copy.copy,
    "expand": lambda x: x[None].expand(2, 3, 4),
}


@pytest.mark.parametrize("requires_grad", [True, False])
@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_a_view_and_what_it_is_a_view_of_are_refused(view: Any, requires_grad: bool) -> None:
    """PyTorch changes both; here one would change without the other."""
    x = Tensor(A, requires_grad=requires_grad) * 1.0
    v = view(x)
    assert np.shares_memory(v.data, x.data)
    for changed in (x, v):
        with pytest.raises(RuntimeError, match=r"^\*=: .*(shares its memory|cannot be written)"):
            changed *= 2.0
    np.testing.assert_array_equal(x.data, A)
    if not requires_grad:
        return
    with no_grad(), pytest.raises(RuntimeError, match="memory"):
        v *= 2.0  # rules may have kept this memory


def test_x_of_an_index_is_refused_before_anything_is_written() -> None:
    x = Tensor(A) * 1.0
    with pytest.raises(RuntimeError, match="shares its memory"):
        x[0] += 1.0
    with pytest.raises(TypeError, match=r"^setitem: a tensor's items cannot be set"):
        x[0] = 1.0
    np.testing.assert_array_equal(x.data, A)
    w = Parameter(np.ones((2, 2)))
    with pytest.raises(RuntimeError, match="a view of a leaf"):
        w[0] += 1.0


def test_a_view_whose_base_is_gone_is_free() -> None:
    """As it is written in models: q = q.view(...).transpose(1, 2); q *= scale."""
    found = []
    for engine, x in enumerate(both(A, requires_grad=True)):
        q = x * 2.0
        q = q.view(3, 2, 2).transpose(1, 2)
        q *= 0.5
        q.backward(both(DOUT.reshape(3, 2, 2))[engine])
        found.append((array(q), array(x.grad)))
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("make", "change", "words"),
    [
        (integers, lambda x, e: iadd(x, 0.5), "result type .* can't be cast to the desired"),
        (integers, lambda x, e: idiv(x, 2), "result type .* can't be cast to the desired"),
        (lambda: both(A > 3), lambda x, e: iadd(x, 1), "result type .* can't be cast"),
        (
            lambda: both(A[0]),
            lambda x, e: iadd(x, both(A)[e]),
            "output with shape .*broadcast shape",
        ),
        (
            lambda: both(A[0]),
            lambda x, e: x.mul_(both(A)[e]),
            "output with shape .*broadcast shape",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_pytorchs_words(
    make: Any, change: Any, words: str
) -> None:
    for engine, x in enumerate(make()):
        before = array(x).copy()
        with pytest.raises(RuntimeError, match=words):
            change(x, engine)
        np.testing.assert_array_equal(array(x), before)


def test_dtypes_stay() -> None:
    x = Tensor(np.ones(3, "f4"))
    x += np.float64(0.1)
    x *= Tensor([1, 2, 3])
    assert x.dtype == np.float32
    n = Tensor(np.arange(3, dtype="i4"))
    n += Tensor(np.arange(3))
    assert n.dtype == np.int32
    assert n.tolist() == [0, 2, 4]
    mask = Tensor([True, False])
    same = mask
    mask &= Tensor([False, False])
    mask |= Tensor([False, True])
    mask ^= Tensor([True, True])
    assert same.tolist() == [True, False]
    with pytest.raises(TypeError, match=r"^add: "):
        x += Tensor(np.ones(3))
    with pytest.raises(TypeError):
        x += "1"
    assert x.copy_(Tensor(np.arange(3.0))).dtype == np.float32
    with pytest.raises(TypeError, match=r"^copy_: expected a Tensor"):
        x.copy_([1.0])
    with pytest.raises(ValueError, match=r"^fill_: "):
        x.fill_(Tensor([1.0, 2.0]))


def test_listeners_hear_of_it() -> None:
    names = []
    x = Tensor(A, requires_grad=True) * 1.0
    with tinygrad_tf.observe(lambda op, *_: names.append(op.__name__)):
        x += 1.0
        with no_grad():
            x *= 2.0
    assert names == ["add", "mul"]
