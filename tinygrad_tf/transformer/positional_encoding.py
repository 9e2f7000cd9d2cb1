"""Positional encodings. Attention sees a set of tokens, and these tell it their order."""

from __future__ import annotations

import math

from tinygrad_tf import Tensor, arange, cos, empty, exp, float64, nn, sin, stack


class SinusoidalPositionalEncoding(nn.Module):
    """Add fixed waves. x (B, T, C) -> (B, T, C), where C is d_model and T is at most max_len.

    Channels 2i and 2i + 1 of position t hold sin(w_i t) and cos(w_i t), where
    w_i = 10000^(-2i / C). Each pair is the hand of a clock. The first hand turns by one radian with
    each token, the last by about 1/10000 of a radian. Moving by k tokens turns every hand by the
    angle w_i k, wherever it stood. So encoding[t + k] is a rotation of encoding[t] that depends on
    k alone.
    Source: Vaswani et al. (2017), arXiv:1706.03762, section 3.5.
    """

    def __init__(self, d_model: int, max_len: int) -> None:
        super().__init__()
        rates = exp(arange(0, d_model, 2, dtype=float64) * (-math.log(10000.0) / d_model))
        angles = arange(max_len, dtype=float64).unsqueeze(1) * rates  # (max_len, C / 2)
        waves = stack((sin(angles), cos(angles)), dim=-1).flatten(-2)  # (max_len, C)
        # This is neither a parameter nor state. It is in float64, and is rounded when it is used.
        self.encoding = waves[:, :d_model]

    def forward(self, x: Tensor) -> Tensor:
        """Add the encoding of positions 0 to T - 1."""
        _check_length(x, self.encoding)
        return x + self.encoding[: x.shape[-2]].to(x)


class LearnedPositionalEncoding(nn.Module):
    """Add a trained vector for each position. x (B, T, C) -> (B, T, C), where T is at most max_len.

    The vectors start with a standard deviation of 0.02, as in GPT.
    Source: Radford et al. (2018), GPT, section 4.1.
    """

    def __init__(self, d_model: int, max_len: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(empty(max_len, d_model))
        nn.init.normal_(self.weight, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        """Add the vectors of positions 0 to T - 1."""
        _check_length(x, self.weight)
        return x + self.weight[: x.shape[-2]]


def _check_length(x: Tensor, encoding: Tensor) -> None:
    if x.shape[-2] > encoding.shape[0]:
        raise ValueError(
            f"positional encoding: x {tuple(x.shape)} has {x.shape[-2]} tokens, but there are "
            f"encodings for {encoding.shape[0]} only; raise the context (max_len)"
        )


POSITIONS = {"sinusoidal": SinusoidalPositionalEncoding, "learned": LearnedPositionalEncoding}
