"""Layer normalisation: each token's channels are brought to mean 0 and variance 1.

The Transformer block runs it as it comes, twice.
"""

from __future__ import annotations

import numpy as np

from tinygrad_tf.autograd import differentiable
from tinygrad_tf.graph import Array, Backward, Gradients
from tinygrad_tf.machinery.inputs import takes
from tinygrad_tf.ops.sum_to import sum_to


@differentiable
@takes("f")
def layer_norm(
    x: Array, weight: Array | None = None, bias: Array | None = None, *, eps: float
) -> tuple[Array, Backward]:
    """Normalise each token. out = (x - mean) / sqrt(variance + eps) * weight + bias.

    x (..., C), weight (C,), bias (C,) -> out (..., C).   Mean and variance are over the last axis.
    The variance is the biased one (divided by C, not C - 1), and eps stands inside the root.

    Backward. weight and bias act on each channel by itself and are shared by all tokens, so their
    gradients are sums over the tokens:
        dbias = sum dout,   dweight = sum dout * x_hat,   dx_hat = dout * weight.
    Within one token x_hat[i] = centered[i] * inv_std, and x[j] reaches x_hat[i] in three ways:
    directly (i == j), through the mean, and through the variance.
    * variance = _mean(centered^2), so d inv_std / d centered[j] = -inv_std^3 * centered[j] / C.
      inv_std is a factor of every x_hat[i], so its gradient is sum_i dx_hat[i] * centered[i]:
        dcentered[j] = dx_hat[j] * inv_std
                       - (sum_i dx_hat[i] * centered[i]) * inv_std^3 * centered[j] / C
                     = inv_std * (dx_hat[j] - x_hat[j] * mean(dx_hat * x_hat)).
      The last line uses centered * inv_std = x_hat twice: with index i and with index j.
    * centered = x - mean(x), so dx = dcentered - mean(dcentered). Since mean(x_hat) is 0, this is
        dx = inv_std * (dx_hat - mean(dx_hat) - x_hat * mean(dx_hat * x_hat)).
    In pictures: dx_hat loses its part along the vector of ones and (up to eps) its part along
    x_hat. Moving x in these two directions shifts or stretches it, and x_hat stays the same.
    Fact: dx is orthogonal to ones, and orthogonal to x_hat up to a factor eps / (variance + eps).
    Source: Ba, Kiros, Hinton (2016), arXiv:1607.06450, section 3.
    Mirrors: torch.nn.functional.layer_norm.
    """
    _check_shapes(x, weight, bias)
    centered = x - _mean(x)                               # 1  (..., C)
    variance = _mean(centered * centered)                 # 2  (..., 1)
    inv_std = 1.0 / np.sqrt(variance + eps)               # 3  (..., 1)
    x_hat = centered * inv_std                            # 4  (..., C)
    scaled = x_hat if weight is None else x_hat * weight  # 5  (..., C)
    out = scaled if bias is None else scaled + bias       # 6  (..., C)

    def backward(dout: Array) -> Gradients:
        channels = dout.shape[-1:]                                             #    (C,)
        dbias = None if bias is None else sum_to(dout, channels)               # 6  scaled + bias
        dweight = None if weight is None else sum_to(dout * x_hat, channels)   # 5  x_hat * weight
        dx_hat = dout if weight is None else dout * weight                     # 5  x_hat * weight

        along_x_hat = _mean(dx_hat * x_hat)                            # 4  centered * inv_std
                                                                       # 3  1 / sqrt(variance + eps)
                                                                       # 2  mean(centered^2)
        along_ones = _mean(dx_hat)                                     # 1  x - mean(x)
        dx = inv_std * (dx_hat - along_ones - x_hat * along_x_hat)     # 4 to 1  the three ways
        return dx, dweight, dbias

    return out, backward


def _mean(array: Array) -> Array:
    """Return the mean over the channels, (..., C) -> (..., 1).

    The sum is in float64 and rounded once. So the mean of equal float32 numbers is that number, and
    their x_hat is 0; a float32 sum is off by more than all of the spread where a token has little.
    """
    average: Array = array.mean(axis=-1, keepdims=True, dtype=np.float64)
    return average.astype(array.dtype, copy=False)


def _check_shapes(x: Array, weight: Array | None, bias: Array | None) -> None:
    for name, array in (("weight", weight), ("bias", bias)):
        if array is not None and array.shape != x.shape[-1:]:
            raise ValueError(
                f"layer_norm: {name} has shape {array.shape}, expected {x.shape[-1:]}, "
                f"the last axis of x {x.shape}"
            )
