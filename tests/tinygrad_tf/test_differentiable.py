from typing import Any

import numpy as np
import pytest

import torch
from tinygrad_tf import Tensor, differentiable, sum_to
from tinygrad_tf.nn import functional as F
from tinygrad_tf.ops.arithmetic import add, mul
from tinygrad_tf.ops.reductions import sum as sum_op
from tinygrad_tf.ops.selection import where
from tinygrad_tf.ops.shape import reshape

SINGLE = Tensor(np.array([1.5, -2.0], dtype=np.float32), requires_grad=True)
DOUBLE = Tensor(np.array([1.5, -2.0]), requires_grad=True)
WHOLE = Tensor(np.array([1, 2]))


@differentiable
def scale_shift(x: Any, weight: Any, bias: Any = None, *, times: float = 1.0) -> Any:
    """A rule with everything: an optional input and an option."""
    scaled = x * weight * times
    out = scaled if bias is None else scaled + bias

    def backward(dout: Any) -> Any:
        dbias = None if bias is None else sum_to(dout, bias.shape)
        dweight = sum_to(dout * x * times, weight.shape)
        return dout * weight * times, dweight, dbias

    return out, backward


# Lifting


def test_a_lifted_rule_keeps_its_name_its_text_and_itself() -> None:
    assert scale_shift.__name__ == "scale_shift"
    assert scale_shift.__doc__ == "A rule with everything: an optional input and an option."
    out, backward = scale_shift.rule(np.ones((3, 2)), np.array([2.0, 5.0]), times=10.0)
    assert isinstance(out, np.ndarray)
    assert out[0].tolist() == [20.0, 50.0]
    assert backward(np.ones((3, 2)))[1].tolist() == [30.0, 30.0]


@pytest.mark.parametrize("bias", [(), (None,), (Tensor(np.ones(2)),), (np.ones(2),), (1.0,)])
def test_inputs_may_be_tensors_arrays_numbers_or_left_out(bias: tuple[Any, ...]) -> None:
    x, weight = Tensor(np.ones((3, 2)), requires_grad=True), np.array([2.0, 5.0])
    out = scale_shift(x, weight, *bias)
    assert out.tolist()[0] == ([3.0, 6.0] if bias and bias[0] is not None else [2.0, 5.0])
    out.backward(Tensor(np.ones((3, 2))))
    assert x.grad is not None
    assert x.grad.tolist() == [[2.0, 5.0]] * 3


def test_a_result_wants_a_gradient_if_an_input_does() -> None:
    assert scale_shift(DOUBLE, np.ones(2)).requires_grad
    assert not scale_shift(DOUBLE.detach(), np.ones(2)).requires_grad
    assert scale_shift(DOUBLE.detach(), DOUBLE).requires_grad


def test_a_tensor_by_keyword_would_get_no_gradient() -> None:
    with pytest.raises(TypeError, match=r"^scale_shift: bias is a Tensor given by keyword, where"):
        scale_shift(DOUBLE, DOUBLE, bias=DOUBLE)


# Precision


@pytest.mark.parametrize(
    "other", [DOUBLE, np.ones(2), np.ones((1, 2)), np.array([1.0])], ids=lambda x: str(type(x))
)
def test_mixed_precision_is_an_error_that_names_both(other: Any) -> None:
    for call in (lambda: add(SINGLE, other), lambda: add(other, SINGLE)):
        with pytest.raises(TypeError, match=r"^add: inputs .*float\d\d, .*; the floating dtyp"):
            call()


NUMBERS = [2, 2.5, True, np.float64(2.5), np.float32(2.5), np.int64(2), np.array(2.5), np.array(2)]


@pytest.mark.parametrize("number", NUMBERS, ids=repr)
@pytest.mark.parametrize(
    "operation",
    [
        lambda x, y: x + y,
        SUBTRACTION := lambda x, y: y - x,
        lambda x, y: x * y,
        lambda x, y: y / x,
        lambda x, y: x / y,
        lambda x, y: abs_power(x, y),
        lambda x, y: where(np.array([True, False]), x, y),
    ],
)
@pytest.mark.parametrize("x", [SINGLE, DOUBLE], ids=["float32", "float64"])
def test_a_number_never_changes_the_precision(x: Tensor, operation: Any, number: Any) -> None:
    if number is True and operation is SUBTRACTION:
        return  # refused, as in PyTorch
    x = Tensor(x.data, requires_grad=True)
    out = operation(x, number)
    assert out.dtype == x.dtype
    plain = number.item() if isinstance(number, np.generic | np.ndarray) else number
    expected = operation(Tensor(x.data), plain)
    np.testing.assert_array_equal(out.data, expected.data)
    out.backward(Tensor(np.ones_like(out.data)))
    assert x.grad is not None
    assert x.grad.dtype == x.dtype


