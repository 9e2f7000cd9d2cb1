"""Functions that write initial values into a tensor, in place, as in `torch.nn.init`.

Randomness comes from an explicit `numpy.random.Generator`. Without one, each call draws from a
fresh generator, which the operating system seeds. To start two models alike, give each of them a
generator with the same seed, or copy the weights.
"""

from __future__ import annotations

import math

import numpy as np

from tinygrad_tf.graph import Array
from tinygrad_tf.machinery.naming import named
from tinygrad_tf.machinery.options import generator_or_new, number
from tinygrad_tf.tensor import Tensor

Generator = np.random.Generator | None


@named
def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator = None) -> Tensor:
    """Fill with draws from the uniform distribution on [a, b)."""
    return _fill_floats(tensor, generator_or_new(generator).uniform(a, b, tensor.shape))


@named
def normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator = None
) -> Tensor:
    """Fill with draws from the normal distribution. Raises ValueError if std is negative or NaN."""
    if not std >= 0:
        raise ValueError(f"normal_: std is {std}, expected a number from 0 on")
    return _fill_floats(tensor, generator_or_new(generator).normal(mean, std, tensor.shape))


@named
def constant_(tensor: Tensor, val: float) -> Tensor:
    """Fill with one value."""
    return _fill(tensor, number("val", val))


@named
def zeros_(tensor: Tensor) -> Tensor:
    """Fill with zeros."""
    return constant_(tensor, 0.0)


@named
def ones_(tensor: Tensor) -> Tensor:
    """Fill with ones."""
    return constant_(tensor, 1.0)


@named
def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Generator = None) -> Tensor:
    """Fill with uniform draws of variance gain^2 * 2 / (fan_in + fan_out).

    Source: Glorot, Bengio (2010), equation 16.
    """
    bound = math.sqrt(3.0) * xavier_std(tensor, gain)
    return uniform_(tensor, -bound, bound, generator)


@named
def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator = None) -> Tensor:
    """Fill with normal draws of variance gain^2 * 2 / (fan_in + fan_out).

    Source: Glorot, Bengio (2010), equation 12.
    """
    return normal_(tensor, 0.0, xavier_std(tensor, gain), generator)


@named
def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator = None,
) -> Tensor:
    """Fill with uniform draws of variance gain^2 / fan.

    gain is calculate_gain(nonlinearity, a), and mode says which fan: "fan_in" or "fan_out".
    Source: He et al. (2015), arXiv:1502.01852, section 2.2.
    """
    bound = math.sqrt(3.0) * kaiming_std(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


@named
def kaiming_normal_(
    tensor: Tensor,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator = None,
) -> Tensor:
    """Fill with normal draws of variance gain^2 / fan.

    gain is calculate_gain(nonlinearity, a), and mode says which fan: "fan_in" or "fan_out".
    Source: He et al. (2015), arXiv:1502.01852, section 2.2.
    """
    return normal_(tensor, 0.0, kaiming_std(tensor, a, mode, nonlinearity), generator)


@named
def calculate_gain(nonlinearity: str, param: float = 0.01) -> float:
    """Return PyTorch's gain for a nonlinearity. param is the negative slope of leaky ReLU."""
    gains = {
        "linear": 1.0,
        "sigmoid": 1.0,
        "tanh": 5.0 / 3.0,
        "relu": math.sqrt(2.0),
        "leaky_relu": math.sqrt(2.0 / (1.0 + param**2)),
    }
    if nonlinearity not in gains:
        raise ValueError(
            f"calculate_gain: unknown nonlinearity {nonlinearity!r}; known: {', '.join(gains)}"
        )
    return gains[nonlinearity]


@named
def xavier_std(tensor: Tensor, gain: float = 1.0) -> float:
    """Return the standard deviation of Xavier's initialisation."""
    fan_in, fan_out = _fans(tensor)
    return gain * math.sqrt(2.0 / (fan_in + fan_out))


@named
def kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    """Return the standard deviation of Kaiming's initialisation."""
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"kaiming: mode is {mode!r}, expected 'fan_in' or 'fan_out'")
    fan = _fans(tensor)[mode == "fan_out"]
    return calculate_gain(nonlinearity, a) / math.sqrt(max(fan, 1))  # fan 0 means no entries


def _fans(tensor: Tensor) -> tuple[int, int]:
    """Return fan_in and fan_out: the inputs of each output, and the outputs of each input."""
    if tensor.ndim != 2:
        raise ValueError(f"init: expected a weight of shape (out, in), got {tensor.shape}")
    return tensor.shape[1], tensor.shape[0]


def _fill_floats(tensor: Tensor, values: Array) -> Tensor:
    if not tensor.is_floating_point():
        raise TypeError(f"expected a tensor of floats, got {tensor.dtype}")
    return _fill(tensor, values)


def _fill(tensor: Tensor, values: Array) -> Tensor:
    tensor.data[...] = values
    return tensor
