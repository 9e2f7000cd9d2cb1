"""A small reverse-mode autograd engine on NumPy, and a Transformer built on it.

Start with the pages `ops/linear.py`, `softmax.py`, `layer_norm.py`, `gelu.py` and `attention.py`.
Then read `graph.py` and `autograd.py`, which are the whole engine, and `transformer/block.py` with
its mirror in `torch_impl`. The interface is PyTorch's. This is not related to the tinygrad library.
"""

import os
from importlib import import_module
from typing import Any
from warnings import warn

from tinygrad_tf import nn, optim
from tinygrad_tf.autograd import differentiable
from tinygrad_tf.creation import (
    arange,
    empty,
    eye,
    full,
    full_like,
    linspace,
    ones,
    ones_like,
    rand,
    randint,
    randn,
    tensor,
    zeros,
    zeros_like,
)
from tinygrad_tf.dtypes import bool, double, float, float32, float64, int, int32, int64, long, uint8
from tinygrad_tf.functions import (
    amax,
    amin,
    argmax,
    argmin,
    chunk,
    clone,
    flatten,
    log_softmax,
    masked_fill,
    max,
    mean,
    min,
    permute,
    pow,
    reshape,
    softmax,
    split,
    squeeze,
    std,
    sum,
    transpose,
    unsqueeze,
    var,
)
from tinygrad_tf.gradcheck import GradcheckError, gradcheck
from tinygrad_tf.machinery.devices import device
from tinygrad_tf.machinery.modes import is_grad_enabled, no_grad, observe
from tinygrad_tf.operators import tril, triu
from tinygrad_tf.ops.arithmetic import maximum, minimum
from tinygrad_tf.ops.elementwise import abs, cos, erf, exp, log, sigmoid, sin, sqrt, tanh
from tinygrad_tf.ops.matmul import matmul
from tinygrad_tf.ops.relu import relu
from tinygrad_tf.ops.selection import where
from tinygrad_tf.ops.sum_to import sum_to
from tinygrad_tf.shaping import cat, stack
from tinygrad_tf.tensor import Tensor


def __getattr__(name: str) -> Any:
    """Load `tinygrad_tf.fast` when it is first used."""
    if name == "fast":
        return import_module("tinygrad_tf.fast")
    raise AttributeError(f"module 'tinygrad_tf' has no attribute {name!r}")


if (wanted := os.environ.get("TINYGRAD_TF_FAST", "0")) == "1":
    import_module("tinygrad_tf.fast").on()
elif wanted not in ("", "0"):
    warn(f"TINYGRAD_TF_FAST is {wanted!r}, expected 1 or 0: the pages compute", stacklevel=2)
