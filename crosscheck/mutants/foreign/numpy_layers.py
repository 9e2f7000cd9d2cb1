"""Mistakes in the NumPy block that is made of layers."""

from crosscheck.mutants.foreign.bug import Bug

LAYERS = "numpy_layers.py"

BUGS = (
    Bug(
        id="layers-weight-replaced",
        file=LAYERS,
        old="self.dW += np.dot(x.T, d)",
        new="self.dW = np.dot(x.T, d)",
        why="only the last sequence of the batch is left",
    ),
    Bug(
        id="layers-bias-mean",
        file=LAYERS,
        old="self.db += d.sum(axis=0)",
        new="self.db += d.mean(axis=0)",
        why="a mean over the tokens where a sum belongs",
    ),
    Bug(
        id="layers-norm-not-centered",
        file=LAYERS,
        old="return dcentered - dcentered.sum(axis=-1, keepdims=True) / n",
        new="return dcentered",
        why="the subtraction of the mean is not undone",
    ),
    Bug(
        id="layers-norm-sign",
        file=LAYERS,
        old="dstd = -(dnormed",
        new="dstd = (dnormed",
        why="the minus of the derivative of 1 / std is lost",
    ),
    Bug(
        id="layers-norm-std-not-squared",
        file=LAYERS,
        old="centered / std**2)",
        new="centered / std)",
        why="the derivative of 1 / std is divided by std, not by its square",
    ),
    Bug(
        id="layers-norm-no-two",
        file=LAYERS,
        old="dvariance * 2 * centered / n",
        new="dvariance * centered / n",
        why="the factor of the square is lost",
    ),
    Bug(
        id="layers-norm-gain-of-centered",
        file=LAYERS,
        old='np.einsum("btc,btc->c", dy, centered / std)',
        new='np.einsum("btc,btc->c", dy, centered)',
        why="the gain multiplied the normalised array, and not the centred one",
    ),
    Bug(
        id="layers-norm-in-place",
        file=LAYERS,
        old="        return self.gamma * (centered / std) + self.beta\n",
        new="        centered /= std\n        return self.gamma * centered + self.beta\n",
        why="the array in the cache is divided after it was put there",
    ),
    Bug(
        id="layers-norm-bias-mean-of-batch",
        file=LAYERS,
        old="dy.sum(axis=1).sum(axis=0)",
        new="dy.sum(axis=1).mean(axis=0)",
        why="a mean over the batch where a sum belongs",
    ),
    Bug(
        id="layers-norm-other-epsilon",
        file=LAYERS,
        old="eps=1e-5",
        new="eps=1e-12",
        why="the epsilon of another library",
    ),
    Bug(
        id="layers-relu-of-dy",
        file=LAYERS,
        old="return dy * self.positive",
        new="return np.maximum(dy, 0)",
        why="the gradient is cut where it is negative itself",
    ),
    Bug(
        id="layers-relu-mask-forgotten",
        file=LAYERS,
        old="return dy * self.positive",
        new="return dy",
        why="the gradient passes where the forward cut",
    ),
    Bug(
        id="layers-heads-interleaved",
        file=LAYERS,
        old="slice(head * self.d_head, (head + 1) * self.d_head)",
        new="slice(head, None, self.n_heads)",
        why="every head takes each n-th column",
    ),
    Bug(
        id="layers-scale-of-heads",
        file=LAYERS,
        old="scores = scores / self.d_head**0.5",
        new="scores = scores / self.n_heads**0.5",
        why="the number of heads is taken for their width",
    ),
    Bug(
        id="layers-scale-forgotten",
        file=LAYERS,
        old="""keepdims=True)
            dscores /= self.d_head**0.5
            dq[..., part]""",
        new="""keepdims=True)
            dq[..., part]""",
        why="what the forward divides, the backward must divide too",
    ),
    Bug(
        id="layers-weights-of-the-first-head",
        file=LAYERS,
        old="self.weights[head], dmixed",
        new="self.weights[0], dmixed",
        why="the way back uses one head's probabilities for all",
    ),
    Bug(
        id="layers-softmax-no-average",
        file=LAYERS,
        old="""dscores = weights * dweights
            dscores -= weights * dscores.sum(axis=-1, keepdims=True)
            dscores /=""",
        new="""dscores = weights * dweights
            dscores /=""",
        why="the second half of the softmax is forgotten",
    ),
    Bug(
        id="layers-softmax-average-unweighted",
        file=LAYERS,
        old="dscores -= weights * dscores.sum(axis=-1, keepdims=True)",
        new="dscores -= dscores.mean(axis=-1, keepdims=True)",
        why="the average is the plain one, and not that of the probabilities",
    ),
    Bug(
        id="layers-one-array-for-three",
        file=LAYERS,
        old="dq, dk, dv = np.zeros_like(self.q), np.zeros_like(self.k), np.zeros_like(self.v)",
        new="dq = dk = dv = np.zeros_like(self.q)",
        why="three names are given to one array",
    ),
    Bug(
        id="layers-keys-through-the-queries",
        file=LAYERS,
        old="self.key.backward(dk)",
        new="self.query.backward(dk)",
        why="a line was copied, and the layer is the one of its neighbour",
    ),
    Bug(
        id="layers-queries-and-keys-swapped",
        file=LAYERS,
        old="self.q[..., part] @ self.k[..., part].swapaxes(-1, -2)",
        new="self.k[..., part] @ self.q[..., part].swapaxes(-1, -2)",
        why="the scores are transposed, in their usual shape",
    ),
    Bug(
        id="layers-residual-gradient-forgotten",
        file=LAYERS,
        old="dx = dsum + self.up.backward",
        new="dx = self.up.backward",
        why="the path around the feed-forward net sends nothing back",
    ),
    Bug(
        id="layers-residual-of-before-the-norm",
        file=LAYERS,
        old="return dsum + self.attention.backward(dsum)",
        new="return dx + self.attention.backward(dsum)",
        why="the gradient from before the norm is taken for the one after",
    ),
    Bug(
        id="layers-norm-before-the-sum",
        file=LAYERS,
        old="x = self.norm1.forward(x + self.attention.forward(x))",
        new="x = self.norm1.forward(x) + self.attention.forward(x)",
        why="the norm is around the wrong thing",
    ),
)
