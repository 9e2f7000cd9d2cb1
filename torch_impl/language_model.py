"""A causal language model: it predicts each token from all tokens before it."""

from __future__ import annotations

import math

from torch import Tensor, nn
from torch_impl.block import TransformerBlock
from torch_impl.positional_encoding import POSITIONS


class TransformerLanguageModel(nn.Module):
    """Embed the tokens, add their positions, apply the blocks and the head.

    tokens (B, T) -> logits (B, T, V), where T is at most context. vocab_size is V. position is
    "sinusoidal" or "learned". With tie_weights the weight of the head is the embedding table
    itself. TransformerBlock explains the other options.
    Embeddings are scaled by sqrt(C), as in Vaswani et al. (2017), section 3.4, unless
    scale_embedding is off. The head has a bias if head_bias says so; None: if the layers have one.
    The embedding table and the weight of the head start with a standard deviation of 0.02, so the
    first loss is near ln(V).
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
        scale_embedding: bool = True,
        head_bias: bool | None = None,
    ) -> None:
        super().__init__()
        if position not in POSITIONS:
            raise ValueError(
                f"TransformerLanguageModel: position is {position!r}, expected one of "
                f"{', '.join(POSITIONS)}"
            )
        self.scale = math.sqrt(d_model) if scale_embedding else 1.0  # of the embeddings
        self.token_embedding = nn.Embedding(vocab_size, d_model)  # a vector for each token id
        self.position = POSITIONS[position](d_model, context)  # adds an encoding of each position
        self.dropout = nn.Dropout(dropout)  # before the first block
        self.blocks = nn.ModuleList(  # run one after the other
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
        norm = norm and norm_first  # a post-norm block has normalised its result already
        # It stands between the last block and the head.
        self.norm = nn.LayerNorm(d_model, layer_norm_eps, bias=bias) if norm else nn.Identity()
        head_bias = bias if head_bias is None else head_bias
        self.head = nn.Linear(d_model, vocab_size, bias=head_bias)  # makes the logits
        nn.init.normal_(self.token_embedding.weight, std=0.02)
        nn.init.normal_(self.head.weight, std=0.02)
        if self.head.bias is not None:
            nn.init.zeros_(self.head.bias)
        if tie_weights:
            self.head.weight = self.token_embedding.weight

    def forward(
        self,
        tokens: Tensor,
        mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool = True,
    ) -> Tensor:
        """Return the logits of the next token at every place. tokens (B, T) -> (B, T, V).

        If not told otherwise, a token sees itself and what is before it. The masks have the names
        of `torch.nn.TransformerEncoder`, and MultiheadSelfAttention explains them.
        """
        x = self.token_embedding(tokens) * self.scale  # (B, T, C)
        x = self.dropout(self.position(x))
        for block in self.blocks:
            x = block(x, mask, src_key_padding_mask, is_causal)
        logits: Tensor = self.head(self.norm(x))  # (B, T, V)
        return logits
