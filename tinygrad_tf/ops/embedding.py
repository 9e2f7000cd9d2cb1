"""The embedding: a token id picks a row of a table.

The Transformer block does not run it. The language model does, to turn token ids into vectors.
"""

from __future__ import annotations

import numpy as np

from tinygrad_tf.autograd import differentiable
from tinygrad_tf.graph import Array, Backward, Gradients


@differentiable
def embedding(indices: Array, weight: Array) -> tuple[Array, Backward]:
    """Pick rows. out = weight[indices].

    indices (...) integers in [0, V), weight (V, C) -> out (..., C).   A negative index is an error.

    Backward. out[n] is a copy of row indices[n], so each row of the table gets the sum of the
    gradients of all its copies:
        dweight[i] = sum over n with indices[n] == i of dout[n].
    A plain assignment would keep only the last copy of a repeated token. Written with a matrix of
    one-hot rows, out = onehot @ weight and dweight = onehot.T @ dout. Indices have no gradient.
    Fact: dweight summed over its rows equals dout summed over its tokens.
    Source: Bengio et al. (2003), JMLR 3, section 2 (the table C, learned with the rest).
    Mirrors: torch.nn.functional.embedding.
    """
    _check_indices(indices, weight)
    out = weight[indices]                          # 1  (..., C)

    def backward(dout: Array) -> Gradients:
        dweight = np.zeros_like(weight)            # 1  (V, C)
        np.add.at(dweight, indices, dout)          #    dweight[indices] += dout would add only
        return None, dweight                       #    one of the copies of a repeated token

    return out, backward


def _check_indices(indices: Array, weight: Array) -> None:
    if weight.ndim != 2:
        raise ValueError(f"embedding: weight has shape {weight.shape}, expected (rows, channels)")
    if indices.dtype.kind not in "iu":
        raise ValueError(f"embedding: indices are {indices.dtype}, expected integers")
    if indices.size and (indices.min() < 0 or indices.max() >= len(weight)):
        worst = indices.min() if indices.min() < 0 else indices.max()
        raise ValueError(
            f"embedding: index {worst} is outside the table of {len(weight)} rows (weight "
            f"{weight.shape}); were the ids made with another vocabulary?"
        )
