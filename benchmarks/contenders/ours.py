"""`tinygrad_tf`, with attention packed, fused or written out."""

from __future__ import annotations

from typing import Any

import numpy as np

import tinygrad_tf
from benchmarks.contenders import Contender
from benchmarks.problem import Arrays, Problem
from tinygrad_tf import fast
from tinygrad_tf.fast import threads
from tinygrad_tf.transformer import TransformerBlock


def prepare(problem: Problem, form: str) -> Contender:
    """Our block. form: "as it comes", or with `fast` on: "packed", "fused" or "written out"."""
    if form != "as it comes":
        fast.on()
    size = problem.size
    block = TransformerBlock(size.C, size.H, size.F, 0.0, "gelu", fused=form in ("fused", "packed"))
    if form == "packed":
        fast.pack_attention(block)
    block.load_state_dict(problem.weights)
    # Of several sequences each thread takes its share, and goes both ways; one the kernels share.
    pieces = min(threads.NUMBER, size.B)
    xs = [tinygrad_tf.Tensor(x, requires_grad=True) for x in np.array_split(problem.x, pieces)]
    douts = [tinygrad_tf.Tensor(dout) for dout in np.array_split(problem.dout, pieces)]
    causal = problem.causal  # and not the problem, so that its weights can go

    def piece(x: tinygrad_tf.Tensor, dout: tinygrad_tf.Tensor) -> tinygrad_tf.Tensor:
        x.grad = None
        out = block(x, is_causal=causal)
        out.backward(dout)
        return out

    def step() -> Any:
        block.zero_grad()
        return threads.each(piece, xs, douts)

    def collect(outs: Any) -> Arrays:
        gradients = {f"d{name}": p.grad.numpy() for name, p in block.named_parameters()}
        out = np.concatenate([out.detach().numpy() for out in outs])
        return {"out": out, "dx": np.concatenate([x.grad.numpy() for x in xs]), **gradients}

    return step, collect
