"""What the command line can build: a language model by its options, in both engines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import tinygrad_tf.transformer
import torch
import torch_impl
from crosscheck.weights import copy_weights

NORMS = ("post", "pre", "none")


@dataclass(frozen=True)
class ModelOptions:
    """A language model in numbers: N layers, C width, H heads, F feed_forward, T context.

    Raises ValueError, in the command line's words, for a width that the heads cannot share.
    """

    layers: int = 2
    width: int = 64
    heads: int = 4
    feed_forward: int = 256
    context: int = 32
    norm: str = "post"
    residual: bool = True
    activation: str = "gelu"
    position: str = "sinusoidal"
    bias: bool = True
    tie_weights: bool = False

    def __post_init__(self) -> None:
        if self.width % self.heads:
            raise ValueError(
                f"--width {self.width} is not divisible by --heads {self.heads}: "
                "every head gets an equal share of the channels"
            )

    def block_arguments(self) -> dict[str, Any]:
        """The options that make a block, under the names of its constructor."""
        return {
            "d_model": self.width,
            "nhead": self.heads,
            "dim_feedforward": self.feed_forward,
            "dropout": 0.0,
            "activation": self.activation,
            "norm_first": self.norm == "pre",
            "norm": self.norm != "none",
            "residual": self.residual,
            "bias": self.bias,
        }


def build_language_models(options: ModelOptions, vocab_size: int, seed: int) -> tuple[Any, Any]:
    """The language model in NumPy and in PyTorch, with PyTorch's seeded initial weights in both."""
    arguments = {
        **options.block_arguments(),
        "vocab_size": vocab_size,
        "context": options.context,
        "num_layers": options.layers,
        "position": options.position,
        "tie_weights": options.tie_weights,
    }
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        torch_model = torch_impl.TransformerLanguageModel(**arguments)
    numpy_model = tinygrad_tf.transformer.TransformerLanguageModel(**arguments)
    copy_weights(torch_model, numpy_model)
    return numpy_model, torch_model
