"""The layers. Each holds the parameters and options of one function in `nn.functional`."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tinygrad_tf.creation import empty
from tinygrad_tf.machinery.naming import named
from tinygrad_tf.machinery.options import generator_or_new, true_or_false
from tinygrad_tf.nn import functional as F
from tinygrad_tf.nn import init
from tinygrad_tf.nn.module import Module, Parameter
from tinygrad_tf.ops.dropout import check_probability
from tinygrad_tf.tensor import Tensor


class Identity(Module):
    """A layer that does nothing. It stands where another layer has been switched off."""

    def forward(self, input: Tensor) -> Tensor:
        """Return the input itself. (...) -> (...)."""
        return input


class Linear(Module):
    """out = input @ weight.T + bias. (..., in_features) -> (..., out_features)."""

    bias: Parameter | None

    @named
    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.weight = Parameter(empty(out_features, in_features))
        self.register_parameter("bias", Parameter(empty(out_features)) if bias else None)
        self.reset_parameters()

    @named
    def reset_parameters(self, generator: np.random.Generator | None = None) -> None:
        """Draw weight and bias uniformly within +- 1 / sqrt(in_features), as PyTorch does."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5), generator=generator)  # has that bound
        if self.bias is not None:
            bound = 1 / math.sqrt(self.in_features) if self.in_features > 0 else 0.0
            init.uniform_(self.bias, -bound, bound, generator)

    def forward(self, input: Tensor) -> Tensor:
        """Apply the layer. (..., in_features) -> (..., out_features)."""
        return F.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        """Return the sizes, and whether there is a bias."""
        has_bias = self.bias is not None
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={has_bias}"


class LayerNorm(Module):
    """Normalise the last axes to mean 0 and variance 1, then apply a learned scale and shift."""

    weight: Parameter | None  # the scale: a number for each entry of the normalised axes
    bias: Parameter | None  # the shift, in the same shape

    @named
    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
    ) -> None:
        super().__init__()
        sizes = (normalized_shape,) if isinstance(normalized_shape, int) else normalized_shape
        self.normalized_shape = tuple(sizes)  # of the axes that are normalised together
        self.eps = eps  # added to the variance, inside the root
        self.elementwise_affine = elementwise_affine  # whether there is a learned scale
        for name, is_there in (("weight", True), ("bias", bias)):
            has_it = elementwise_affine and is_there
            self.register_parameter(name, Parameter(empty(*sizes)) if has_it else None)
        self.reset_parameters()

    @named
    def reset_parameters(self) -> None:
        """Set the weight to 1 and the bias to 0, so that the layer only normalises."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        """Apply the layer. (..., *normalized_shape) -> the same shape."""
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """Return the normalised shape and the options."""
        affine = f"elementwise_affine={self.elementwise_affine}, bias={self.bias is not None}"
        return f"{self.normalized_shape}, eps={self.eps}, {affine}"


class Embedding(Module):
    """A table with one vector for each token id. ids (...) -> vectors (..., embedding_dim)."""

    @named
    def __init__(self, num_embeddings: int, embedding_dim: int) -> None:
        super().__init__()
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.weight = Parameter(empty(num_embeddings, embedding_dim))  # the table: row i for id i
        self.reset_parameters()

    @named
    def reset_parameters(self, generator: np.random.Generator | None = None) -> None:
        """Draw the table from the standard normal distribution, as PyTorch does."""
        init.normal_(self.weight, generator=generator)

    def forward(self, input: Tensor) -> Tensor:
        """Return the vectors of the ids. (...) -> (..., embedding_dim)."""
        return F.embedding(input, self.weight)

    def extra_repr(self) -> str:
        """Return the sizes of the table."""
        return f"{self.num_embeddings}, {self.embedding_dim}"


class Dropout(Module):
    """In training mode, zero entries with probability p and scale up the others."""

    @named
    def __init__(
        self,
        p: float = 0.5,
        inplace: bool = False,
        *,
        generator: np.random.Generator | None = None,
    ) -> None:
        super().__init__()
        if true_or_false("inplace", inplace):
            raise ValueError("Dropout: inplace=True is not supported")
        check_probability("Dropout", p)
        self.p = p  # the probability that an entry is zeroed
        # The source of randomness: the caller's, or a fresh one for this layer alone.
        self.generator = generator_or_new(generator)

    def forward(self, input: Tensor) -> Tensor:
        """Apply the layer. (...) -> (...)."""
        return F.dropout(input, self.p, self.training, generator=self.generator)

    def extra_repr(self) -> str:
        """Return the probability. The layer never works in place."""
        return f"p={self.p}, inplace=False"


class GELU(Module):
    """The exact GELU, or GPT-2's form with approximate="tanh"."""

    @named
    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = approximate

    def forward(self, input: Tensor) -> Tensor:
        """Apply it to each entry. (...) -> (...)."""
        return F.gelu(input, self.approximate)

    def extra_repr(self) -> str:
        """Return which form it is."""
        return f"approximate={self.approximate!r}"


class ReLU(Module):
    """max(input, 0)."""

    def forward(self, input: Tensor) -> Tensor:
        """Apply it to each entry. (...) -> (...)."""
        return F.relu(input)


class Tanh(Module):
    """The hyperbolic tangent, between -1 and 1."""

    def forward(self, input: Tensor) -> Tensor:
        """Apply it to each entry. (...) -> (...)."""
        return F.tanh(input)


class Sigmoid(Module):
    """1 / (1 + exp(-input)), between 0 and 1."""

    def forward(self, input: Tensor) -> Tensor:
        """Apply it to each entry. (...) -> (...)."""
        return F.sigmoid(input)
