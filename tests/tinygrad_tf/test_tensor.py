from typing import Any

import numpy as np
import pytest

import tinygrad_tf
import torch
from tinygrad_tf import Tensor, float32, float64

# Making


@pytest.mark.parametrize(
    "data",
    [1.5, 2, True, [1.0, 2.0], [1, 2], [[1, 2.5], [3, 4]], [], [[], []], [True, False], [[True]]],
    ids=repr,
)
def test_python_data_takes_pytorchs_dtype(data: Any) -> None:
    ours, theirs = Tensor(data), torch.tensor(data)
    assert f"torch.{ours.dtype}" == str(theirs.dtype)
    assert ours.shape == tuple(theirs.shape)
    assert ours.tolist() == theirs.tolist()


@pytest.mark.parametrize("dtype", ["f4", "f8", "i4", "i8", "u1", "b1"])
def test_arrays_keep_their_dtype_and_are_shared(dtype: str) -> None:
    array = np.ones((2, 3), dtype=dtype)
    x = Tensor(array)
    assert x.dtype == array.dtype
    assert np.shares_memory(x.data, array)
    assert Tensor(x).data is x.data
    assert Tensor(array[0, 0]).dtype == array.dtype  # a NumPy scalar


def test_a_dtype_can_be_asked_for() -> None:
    assert Tensor([1, 2], dtype=float64).dtype == float64
    assert Tensor(np.ones(2), dtype="float32").dtype == float32
    assert Tensor([1.7], dtype=np.int64).tolist() == [1]


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (np.ones(2, dtype=np.float16), "float16"),
        (np.ones(2, dtype=complex), "complex128"),
        (["a", "b"], "<U1"),
        (None, "object"),
        (np.ones(2, dtype=np.longdouble), str(np.dtype(np.longdouble))),
    ],
)
def test_other_dtypes_are_refused_by_name(data: Any, named: str) -> None:
    with pytest.raises(TypeError, match=f"^Tensor: dtype {named} is not supported; use float32 or"):
        Tensor(data)


@pytest.mark.parametrize("size", [(), (3,), (2, 3), (0, 3), ((2, 3),), ([4],), ((),)], ids=repr)
def test_creation_functions(size: Any) -> None:
    for name in ("zeros", "ones", "empty"):
        ours, theirs = vars(tinygrad_tf)[name](*size), getattr(torch, name)(*size or ((),))
        assert ours.dtype == float32
        assert ours.shape == tuple(theirs.shape)
        assert name == "empty" or ours.tolist() == theirs.tolist()
        assert vars(tinygrad_tf)[name](*size, dtype=float64).dtype == float64


@pytest.mark.parametrize(
    "limits", [(5,), (2, 9), (2, 9, 3), (9, 2, -2), (1.5,), (0, 1, 0.25), (0.0, 3.0), (0,)]
)
def test_arange(limits: Any) -> None:
    ours, theirs = tinygrad_tf.arange(*limits), torch.arange(*limits)
    assert f"torch.{ours.dtype}" == str(theirs.dtype)
    assert ours.tolist() == theirs.tolist()
    assert tinygrad_tf.arange(*limits, dtype=float64).dtype == float64


@pytest.mark.parametrize("size", [(2, 3), ((2, 3),), (0,), ()])
def test_new_tensors_of_the_same_kind(size: Any) -> None:
    for kind in ("f4", "f8", "i8"):
        like = Tensor(np.ones(2, dtype=kind))
        assert like.new_zeros(*size).tolist() == torch.zeros(*size or ((),)).tolist()
        assert like.new_ones(*size).tolist() == torch.ones(*size or ((),)).tolist()
        assert like.new_zeros(*size).dtype == like.new_ones(*size).dtype == like.dtype


# What it is


def test_shape_and_kind() -> None:
    x, theirs = Tensor(np.ones((2, 3, 4), dtype="f4")), torch.ones(2, 3, 4)
    assert x.shape == x.size() == tuple(theirs.shape)
    assert (x.size(1), x.size(-1)) == (3, 4)
    assert x.ndim == x.dim() == theirs.dim()
    assert x.numel() == theirs.numel()
    assert x.is_floating_point()
    assert not Tensor([1]).is_floating_point()
    assert x.T.shape == (4, 3, 2)


def test_length_and_iteration() -> None:
    x = Tensor(np.arange(6.0).reshape(3, 2), requires_grad=True)
    assert len(x) == 3
    rows = list(x)
    assert [row.tolist() for row in rows] == [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]
    rows[1].sum().backward()
    assert x.grad.tolist() == [[0.0, 0.0], [1.0, 1.0], [0.0, 0.0]]
    assert list(Tensor(np.zeros((0, 2)))) == []
    assert 2 in Tensor([1, 2])
    assert 3 not in Tensor([1, 2])


@pytest.mark.parametrize("function", [len, iter, list])
def test_a_number_has_no_length(function: Any) -> None:
    with pytest.raises(TypeError, match=r"^len\(\) of a 0-d tensor"):
        function(Tensor(1.0))


def test_a_single_entry_as_a_python_number() -> None:
    for data in (2.5, [2.5], [[2.5]]):
        x = Tensor(data, requires_grad=True)
        assert x.item() == float(x) == 2.5
        assert bool(x)
    assert type(Tensor(3).item()) is int
    assert type(Tensor(True).item()) is bool
    assert not Tensor(0.0)
    assert Tensor([[1, 2]]).tolist() == [[1, 2]]


