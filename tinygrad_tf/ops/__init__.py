"""The derivatives. A rule is a NumPy function that returns its output and its `backward`.

Start here, in this order: `linear.py`, `softmax.py`, `layer_norm.py`, `gelu.py`, `attention.py`.
Then read `graph.py` and `autograd.py`, one folder up: they are the whole engine.

Eleven pages derive one op each: `attention`, `cross_entropy`, `dropout`, `embedding`, `gelu`,
`layer_norm`, `linear`, `matmul`, `multi_head_attention`, `relu` and `softmax`. Two of them have a
second rule: `gelu_tanh` and `log_softmax`. Six pages collect the small rules: `arithmetic`,
`elementwise`, `extreme`, `reductions`, `selection` and `shape`. `sum_to.py` is a tool that the
rules share.
Unless `tinygrad_tf.fast` is on, every op is computed by its page.

On every page `dname` is dL/d`name` and has the shape of `name`; `dout` is the gradient that
arrives. On a page with numbered steps, `backward` undoes them from the last to the first, under
the same numbers. A hard backward also quotes the forward line that it undoes.

Each page says whether the Transformer block runs it as it comes: with GELU, without dropout, and
with attention written out. These are the defaults of `TransformerLanguageModel`.
"""
