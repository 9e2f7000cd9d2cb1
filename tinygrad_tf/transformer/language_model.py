"""A causal language model: from each token, and those before it, predict the next."""

from __future__ import annotations

import math

from tinygrad_tf import Tensor, nn
from tinygrad_tf.transformer.block import TransformerBlock
from tinygrad_tf.transformer.positional_encoding import POSITIONS


class TransformerLanguageModel(nn.Module):
    """Embedding, position, N blocks, a final norm for pre-norm, linear head.

    tokens (B, T) -> logits (B, T, V), T <= context. num_layers N; position "sinusoidal" or
    "learned"; tie_weights makes the head's weight the embedding table itself; the other options
    are the block's. Embeddings are scaled by sqrt(C), as in Vaswani et al. (2017), section 3.4,
    and, like the head, start from a standard deviation of 0.02: the first loss is near ln(V).
    """

    def __init__(
        self,
        vocab_size: int,
        context: int,
        d_model: int = 64,
        nhead: int = 4,
        num_layers: int = 2,
        dim_feedforward: int = 256,
        dropout: float = 0.0,
        activation: str = "gelu",
        layer_norm_eps: float = 1e-5,
        *,
        norm_first: bool = False,
        bias: bool = True,
        residual: bool = True,
        norm: bool = True,
        position: str = "sinusoidal",
        tie_weights: bool = False,
        fused: bool = False,
    ) -> None:
        super().__init__()
        if position not in POSITIONS:
            raise ValueError(
                f"TransformerLanguageModel: position is {position!r}, expected one of "
                f"{', '.join(POSITIONS)}"
            )
        self.scale = math.sqrt(d_model)
        self.token_embedding = nn.Embedding(vocab_size, d_model)
        self.position = POSITIONS[position](d_model, context)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(
            TransformerBlock(
                d_model,
                nhead,
                dim_feedforward,
                dropout,
                activation,
                layer_norm_eps,
                norm_first=norm_first,
                bias=bias,
                residual=residual,
                norm=norm,
                fused=fused,
            )
            for _ in range(num_layers)
        )
        norm = norm and norm_first
        self.norm = nn.LayerNorm(d_model, layer_norm_eps, bias=bias) if norm else nn.Identity()
        self.head = nn.Linear(d_model, vocab_size, bias=bias)
        nn.init.normal_(self.token_embedding.weight, std=0.02)
        nn.init.normal_(self.head.weight, std=0.02)
        if self.head.bias is not None:
            nn.init.zeros_(self.head.bias)
        if tie_weights:
            self.head.weight = self.token_embedding.weight

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits of the next token at every place. tokens (B, T) integers -> (B, T, V)."""
        x = self.token_embedding(tokens) * self.scale  # (B, T, C)
        x = self.dropout(self.position(x))
        for block in self.blocks:
            x = block(x, is_causal=True)
        logits: Tensor = self.head(self.norm(x))  # (B, T, V)
        return logits
