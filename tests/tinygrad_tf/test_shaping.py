from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import tinygrad_tf
import torch
from tinygrad_tf import Tensor

Check = Callable[..., None]
X = np.random.default_rng(0).normal(size=(2, 3, 4))

WORDS = [
    lambda x: x.reshape(6, 4),
    lambda x: x.reshape((4, -1)),
    lambda x: x.reshape(-1),
    lambda x: x.view(3, 8),
    lambda x: x.view((2, 12)),
    lambda x: x.flatten(),
    lambda x: x.flatten(1),
    lambda x: x.flatten(0, 1),
    lambda x: x.flatten(-2),
    lambda x: x.flatten(1, 1),
    lambda x: x.unflatten(2, (2, 2)),
    lambda x: x.unflatten(-1, (-1, 1, 2)),
    lambda x: x.unflatten(0, [2]),
    lambda x: x.transpose(0, 2),
    lambda x: x.transpose(-1, 1),
    lambda x: x.transpose(1, 1),
    lambda x: x.permute(2, 0, 1),
    lambda x: x.permute((1, -1, 0)),
    lambda x: x.unsqueeze(0),
    lambda x: x.unsqueeze(-1),
    lambda x: x.unsqueeze(2).squeeze(2),
    lambda x: x.unsqueeze(1).unsqueeze(0).squeeze(),
    lambda x: x.squeeze(1),  # of size 3: stays
    lambda x: x.expand(5, 2, 3, 4),
    lambda x: x.unsqueeze(1).expand(-1, 7, -1, -1),
    lambda x: x[:, :1].expand((2, 6, 4)),
    lambda x: x.split(2, 1)[0] * 2 + x.split(2, 1)[1],
    lambda x: x.split([1, 0, 3], -1)[2],
    lambda x: x.split(2)[0],
    lambda x: x.chunk(2, 2)[1] - x.chunk(2, 2)[0],
    lambda x: x.chunk(2, dim=1)[1],
    lambda x: x.chunk(2)[1],
]


@pytest.mark.parametrize("word", WORDS)
def test_values_and_gradients(word: Any, check_op: Check) -> None:
    check_op(word, (2, 3, 4), scales=[1.0])


@pytest.mark.parametrize("size", [(), (1,), (1, 1), (0, 3), (3, 1, 0)])
@pytest.mark.parametrize(
    "word",
    [
        lambda x: x.flatten(),
        lambda x: x.squeeze(),
        lambda x: x.unsqueeze(-1),
        lambda x: x.reshape(x.shape),
        lambda x: x.permute(tuple(range(x.ndim))),
        lambda x: x.expand(2, *x.shape),
        lambda x: x[None, ...],
    ],
)
def test_shapes_at_the_edge(word: Any, size: Any, check_op: Check) -> None:
    check_op(word, size, may_be_zero=True, scales=[1.0])


@pytest.mark.parametrize("dim", [0, 1, -1])
@pytest.mark.parametrize("size", [1, 2, 3, 5, 9, [1, 1], [0, 2]])
def test_split_makes_pytorchs_pieces(size: Any, dim: int) -> None:
    x = np.zeros((4, 5, 2))
    if isinstance(size, list):
        size = [*size, x.shape[dim] - sum(size)]
    same_pieces("split", x, size, dim)


@pytest.mark.parametrize("dim", [0, 1, -1])
@pytest.mark.parametrize("chunks", [1, 2, 3, 4, 9])
def test_chunk_makes_pytorchs_pieces(chunks: int, dim: int) -> None:
    same_pieces("chunk", np.zeros((4, 5, 2)), chunks, dim)


def test_pieces_of_nothing() -> None:
    same_pieces("split", np.zeros((2, 0)), 3, 1)
    same_pieces("split", np.zeros((2, 0)), [0, 0], 1)
    same_pieces("chunk", np.zeros((0, 2)), 1, 0)


def same_pieces(method: str, x: np.ndarray, size: Any, dim: int) -> None:
    found = getattr(Tensor(x), method)(size, dim)
    expected = getattr(torch.tensor(x), method)(size, dim)
    assert isinstance(found, tuple)
    assert [piece.shape for piece in found] == [tuple(piece.shape) for piece in expected]


@pytest.mark.parametrize("dim", [0, 1, 2, -1, -3])
def test_cat_and_stack(dim: int, check_op: Check) -> None:
    def join(lib: Any, name: str, *tensors: Any) -> Any:
        return getattr(lib, name)(tensors, dim)

    for name in ("cat", "stack"):
        check_op(
            partial(join, tinygrad_tf, name),
            (2, 3, 4),
            (2, 3, 4),
            theirs=partial(join, torch, name),
        )


