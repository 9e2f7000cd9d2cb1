"""What the command line can build: a language model by its options, in both engines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from crosscheck.forms import pack_attention
from crosscheck.masks import NEEDS_ARRAYS
from crosscheck.room import Blocks
from crosscheck.sides import NUMPY, TORCH
from crosscheck.weights import copy_weights


@dataclass(frozen=True)
class ModelOptions:
    """The options of a language model.

    Raises ValueError for a width that the heads cannot share, and for attention that cannot be
    packed.
    """

    layers: int = 2  # the number of blocks
    width: int = 64  # C, the number of channels
    heads: int = 4  # H, the attention heads of a block
    feed_forward: int = 256  # F, the hidden channels of the feed-forward network
    context: int = 32  # T, the most tokens that the model can see
    norm: str = "post"  # where layer norm stands, one of NORMS
    residual: bool = True  # whether there are residual connections
    mask: str = "causal"  # what attention may not see, one of MASKS
    attention: str = "written"  # the ops that it is made of, one of ATTENTIONS
    activation: str = "gelu"  # of the feed-forward network, one of the block's ACTIVATIONS
    position: str = "sinusoidal"  # the positional encoding: "sinusoidal" or "learned"
    bias: bool = True  # whether the layers have biases
    tie_weights: bool = False  # whether the head's weight is the embedding table

    def __post_init__(self) -> None:
        if self.width % self.heads:
            raise ValueError(
                f"width {self.width} is not divisible by heads {self.heads}: "
                "every head gets an equal share of the channels"
            )
        if self.attention == "packed" and self.mask in NEEDS_ARRAYS:
            raise ValueError(
                "--attention packed is an op that knows no mask but the causal one: with --mask "
                f"{self.mask} our engine would not run it; take --attention fused"
            )

    def multiply_adds(self, batch_size: int) -> int:
        """How much work the forward of a block is, without the scores of attention."""
        return 2 * batch_size * self.context * self.width * (2 * self.width + self.feed_forward)

    def blocks(self, batch_size: int, vocab_size: int) -> Blocks:
        """Return the sizes that decide how much memory the model needs."""
        return Blocks(
            layers=self.layers,
            width=self.width,
            feed_forward=self.feed_forward,
            heads=self.heads,
            tokens=self.context,
            batch=batch_size,
            vocabulary=vocab_size,
            tied=self.tie_weights,
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
            "fused": self.attention != "written",
        }

    def pack(self, model: Any) -> None:
        """Pack the attention of one of our models, if these options ask for it.

        PyTorch's side stays fused: that is what packed attention is made of.
        """
        if self.attention == "packed":
            pack_attention(model)


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
    options.pack(model)
    copy_weights(reference, model)
    return model, reference
