"""The rules by themselves; the many words for them are on the page of shaping."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import torch
from tinygrad_tf import Tensor
from tinygrad_tf.ops import shape as rules

Check = Callable[..., None]


@pytest.mark.parametrize(
    ("shape", "into"),
    [((2, 3, 4), (6, 4)), ((2, 3, 4), (-1, 2)), ((6,), (3, 1, 2)), ((), (1, 1)), ((1,), ())],
)
def test_reshape(shape: Any, into: Any, check_op: Check) -> None:
    check_op(partial(rules.reshape, shape=into), shape, theirs=lambda x: x.reshape(into))


def test_reshape_of_nothing(check_op: Check) -> None:
    check_op(
        partial(rules.reshape, shape=(3, -1, 2)),
        (0, 6),
        theirs=lambda x: x.reshape(3, -1, 2),
        may_be_zero=True,
    )


@pytest.mark.parametrize("dims", [(0, 1, 2), (2, 0, 1), (1, 2, 0), (0, 2, 1), (-1, 0, -2)])
def test_permute(dims: Any, check_op: Check) -> None:
    check_op(partial(rules.permute, dims=dims), (2, 3, 4), theirs=lambda x: x.permute(dims))


def test_permute_with_one_axis_and_none(check_op: Check) -> None:
    check_op(partial(rules.permute, dims=(-1,)), (3,), theirs=lambda x: x.permute((-1,)))
    check_op(partial(rules.permute, dims=()), (), theirs=lambda x: x.permute(()))


@pytest.mark.parametrize(
    ("shape", "into"),
    [
        ((3, 1), (3, 4)),
        ((3, 1), (2, 3, 4)),
        ((3, 1), (5, -1, 4)),
        ((1, 3, 1), (2, -1, -1)),
        ((), (2, 3)),
        ((1, 3), (-1, 3)),
    ],
)
def test_expand(shape: Any, into: Any, check_op: Check) -> None:
    check_op(partial(rules.expand, shape=into), shape, theirs=lambda x: x.expand(into))


def test_expand_to_nothing(check_op: Check) -> None:
    check_op(
        partial(rules.expand, shape=(0, 3)),
        (1, 3),
        theirs=lambda x: x.expand(0, 3),
        may_be_zero=True,
    )


@pytest.mark.parametrize(
    ("shapes", "dim"),
    [
        ([(2, 3), (4, 3), (1, 3)], 0),
        ([(2, 3), (2, 5)], -1),
        ([(2, 3, 4), (2, 1, 4), (2, 6, 4), (2, 2, 4)], 1),
        ([(2, 3)], 0),
        ([(2, 3), (0, 3), (1, 3)], 0),
    ],
)
def test_cat(shapes: Any, dim: int, check_op: Check) -> None:
    check_op(
        partial(rules.cat, dim=dim),
        *shapes,
        theirs=lambda *arrays: torch.cat(arrays, dim),
        may_be_zero=True,
    )


def test_getitem_adds_up_what_was_read_twice() -> None:
    _, backward = rules.getitem.rule(np.zeros((3, 2)), index=np.array([2, 0, 2]))
    (dx,) = backward(np.arange(6.0).reshape(3, 2))
    np.testing.assert_array_equal(dx, [[2, 3], [0, 0], [0 + 4, 1 + 5]])


def test_moving_entries_keeps_inner_products() -> None:
    """<dx, x> = <dout, out>: the rules are linear, and their backward is the transpose."""
    generator = np.random.default_rng(0)
    x = generator.normal(size=(2, 3, 4))
    for out, backward in (
        rules.reshape.rule(x, shape=(4, 6)),
        rules.permute.rule(x, dims=(2, 0, 1)),
        rules.expand.rule(x, shape=(5, 2, 3, 4)),
        rules.getitem.rule(x, index=(slice(None), np.array([0, 2, 2]))),
    ):
        dout = generator.normal(size=out.shape)
        np.testing.assert_allclose((backward(dout)[0] * x).sum(), (dout * out).sum())


X = Tensor(np.ones((2, 3)))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: rules.reshape(X, shape=(4, 2)),
            r"^reshape: x \(2, 3\) has 6 entries, shape \(4, 2\) has 8",
        ),
        (lambda: rules.reshape(X, shape=(4, -1)), r"^reshape: .*\(2, 3\) float64"),
        (lambda: rules.reshape(X, shape=(-1, -1)), r"^reshape: .*\(2, 3\) float64"),
        (lambda: rules.reshape(X, shape=(-2, -3)), r"^reshape: .*\(2, 3\) float64"),
        (lambda: rules.reshape(X, shape=(-2, 3)), r"^reshape: shape \(-2, 3\) has a size below -1"),
        (
            lambda: rules.permute(X, dims=(0, 0)),
            r"^permute: dims \(0, 0\) do not name each axis of x \(2, 3\) once",
        ),
        (lambda: rules.permute(X, dims=(1,)), r"^permute: dims \(1,\) do not name each axis"),
        (lambda: rules.permute(X, dims=(0, 3)), r"^permute: dims \(0, 3\) do not name each axis"),
        (lambda: rules.permute(X, dims=(0, -3)), r"^permute: dims \(0, -3\) do not name each ax"),
        (lambda: rules.expand(X, shape=(2, 4)), r"^expand: .*\(2, 3\) float64"),
        (lambda: rules.expand(X, shape=(-1, 2, 3)), r"^expand: .*\(2, 3\) float64"),
        (lambda: rules.expand(X, shape=(3,)), r"^expand: .*\(2, 3\) float64"),
        (
            lambda: rules.cat(X, X.transpose(0, 1), dim=0),
            r"^cat: .*\(2, 3\) float64, \(3, 2\) float64",
        ),
        (lambda: rules.cat(X, X, dim=2), r"^cat: axis 2 .*\(2, 3\) float64"),
        (lambda: rules.getitem(X, index=2), r"^getitem: index 2 .*\(2, 3\) float64"),
    ],
)
def test_what_does_not_fit_is_named(call: Callable[[], Any], message: str) -> None:
    with pytest.raises((ValueError, IndexError), match=message):
        call()


def test_clone_copies_and_lets_the_gradient_through(check_op: Check) -> None:
    check_op(lambda x: x.transpose(0, 1).clone(), (3, 4))
    x = np.ones((3, 4)).T
    out, _ = rules.clone.rule(x)
    assert not np.shares_memory(out, x)
    assert out.flags.c_contiguous
