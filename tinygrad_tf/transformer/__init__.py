"""The Transformer on our own engine: the same source as `torch_impl`, but for its imports."""

from tinygrad_tf.transformer.attention import MultiheadSelfAttention
from tinygrad_tf.transformer.block import TransformerBlock
from tinygrad_tf.transformer.language_model import TransformerLanguageModel
from tinygrad_tf.transformer.positional_encoding import (
    LearnedPositionalEncoding,
    SinusoidalPositionalEncoding,
)

__all__ = [
    "LearnedPositionalEncoding",
    "MultiheadSelfAttention",
    "SinusoidalPositionalEncoding",
    "TransformerBlock",
    "TransformerLanguageModel",
]
