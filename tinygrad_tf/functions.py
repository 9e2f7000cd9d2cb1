"""Methods of a tensor as functions of the package: `softmax(x, dim=1)` is `x.softmax(dim=1)`."""

from __future__ import annotations

from typing import Any

from tinygrad_tf.graph import Variable
from tinygrad_tf.machinery.complaints import no_tensor
from tinygrad_tf.tensor import Tensor

amax, amin, argmax, argmin = Tensor.amax, Tensor.amin, Tensor.argmax, Tensor.argmin
max, min, mean, std, sum, var = (
    Tensor.max, Tensor.min, Tensor.mean, Tensor.std, Tensor.sum, Tensor.var
)  # fmt: skip
clone, masked_fill = Tensor.clone, Tensor.masked_fill
log_softmax, softmax = Tensor.log_softmax, Tensor.softmax
chunk, flatten, permute, reshape = Tensor.chunk, Tensor.flatten, Tensor.permute, Tensor.reshape
split, squeeze, transpose, unsqueeze = (
    Tensor.split, Tensor.squeeze, Tensor.transpose, Tensor.unsqueeze
)  # fmt: skip


def pow(input: Any, exponent: Any) -> Tensor:
    """Return input ** exponent. One of the two may be a number."""
    if not isinstance(input, Variable) and not isinstance(exponent, Variable):
        raise no_tensor("pow", (input, exponent))
    result: Tensor = input**exponent
    return result
