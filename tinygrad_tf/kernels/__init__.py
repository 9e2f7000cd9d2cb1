"""Fast forms of a few rules, for float32. They compute what the pages in `ops/` explain.

Read the pages; these files are for the clock. A test proves each equal to its page, on ordinary and
on extreme values. What is different here: results go into memory that was used before
(`buffers.py`), temporaries are overwritten in place, and sums along rows are matrix products.
"""

from tinygrad_tf.kernels import (
    attention,
    embedding,
    gelu,
    layer_norm,
    linear,
    multi_head_attention,
)

__all__ = ["attention", "embedding", "gelu", "layer_norm", "linear", "multi_head_attention"]