def abs_power(x: Tensor, exponent: Any) -> Tensor:
    return x.abs() ** exponent


@pytest.mark.parametrize(
    "call",
    [
        lambda x: F.scaled_dot_product_attention(x, x, x, scale=np.float64(0.3)),
        lambda x: F.layer_norm(x, (2,), eps=np.float64(1e-3)),
        lambda x: F.dropout(x, p=np.float64(0.5)),
        lambda x: x.masked_fill(np.array([True, False]), np.float64(2.0)),
        lambda x: F.cross_entropy(x, np.array([0, 1]), label_smoothing=np.float64(0.1)),
        lambda x: x[np.int64(1)],
    ],
)
def test_a_numpy_scalar_as_an_option_never_changes_the_precision(call: Any) -> None:
    x = Tensor(np.ones((2, 2), dtype=np.float32), requires_grad=True)
    assert call(x).dtype == np.float32


@pytest.mark.parametrize("number", [2, 2.5, True, np.int32(3)], ids=repr)
def test_integers_and_numbers_give_what_pytorch_gives(number: Any) -> None:
    out = Tensor(np.array([1, 2], dtype=np.int32)) + number
    plain = number.item() if isinstance(number, np.generic) else number
    expected = torch.tensor([1, 2], dtype=torch.int32) + plain
    assert str(out.dtype) == str(expected.dtype).removeprefix("torch.")
    assert out.tolist() == expected.tolist()
    assert (Tensor([True, False]) * 2).tolist() == [2, 0]


def test_a_rule_that_changes_the_precision_is_named() -> None:
    @differentiable
    def careless(x: Any) -> Any:
        return x.astype("f8"), lambda dout: (dout,)

    with pytest.raises(TypeError, match=r"^careless: inputs \(2,\) float32 gave float64"):
        careless(SINGLE)


def test_integers_may_stand_beside_floats_and_get_no_gradient() -> None:
    x = Tensor(np.ones((3, 2), dtype=np.float32), requires_grad=True)
    rows = F.embedding(Tensor(np.array([2, 2])), x)
    assert rows.dtype == np.float32
    assert F.cross_entropy(rows, Tensor(np.array([1, 0]))).dtype == np.float32
    assert not sum_op(WHOLE).requires_grad


# Foreign objects


@pytest.mark.parametrize(
    ("foreign", "named"),
    [
        (torch.ones(2), "torch.Tensor"),
        ([1.0, 2.0], "builtins.list"),
        ("two", "builtins.str"),
        (1j, "builtins.complex"),
        (object(), "builtins.object"),
    ],
)
def test_foreign_objects_are_rejected_by_name(foreign: Any, named: str) -> None:
    with pytest.raises(TypeError, match=f"^mul: expected a Tensor, .* got {named}; wrap it in Ten"):
        mul(SINGLE, foreign)


def test_an_op_needs_a_tensor() -> None:
    with pytest.raises(TypeError, match=r"^add: expected a Tensor .* got \(ndarray, float\)"):
        add(np.ones(2), 2.0)


def test_numpys_complaints_come_with_the_op_and_the_shapes() -> None:
    with pytest.raises(
        ValueError, match=r"^add: operands .*\(inputs: \(2,\) float32, \(3,\) f"
    ) as e:
        add(SINGLE, np.ones(3, dtype=np.float32))
    assert isinstance(e.value.__cause__, ValueError)
    with pytest.raises(ValueError, match=r"^scale_shift: .*\(2,\) float32, \(3,\) int64, None\)$"):
        scale_shift(SINGLE, np.ones(3, dtype=int), None)


def test_our_own_complaints_stay_as_they_are() -> None:
    with pytest.raises(ValueError, match=r"^linear: weight has shape") as error:
        F.linear(SINGLE, SINGLE)
    assert "inputs" not in str(error.value)


def test_a_rule_that_moves_entries_needs_a_tensor_too() -> None:
    with pytest.raises(TypeError, match=r"^reshape: expected a Tensor .* got \(ndarray\)"):
        reshape(np.ones(2), shape=(2, 1))