def test_cat_and_stack_join_the_first_axis_unless_told(check_op: Check) -> None:
    def join(lib: Any, *tensors: Any) -> Any:
        return lib.stack([lib.cat(tensors), lib.cat(tensors[::-1])])

    ours, theirs = partial(join, tinygrad_tf), partial(join, torch)
    check_op(ours, (2, 3), (2, 3), theirs=theirs)


def test_stack_makes_a_new_last_axis(check_op: Check) -> None:
    check_op(
        lambda *tensors: tinygrad_tf.stack(tensors, -1),
        (2, 3),
        (2, 3),
        (2, 3),
        theirs=lambda *tensors: torch.stack(tensors, -1),
    )


def test_views_share_memory() -> None:
    x = Tensor(X.copy())
    for y in (x.view(6, 4), x.transpose(0, 1), x.expand(2, 2, 3, 4), x[:, 1:]):
        assert np.shares_memory(y.data, x.data)
    turned = x.transpose(0, 1).view(6, 4)  # copied, where PyTorch would refuse
    np.testing.assert_array_equal(turned.data, X.swapaxes(0, 1).reshape(6, 4))


Y = Tensor(X)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Y.flatten(3), r"flatten: dim 3 is out of range for a tensor of 3 axes"),
        (lambda: Y.flatten(0, -4), r"flatten: dim -4 is out of range"),
        (lambda: Y.flatten(1, 0), r"flatten: start_dim 1 comes after end_dim 0"),
        (lambda: Y.unflatten(3, (2, 2)), r"unflatten: dim 3 is out of range"),
        (
            lambda: Y.unflatten(1, (2, 2)),
            r"unflatten: axis 1 of \(2, 3, 4\) has size 3, which does not split into \(2, 2\)",
        ),
        (lambda: Y.unflatten(1, (-1, 2)), r"unflatten: axis 1 .*does not split into \(-1, 2\)"),
        (lambda: Y.unflatten(1, (-1, 0)), r"unflatten: axis 1 .*does not split into \(-1, 0\)"),
        (
            lambda: Y.unflatten(1, (-1, -1)),
            r"unflatten: sizes \(-1, -1\): only one may be left open",
        ),
        (
            lambda: Y.unflatten(1, (-3, -1)),
            r"unflatten: sizes \(-3, -1\): only one may be left open",
        ),
        (lambda: Y.squeeze((0, -3)), r"squeeze: dims \(0, -3\) name an axis twice"),
        (lambda: Y.squeeze(3), r"squeeze: dim 3 is out of range"),
        (lambda: Y.unsqueeze(4), r"unsqueeze: dim 4 is out of range for a tensor of 4 axes"),
        (lambda: Y.unsqueeze(-5), r"unsqueeze: dim -5 is out of range"),
        (lambda: Y.transpose(0, 3), r"transpose: dim 3 is out of range"),
        (lambda: Y.transpose(-4, 0), r"transpose: dim -4 is out of range"),
        (lambda: Y.reshape(5, 5), r"reshape: x \(2, 3, 4\) has 24 entries, shape \(5, 5\) has 25"),
        (lambda: Y.split(0), r"split: split_size is 0, expected 1 at least"),
        (lambda: Y.split(1, 3), r"split: dim 3 is out of range"),
        (lambda: Y.split([1, 3], 1), r"split: sizes \(1, 3\) do not add up to 3, the size of axis"),
        (lambda: Y.split([4, -1], 1), r"split: sizes \(4, -1\) do not add up to 3"),
        (lambda: Y.chunk(0), r"chunk: chunks is 0, expected 1 at least"),
        (lambda: Y.chunk(2, -4), r"chunk: dim -4 is out of range"),
        (lambda: tinygrad_tf.stack([Y, Y[:1]]), r"cat: .*\(1, 2, 3, 4\) float64, \(1, 1, 3, 4"),
    ],
)
def test_what_does_not_fit_is_named(call: Callable[[], Any], message: str) -> None:
    with pytest.raises((ValueError, IndexError), match=f"^{message}"):
        call()


@pytest.mark.parametrize("dim", [(), (0,), [0, 2], (0, 1), (-1, 1), None])
def test_squeeze_of_several_axes(dim: Any) -> None:
    options = {} if dim is None else {"dim": dim}
    found, expected = (
        x.squeeze(**options) for x in (Tensor(np.ones((1, 2, 1))), torch.ones(1, 2, 1))
    )
    assert found.shape == tuple(expected.shape)
    assert Tensor(2.0).squeeze(0).shape == torch.tensor(2.0).squeeze(0).shape == ()


def test_nothing_to_join() -> None:
    with pytest.raises(TypeError, match=r"^cat: expected a Tensor among its inputs, got \(\)"):
        tinygrad_tf.cat([])
