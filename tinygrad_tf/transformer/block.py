"""The Transformer block: attention mixes tokens, and a feed-forward network mixes channels.

Each of the two has a residual connection and a layer norm, in one of two orders:

    post-norm (2017):  x = norm1(x + attention(x));   x = norm2(x + feed_forward(x))
    pre-norm (GPT-2):  x = x + attention(norm1(x));   x = x + feed_forward(norm2(x))

In pre-norm x itself is never normalised, so an identity path runs straight through any number of
blocks, and the gradient can go back along it. In post-norm every norm stands on that path.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from tinygrad_tf import Tensor, nn
from tinygrad_tf.nn import functional as F
from tinygrad_tf.transformer.attention import MultiheadSelfAttention

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "gelu": F.gelu,
    "gelu-tanh": partial(F.gelu, approximate="tanh"),
}


class TransformerBlock(nn.Module):
    """A block with the arguments and names of `torch.nn.TransformerEncoderLayer`, batch first.

    d_model is C, nhead is H and dim_feedforward is F. activation is "relu", "gelu", "gelu-tanh" or
    a function. Two more switches serve the study of gradients: residual=False removes both residual
    connections, and norm=False removes both layer norms. MultiheadSelfAttention explains fused.
    """

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str | Callable[[Tensor], Tensor] = "relu",
        layer_norm_eps: float = 1e-5,
        *,
        norm_first: bool = False,
        bias: bool = True,
        residual: bool = True,
        norm: bool = True,
        fused: bool = False,
    ) -> None:
        super().__init__()
        self.self_attn = MultiheadSelfAttention(d_model, nhead, dropout, bias, fused)  # over tokens
        self.linear1 = nn.Linear(d_model, dim_feedforward, bias=bias)  # the feed-forward network
        self.dropout = nn.Dropout(dropout)  # inside it, after the activation
        self.linear2 = nn.Linear(dim_feedforward, d_model, bias=bias)
        # Number 1 belongs to attention, and number 2 to the feed-forward network.
        self.norm1 = nn.LayerNorm(d_model, layer_norm_eps, bias=bias) if norm else nn.Identity()
        self.norm2 = nn.LayerNorm(d_model, layer_norm_eps, bias=bias) if norm else nn.Identity()
        self.dropout1 = nn.Dropout(dropout)  # before the result is added to x
        self.dropout2 = nn.Dropout(dropout)
        self.norm_first = norm_first  # pre-norm if True, post-norm if False
        self.residual = residual  # whether there are residual connections
        self.activation = _activation(activation)  # the function between the two linear layers

    def forward(
        self,
        src: Tensor,
        src_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool = False,
    ) -> Tensor:
        """Apply the block. (B, T, C) -> (B, T, C). MultiheadSelfAttention explains the masks."""
        masks = (src_mask, src_key_padding_mask, is_causal)
        x = src
        if self.norm_first:
            x = self._join(x, self.dropout1(self.self_attn(self.norm1(x), *masks)))
            x = self._join(x, self.dropout2(self._feed_forward(self.norm2(x))))
        else:
            x = self.norm1(self._join(x, self.dropout1(self.self_attn(x, *masks))))
            x = self.norm2(self._join(x, self.dropout2(self._feed_forward(x))))
        return x

    def _join(self, x: Tensor, branch: Tensor) -> Tensor:
        """Add the branch to x. Without residual connections, return the branch alone."""
        return x + branch if self.residual else branch

    def _feed_forward(self, x: Tensor) -> Tensor:
        """Apply two linear layers to each token by itself. (B, T, C) -> (B, T, F) -> (B, T, C)."""
        hidden = self.dropout(self.activation(self.linear1(x)))  # (B, T, F)
        out: Tensor = self.linear2(hidden)  # (B, T, C)
        return out


def _activation(activation: str | Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    if not isinstance(activation, str):
        return activation
    if activation not in ACTIVATIONS:
        raise ValueError(
            f"TransformerBlock: activation is {activation!r}, expected one of "
            f"{', '.join(ACTIVATIONS)}, or a function"
        )
    return ACTIVATIONS[activation]
