"""The Transformer on our own engine. The source differs from `torch_impl` only in imports."""

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
