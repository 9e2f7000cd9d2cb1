import operator
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import tinygrad_tf
import torch
from tinygrad_tf import Tensor

Check = Callable[..., None]


def positive(x: np.ndarray) -> np.ndarray:
    return np.abs(x) + 0.3


ARITHMETIC = {
    "x + y": lambda x, y: x + y,
    "x - y": lambda x, y: x - y,
    "x * y": lambda x, y: x * y,
    "x / y": lambda x, y: x / y,
    "x ** y": lambda x, y: x**y,
}


@pytest.mark.parametrize("name", ARITHMETIC)
def test_two_tensors(name: str, check_op: Check) -> None:
    check_op(ARITHMETIC[name], (3, 4), (2, 3, 4), domain=positive)


@pytest.mark.parametrize("number", [2, -3, 1.75])
@pytest.mark.parametrize("name", ARITHMETIC)
def test_a_number_on_either_side(name: str, number: Any, check_op: Check) -> None:
    operation = ARITHMETIC[name]
    check_op(lambda x: operation(x, number), (3, 4), domain=positive)
    if not (name == "x ** y" and number < 0):
        check_op(lambda x: operation(number, x), (3, 4), domain=positive, scales=[1.0, 1e-3, 10.0])


ARRAY = np.random.default_rng(0).random((3, 4)) + 0.5


def beside(x: Any) -> Any:
    """The array in x's precision: as it is for our tensor; PyTorch wants a tensor too."""
    if torch.is_tensor(x):
        return torch.tensor(ARRAY, dtype=x.dtype)
    return ARRAY.astype(x.dtype)


@pytest.mark.parametrize("name", ARITHMETIC)
def test_an_array_on_either_side(name: str, check_op: Check) -> None:
    operation = ARITHMETIC[name]
    check_op(lambda x: operation(x, beside(x)), (2, 3, 4), domain=positive)
    check_op(lambda x: operation(beside(x), x), (2, 3, 4), domain=positive)


def test_matrix_products_with_an_array_on_either_side(check_op: Check) -> None:
    check_op(lambda x: x @ beside(x), (2, 5, 3))
    check_op(lambda x: beside(x) @ x, (2, 4, 5))
    check_op(lambda x, y: x @ y, (2, 5, 3), (3, 4))


def test_an_array_leaves_the_answer_to_the_tensor() -> None:
    x = Tensor(np.ones((4, 3)), requires_grad=True)
    for out in (np.ones((2, 4)) @ x, np.ones(3) + x, np.float64(2.0) * x, np.ones(3) ** x):
        assert isinstance(out, Tensor)
        assert out.requires_grad
    with pytest.raises(TypeError):
        np.add(np.ones(3), x)


def test_augmented_assignment_makes_a_new_tensor() -> None:
    x = Tensor([1.0, 2.0], requires_grad=True)
    y = x
    y += 1.0
    y *= 3.0
    assert x.tolist() == [1.0, 2.0]
    assert y.tolist() == [6.0, 9.0]
    assert y.requires_grad


# Comparisons


COMPARISONS = {
    "==": lambda x, y: x == y,
    "!=": lambda x, y: x != y,
    "<": lambda x, y: x < y,
    "<=": lambda x, y: x <= y,
    ">": lambda x, y: x > y,
    ">=": lambda x, y: x >= y,
    "~": lambda x, y: ~(x < y),
}


@pytest.mark.parametrize("name", COMPARISONS)
def test_comparisons(name: str) -> None:
    x = np.array([[1.0, 2.0, np.nan], [-0.0, np.inf, 2.0]])
    y = np.array([1.0, 2.0, 2.0])
    compare = COMPARISONS[name]
    ours, theirs = Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    for a, b in ((Tensor(y), torch.tensor(y)), (0.0, 0.0), (2, 2)):
        found = compare(ours, a)
        assert found.dtype == np.bool_
        assert not found.requires_grad
        assert found.tolist() == compare(theirs, b).tolist()
        assert compare(a, ours).tolist() == compare(b, theirs).tolist()
    assert compare(ours, y).tolist() == compare(y, ours).tolist() or name[0] in "<>~"
    assert compare(y, ours).tolist() == compare(torch.tensor(y), theirs).tolist()


@pytest.mark.parametrize("other", [None, "a", [1.0, 2.0], (1.0, 2.0), {}], ids=repr)
def test_what_is_no_number_is_not_equal_and_has_no_order(other: Any) -> None:
    for x in (Tensor([1.0, 2.0]), torch.tensor([1.0, 2.0])):
        assert (x == other) is False
        assert (other == x) is False
        assert (x != other) is True
        with pytest.raises(TypeError, match="'<' not supported between"):
            operator.lt(x, other)
        with pytest.raises(TypeError, match="'>=' not supported between"):
            operator.ge(x, other)


def test_a_number_is_compared_in_the_precision_of_the_tensor() -> None:
    for number in (0.1, np.float64(0.1), np.float32(0.1)):
        assert (Tensor([0.1]) == number).item() is (torch.tensor([0.1]) == number).item() is True


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: ~x, "invert: ~ is for masks and integers, not float32"),
        (lambda x: x & True, "and: & | ^ are for masks and integers, not float32"),
        (lambda x: (x > 0) ^ 0.5, "xor: & | ^ are for masks and integers, not float32"),
        (lambda x: (x > 0) | None, r"or: unsupported .*\(2,\) bool, None"),
        (lambda x: (x > 0) & Tensor([True] * 3), r"and: .* broadcast .*\(2,\) bool, \(3,\) bool"),
        (lambda x: x < Tensor([1.0] * 3), r"lt: .* broadcast .*\(2,\) float32, \(3,\) float32"),
        (lambda x: 1 - (x > 0), "sub: a mask has no place here; use ~mask"),
        (lambda x: (x > 0) ** (x > 1), "pow_tensor: x and y are masks"),
        (lambda x: -(x > 0), "neg: .*boolean negative"),
        (lambda x: x + 10**400, "add: "),
        (lambda x: x + np.array([1j, 2]), "add: dtype complex128 is not supported"),
        (lambda x: x + np.array([None, 2]), "add: dtype object is not supported"),
        (lambda x: x == np.array(["a", "b"]), "eq: dtype <U1 is not supported"),
    ],
)
def test_what_does_not_fit_is_named(call: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=f"^{message}"):
        call(Tensor([1.0, 2.0]))