@pytest.mark.parametrize("function", [Tensor.item, bool, float])
def test_several_entries_are_no_number(function: Any) -> None:
    with pytest.raises(ValueError, match=r"^item: the tensor has shape \(2,\), not one entry"):
        function(Tensor([1.0, 2.0]))


def test_repr() -> None:
    x = Tensor([1.0, 2.5], requires_grad=True)
    assert repr(x) == "tensor([1. , 2.5], requires_grad=True)"
    assert repr(x.detach()) == "tensor([1. , 2.5])"
    assert repr(x * 2) == "tensor([2., 5.], op=mul)"
    assert repr(Tensor(np.ones(1))) == "tensor([1.], dtype=float64)"
    assert repr(Tensor([1, 2])) == "tensor([1, 2])"
    assert repr(Tensor([True])) == "tensor([ True])"
    assert repr(Tensor(np.array([1], dtype="i4"))) == "tensor([1], dtype=int32)"
    assert repr(Tensor([[1, 2], [3, 4]])) == "tensor([[1, 2],\n        [3, 4]])"
    assert repr(Tensor(1 / 3)) == "tensor(0.3333)"


# Gradients wanted or not


def test_only_floats_can_require_a_gradient() -> None:
    for data in ([1, 2], [True]):
        with pytest.raises(TypeError, match=r"^requires_grad: only floats have gradients"):
            Tensor(data, requires_grad=True)
        assert not Tensor(data).requires_grad_(False).requires_grad
    x = Tensor([1.0])
    assert x.requires_grad_() is x
    assert x.requires_grad
    assert x.is_leaf
    assert not (x * 2).is_leaf
    assert not Tensor(x).requires_grad


def test_numpy_asks_for_detach() -> None:
    x = Tensor([1.0, 2.0], requires_grad=True)
    for convert in (np.asarray, np.array, Tensor.numpy, lambda x: np.concatenate([x, x])):
        with pytest.raises(RuntimeError, match=r"requires grad; call tensor\.detach\(\)"):
            convert(x)
        with pytest.raises(RuntimeError, match=r"detach\(\)"):
            convert(x * 2)


def test_numpy_shares_and_copies_on_request() -> None:
    x = Tensor([1.0, 2.0], requires_grad=True).detach()
    assert x.numpy() is x.data
    assert np.shares_memory(np.asarray(x), x.data)
    assert not np.shares_memory(np.array(x), x.data)
    assert np.asarray(x, dtype=np.float64).dtype == np.float64
    with pytest.raises(ValueError, match="copy"):
        np.asarray(x, dtype=np.float64, copy=False)


# Another dtype


def test_to_converts_between_the_precisions_differentiably() -> None:
    x = Tensor([1.1, 2.2], requires_grad=True)
    y = x.double()
    assert y.dtype == float64
    (y * y).to("float32").backward(Tensor([1.0, 10.0]))
    theirs = torch.tensor([1.1, 2.2], requires_grad=True)
    (theirs.double() ** 2).float().backward(torch.tensor([1.0, 10.0]))
    assert x.grad.dtype == float32
    np.testing.assert_array_equal(x.grad.data, theirs.grad.numpy())


def test_to_takes_a_dtype_a_name_or_a_tensor() -> None:
    x = Tensor([1.0, 2.0], requires_grad=True)
    for like in (float64, np.float64, "float64", Tensor(np.ones(1))):
        assert x.to(like).dtype == float64
    assert x.to(float32) is x
    assert x.to(Tensor([0.0])) is x


@pytest.mark.parametrize("target", ["int64", "bool", "int32", "uint8"])
def test_to_integers_and_back_has_no_gradient(target: str) -> None:
    x = Tensor([0.0, 1.7, 2.2], requires_grad=True)
    whole = x.to(target)
    expected = torch.tensor([0.0, 1.7, 2.2]).to(getattr(torch, target))
    assert whole.tolist() == expected.tolist()
    assert not whole.requires_grad
    assert whole.to(float32).dtype == float32
    assert not whole.to(float32).requires_grad


def test_to_a_precision_that_is_not_supported() -> None:
    with pytest.raises(TypeError, match="float16 is not supported"):
        Tensor([1.0]).to(np.float16)


@pytest.mark.parametrize(
    "data", [3, 2.5, True, [], [1, 2.5], [[True], [False]], np.ones(2), np.float64(2), np.arange(3)]
)
def test_tensor_copies_what_it_is_given(data: Any) -> None:
    found, expected = tinygrad_tf.tensor(data), torch.tensor(data)
    assert found.tolist() == expected.tolist()
    assert str(found.dtype) == str(expected.dtype).removeprefix("torch.")
    assert not found.requires_grad
    assert not np.shares_memory(found.data, np.asarray(data))


def test_tensor_takes_a_dtype_and_asks_for_gradients() -> None:
    found = tinygrad_tf.tensor([1, 2], dtype=np.float64, requires_grad=True)
    assert found.dtype == np.float64
    assert found.requires_grad
    assert found.is_leaf
    assert tinygrad_tf.tensor([1.5], dtype=np.int64).tolist() == [1]
    leaf = tinygrad_tf.tensor(found, requires_grad=True)
    assert leaf.is_leaf
    assert not np.shares_memory(leaf.data, found.data)
    with pytest.raises(TypeError, match=r"^requires_grad: only floats"):
        tinygrad_tf.tensor([1], requires_grad=True)


@pytest.mark.parametrize("data", ["a", None, [1, None], {}, [[1, 2], [3]], 1j])
def test_what_is_no_data_is_refused(data: Any) -> None:
    for make in (Tensor, tinygrad_tf.tensor):
        with pytest.raises((TypeError, ValueError), match=r"^Tensor: "):
            make(data)
