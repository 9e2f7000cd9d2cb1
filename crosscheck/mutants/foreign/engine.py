"""Mistakes in a small tensor engine, and in a block that is built on it."""

from crosscheck.mutants.foreign.bug import Bug

ENGINE = "tensor_engine.py"

BUGS: tuple[Bug, ...] = (
    Bug(
        id="engine-norm-replaces",
        file=ENGINE,
        old="self.grad += inner / std",
        new="self.grad = inner / std",
        why="a tensor that is used twice keeps the last gradient only",
    ),
    Bug(
        id="engine-mul-wrong-operand",
        file=ENGINE,
        old="other.grad += unbroadcast(out.grad * self.data, other.data.shape)",
        new="other.grad += unbroadcast(out.grad * other.data, other.data.shape)",
        why="the factor itself is multiplied, and not the other one",
    ),
    Bug(
        id="engine-matmul-replaces",
        file=ENGINE,
        old="self.grad += unbroadcast(out.grad @ other.data.swapaxes(-1, -2), self.data.shape)",
        new="self.grad = unbroadcast(out.grad @ other.data.swapaxes(-1, -2), self.data.shape)",
        why="an input of three products keeps the last gradient only",
    ),
    Bug(
        id="engine-unbroadcast-takes-the-first",
        file=ENGINE,
        old="grad = grad.sum(axis=0)\n",
        new="grad = grad[0]\n",
        why="the stretched axis is dropped, and not summed",
    ),
    Bug(
        id="engine-unbroadcast-mean",
        file=ENGINE,
        old="grad = grad.sum(axis=0)\n",
        new="grad = grad.mean(axis=0)\n",
        why="a mean over the stretched axis where a sum belongs",
    ),
    Bug(
        id="engine-scale-forgotten",
        file=ENGINE,
        old="self.grad += out.grad * factor",
        new="self.grad += out.grad",
        why="the factor is applied on the way there only",
    ),
    Bug(
        id="engine-relu-of-the-gradient",
        file=ENGINE,
        old="out.grad * (out.data > 0)",
        new="out.grad * (out.grad > 0)",
        why="the gradient is cut where it is negative itself",
    ),
    Bug(
        id="engine-softmax-inner-unweighted",
        file=ENGINE,
        old="dot = (out.grad * out.data).sum(axis=-1, keepdims=True)",
        new="dot = out.grad.sum(axis=-1, keepdims=True)",
        why="the average is not weighted by the probabilities",
    ),
    Bug(
        id="engine-norm-no-variance",
        file=ENGINE,
        old="inner = g - g.mean(axis=-1, keepdims=True) - y * (g * y).mean(axis=-1, keepdims=True)",
        new="inner = g - g.mean(axis=-1, keepdims=True)",
        why="the standard deviation is taken for a constant",
    ),
    Bug(
        id="engine-norm-reads-its-input",
        file=ENGINE,
        old="g, y = out.grad, out.data",
        new="g, y = out.grad, self.data",
        why="the closure reads the input where the normalised array is meant",
    ),
    Bug(
        id="engine-order-by-depth",
        file=ENGINE,
        old="""                seen.add(id(tensor))
                for parent in tensor.parents:
                    visit(parent)
                order.append(tensor)

        visit(self)
        self.grad = np.ones_like(self.data) if grad is None else grad
        for tensor in reversed(order):
""",
        new="""                seen.add(id(tensor))
                order.append(tensor)
                for parent in tensor.parents:
                    visit(parent)

        visit(self)
        self.grad = np.ones_like(self.data) if grad is None else grad
        for tensor in order:
""",
        why="a tensor sends its gradient on before all of it has arrived",
    ),
    Bug(
        id="engine-block-heads-by-reshape",
        file=ENGINE,
        old="(x @ self.wv + self.bv).reshape(B, T, self.n_heads, K).swap(1, 2)",
        new="(x @ self.wv + self.bv).reshape(B, self.n_heads, T, K)",
        why="a reshape to the wanted shape, without exchanging the axes",
    ),
    Bug(
        id="engine-block-mask-cuts-the-graph",
        file=ENGINE,
        old="scores = scores + Tensor(np.triu(np.full((T, T), -1e9, x.data.dtype), 1))",
        new="scores = Tensor(np.where(np.tri(T), scores.data, -1e9))",
        why="the masked scores are a new tensor that knows no parents",
    ),
)
