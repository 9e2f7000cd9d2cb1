"""The Transformer in PyTorch. The source differs from `tinygrad_tf.transformer` only in imports."""

from torch_impl.attention import MultiheadSelfAttention
from torch_impl.block import TransformerBlock
from torch_impl.language_model import TransformerLanguageModel
from torch_impl.positional_encoding import LearnedPositionalEncoding, SinusoidalPositionalEncoding

__all__ = [
    "LearnedPositionalEncoding",
    "MultiheadSelfAttention",
    "SinusoidalPositionalEncoding",
    "TransformerBlock",
    "TransformerLanguageModel",
]
