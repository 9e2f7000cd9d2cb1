"""Initial weights: four common initialisations, drawn from a seed, by PyTorch's names."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

import tinygrad_tf.transformer
from crosscheck.engines import Array
from crosscheck.models import ModelOptions
from crosscheck.weights import get_weights
from tinygrad_tf import nn
from tinygrad_tf.nn import init

GPT2_STD = 0.02
ON_THE_WAY_BACK_IN = ("out_proj.weight", "linear2.weight")  # the last weights of the two branches

Generator = np.random.Generator


def draw_weights(
    initialisation: str, options: ModelOptions, depth: int, seed: int
) -> dict[str, Array]:
    """The weights of `depth` blocks in float64, from a seed; names as in `Stacks.load`.

    The same seed gives the same weights in every wiring, and a deeper stack begins with the blocks
    of a shallower one (but for gpt2, whose scale knows the depth).
    """
    draw = INITIALISATIONS[initialisation]
    generator = np.random.default_rng((seed, 0))
    arguments = options.block_arguments() | {"norm": True}
    block = tinygrad_tf.transformer.TransformerBlock(**arguments).double()
    weights: dict[str, Array] = {}
    for layer in range(depth):
        draw(block, depth, generator)
        weights |= {f"{layer}.{name}": value for name, value in get_weights(block).items()}
    return weights


def pytorch_default(block: Any, depth: int, generator: Generator) -> None:
    """What the layers of PyTorch start from: see `nn.Linear` and `nn.MultiheadAttention`.

    In-projection Xavier uniform over its (3C, C), other weights and the biases of the feed-forward
    network uniform within 1 / sqrt(in), biases of attention zero.
    """
    init.xavier_uniform_(block.self_attn.in_proj_weight, generator=generator)
    for linear in (block.self_attn.out_proj, block.linear1, block.linear2):
        linear.reset_parameters(generator)
    init.zeros_(block.self_attn.out_proj.bias)


def xavier(block: Any, depth: int, generator: Generator) -> None:
    """Normal with variance 2 / (in + out), q, k and v each for itself; biases zero.

    Source: Glorot, Bengio (2010), eq. 12.
    """
    _each_matrix(block, lambda weight, _: init.xavier_normal_(weight, generator=generator))


def gpt2(block: Any, depth: int, generator: Generator) -> None:
    """Normal, standard deviation 0.02; at the end of a branch over sqrt(2 depth); biases zero.

    There are 2 * depth branches. Source: Radford et al. (2019), GPT-2, section 2.3.
    """

    def draw(weight: Any, name: str) -> None:
        scale = math.sqrt(2 * depth) if name.endswith(ON_THE_WAY_BACK_IN) else 1.0
        init.normal_(weight, std=GPT2_STD / scale, generator=generator)

    _each_matrix(block, draw)


def kaiming(block: Any, depth: int, generator: Generator) -> None:
    """Normal with variance gain^2 / in: gain^2 is 2 where the input is rectified, else 1; biases 0.

    Only linear2 reads what a ReLU has halved, so every layer keeps the size of what it is given.
    Source: He et al. (2015), arXiv:1502.01852, section 2.2.
    """

    def draw(weight: Any, name: str) -> None:
        rectified = "relu" if name.startswith("linear2") else "linear"
        init.kaiming_normal_(weight, nonlinearity=rectified, generator=generator)

    _each_matrix(block, draw)


INITIALISATIONS: dict[str, Callable[[Any, int, Generator], None]] = {
    "default": pytorch_default,
    "xavier": xavier,
    "gpt2": gpt2,
    "kaiming": kaiming,
}


def scale_branches(weights: dict[str, Array], factor: float) -> dict[str, Array]:
    """The weights with the output of every branch times `factor`: what ends a branch is linear."""
    ends = tuple(f"{end.removesuffix('weight')}" for end in ON_THE_WAY_BACK_IN)
    return {n: w * factor if any(end in n for end in ends) else w for n, w in weights.items()}


def _each_matrix(block: Any, draw: Callable[[Any, str], Any]) -> None:
    """Draw every matrix, the thirds of the in-projection one by one; biases are zero."""
    for name, parameter in block.named_parameters():
        if "norm" in name:
            continue
        if parameter.ndim < 2:
            init.zeros_(parameter)
            continue
        thirds = 3 if name.endswith("in_proj_weight") else 1
        for part in np.split(parameter.data, thirds):
            draw(nn.Parameter(part), name)  # a view: what is drawn lands in the parameter
