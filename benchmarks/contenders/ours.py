"""`tinygrad_tf`, with attention packed, fused or written out."""

from __future__ import annotations

from typing import Any

import tinygrad_tf
from benchmarks.contenders import Contender
from benchmarks.problem import Arrays, Problem
from tinygrad_tf.packed import pack_attention
from tinygrad_tf.transformer import TransformerBlock


def prepare(problem: Problem, form: str) -> Contender:
    """Our block. form: "packed", "fused" or "written out"."""
    size = problem.size
    block = TransformerBlock(size.C, size.H, size.F, 0.0, "gelu", fused=form != "written out")
    if form == "packed":
        pack_attention(block)
    block.load_state_dict(problem.weights)
    x = tinygrad_tf.Tensor(problem.x, requires_grad=True)
    dout = tinygrad_tf.Tensor(problem.dout)
    causal = problem.causal  # and not the problem, so that its weights can go

    def step() -> Any:
        x.grad = None
        block.zero_grad()
        out = block(x, is_causal=causal)
        out.backward(dout)
        return out

    def collect(out: Any) -> Arrays:
        gradients = {f"d{name}": p.grad.numpy() for name, p in block.named_parameters()}
        return {"out": out.detach().numpy(), "dx": x.grad.numpy(), **gradients}

    return step, collect
