"""Another engine in our place: the package `autograd` runs the block, and is checked as we are.

What an engine has to offer is two methods: see `crosscheck.ForeignModel`.
"""

import autograd
import autograd.numpy as np
import numpy
from autograd.scipy.special import erf

import torch
from crosscheck import Batch, compare, randomize

C, H = 12, 3
K = C // H


def block(weights, x):
    """A post-norm Transformer block with the exact GELU. x (B, T, C) -> (B, T, C)."""
    x = layer_norm(weights, "norm1", x + attention(weights, x))
    hidden = linear(weights, "linear1.", x)
    hidden = hidden * (1 + erf(hidden / 2**0.5)) / 2
    return layer_norm(weights, "norm2", x + linear(weights, "linear2.", hidden))


def attention(weights, x):
    """Multi-head self-attention. x (B, T, C) -> (B, T, C)."""
    B, T, _ = x.shape
    qkv = linear(weights, "self_attn.in_proj_", x)
    q, k, v = (np.swapaxes(part.reshape(B, T, H, K), 1, 2) for part in np.split(qkv, 3, axis=-1))
    scores = np.matmul(q, np.swapaxes(k, -1, -2)) / K**0.5
    exponential = np.exp(scores - np.max(scores, axis=-1, keepdims=True))
    probs = exponential / np.sum(exponential, axis=-1, keepdims=True)
    context = np.swapaxes(np.matmul(probs, v), 1, 2).reshape(B, T, C)
    return linear(weights, "self_attn.out_proj.", context)


def linear(weights, name, x):
    """x (..., in) -> (..., out)."""
    return np.dot(x, weights[f"{name}weight"].T) + weights[f"{name}bias"]


def layer_norm(weights, name, x):
    """Over the last axis. x (..., C) -> (..., C)."""
    centered = x - np.sum(x, axis=-1, keepdims=True) / C
    variance = np.sum(centered * centered, axis=-1, keepdims=True) / C
    return centered / np.sqrt(variance + 1e-5) * weights[f"{name}.weight"] + weights[f"{name}.bias"]


class AutogradBlock:
    """The block as crosscheck wants it: weights by name, an output, and a way back from there."""

    engine = "autograd"

    def __init__(self, weights):
        self.weights = weights

    def state_dict(self):
        """The parameters, under PyTorch's names."""
        return self.weights

    def linearize(self, inputs, dtype):
        """The output for these inputs, and the function from its gradient to all others."""
        weights = {name: value.astype(dtype) for name, value in self.weights.items()}
        pullback, output = autograd.make_vjp(lambda pair: block(pair[0], pair[1]))(
            (weights, inputs)
        )

        def back(dout):
            dweights, dinputs = pullback(dout)
            return {**dweights, "input": dinputs}

        return output, back


def pair():
    """The block in autograd, and PyTorch's layer with the same weights."""
    layer = torch.nn.TransformerEncoderLayer(C, H, 20, activation="gelu", batch_first=True)
    randomize(layer, seed=0)
    weights = {name: value.numpy() for name, value in layer.state_dict().items()}
    return AutogradBlock(weights), layer


if __name__ == "__main__":
    x = numpy.random.default_rng(0).standard_normal((2, 5, C))
    print(compare(*pair(), Batch(x)))
