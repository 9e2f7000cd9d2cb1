"""Mistakes in the NumPy block whose functions hand a cache to each other."""

from crosscheck.mutants.foreign.bug import Bug

CACHES = "numpy_caches.py"

BUGS = (
    Bug(
        id="caches-norm-no-mean",
        file=CACHES,
        old="inv_std * (dx_hat - mean_d - x_hat * mean_dx)",
        new="inv_std * (dx_hat - x_hat * mean_dx)",
        why="the mean depends on every entry, and its share is forgotten",
    ),
    Bug(
        id="caches-norm-no-variance",
        file=CACHES,
        old="inv_std * (dx_hat - mean_d - x_hat * mean_dx)",
        new="inv_std * (dx_hat - mean_d)",
        why="the standard deviation is taken for a constant",
    ),
    Bug(
        id="caches-norm-gain-forgotten",
        file=CACHES,
        old="dx_hat = dout * gamma",
        new="dx_hat = dout",
        why="the gain is ones at first, so nothing shows until one trains",
    ),
    Bug(
        id="caches-norm-keeps-centered",
        file=CACHES,
        old="return out, (x_hat, inv_std, gamma)",
        new="return out, (x - mu, inv_std, gamma)",
        why="the cache has the centred input under the name of the normalised one",
    ),
    Bug(
        id="caches-norm-gain-in-place",
        file=CACHES,
        old="    out = gamma * x_hat + beta\n",
        new="    x_hat *= gamma\n    out = x_hat + beta\n",
        why="the array that goes into the cache is changed in place",
    ),
    Bug(
        id="caches-norm-unbiased",
        file=CACHES,
        old="x.var(axis=-1, keepdims=True)",
        new="x.var(axis=-1, keepdims=True, ddof=1)",
        why="a variance is divided by n - 1, as one learns it in statistics",
    ),
    Bug(
        id="caches-norm-over-tokens",
        file=CACHES,
        old="mu = x.mean(axis=-1, keepdims=True)",
        new="mu = x.mean(axis=1, keepdims=True)",
        why="the mean is taken over the axis of the tokens",
    ),
    Bug(
        id="caches-softmax-diagonal",
        file=CACHES,
        old="return p * (dp - inner)",
        new="return dp * p * (1 - p)",
        why="the slope of the sigmoid: only the diagonal of the Jacobian",
    ),
    Bug(
        id="caches-softmax-inner-unweighted",
        file=CACHES,
        old="inner = (dp * p).sum(axis=-1, keepdims=True)",
        new="inner = dp.sum(axis=-1, keepdims=True)",
        why="the average is not weighted by the probabilities",
    ),
    Bug(
        id="caches-softmax-over-queries",
        file=CACHES,
        old="inner = (dp * p).sum(axis=-1, keepdims=True)",
        new="inner = (dp * p).sum(axis=-2, keepdims=True)",
        why="the sum runs over the queries and not over the keys",
    ),
    Bug(
        id="caches-gelu-no-factor-three",
        file=CACHES,
        old="(1 + 3 * 0.044715 * x**2)",
        new="(1 + 0.044715 * x**2)",
        why="the exponent does not come down when the cube is differentiated",
    ),
    Bug(
        id="caches-gelu-square-outside",
        file=CACHES,
        old="(1 - t**2)",
        new="(1 - t) ** 2",
        why="a bracket in the slope of tanh closes too early",
    ),
    Bug(
        id="caches-gelu-in-place",
        file=CACHES,
        old="    out = 0.5 * x * (1 + t)\n    return out, (x, t)",
        new="    x *= 0.5 * (1 + t)\n    return x, (x, t)",
        why="memory is saved, and the cache holds the result for the input",
    ),
    Bug(
        id="caches-split-by-reshape",
        file=CACHES,
        old="x.reshape(B, T, n_heads, C // n_heads).transpose(0, 2, 1, 3)",
        new="x.reshape(B, n_heads, T, C // n_heads)",
        why="a reshape to the wanted shape, without the transpose",
    ),
    Bug(
        id="caches-merge-by-reshape",
        file=CACHES,
        old="x.transpose(0, 2, 1, 3).reshape(B, T, H * K)",
        new="x.reshape(B, T, H * K)",
        why="the heads are put together without a transpose",
    ),
    Bug(
        id="caches-scale-forgotten",
        file=CACHES,
        old="softmax_backward(dp, p) * scale",
        new="softmax_backward(dp, p)",
        why="what the forward multiplies, the backward must multiply too",
    ),
    Bug(
        id="caches-dk-not-transposed",
        file=CACHES,
        old="dk = dscores.transpose(0, 1, 3, 2) @ q",
        new="dk = dscores @ q",
        why="both axes of the scores are as long, so the shapes agree anyway",
    ),
    Bug(
        id="caches-dv-not-transposed",
        file=CACHES,
        old="dv = p.transpose(0, 1, 3, 2) @ dout",
        new="dv = p @ dout",
        why="both axes of the probabilities are as long, so the shapes agree anyway",
    ),
    Bug(
        id="caches-returns-in-wrong-order",
        file=CACHES,
        old="return dq, dk, dv",
        new="return dk, dq, dv",
        why="two results are exchanged on their way out",
    ),
    Bug(
        id="caches-mask-shows-one-future-token",
        file=CACHES,
        old="k=1)",
        new="k=2)",
        why="the diagonal of a mask is off by one",
    ),
    Bug(
        id="caches-mask-after-softmax",
        file=CACHES,
        old="    scores[:, :, future] = -np.inf\n    p, _ = softmax_forward(scores)\n",
        new="    p, _ = softmax_forward(scores)\n    p[:, :, future] = 0\n",
        why="the probabilities are cut, and no longer sum to one",
    ),
    Bug(
        id="caches-residual-gradient-forgotten",
        file=CACHES,
        old="""layernorm_backward(dm, ln2)
    dh += dout

""",
        new="""layernorm_backward(dm, ln2)

""",
        why="the path around the feed-forward net sends nothing back",
    ),
    Bug(
        id="caches-residual-of-dout",
        file=CACHES,
        old="dx += dh",
        new="dx += dout",
        why="the gradient of the output is taken for the one in the middle",
    ),
    Bug(
        id="caches-residual-of-the-norm",
        file=CACHES,
        old="h = x + att_out",
        new="h = a + att_out",
        why="what is normalised goes around, and not what came in",
    ),
    Bug(
        id="caches-values-left-out",
        file=CACHES,
        old="da = da_q + da_k + da_v",
        new="da = da_q + da_k",
        why="one of three gradients is not added",
    ),
    Bug(
        id="caches-keys-by-copy-and-paste",
        file=CACHES,
        old='affine_forward(a, params["wk"], params["bk"])',
        new='affine_forward(a, params["wq"], params["bk"])',
        why="a line was copied, and one name was not changed",
    ),
    Bug(
        id="caches-cache-of-the-queries",
        file=CACHES,
        old="affine_backward(merge_heads(dk), aff_k)",
        new="affine_backward(merge_heads(dk), aff_q)",
        why="a line was copied, and the cache is the one of its neighbour",
    ),
    Bug(
        id="caches-weight-of-the-first-sequence",
        file=CACHES,
        old="dw = rows.T @ dout.reshape(-1, dout.shape[-1])",
        new="dw = x[0].T @ dout[0]",
        why="written for a batch of one",
    ),
)
