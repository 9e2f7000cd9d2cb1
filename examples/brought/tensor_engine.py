"""A small autograd engine on NumPy arrays, after micrograd, and a Transformer block on top of it.

Pre-norm, with ReLU. A Tensor has .data and .grad, and a closure that sends its gradient back.
"""

import math

import numpy as np


def unbroadcast(grad, shape):
    """Sum over the axes along which an operand was stretched."""
    while grad.ndim > len(shape):
        grad = grad.sum(axis=0)
    for axis, size in enumerate(shape):
        if size == 1:
            grad = grad.sum(axis=axis, keepdims=True)
    return grad


class Tensor:
    """An array, its gradient, and how to go back from it."""

    def __init__(self, data, parents=()):
        self.data = np.asarray(data)
        self.grad = np.zeros_like(self.data)
        self.parents = parents
        self._backward = lambda: None

    def __add__(self, other):
        out = Tensor(self.data + other.data, (self, other))

        def _backward():
            self.grad += unbroadcast(out.grad, self.data.shape)
            other.grad += unbroadcast(out.grad, other.data.shape)

        out._backward = _backward
        return out

    def __mul__(self, other):
        out = Tensor(self.data * other.data, (self, other))

        def _backward():
            self.grad += unbroadcast(out.grad * other.data, self.data.shape)
            other.grad += unbroadcast(out.grad * self.data, other.data.shape)

        out._backward = _backward
        return out

    def __matmul__(self, other):
        out = Tensor(self.data @ other.data, (self, other))

        def _backward():
            self.grad += unbroadcast(out.grad @ other.data.swapaxes(-1, -2), self.data.shape)
            other.grad += unbroadcast(self.data.swapaxes(-1, -2) @ out.grad, other.data.shape)

        out._backward = _backward
        return out

    def scale(self, factor):
        """Multiply with a number."""
        out = Tensor(self.data * factor, (self,))

        def _backward():
            self.grad += out.grad * factor

        out._backward = _backward
        return out

    def reshape(self, *shape):
        """Change the shape."""
        out = Tensor(self.data.reshape(shape), (self,))

        def _backward():
            self.grad += out.grad.reshape(self.data.shape)

        out._backward = _backward
        return out

    def swap(self, i, j):
        """Exchange two axes."""
        out = Tensor(self.data.swapaxes(i, j), (self,))

        def _backward():
            self.grad += out.grad.swapaxes(i, j)

        out._backward = _backward
        return out

    def relu(self):
        """max(x, 0)."""
        out = Tensor(np.maximum(self.data, 0), (self,))

        def _backward():
            self.grad += out.grad * (out.data > 0)

        out._backward = _backward
        return out

    def softmax(self):
        """Over the last axis."""
        e = np.exp(self.data - self.data.max(axis=-1, keepdims=True))
        out = Tensor(e / e.sum(axis=-1, keepdims=True), (self,))

        def _backward():
            dot = (out.grad * out.data).sum(axis=-1, keepdims=True)
            self.grad += out.data * (out.grad - dot)

        out._backward = _backward
        return out

    def normalize(self, eps=1e-5):
        """Subtract the mean and divide by the standard deviation, over the last axis."""
        mean = self.data.mean(axis=-1, keepdims=True)
        std = np.sqrt(self.data.var(axis=-1, keepdims=True) + eps)
        out = Tensor((self.data - mean) / std, (self,))

        def _backward():
            g, y = out.grad, out.data
            inner = g - g.mean(axis=-1, keepdims=True) - y * (g * y).mean(axis=-1, keepdims=True)
            self.grad += inner / std

        out._backward = _backward
        return out

    def backward(self, grad=None):
        """Go back from here; without a gradient, from the sum of all entries."""
        order, seen = [], set()

        def visit(tensor):
            if id(tensor) not in seen:
                seen.add(id(tensor))
                for parent in tensor.parents:
                    visit(parent)
                order.append(tensor)

        visit(self)
        self.grad = np.ones_like(self.data) if grad is None else grad
        for tensor in reversed(order):
            tensor._backward()


class Block:
    """A Transformer block: x + attention(norm(x)), then x + mlp(norm(x))."""

    def __init__(self, d_model, n_heads, d_ff, causal=False, seed=0):
        rng = np.random.default_rng(seed)

        def weight(n_in, n_out):
            return Tensor(rng.uniform(-1, 1, (n_in, n_out)) / math.sqrt(n_in))

        self.n_heads, self.causal = n_heads, causal
        self.gain1, self.shift1 = Tensor(np.ones(d_model)), Tensor(np.zeros(d_model))
        self.wq, self.bq = weight(d_model, d_model), Tensor(np.zeros(d_model))
        self.wk, self.bk = weight(d_model, d_model), Tensor(np.zeros(d_model))
        self.wv, self.bv = weight(d_model, d_model), Tensor(np.zeros(d_model))
        self.wo, self.bo = weight(d_model, d_model), Tensor(np.zeros(d_model))
        self.gain2, self.shift2 = Tensor(np.ones(d_model)), Tensor(np.zeros(d_model))
        self.w1, self.b1 = weight(d_model, d_ff), Tensor(np.zeros(d_ff))
        self.w2, self.b2 = weight(d_ff, d_model), Tensor(np.zeros(d_model))

    def __call__(self, x):
        """x (B, T, C) -> (B, T, C)."""
        x = x + self.attention(x.normalize() * self.gain1 + self.shift1)
        hidden = ((x.normalize() * self.gain2 + self.shift2) @ self.w1 + self.b1).relu()
        return x + (hidden @ self.w2 + self.b2)

    def attention(self, x):
        """Self-attention with several heads."""
        B, T, C = x.data.shape
        K = C // self.n_heads
        q = (x @ self.wq + self.bq).reshape(B, T, self.n_heads, K).swap(1, 2)
        k = (x @ self.wk + self.bk).reshape(B, T, self.n_heads, K).swap(1, 2)
        v = (x @ self.wv + self.bv).reshape(B, T, self.n_heads, K).swap(1, 2)
        scores = (q @ k.swap(2, 3)).scale(1 / math.sqrt(K))
        if self.causal:
            scores = scores + Tensor(np.triu(np.full((T, T), -1e9, x.data.dtype), 1))
        mixed = (scores.softmax() @ v).swap(1, 2).reshape(B, T, C)
        return mixed @ self.wo + self.bo
