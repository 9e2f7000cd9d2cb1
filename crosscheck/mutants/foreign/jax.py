"""Mistakes in the block in JAX: in its custom_vjp, in what is stopped, and in axes."""

from crosscheck.mutants.foreign.bug import Bug

FILE = "jax_block.py"

BUGS = (
    Bug(
        id="jax-norm-eps-outside",
        file=FILE,
        old="inverse = 1 / jnp.sqrt(variance + EPS)",
        new="inverse = 1 / (jnp.sqrt(variance) + EPS)",
        why="eps is added to the deviation and not to the variance",
    ),
    Bug(
        id="jax-norm-variance-of-a-sample",
        file=FILE,
        old="variance = jnp.mean(centered**2, axis=-1, keepdims=True)",
        new="variance = jnp.var(x, axis=-1, keepdims=True, ddof=1)",
        why="the variance of a sample divides by n - 1",
    ),
    Bug(
        id="jax-norm-keeps-centered",
        file=FILE,
        old="return xhat * gain + shift, (xhat, inverse, gain)",
        new="return xhat * gain + shift, (centered, inverse, gain)",
        why="the forward keeps what is not normalised yet",
    ),
    Bug(
        id="jax-norm-no-gain",
        file=FILE,
        old="dxhat = dy * gain",
        new="dxhat = dy",
        why="the gain starts as ones, so nobody sees that it is missing",
    ),
    Bug(
        id="jax-norm-no-mean",
        file=FILE,
        old="dx = (dxhat - along_ones - xhat * along_xhat) * inverse",
        new="dx = (dxhat - xhat * along_xhat) * inverse",
        why="the path through the mean is forgotten",
    ),
    Bug(
        id="jax-norm-variance-axis",
        file=FILE,
        old="along_xhat = jnp.mean(dxhat * xhat, axis=-1, keepdims=True)",
        new="along_xhat = jnp.mean(dxhat * xhat, axis=1, keepdims=True)",
        why="the axis is the last of a matrix, and not of a batch",
    ),
    Bug(
        id="jax-norm-shift-is-a-mean",
        file=FILE,
        old="dshift = jnp.sum(dy, axis=leading)",
        new="dshift = jnp.mean(dy, axis=leading)",
        why="the mean over the batch is the loss's affair",
    ),
    Bug(
        id="jax-norm-results-swapped",
        file=FILE,
        old="return dx, dgain, dshift",
        new="return dx, dshift, dgain",
        why="two gradients of one shape are returned in another order",
    ),
    Bug(
        id="jax-scores-stopped",
        file=FILE,
        old="""\
    largest = jax.lax.stop_gradient(scores.max(axis=-1, keepdims=True))
    exponentials = jnp.exp(scores - largest)
""",
        new="""\
    scores = jax.lax.stop_gradient(scores - scores.max(axis=-1, keepdims=True))
    exponentials = jnp.exp(scores)
""",
        why="not only the maximum is a constant now, but the scores are too",
    ),
    Bug(
        id="jax-total-stopped",
        file=FILE,
        old="""\
    probs = exponentials / exponentials.sum(axis=-1, keepdims=True)
""",
        new="""\
    total = jax.lax.stop_gradient(exponentials.sum(axis=-1, keepdims=True))
    probs = exponentials / total
""",
        why="the total is taken for a constant, as the maximum was",
    ),
    Bug(
        id="jax-residual-stopped",
        file=FILE,
        old="x = x + feed_forward(params, h)",
        new="x = jax.lax.stop_gradient(x) + feed_forward(params, h)",
        why="the first half was to be frozen for a while",
    ),
    Bug(
        id="jax-total-over-queries",
        file=FILE,
        old="exponentials.sum(axis=-1, keepdims=True)",
        new="exponentials.sum(axis=-2, keepdims=True)",
        why="the columns add up to one, and not the rows",
    ),
    Bug(
        id="jax-probs-transposed",
        file=FILE,
        old='jnp.einsum("bhts,bhsk->bthk", probs, v)',
        new='jnp.einsum("bhst,bhsk->bthk", probs, v)',
        why="two letters change places",
    ),
    Bug(
        id="jax-key-by-query-weight",
        file=FILE,
        old='k = jnp.einsum("btc,chk->bhtk", x, params["wk"])',
        new='k = jnp.einsum("btc,chk->bhtk", x, params["wq"])',
        why="a line was copied, and half of it was changed",
    ),
    Bug(
        id="jax-scale-of-width",
        file=FILE,
        old="jnp.sqrt(q.shape[-1])",
        new="jnp.sqrt(x.shape[-1])",
        why="the scale is that of one head over all channels",
    ),
    Bug(
        id="jax-mask-by-product",
        file=FILE,
        old="scores = jnp.where(seen, scores, -1e30)",
        new="scores = scores * seen",
        why="a score of zero still has a share",
    ),
    Bug(
        id="jax-gelu-by-default",
        file=FILE,
        old="jax.nn.gelu(hidden, approximate=False)",
        new="jax.nn.gelu(hidden)",
        why="JAX's default is the tanh form, and PyTorch's is not",
    ),
    Bug(
        id="jax-attention-not-normalised",
        file=FILE,
        old="x = x + attention(params, h, causal)",
        new="x = x + attention(params, x, causal)",
        why="the norm is computed and not used",
    ),
)
