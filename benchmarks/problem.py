"""The task that every contender gets: one post-norm block, forward and backward."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Arrays = dict[str, Array]


@dataclass(frozen=True)
class Size:
    """B sequences of T tokens with C channels, H heads, feed-forward width F."""

    B: int
    T: int
    C: int
    H: int
    F: int


SIZES = {
    "seed": Size(2, 8, 64, 4, 256),
    "small": Size(12, 64, 128, 4, 512),
    "mid": Size(4, 256, 384, 6, 1536),
    "gpt2": Size(1, 1024, 768, 12, 3072),
}


@dataclass(frozen=True)
class Problem:
    """Weights by PyTorch's names, the input x (B, T, C), and dL/d(output), all float32."""

    size: Size
    causal: bool
    weights: Arrays
    x: Array
    dout: Array


def make_problem(size: Size, causal: bool, seed: int = 0) -> Problem:
    """Draw a problem; weights as at initialisation, but no bias zero and no norm weight one."""
    generator = np.random.default_rng(seed)
    C, F = size.C, size.F
    shapes = {
        "self_attn.in_proj_weight": (3 * C, C),
        "self_attn.in_proj_bias": (3 * C,),
        "self_attn.out_proj.weight": (C, C),
        "self_attn.out_proj.bias": (C,),
        "linear1.weight": (F, C),
        "linear1.bias": (F,),
        "linear2.weight": (C, F),
        "linear2.bias": (C,),
        "norm1.weight": (C,),
        "norm1.bias": (C,),
        "norm2.weight": (C,),
        "norm2.bias": (C,),
    }
    weights = {
        name: generator.standard_normal(shape) / np.sqrt(shape[-1]) + ("norm" in name)
        for name, shape in shapes.items()
    }
    x, dout = generator.standard_normal((2, size.B, size.T, C))
    return Problem(
        size, causal, {n: _single(w) for n, w in weights.items()}, _single(x), _single(dout)
    )


def _single(array: Array) -> Array:
    return array.astype(np.float32)
