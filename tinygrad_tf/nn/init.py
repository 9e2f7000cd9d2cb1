"""Initial values, written into a tensor in place, as in `torch.nn.init`.

Randomness comes from an explicit `numpy.random.Generator`; without one, each call draws from a
fresh generator seeded by the operating system. To start two models alike, seed one generator and
pass it, or copy the weights.
"""

from __future__ import annotations

import math

import numpy as np

from tinygrad_tf.graph import Array
from tinygrad_tf.tensor import Tensor

Generator = np.random.Generator | None


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator = None) -> Tensor:
    """Fill with draws from the uniform distribution on [a, b)."""
    return _fill(tensor, _or_fresh(generator).uniform(a, b, tensor.shape))


def normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator = None
) -> Tensor:
    """Fill with draws from the normal distribution."""
    return _fill(tensor, _or_fresh(generator).normal(mean, std, tensor.shape))


def constant_(tensor: Tensor, val: float) -> Tensor:
    """Fill with one value."""
    return _fill(tensor, np.asarray(val))


def zeros_(tensor: Tensor) -> Tensor:
    """Fill with zeros."""
    return constant_(tensor, 0.0)


def ones_(tensor: Tensor) -> Tensor:
    """Fill with ones."""
    return constant_(tensor, 1.0)


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Generator = None) -> Tensor:
    """Uniform, variance gain^2 * 2 / (fan_in + fan_out). Source: Glorot, Bengio (2010), eq. 16."""
    bound = math.sqrt(3.0) * xavier_std(tensor, gain)
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator = None) -> Tensor:
    """Normal, variance gain^2 * 2 / (fan_in + fan_out). Source: Glorot, Bengio (2010), eq. 12."""
    return normal_(tensor, 0.0, xavier_std(tensor, gain), generator)


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator = None,
) -> Tensor:
    """Uniform, variance gain^2 / fan. Source: He et al. (2015), arXiv:1502.01852, section 2.2."""
    bound = math.sqrt(3.0) * kaiming_std(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator = None,
) -> Tensor:
    """Normal, variance gain^2 / fan. Source: He et al. (2015), arXiv:1502.01852, section 2.2."""
    return normal_(tensor, 0.0, kaiming_std(tensor, a, mode, nonlinearity), generator)


def calculate_gain(nonlinearity: str, param: float = 0.01) -> float:
    """What keeps the variance through a nonlinearity; param is leaky ReLU's negative slope."""
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


def xavier_std(tensor: Tensor, gain: float = 1.0) -> float:
    """The standard deviation of Xavier's initialisation."""
    fan_in, fan_out = _fans(tensor)
    return gain * math.sqrt(2.0 / (fan_in + fan_out))


def kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    """The standard deviation of Kaiming's initialisation."""
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"kaiming: mode is {mode!r}, expected 'fan_in' or 'fan_out'")
    fan = _fans(tensor)[mode == "fan_out"]
    return calculate_gain(nonlinearity, a) / math.sqrt(max(fan, 1))  # no inputs: nothing to fill


def _fans(tensor: Tensor) -> tuple[int, int]:
    """How many inputs each output has, and how many outputs each input; weight (out, in)."""
    if tensor.ndim != 2:
        raise ValueError(f"init: expected a weight of shape (out, in), got {tensor.shape}")
    return tensor.shape[1], tensor.shape[0]


def _or_fresh(generator: Generator) -> np.random.Generator:
    return np.random.default_rng() if generator is None else generator


def _fill(tensor: Tensor, values: Array) -> Tensor:
    tensor.data[...] = values
    return tensor
