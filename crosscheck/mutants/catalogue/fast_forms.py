"""Mistakes in the fast forms of the rules; each is planted while the fast forms are on."""

from crosscheck.mutants.mutant import Mutant

MUTANTS = (
    Mutant(
        "linear-float32-half-sums",
        "linear",
        "the fast form makes dweight of rounded halves",
        "tinygrad_tf.fast.linear",
        "dweight = _product(dout.T, rows)",
        "dweight = (dout.T.astype(np.float16) @ rows.astype(np.float16)).astype(x.dtype)",
        ("linear",),
    ),
    Mutant(
        "embedding-float32-starts",
        "embedding",
        "the fast form loses the last group of equal tokens",
        "tinygrad_tf.fast.embedding",
        "dweight[tokens[starts]] = np.add.reduceat(rows, starts, axis=0)",
        "dweight[tokens[starts[:-1]]] = np.add.reduceat(rows, starts, axis=0)[:-1]",
        ("embedding",),
    ),
    Mutant(
        "gelu-float32-slope",
        "GELU",
        "the fast form's slope uses exp(-x^2), not exp(-x^2 / 2)",
        "tinygrad_tf.fast.gelu",
        "square *= -HALF",
        "square *= -ONE",
        ("gelu",),
    ),
    Mutant(
        "attention-float32-scale",
        "attention",
        "the fast form forgets to scale dq",
        "tinygrad_tf.fast.attention",
        "        dq *= factor\n",
        "",
        ("scaled_dot_product_attention",),
    ),
    Mutant(
        "attention-float32-average",
        "attention",
        "the fast form forgets the average that softmax's backward subtracts",
        "tinygrad_tf.fast.attention",
        "                lines -= average.reshape(-1)\n",
        "",
        ("scaled_dot_product_attention",),
    ),
    Mutant(
        "layer-norm-float32-mean",
        "layer norm",
        "the fast form averages dout instead of dx_hat",
        "tinygrad_tf.fast.layer_norm",
        "along_ones = dout.dot(shares)",
        "along_ones = dout.dot(average)",
        ("layer_norm",),
    ),
    Mutant(
        "getitem-float32-rest",
        "engine",
        "where a piece was not read, its gradient is a copy of the input, not zero",
        "tinygrad_tf.fast.getitem",
        "        whole.fill(0)\n",
        "        whole[...] = self.like\n",
        ("getitem",),
    ),
)
