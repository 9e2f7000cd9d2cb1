"""Initial weights: four common initialisations, drawn from a seed, under PyTorch's names."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from crosscheck.choices import INITIALISATIONS as NAMES
from crosscheck.draws import Stream, draws
from crosscheck.in_projection import is_stacked, split
from crosscheck.models import ModelOptions
from crosscheck.sides import NUMPY, Array
from crosscheck.weights import get_weights
from tinygrad_tf import nn
from tinygrad_tf.nn import init

GPT2_STD = 0.02
BRANCH_ENDS = ("out_proj.", "linear2.")  # the layers that end the two branches of a block

Generator = np.random.Generator


def draw_weights(
    initialisation: str, options: ModelOptions, depth: int, seed: int
) -> dict[str, Array]:
    """Return the weights of `depth` blocks in float64, under the names of `Stacks.load`.

    The same seed gives the same weights in every wiring, and a deeper stack begins with the blocks
    of a shallower one. gpt2 is the exception: its scale depends on the depth.
    """
    draw = INITIALISATIONS[initialisation]
    generator = draws(Stream.INITIAL, seed)
    arguments = options.block_arguments() | {"norm": True}
    block = NUMPY.models.TransformerBlock(**arguments).double()
    weights: dict[str, Array] = {}
    for layer in range(depth):
        draw(block, depth, generator)
        weights |= {f"{layer}.{name}": value for name, value in get_weights(block).items()}
    return weights


def pytorch_default(block: Any, depth: int, generator: Generator) -> None:
    """Draw what the layers of PyTorch start from: see `nn.Linear` and `nn.MultiheadAttention`.

    The in-projection is Xavier uniform over its (3C, C). The other weights and the biases of the
    feed-forward network are uniform within 1 / sqrt(in). The biases of attention are zero.
    """
    init.xavier_uniform_(block.self_attn.in_proj_weight, generator=generator)
    for linear in (block.self_attn.out_proj, block.linear1, block.linear2):
        linear.reset_parameters(generator)
    init.zeros_(block.self_attn.out_proj.bias)


def xavier(block: Any, depth: int, generator: Generator) -> None:
    """Draw normals with variance 2 / (in + out), for q, k and v one by one; biases are zero.

    Source: Glorot, Bengio (2010), eq. 12.
    """
    _each_matrix(block, lambda weight, _: init.xavier_normal_(weight, generator=generator))


def gpt2(block: Any, depth: int, generator: Generator) -> None:
    """Draw normals with standard deviation 0.02; biases are zero.

    At the end of a branch the deviation is divided by sqrt(2 depth): there are 2 * depth branches.
    Source: Radford et al. (2019), GPT-2, section 2.3.
    """

    def draw(weight: Any, name: str) -> None:
        scale = math.sqrt(2 * depth) if _ends_a_branch(name) else 1.0
        init.normal_(weight, std=GPT2_STD / scale, generator=generator)

    _each_matrix(block, draw)


def kaiming(block: Any, depth: int, generator: Generator) -> None:
    """Draw normals with variance gain^2 / in; biases are zero.

    gain^2 is 2 where the input is rectified, else 1. Only linear2 reads what a ReLU has halved, so
    the output of every layer is as large as its input.
    Source: He et al. (2015), arXiv:1502.01852, section 2.2.
    """

    def draw(weight: Any, name: str) -> None:
        rectified = "relu" if name.startswith("linear2") else "linear"
        init.kaiming_normal_(weight, nonlinearity=rectified, generator=generator)

    _each_matrix(block, draw)


INITIALISATIONS: dict[str, Callable[[Any, int, Generator], None]] = dict(
    zip(NAMES, (pytorch_default, xavier, gpt2, kaiming), strict=True)
)


def scale_branches(weights: dict[str, Array], factor: float) -> dict[str, Array]:
    """Return the weights of blocks whose branches all yield `factor` times as much.

    The last layer of a branch is linear, so it is the only one that changes.
    """
    return {name: w * factor if _ends_a_branch(name) else w for name, w in weights.items()}


def _ends_a_branch(name: str) -> bool:
    return any(layer in name for layer in BRANCH_ENDS)


def _each_matrix(block: Any, draw: Callable[[Any, str], Any]) -> None:
    """Draw every matrix, the parts of the in-projection one by one; biases become zero."""
    for name, parameter in block.named_parameters():
        if "norm" in name:
            continue
        if parameter.ndim < 2:
            init.zeros_(parameter)
            continue
        matrices = split(parameter.data).values() if is_stacked(name) else (parameter.data,)
        for matrix in matrices:
            draw(nn.Parameter(matrix), name)  # a view: what is drawn lands in the parameter
