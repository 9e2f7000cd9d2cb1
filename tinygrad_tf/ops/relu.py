"""ReLU: negative values become zero.

The Transformer block runs it with activation="relu". The language model's default is "gelu".
"""

from __future__ import annotations

import numpy as np

from tinygrad_tf.autograd import differentiable
from tinygrad_tf.graph import Array, Backward, Gradients
from tinygrad_tf.machinery.inputs import takes


@differentiable
@takes()
def relu(x: Array) -> tuple[Array, Backward]:
    """Cut off negative values. out = max(x, 0).

    x (...) -> out (...).   A NaN stays a NaN.

    Backward. Where x > 0 the output moves with x; elsewhere it does not move:
        dx = dout where x > 0, else 0.
    At x = 0 there is no derivative. We take 0, as PyTorch does.
    Fact: out * dx = out * dout, because out is 0 where dx is set to 0.
    Source: Nair, Hinton (2010), "Rectified linear units improve restricted Boltzmann machines".
    Mirrors: torch.nn.functional.relu.
    """
    out = np.maximum(x, 0)                     # 1  (...)

    def backward(dout: Array) -> Gradients:
        dx = np.where(out <= 0, np.zeros((), dout.dtype), dout)    # 1
        return (dx,)

    return out, backward
