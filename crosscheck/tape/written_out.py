"""PyTorch's own layer, which computes its attention in one call, written out in single ops."""

from __future__ import annotations

from typing import Any

import torch
import torch_impl
from crosscheck.brought.adapted import adapted_like


def written_out(reference: Any) -> Any:
    """Return a layer of PyTorch's own as the same block in single ops; anything else as it is."""
    if not isinstance(reference, torch.nn.TransformerEncoderLayer):
        return reference
    attention = reference.self_attn
    if not attention.batch_first:
        return reference  # our block has no such form
    with torch.random.fork_rng(devices=[]):  # its initial values are replaced
        block = torch_impl.TransformerBlock(
            attention.embed_dim, attention.num_heads, reference.linear1.out_features, 0.0,
            reference.activation, reference.norm1.eps,
            norm_first=reference.norm_first, bias=reference.linear1.bias is not None,
        )  # fmt: skip
    block.load_state_dict(reference.state_dict())
    return adapted_like(reference, block.to(next(reference.parameters()).dtype))
