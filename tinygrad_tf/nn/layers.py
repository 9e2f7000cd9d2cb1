"""The layers: each holds the parameters of one functional op."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tinygrad_tf.nn import functional as F
from tinygrad_tf.nn import init
from tinygrad_tf.nn.module import Module, Parameter
from tinygrad_tf.tensor import Tensor, empty


class Identity(Module):
    """Nothing at all: stands where a layer has been switched off."""

    def forward(self, input: Tensor) -> Tensor:
        """Return the input. (...) -> (...)."""
        return input


class Linear(Module):
    """out = input @ weight.T + bias. (..., in_features) -> (..., out_features)."""

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.weight = Parameter(empty(out_features, in_features))
        self.bias = Parameter(empty(out_features)) if bias else None
        self.reset_parameters()

    def reset_parameters(self, generator: np.random.Generator | None = None) -> None:
        """PyTorch's default: weight and bias uniform within 1 / sqrt(in_features)."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5), generator=generator)
        if self.bias is not None:
            bound = 1 / math.sqrt(self.in_features) if self.in_features > 0 else 0.0
            init.uniform_(self.bias, -bound, bound, generator)

    def forward(self, input: Tensor) -> Tensor:
        """Apply the layer. (..., in_features) -> (..., out_features)."""
        return F.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        """Sizes, and whether there is a bias."""
        has_bias = self.bias is not None
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={has_bias}"


class LayerNorm(Module):
    """Mean 0 and variance 1 over the last axes, then a learned scale and shift."""

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
    ) -> None:
        super().__init__()
        sizes = (normalized_shape,) if isinstance(normalized_shape, int) else normalized_shape
        self.normalized_shape = tuple(sizes)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        self.weight = Parameter(empty(*self.normalized_shape)) if elementwise_affine else None
        has_bias = elementwise_affine and bias
        self.bias = Parameter(empty(*self.normalized_shape)) if has_bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Start as the plain normalisation: weight 1, bias 0."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        """Apply the layer. (..., *normalized_shape) -> the same shape."""
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """The normalised shape and the options."""
        affine = f"elementwise_affine={self.elementwise_affine}, bias={self.bias is not None}"
        return f"{self.normalized_shape}, eps={self.eps}, {affine}"


class Embedding(Module):
    """A table of vectors: token ids (...) -> (..., embedding_dim)."""

    def __init__(self, num_embeddings: int, embedding_dim: int) -> None:
        super().__init__()
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.weight = Parameter(empty(num_embeddings, embedding_dim))
        self.reset_parameters()

    def reset_parameters(self, generator: np.random.Generator | None = None) -> None:
        """PyTorch's default: standard normal."""
        init.normal_(self.weight, generator=generator)

    def forward(self, input: Tensor) -> Tensor:
        """Look the ids up. (...) -> (..., embedding_dim)."""
        return F.embedding(input, self.weight)

    def extra_repr(self) -> str:
        """The table's size."""
        return f"{self.num_embeddings}, {self.embedding_dim}"


class Dropout(Module):
    """Zero entries with probability p in training mode, and scale up the others.

    generator: where the randomness comes from; None draws a fresh one for this layer.
    """

    def __init__(self, p: float = 0.5, generator: np.random.Generator | None = None) -> None:
        super().__init__()
        if not 0.0 <= p <= 1.0:
            raise ValueError(f"Dropout: p is {p}, expected a probability between 0 and 1")
        self.p = p
        self.generator = np.random.default_rng() if generator is None else generator

    def forward(self, input: Tensor) -> Tensor:
        """Apply the layer. (...) -> (...)."""
        return F.dropout(input, self.p, self.training, self.generator)

    def extra_repr(self) -> str:
        """The probability; never in place."""
        return f"p={self.p}, inplace=False"


class GELU(Module):
    """The exact GELU, or with approximate="tanh" the one of GPT-2."""

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = approximate

    def forward(self, input: Tensor) -> Tensor:
        """Apply it to each entry. (...) -> (...)."""
        return F.gelu(input, self.approximate)

    def extra_repr(self) -> str:
        """Which form."""
        return f"approximate={self.approximate!r}"


class ReLU(Module):
    """max(input, 0)."""

    def forward(self, input: Tensor) -> Tensor:
        """Apply it to each entry. (...) -> (...)."""
        return F.relu(input)
