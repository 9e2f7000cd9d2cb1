"""Modules and layers with PyTorch's names, built on our Tensor."""

from tinygrad_tf.nn import functional, init
from tinygrad_tf.nn.containers import ModuleDict, ModuleList, Sequential
from tinygrad_tf.nn.layers import (
    GELU,
    Dropout,
    Embedding,
    Identity,
    LayerNorm,
    Linear,
    ReLU,
    Sigmoid,
    Tanh,
)
from tinygrad_tf.nn.losses import CrossEntropyLoss, MSELoss
from tinygrad_tf.nn.module import Module, Parameter

__all__ = [
    "GELU",
    "CrossEntropyLoss",
    "Dropout",
    "Embedding",
    "Identity",
    "LayerNorm",
    "Linear",
    "MSELoss",
    "Module",
    "ModuleDict",
    "ModuleList",
    "Parameter",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "Tanh",
    "functional",
    "init",
]
