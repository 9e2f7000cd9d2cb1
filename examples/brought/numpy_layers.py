"""A Transformer encoder block as layers with a forward and a backward, in NumPy.

Post-norm, with ReLU. Each layer remembers its inputs, and adds its gradients to dW and db.
"""

import numpy as np


class Linear:
    """y = x W + b, with W of shape (in, out)."""

    def __init__(self, n_in, n_out, rng):
        self.W = rng.standard_normal((n_in, n_out)) / n_in**0.5
        self.b = np.zeros(n_out)
        self.zero_grad()

    def zero_grad(self):
        """Start the sums again."""
        self.dW = np.zeros_like(self.W)
        self.db = np.zeros_like(self.b)

    def forward(self, x):
        """x (..., in) -> (..., out)."""
        self.x = x
        return x @ self.W + self.b

    def backward(self, dy):
        """Add to dW and db, one sequence after the other; return the gradient of x."""
        for x, d in zip(self.x, dy, strict=True):
            self.dW += np.dot(x.T, d)
            self.db += d.sum(axis=0)
        return dy @ self.W.T


class LayerNorm:
    """Over the last axis, with a gain and a bias."""

    def __init__(self, n, eps=1e-5):
        self.gamma = np.ones(n)
        self.beta = np.zeros(n)
        self.eps = eps
        self.zero_grad()

    def zero_grad(self):
        """Start the sums again."""
        self.dgamma = np.zeros_like(self.gamma)
        self.dbeta = np.zeros_like(self.beta)

    def forward(self, x):
        """x (B, T, n) -> (B, T, n)."""
        n = x.shape[-1]
        centered = x - x.sum(axis=-1, keepdims=True) / n
        variance = (centered**2).sum(axis=-1, keepdims=True) / n
        std = np.sqrt(variance + self.eps)
        self.cache = centered, std
        return self.gamma * (centered / std) + self.beta

    def backward(self, dy):
        """Add to dgamma and dbeta; return the gradient of x."""
        centered, std = self.cache
        n = dy.shape[-1]
        self.dgamma += np.einsum("btc,btc->c", dy, centered / std)
        self.dbeta += dy.sum(axis=1).sum(axis=0)
        dnormed = dy * self.gamma
        dstd = -(dnormed * centered / std**2).sum(axis=-1, keepdims=True)
        dvariance = dstd / (2 * std)
        dcentered = dnormed / std + dvariance * 2 * centered / n
        return dcentered - dcentered.sum(axis=-1, keepdims=True) / n


class ReLU:
    """max(x, 0)."""

    def forward(self, x):
        """Keep what is positive."""
        self.positive = x > 0
        return np.maximum(x, 0)

    def backward(self, dy):
        """Nothing flows where nothing was kept."""
        return dy * self.positive


class MultiHeadAttention:
    """Self-attention, head by head."""

    def __init__(self, d_model, n_heads, rng, causal=False):
        self.n_heads = n_heads
        self.d_head = d_model // n_heads
        self.causal = causal
        self.query = Linear(d_model, d_model, rng)
        self.key = Linear(d_model, d_model, rng)
        self.value = Linear(d_model, d_model, rng)
        self.out = Linear(d_model, d_model, rng)

    def columns(self, head):
        """Return where this head stands among the columns."""
        return slice(head * self.d_head, (head + 1) * self.d_head)

    def forward(self, x):
        """x (B, T, C) -> (B, T, C)."""
        self.q = self.query.forward(x)
        self.k = self.key.forward(x)
        self.v = self.value.forward(x)
        self.weights = []
        mixed = np.zeros_like(x)
        for head in range(self.n_heads):
            part = self.columns(head)
            scores = self.q[..., part] @ self.k[..., part].swapaxes(-1, -2)
            scores = scores / self.d_head**0.5
            if self.causal:
                allowed = np.tril(np.ones(scores.shape[-2:], dtype=bool))
                scores = np.where(allowed, scores, -np.inf)
            scores = scores - scores.max(axis=-1, keepdims=True)
            weights = np.exp(scores)
            weights /= weights.sum(axis=-1, keepdims=True)
            mixed[..., part] = weights @ self.v[..., part]
            self.weights.append(weights)
        return self.out.forward(mixed)

    def backward(self, dy):
        """Return the gradient of x."""
        dmixed = self.out.backward(dy)
        dq, dk, dv = np.zeros_like(self.q), np.zeros_like(self.k), np.zeros_like(self.v)
        for head in range(self.n_heads):
            part = self.columns(head)
            weights, dhead = self.weights[head], dmixed[..., part]
            dv[..., part] = weights.swapaxes(-1, -2) @ dhead
            dweights = dhead @ self.v[..., part].swapaxes(-1, -2)
            dscores = weights * dweights
            dscores -= weights * dscores.sum(axis=-1, keepdims=True)
            dscores /= self.d_head**0.5
            dq[..., part] = dscores @ self.k[..., part]
            dk[..., part] = dscores.swapaxes(-1, -2) @ self.q[..., part]
        dx = self.query.backward(dq)
        dx += self.key.backward(dk)
        dx += self.value.backward(dv)
        return dx


class Block:
    """Attention and a feed-forward net, each with its residual path, normalised afterwards."""

    def __init__(self, d_model, n_heads, d_ff, causal=False, seed=0):
        rng = np.random.default_rng(seed)
        self.attention = MultiHeadAttention(d_model, n_heads, rng, causal)
        self.norm1 = LayerNorm(d_model)
        self.up = Linear(d_model, d_ff, rng)
        self.relu = ReLU()
        self.down = Linear(d_ff, d_model, rng)
        self.norm2 = LayerNorm(d_model)

    def forward(self, x):
        """x (B, T, C) -> (B, T, C)."""
        x = self.norm1.forward(x + self.attention.forward(x))
        hidden = self.relu.forward(self.up.forward(x))
        return self.norm2.forward(x + self.down.forward(hidden))

    def backward(self, dy):
        """Return the gradient of x; those of the weights are in the layers."""
        dsum = self.norm2.backward(dy)
        dhidden = self.down.backward(dsum)
        dx = dsum + self.up.backward(self.relu.backward(dhidden))
        dsum = self.norm1.backward(dx)
        return dsum + self.attention.backward(dsum)
