"""Files of a user's: blocks that are named on the command line."""

from __future__ import annotations

from pathlib import Path


def written(folder: Path, source: str, name: str = "block.py") -> Path:
    """Write a source file; return its path."""
    path = folder / name
    path.write_text(source, encoding="utf-8")
    return path


BLOCK = """
import torch
from torch import nn
from torch.nn import functional as F

size = 3

class Block(nn.Module):
    causal = True

    def __init__(self, d_model, nhead, d_ff):
        super().__init__()
        self.nhead = nhead
        self.norm1, self.norm2 = nn.LayerNorm(d_model), nn.LayerNorm(d_model)
        self.w_q, self.w_k = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)
        self.w_v, self.w_o = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)
        self.w_1, self.w_2 = nn.Linear(d_model, d_ff), nn.Linear(d_ff, d_model)

    def attend(self, x, hidden):
        B, T, C = x.shape
        K = C // self.nhead
        q, k, v = (
            w(x).view(B, T, self.nhead, K).transpose(1, 2) for w in (self.w_q, self.w_k, self.w_v)
        )
        scores = q @ k.transpose(-2, -1) * K**-0.5
        if hidden is not None:
            scores = scores.masked_fill(hidden, float("-inf"))
        return self.w_o((F.softmax(scores, -1) @ v).transpose(1, 2).reshape(B, T, C))

    def run(self, x, hidden):
        x = x + self.attend(self.norm1(x), hidden)
        return x + self.w_2(F.gelu(self.w_1(self.norm2(x))))

    def forward(self, x):
        T = x.shape[1]
        return self.run(x, torch.ones(T, T, dtype=torch.bool).triu(1))


class Masked(Block):
    def forward(self, x, mask=None):
        return self.run(x, None if mask is None else mask == 0)


class TokensFirst(Block):
    def forward(self, x):
        return self.run(x.transpose(0, 1), None).transpose(0, 1)


class NeedsMore(Block):
    def __init__(self, d_model, nhead, d_ff, window):
        super().__init__(d_model, nhead, d_ff)


class OnMeta(Block):
    def __init__(self, d_model, nhead, d_ff):
        super().__init__(d_model, nhead, d_ff)
        self.to("meta")


class HoldsNaN(Block):
    def __init__(self, d_model, nhead, d_ff):
        super().__init__(d_model, nhead, d_ff)
        with torch.no_grad():
            self.w_1.bias[0] = torch.nan

    def forward(self, x):
        return x + self.w_2.bias


def makes_nothing(d_model):
    pass


def makes_norm(d_model):
    return nn.LayerNorm(d_model)


norm = nn.LayerNorm(12)
"""

PAIR = """
import sys, threading, time
from dataclasses import dataclass
from typing import Any
import torch
from torch import nn
from torch.nn import functional as F

class Theirs(nn.Module):
    def __init__(self, d_model):
        super().__init__()
        self.up, self.down = nn.Linear(d_model, 9), nn.Linear(9, d_model)
        self.drop = nn.Dropout(0.5)

    def forward(self, x):
        return self.down(torch.tanh(self.up(x)))

class Mine(Theirs):
    def forward(self, x):
        # The next line is the one that a test exchanges.
        FORWARD

class Broken(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 1.0

    @staticmethod
    def backward(ctx, dout):
        raise KeyError('dx')

@dataclass
class Answer:
    hidden: Any
    out: Any
"""
