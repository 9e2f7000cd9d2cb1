"""PyTorch: the mirrored block eager and compiled, and PyTorch's own layer."""

from __future__ import annotations

from typing import Any

import torch
from benchmarks.contenders import Contender
from benchmarks.problem import Arrays, Problem
from torch_impl import TransformerBlock


def prepare(problem: Problem, form: str) -> Contender:
    """form: "eager", "compiled" (both with scaled_dot_product_attention), or PyTorch's "layer"."""
    size = problem.size
    model: Any
    options: dict[str, Any] = {"is_causal": problem.causal}
    if form == "layer":
        model = torch.nn.TransformerEncoderLayer(
            size.C, size.H, size.F, 0.0, "gelu", batch_first=True
        )
        if problem.causal:  # here is_causal only says what the mask is
            options["src_mask"] = torch.nn.Transformer.generate_square_subsequent_mask(size.T)
    else:
        model = TransformerBlock(size.C, size.H, size.F, 0.0, "gelu", fused=True)
    model.load_state_dict({name: torch.tensor(w) for name, w in problem.weights.items()})
    run = torch.compile(model) if form == "compiled" else model
    x = torch.tensor(problem.x, requires_grad=True)
    dout = torch.tensor(problem.dout)

    def step() -> Any:
        x.grad = None
        model.zero_grad()
        out = run(x, **options)
        out.backward(dout)
        return out

    def collect(out: Any) -> Arrays:
        gradients = {f"d{name}": p.grad.numpy() for name, p in model.named_parameters()}
        return {"out": out.detach().numpy(), "dx": x.grad.numpy(), **gradients}  # type: ignore[union-attr]

    return step, collect
