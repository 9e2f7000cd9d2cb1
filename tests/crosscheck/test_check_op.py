"""`check_op`: right functions of every kind pass, and a witness tells each kind of wrong one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import torch
from crosscheck import check_op
from tinygrad_tf.nn import functional as F

X = np.random.default_rng(0).standard_normal((3, 4))
W = np.random.default_rng(1).standard_normal((5, 4))


def softmax_forward(x: Any) -> Any:
    e = np.exp(x - x.max(-1, keepdims=True))
    probs = e / e.sum(-1, keepdims=True)
    return probs, probs


def softmax_backward(dout: Any, probs: Any) -> Any:
    return probs * (dout - (dout * probs).sum(-1, keepdims=True))


def last_softmax(x: torch.Tensor) -> torch.Tensor:
    return x.softmax(-1)


class TimesItself(torch.autograd.Function):
    """Its backward forgets x."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx: Any, dout: torch.Tensor) -> torch.Tensor:
        return 2 * dout


def faults(check: Any) -> dict[str, str]:
    return {row.name: row.fault for row in check.rows if row.fault}


def test_a_pair_of_functions_agrees_with_both_witnesses() -> None:
    check = check_op((softmax_forward, softmax_backward), X, reference=last_softmax)
    assert check.agrees, str(check)
    _, dx = check.rows
    assert dx.name == "dx"
    assert 0 <= dx.error < 1e-14
    assert 0 < dx.difference < 1e-7


def test_a_missing_term_is_told_by_both_witnesses_with_three_numbers() -> None:
    check = check_op((softmax_forward, lambda dout, probs: probs * dout), X, reference=last_softmax)
    assert list(faults(check)) == ["dx"]
    said = faults(check)["dx"]
    assert said.startswith("ours is wrong: ")
    assert "PyTorch" in said
    assert "finite difference" in said
    assert not check.agrees


def test_the_reference_may_be_the_one_that_is_wrong() -> None:
    check = check_op(lambda x: x * x, X, reference=TimesItself.apply)
    assert faults(check)["dx"].startswith("the reference is wrong here")


def test_without_a_function_of_pytorch_a_finite_difference_is_left() -> None:
    check = check_op(TimesItself.apply, X)
    assert check.op == "TimesItself"
    assert "finite difference" in faults(check)["dx"]
    assert "name one by reference=" in check.reference


def test_pytorchs_function_of_the_same_name_is_found() -> None:
    def gelu(x: Any) -> Any:
        return F.gelu(x)

    check = check_op(gelu, X)
    assert check.agrees, str(check)
    assert "torch.nn.functional.gelu" in check.reference
    assert check.rows[1].error is not None


def test_several_inputs_each_have_their_gradient() -> None:
    def linear(x: Any, weight: Any) -> Any:
        return x @ weight.T, (x, weight)

    def backward(dout: Any, cache: Any) -> Any:
        x, weight = cache
        return {"x": dout @ weight, "weight": dout.T @ x}

    check = check_op((linear, backward), X, W)
    assert check.agrees, str(check)
    assert [row.name for row in check.rows] == ["out", "dx", "dweight"]
    transposed = check_op((linear, lambda d, c: (d @ c[1], c[0].T @ d)), X, W)
    assert "shape" in faults(transposed)["dweight"]


def test_a_gradient_that_is_left_out_is_missing() -> None:
    check = check_op((lambda x, w: (x * w, None), lambda d, c: (d, None)), X, X)
    assert set(faults(check)) == {"dx", "dw"}


def test_wrong_calls_are_named() -> None:
    with pytest.raises(TypeError, match="expected a function or a pair"):
        check_op(3.0, X)
    with pytest.raises(ValueError, match="returned 2 gradients, expected one for each of the 1"):
        check_op((lambda x: (x, None), lambda d, c: (d, d)), X)
    with pytest.raises(TypeError, match="input 1 of check_op must be real numbers"):
        check_op(last_softmax, "x")
    with pytest.raises(TypeError, match="argument 'dim'"):  # and not that x is no tensor of ours
        check_op(lambda x: torch.softmax(x, dim="last"), X)
