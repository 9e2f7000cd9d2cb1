"""The limit: nothing but the matrix products of the block, by NumPy. It learns nothing."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.contenders import Contender
from benchmarks.problem import Arrays, Problem

CACHE = 1 << 18  # entries of scores that are made at once


def prepare(problem: Problem) -> Contender:
    """Three products for each of the four linear layers, six for each head."""
    if problem.causal:
        raise ValueError("how many products a causal mask saves is each engine's own affair")
    size = problem.size
    rows, heads = size.B * size.T, size.B * size.H
    widths = [(size.C, 3 * size.C), (size.C, size.C), (size.C, size.F), (size.F, size.C)]
    layers = [_linear(rows, inputs, outputs) for inputs, outputs in widths]
    together = min(heads, max(1, CACHE // size.T**2))
    tall, square = (together, size.T, size.C // size.H), (together, size.T, size.T)
    # q and k are two arrays: NumPy sees that x @ x.T is symmetric, and takes a slower road.
    q, k, context = (_drawn(*tall) for _ in range(3))
    scores, new_scores = (_drawn(*square) for _ in range(2))

    def step() -> Any:
        for x, weight, dout, out, dweight, dx in layers:
            np.matmul(x, weight.T, out)
            np.matmul(dout.T, x, dweight)
            np.matmul(dout, weight, dx)
        for _ in range(heads // together):
            for _ in range(2):  # scores, dprobs
                np.matmul(q, k.swapaxes(1, 2), new_scores)
            for _ in range(4):  # context, dq, dk, dv
                np.matmul(scores, q, context)

    def collect(_: Any) -> Arrays:
        return {}

    return step, collect


def _linear(rows: int, inputs: int, outputs: int) -> tuple[Any, ...]:
    """x, weight, dout, and where the results go: out, dweight, dx."""
    shapes = [(rows, inputs), (outputs, inputs), (rows, outputs)]
    x, weight, dout = (_drawn(*shape) for shape in shapes)
    return x, weight, dout, np.empty_like(dout), np.empty_like(weight), np.empty_like(x)


def _drawn(*shape: int) -> Any:
    return np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
