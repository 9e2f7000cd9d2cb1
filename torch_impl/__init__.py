"""The Transformer in PyTorch: the same source as `tinygrad_tf.transformer`, but for its imports."""

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
