"""What the command line can build: a language model by its options, in both engines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from crosscheck.sides import NUMPY, TORCH
from crosscheck.weights import copy_weights

NORMS = ("post", "pre", "none")


@dataclass(frozen=True)
class ModelOptions:
    """The options of a language model.

    Raises ValueError for a width that the heads cannot share.
    """

    layers: int = 2  # the number of blocks
    width: int = 64  # C, the number of channels
    heads: int = 4  # H, the attention heads of a block
    feed_forward: int = 256  # F, the hidden channels of the feed-forward network
    context: int = 32  # T, the most tokens that the model can see
    norm: str = "post"  # where layer norm stands, one of NORMS
    residual: bool = True  # whether there are residual connections
    activation: str = "gelu"  # of the feed-forward network: "gelu" or "relu"
    position: str = "sinusoidal"  # the positional encoding: "sinusoidal" or "learned"
    bias: bool = True  # whether the layers have biases
    tie_weights: bool = False  # whether the head's weight is the embedding table

    def __post_init__(self) -> None:
        if self.width % self.heads:
            raise ValueError(
                f"width {self.width} is not divisible by heads {self.heads}: "
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
    """Return the language model in NumPy and in PyTorch, both with PyTorch's initial weights."""
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
        reference = TORCH.models.TransformerLanguageModel(**arguments)
    model = NUMPY.models.TransformerLanguageModel(**arguments)
    copy_weights(reference, model)
    return model, reference