MASKED = np.ma.array([1.0, 2.0], mask=[False, True])


@pytest.mark.parametrize(
    "call",
    [
        lambda x: Tensor(MASKED),
        lambda x: Tensor([MASKED, MASKED]),
        lambda x: tinygrad_tf.tensor(MASKED),
        lambda x: x + MASKED,
        lambda x: MASKED * x,
        lambda x: x == MASKED,
        lambda x: x[MASKED > 1],
        lambda x: tinygrad_tf.where(x > 1, MASKED, x),
        lambda x: x.masked_fill(MASKED > 1, 0.0),
    ],
)
def test_a_masked_array_is_refused_because_its_mask_would_be_lost(call: Any) -> None:
    with pytest.raises(TypeError, match=r"^\w+: a masked array would lose its mask here"):
        call(Tensor([1.0, 2.0]))


def test_a_matrix_of_numpy_is_an_array_like_any_other() -> None:
    x = Tensor([[1.0, 2.0], [3.0, 4.0]])
    with pytest.warns(PendingDeprecationWarning):
        matrix = np.matrix([[1.0, 2.0], [3.0, 4.0]], dtype="f4")
    assert (x * matrix).tolist() == (x * x).tolist()


def test_equality_compares_entries_and_the_hash_is_the_identity() -> None:
    x, same = Tensor([1.0, 2.0]), Tensor([1.0, 2.0])
    assert (x == same).all()
    assert {x: "x", same: "same"}[x] == "x"
    assert hash(x) != hash(same)


@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize("dim", [None, 0, -1, (0, 1)])
def test_all_and_any(dim: Any, keepdim: bool) -> None:
    x = np.array([[True, False, True], [True, False, False]])
    options = {} if dim is None else {"dim": dim, "keepdim": keepdim}
    for method in ("all", "any"):
        expected = getattr(torch.tensor(x), method)(**options)
        found = getattr(Tensor(x), method)(**options)
        assert found.dtype == np.bool_
        assert found.tolist() == expected.tolist()


# Methods


@pytest.mark.parametrize("name", ["exp", "log", "sqrt", "sin", "cos", "tanh", "sigmoid"])
def test_functions_of_one_value(name: str, check_op: Check) -> None:
    check_op(lambda x: getattr(x, name)(), (3, 4), domain=positive, scales=[1.0])
    ours, theirs = vars(tinygrad_tf)[name], getattr(torch, name)
    check_op(ours, (3, 4), theirs=theirs, domain=positive, scales=[1.0])


@pytest.mark.parametrize("name", ["erf", "abs", "relu", "__neg__"])
def test_functions_of_either_sign(name: str, check_op: Check) -> None:
    check_op(lambda x: getattr(x, name)(), (3, 4))


@pytest.mark.parametrize(
    "method",
    [
        lambda x: x.sum(),
        lambda x: x.sum(1),
        lambda x: x.sum((0, 2), True),
        lambda x: x.mean(-1, keepdim=True),
        lambda x: x.mean(dim=(0, 1)),
        lambda x: x.var(),
        lambda x: x.var(1, correction=0),
        lambda x: x.var(dim=(0, 2), correction=2, keepdim=True),
        lambda x: x.amax(1),
        lambda x: x.amax(dim=(1, -1), keepdim=True),
        lambda x: x.tril(),
        lambda x: x.tril(-1),
        lambda x: x.triu(),
        lambda x: x.triu(diagonal=1),
    ],
)
def test_reductions_and_triangles(method: Any, check_op: Check) -> None:
    check_op(method, (2, 3, 4))


def test_masked_fill_takes_a_tensor_or_an_array(check_op: Check) -> None:
    mask = np.array([[True, False, True, False]])
    theirs = torch.tensor(mask)
    for ours in (mask, Tensor(mask)):
        check_op(
            partial(lambda mask, x: x.masked_fill(mask, 3.0), ours),
            (3, 4),
            theirs=lambda x: x.masked_fill(theirs, 3.0),
        )


@pytest.mark.parametrize("name", ["maximum", "minimum", "matmul"])
def test_functions_of_two_values(name: str, check_op: Check) -> None:
    ours, theirs = vars(tinygrad_tf)[name], getattr(torch, name)
    check_op(ours, (3, 3), (3, 3), theirs=theirs, may_be_zero=name != "matmul")


def test_where_cat_stack_tril_triu_and_relu_are_functions_too(check_op: Check) -> None:
    condition = np.array([True, False, True, True])

    def program(lib: Any, mask: Any, x: Any, y: Any) -> Any:
        chosen = lib.where(mask, x, y)
        both = lib.cat([chosen, lib.stack([x[0], y[1]], 0)], 0)
        return lib.relu(lib.tril(both, diagonal=2)) - lib.abs(lib.triu(both)) * lib.erf(both)

    check_op(
        partial(program, tinygrad_tf, condition),
        (3, 4),
        (3, 4),
        theirs=partial(program, torch, torch.tensor(condition)),
    )
