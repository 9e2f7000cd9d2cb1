"""Modules and layers with PyTorch's names, built on our Tensor."""

from tinygrad_tf.nn import functional, init
from tinygrad_tf.nn.containers import ModuleList, Sequential
from tinygrad_tf.nn.layers import GELU, Dropout, Embedding, Identity, LayerNorm, Linear, ReLU
from tinygrad_tf.nn.module import Module, Parameter

__all__ = [
    "GELU",
    "Dropout",
    "Embedding",
    "Identity",
    "LayerNorm",
    "Linear",
    "Module",
    "ModuleList",
    "Parameter",
    "ReLU",
    "Sequential",
    "functional",
    "init",
]
