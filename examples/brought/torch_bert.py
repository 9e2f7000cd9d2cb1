"""A layer of BERT: post-norm, with a linear layer each for queries, keys and values."""

import math

import torch
from torch import nn


class BertSelfAttention(nn.Module):
    """Multi-head attention without its last projection."""

    def __init__(self, hidden_size, num_attention_heads, dropout=0.0):
        super().__init__()
        if hidden_size % num_attention_heads != 0:
            raise ValueError("hidden_size is not a multiple of num_attention_heads")
        self.num_attention_heads = num_attention_heads
        self.attention_head_size = hidden_size // num_attention_heads
        self.query = nn.Linear(hidden_size, hidden_size)
        self.key = nn.Linear(hidden_size, hidden_size)
        self.value = nn.Linear(hidden_size, hidden_size)
        self.dropout = nn.Dropout(dropout)

    def transpose_for_scores(self, x):
        """Split into heads. (B, T, C) -> (B, H, T, K)."""
        shape = (*x.size()[:-1], self.num_attention_heads, self.attention_head_size)
        x = x.view(shape)
        return x.permute(0, 2, 1, 3)

    def forward(self, hidden_states, attention_mask=None):
        """Attend. hidden_states (B, T, C), attention_mask (B, 1, 1, S) of 0 and 1 -> (B, T, C)."""
        mixed_query = self.query(hidden_states)
        mixed_key = self.key(hidden_states)
        mixed_value = self.value(hidden_states)
        query_layer = self.transpose_for_scores(mixed_query)
        key_layer = self.transpose_for_scores(mixed_key)
        value_layer = self.transpose_for_scores(mixed_value)

        attention_scores = torch.matmul(query_layer, key_layer.transpose(-1, -2))
        attention_scores = attention_scores / math.sqrt(self.attention_head_size)
        if attention_mask is not None:
            attention_scores = attention_scores + (1.0 - attention_mask) * -1e9
        attention_probs = nn.Softmax(dim=-1)(attention_scores)
        attention_probs = self.dropout(attention_probs)

        context_layer = torch.matmul(attention_probs, value_layer)
        context_layer = context_layer.permute(0, 2, 1, 3).contiguous()
        return context_layer.view(*context_layer.size()[:-2], -1)


class BertSelfOutput(nn.Module):
    """The last projection of attention, the residual connection and the layer norm."""

    def __init__(self, hidden_size, dropout=0.0, layer_norm_eps=1e-5):
        super().__init__()
        self.dense = nn.Linear(hidden_size, hidden_size)
        self.LayerNorm = nn.LayerNorm(hidden_size, eps=layer_norm_eps)
        self.dropout = nn.Dropout(dropout)

    def forward(self, hidden_states, input_tensor):
        """Join what attention made with what it was given. Both (B, T, C) -> (B, T, C)."""
        hidden_states = self.dense(hidden_states)
        hidden_states = self.dropout(hidden_states)
        return self.LayerNorm(hidden_states + input_tensor)


class BertIntermediate(nn.Module):
    """The first half of the feed-forward network."""

    def __init__(self, hidden_size, intermediate_size):
        super().__init__()
        self.dense = nn.Linear(hidden_size, intermediate_size)

    def forward(self, hidden_states):
        """Widen. (B, T, C) -> (B, T, F)."""
        hidden_states = self.dense(hidden_states)
        return hidden_states * 0.5 * (1.0 + torch.erf(hidden_states / math.sqrt(2.0)))


class BertOutput(nn.Module):
    """The second half of the feed-forward network, the residual connection and the layer norm."""

    def __init__(self, hidden_size, intermediate_size, dropout=0.0, layer_norm_eps=1e-5):
        super().__init__()
        self.dense = nn.Linear(intermediate_size, hidden_size)
        self.LayerNorm = nn.LayerNorm(hidden_size, eps=layer_norm_eps)
        self.dropout = nn.Dropout(dropout)

    def forward(self, hidden_states, input_tensor):
        """Narrow and join. (B, T, F), (B, T, C) -> (B, T, C)."""
        hidden_states = self.dense(hidden_states)
        hidden_states = self.dropout(hidden_states)
        return self.LayerNorm(hidden_states + input_tensor)


class BertLayer(nn.Module):
    """Attention, then the feed-forward network."""

    def __init__(self, hidden_size, num_attention_heads, intermediate_size, dropout=0.0):
        super().__init__()
        self.self = BertSelfAttention(hidden_size, num_attention_heads, dropout)
        self.attention_output = BertSelfOutput(hidden_size, dropout)
        self.intermediate = BertIntermediate(hidden_size, intermediate_size)
        self.output = BertOutput(hidden_size, intermediate_size, dropout)

    def forward(self, hidden_states, attention_mask=None):
        """Apply the layer. (B, T, C) -> (B, T, C)."""
        self_output = self.self(hidden_states, attention_mask)
        attention_output = self.attention_output(self_output, hidden_states)
        intermediate_output = self.intermediate(attention_output)
        layer_output = self.output(intermediate_output, attention_output)
        return layer_output
