"""Mistakes in the NumPy block that is one function for both ways."""

from crosscheck.mutants.foreign.bug import Bug

FLAT = "numpy_flat.py"

BUGS = (
    Bug(
        id="flat-bias-forgotten",
        file=FLAT,
        old='w["wv"]) + w["bv"][:, None]',
        new='w["wv"])',
        why="the last of three lines like one another has no bias",
    ),
    Bug(
        id="flat-scores-transposed",
        file=FLAT,
        old='np.einsum("bhtk,bhsk->bhts", q, k)',
        new='np.einsum("bhtk,bhsk->bhst", q, k)',
        why="two letters are exchanged, and the shape stays the same",
    ),
    Bug(
        id="flat-context-of-queries",
        file=FLAT,
        old='c = np.einsum("bhts,bhsk->bhtk", a, v)',
        new='c = np.einsum("bhts,bhtk->bhsk", a, v)',
        why="the sum runs over the queries",
    ),
    Bug(
        id="flat-scale-without-root",
        file=FLAT,
        old="q, k) / math.sqrt(K)",
        new="q, k) / K",
        why="the root is forgotten",
    ),
    Bug(
        id="flat-residual-forgotten",
        file=FLAT,
        old="y = x + np.einsum",
        new="y = np.einsum",
        why="nothing goes around the attention",
    ),
    Bug(
        id="flat-residual-of-the-normalised",
        file=FLAT,
        old='y = h + g @ w["w2"]',
        new='y = n1 + g @ w["w2"]',
        why="the residual is taken before the gain and the bias",
    ),
    Bug(
        id="flat-gelu-argument",
        file=FLAT,
        old="erf(f / math.sqrt(2))",
        new="erf(f)",
        why="the root of two in the normal distribution is forgotten",
    ),
    Bug(
        id="flat-gelu-no-density",
        file=FLAT,
        old="df = dg * (phi + f * pdf)",
        new="df = dg * phi",
        why="the product rule is used by half",
    ),
    Bug(
        id="flat-gelu-density-of-square",
        file=FLAT,
        old="np.exp(-0.5 * f * f)",
        new="np.exp(-f * f)",
        why="the one half in the normal density is forgotten",
    ),
    Bug(
        id="flat-gelu-in-place",
        file=FLAT,
        old="    g = f * phi\n",
        new="    f *= phi\n    g = f\n",
        why="the way back finds the result where the input was",
    ),
    Bug(
        id="flat-gain-from-y",
        file=FLAT,
        old='d["g2"] = np.sum(dout * n2, axis=(0, 1))',
        new='d["g2"] = np.sum(dout * y, axis=(0, 1))',
        why="the name that was used twice has another value by now",
    ),
    Bug(
        id="flat-scale-of-the-other-norm",
        file=FLAT,
        old="dy = r2 * (t",
        new="dy = r1 * (t",
        why="the number in a name was not changed after copying",
    ),
    Bug(
        id="flat-gain-of-the-other-norm",
        file=FLAT,
        old='t = dh * w["g1"]',
        new='t = dh * w["g2"]',
        why="the number in a name was not changed after copying",
    ),
    Bug(
        id="flat-norm-mean-of-everything",
        file=FLAT,
        old="dy = r1 * (t - np.mean(t, -1, keepdims=True)",
        new="dy = r1 * (t - np.mean(t)",
        why="the axis is forgotten",
    ),
    Bug(
        id="flat-residual-gradient-forgotten",
        file=FLAT,
        old='dh = dy + df @ w["w1"].T',
        new='dh = df @ w["w1"].T',
        why="the path around the feed-forward net sends nothing back",
    ),
    Bug(
        id="flat-weight-from-the-normalised",
        file=FLAT,
        old='d["w1"] = np.tensordot(h, df',
        new='d["w1"] = np.tensordot(n1, df',
        why="the layer was given what comes after the gain and the bias",
    ),
    Bug(
        id="flat-bias-from-dout",
        file=FLAT,
        old='d["b2"] = dy.sum((0, 1))',
        new='d["b2"] = dout.sum((0, 1))',
        why="the norm lies between the output and this bias",
    ),
    Bug(
        id="flat-dv-not-transposed",
        file=FLAT,
        old='dv = np.einsum("bhts,bhtk->bhsk", a, dc)',
        new='dv = np.einsum("bhts,bhsk->bhtk", a, dc)',
        why="the formula of the forward is used on the way back",
    ),
    Bug(
        id="flat-probabilities-twice",
        file=FLAT,
        old="    dz = a * (da - np.sum(da * a, -1, keepdims=True))\n",
        new="    da *= a\n    dz = a * (da - np.sum(da, -1, keepdims=True))\n",
        why="da is multiplied in place, and then once more",
    ),
    Bug(
        id="flat-scale-forgotten",
        file=FLAT,
        old="""-1, keepdims=True))
    dz = dz / math.sqrt(K)
    dq =""",
        new="""-1, keepdims=True))
    dq =""",
        why="what the forward divides, the backward must divide too",
    ),
    Bug(
        id="flat-dk-from-k",
        file=FLAT,
        old='dk = np.einsum("bhts,bhtk->bhsk", dz, q)',
        new='dk = np.einsum("bhts,bhtk->bhsk", dz, k)',
        why="the gradient of a factor is made from the factor itself",
    ),
    Bug(
        id="flat-dx-replaced",
        file=FLAT,
        old="dx = dx + np.einsum",
        new="dx = np.einsum",
        why="the loop replaces where it should add",
    ),
    Bug(
        id="flat-gradients-crossed",
        file=FLAT,
        old='(("q", dq), ("k", dk), ("v", dv))',
        new='(("q", dk), ("k", dq), ("v", dv))',
        why="queries and keys are exchanged in a table",
    ),
    Bug(
        id="flat-bias-of-the-first-sequence",
        file=FLAT,
        old="dhead.sum((0, 2))",
        new="dhead[0].sum(1)",
        why="written for a batch of one",
    ),
)
