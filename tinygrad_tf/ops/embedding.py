"""The embedding: a token id picks a row of a table."""

from __future__ import annotations

import numpy as np

from tinygrad_tf.autograd import differentiable
from tinygrad_tf.graph import Array, Backward, Gradients


@differentiable
def embedding(indices: Array, weight: Array) -> tuple[Array, Backward]:
    """Pick rows. out = weight[indices].

    indices (...) integers in [0, V), weight (V, C) -> out (..., C).   No negative indices.

    Backward. out[n] is a copy of row indices[n], so each row of the table collects the gradients
    of all the places that used it:
        dweight[i] = sum over n with indices[n] == i of dout[n].
    It is a sum: a plain assignment would keep only the last use of a repeated token. Seen as a
    product, out = onehot @ weight and dweight = onehot.T @ dout. Indices have no gradient.
    Fact: dweight summed over its rows equals dout summed over its tokens.
    Source: Bengio et al. (2003), JMLR 3, section 2 (the table C, learned with the rest).
    Mirrors: torch.nn.functional.embedding.
    """
    _check_indices(indices, weight)
    out = weight[indices]                          # 1  (..., C)

    def backward(dout: Array) -> Gradients:
        dweight = np.zeros_like(weight)            # 1  (V, C)
        np.add.at(dweight, indices, dout)          #    unlike dweight[indices] += dout, this adds
        return None, dweight                       #    up repeated indices

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
