"""GELU: each value times the probability that a standard normal draw lies below it.

The Transformer block runs `gelu` as it comes in the language model, with activation="gelu". With
activation="gelu-tanh" it runs `gelu_tanh`.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import erf

from tinygrad_tf.autograd import differentiable
from tinygrad_tf.graph import Array, Backward, Gradients

FLAT = 20.0  # from here on tanh(inner) is 1, in both precisions, and the cube of x may overflow


@differentiable
def gelu(x: Array) -> tuple[Array, Backward]:
    """Compute the exact GELU. out = x * cdf(x), cdf(x) = (1 + erf(x / sqrt(2))) / 2.

    x (...) -> out (...).   This is PyTorch's default; GPT-2 uses the tanh form below.

    Backward. out is a product, so there are two terms. The slope of the cdf is the normal density:
        d out / d x = cdf(x) + x * pdf(x),   pdf(x) = exp(-x^2 / 2) / sqrt(2 pi).
    The second term makes the slope negative for x < -0.7518: GELU has its minimum there.
    Fact: cdf(x) + cdf(-x) = 1 and x * pdf(x) is odd, so the slopes at x and -x sum to 1.
    Source: Hendrycks, Gimpel (2016), arXiv:1606.08415, section 2.
    Mirrors: torch.nn.functional.gelu(approximate="none").
    """
    cdf = 0.5 * (1.0 + erf(x / math.sqrt(2.0)))                      # 1  (...)
    out = x * cdf                                                    # 2  (...)

    def backward(dout: Array) -> Gradients:
        pdf = np.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi)        # 1  slope of the cdf
        dx = dout * (cdf + x * pdf)                                  # 2, 1
        return (dx,)

    return out, backward


@differentiable
def gelu_tanh(x: Array) -> tuple[Array, Backward]:
    """GELU by tanh. out = x / 2 * (1 + tanh(inner)), inner = sqrt(2 / pi) * (x + 0.044715 x^3).

    x (...) -> out (...).   It differs from the exact form by up to 4.7e-4.

    Backward. The product rule, the slope 1 - tanh^2 of tanh, and the slope of the cubic give
        d out / d x = (1 + t) / 2 + x / 2 * (1 - t^2) * sqrt(2 / pi) * (1 + 3 * 0.044715 x^2),
    with t = tanh(inner).
    Fact: t is odd in x, so the slopes at x and -x sum to 1, as in the exact form.
    Source: Hendrycks, Gimpel (2016), arXiv:1606.08415, section 2.
    Mirrors: torch.nn.functional.gelu(approximate="tanh").
    """
    root = math.sqrt(2.0 / math.pi)
    near = np.clip(x, -FLAT, FLAT)                                   #    beyond, tanh is 1 or -1
    inner = root * (near + 0.044715 * near * near * near)            # 1  (...)
    t = np.tanh(inner)                                               # 2  (...)
    out = 0.5 * x * (1.0 + t)                                        # 3  (...)

    def backward(dout: Array) -> Gradients:
        dinner = dout * (0.5 * x * (1.0 - t * t))                    # 3, 2
        dx = dout * 0.5 * (1.0 + t)                                  # 3  the factor x itself
        dx = dx + dinner * root * (1.0 + 3 * 0.044715 * near * near) # 1
        return (dx,)

    return out, backward
