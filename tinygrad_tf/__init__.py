"""A small reverse-mode autograd engine on NumPy, and a Transformer built on it.

Read `graph.py` (what is remembered), `walk.py` (the way back), `differentiable.py` (how a rule
becomes an op), then any page of `ops/`. The interface is PyTorch's. Not related to the tinygrad
library.
"""

from tinygrad_tf import nn
from tinygrad_tf.differentiable import differentiable, is_grad_enabled, no_grad, observe, sum_to
from tinygrad_tf.gradcheck import GradcheckError, gradcheck
from tinygrad_tf.ops.arithmetic import maximum, minimum
from tinygrad_tf.ops.elementwise import abs, cos, erf, exp, log, sigmoid, sin, sqrt, tanh
from tinygrad_tf.ops.matmul import matmul
from tinygrad_tf.ops.relu import relu
from tinygrad_tf.ops.selection import tril, triu, where
from tinygrad_tf.shaping import cat, stack
from tinygrad_tf.tensor import Tensor, arange, empty, float32, float64, ones, zeros

__all__ = [
    "GradcheckError",
    "Tensor",
    "abs",
    "arange",
    "cat",
    "cos",
    "differentiable",
    "empty",
    "erf",
    "exp",
    "float32",
    "float64",
    "gradcheck",
    "is_grad_enabled",
    "log",
    "matmul",
    "maximum",
    "minimum",
    "nn",
    "no_grad",
    "observe",
    "ones",
    "relu",
    "sigmoid",
    "sin",
    "sqrt",
    "stack",
    "sum_to",
    "tanh",
    "tril",
    "triu",
    "where",
    "zeros",
]
