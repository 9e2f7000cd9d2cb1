"""The tape never judges: what the user asks of a tensor happens to it, tape or no tape."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import torch
from crosscheck.runs import Batch, run
from crosscheck.tape.torch_recorder import record_torch
from torch import Tensor, nn

Asks = Callable[[Tensor, Tensor], object]  # of a result and of a parameter


def doubles_its_gradient(result: Tensor, parameter: Tensor) -> None:
    def hook(held: Tensor) -> None:
        assert held.grad is not None
        held.grad.mul_(2)

    parameter.register_post_accumulate_grad_hook(hook)


def keeps_its_gradient(result: Tensor, parameter: Tensor) -> None:
    result.retain_grad()

    def hook(held: Tensor) -> None:
        assert held.grad is not None
        assert result.grad is not None
        held.grad.add_(result.grad.mean())

    parameter.register_post_accumulate_grad_hook(hook)


def writes_into_the_data(result: Tensor, parameter: Tensor) -> None:
    result.data = result.data * 2


ASKS: dict[str, Asks] = {
    "register_hook": lambda result, parameter: result.register_hook(lambda g: 3 * g),
    "register_hook of a leaf": lambda result, parameter: parameter.register_hook(lambda g: 3 * g),
    "two hooks": lambda result, parameter: [
        result.register_hook(lambda g: g + 1),
        result.register_hook(lambda g: g * g),
    ],
    "register_post_accumulate_grad_hook": doubles_its_gradient,
    "retain_grad": keeps_its_gradient,
    "detach_": lambda result, parameter: result.detach_(),
    "data": writes_into_the_data,
}


class Asking(nn.Module):
    """x (B, C) times a weight, of which something is asked on the way."""

    def __init__(self, ask: Asks) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.linspace(0.5, 1.5, 12).reshape(4, 3))
        self.ask = ask

    def forward(self, x: Tensor) -> Tensor:
        result = x @ self.weight
        self.ask(result, self.weight)
        return result.tanh() * x.mean(-1, keepdim=True)


def batch() -> Batch:
    return Batch(np.random.default_rng(0).standard_normal((2, 4)))


@pytest.mark.parametrize("ask", ASKS.values(), ids=list(ASKS))
def test_a_run_has_the_same_gradients_beside_a_tape(ask: Asks) -> None:
    how = {"dtype": "float64", "loss": "random cotangent", "seed": 1}
    plain = run(Asking(ask), batch(), **how)
    taped = run(Asking(ask), batch(), **how, watch=record_torch)
    silent = run(Asking(lambda *_: None), batch(), **how)
    assert any(
        not np.array_equal(plain.gradients[name], silent.gradients[name])
        for name in plain.gradients
    )
    for name, gradient in plain.gradients.items():
        np.testing.assert_array_equal(taped.gradients[name], gradient, err_msg=name)


def test_what_arrives_at_an_op_is_what_the_hooks_have_made_of_it() -> None:
    model = Asking(ASKS["two hooks"])
    with record_torch(model, x := torch.ones(2, 4, requires_grad=True)) as tape:
        model(x).tanh().mul(3).mean().backward()
    call = tape["model/matmul"]
    assert call.dout is not None
    np.testing.assert_allclose(call.dinputs[1], x.detach().numpy().T @ call.dout, rtol=1e-5)
