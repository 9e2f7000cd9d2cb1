"""Mistakes in the fast forms of the rules; each is planted while the fast forms are on."""

from crosscheck.mutants.mutant import Mutant

MUTANTS = (
    Mutant(
        id="linear-float32-half-sums",
        family="linear",
        what="the fast form computes dweight in float16",
        module="tinygrad_tf.fast.linear",
        old="dweight = _product(dout.T, rows)",
        new="dweight = (dout.T.astype(np.float16) @ rows.astype(np.float16)).astype(x.dtype)",
        found=("linear",),
    ),
    Mutant(
        id="embedding-float32-starts",
        family="embedding",
        what="the fast form loses the last group of equal tokens",
        module="tinygrad_tf.fast.embedding",
        old="dweight[tokens[starts]] = np.add.reduceat(rows, starts, axis=0)",
        new="dweight[tokens[starts[:-1]]] = np.add.reduceat(rows, starts, axis=0)[:-1]",
        found=("embedding",),
    ),
    Mutant(
        id="gelu-float32-slope",
        family="GELU",
        what="the fast form's slope uses exp(-x^2), not exp(-x^2 / 2)",
        module="tinygrad_tf.fast.gelu",
        old="square *= -HALF",
        new="square *= -ONE",
        found=("gelu",),
    ),
    Mutant(
        id="attention-float32-scale",
        family="attention",
        what="the fast form forgets to scale dq",
        module="tinygrad_tf.fast.attention",
        old="        dq *= factor\n",
        new="",
        found=("scaled_dot_product_attention",),
    ),
    Mutant(
        id="attention-float32-average",
        family="attention",
        what="the fast form forgets the average that softmax's backward subtracts",
        module="tinygrad_tf.fast.attention",
        old="                lines -= average.reshape(-1)\n",
        new="",
        found=("scaled_dot_product_attention",),
    ),
    Mutant(
        id="layer-norm-float32-mean",
        family="layer norm",
        what="the fast form averages dout instead of dx_hat",
        module="tinygrad_tf.fast.layer_norm",
        old="along_ones = dout.dot(shares)",
        new="along_ones = dout.dot(average)",
        found=("layer_norm",),
    ),
    Mutant(
        id="getitem-float32-rest",
        family="engine",
        what="an entry that was not read gets a copy of the input as its gradient, not zero",
        module="tinygrad_tf.fast.getitem",
        old="        whole.fill(0)\n",
        new="        whole[...] = self.like\n",
        found=("getitem",),
    ),
)
