"""The door to speed. Nothing here is loaded, and no op is computed differently, unless you ask.

    tinygrad_tf.fast.on()              from here on
    with tinygrad_tf.fast.on(): ...    within this block
    TINYGRAD_TF_FAST=1 python ...      from the import on

Then a few rules are computed in float32 by fast forms. A test proves each fast form equal to its
page, on ordinary and on extreme values. Fast forms put results into memory that was used before
(`buffers.py`), write over their own temporaries, compute sums as matrix products, and may share
their work among threads (`threads.py`). In float64 the pages compute everything. `pack_attention`
is a separate call: it rebuilds the attention of a model so that it needs fewer ops (`packed.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from typing import Any

from tinygrad_tf import ops
from tinygrad_tf.fast import attention, buffers, embedding, gelu, getitem, layer_norm, linear
from tinygrad_tf.fast import multi_head_attention as heads
from tinygrad_tf.fast.packed import pack_attention
from tinygrad_tf.machinery.forms import Rule, second_forms

__all__ = ["SECOND_FORMS", "on", "pack_attention"]

SECOND_FORMS: dict[Rule, Callable[..., Any]] = {
    ops.attention.scaled_dot_product_attention.rule: attention.scaled_dot_product_attention,
    ops.embedding.embedding.rule: embedding.embedding,
    ops.gelu.gelu.rule: gelu.gelu,
    ops.layer_norm.layer_norm.rule: layer_norm.layer_norm,
    ops.linear.linear.rule: linear.linear,
    ops.multi_head_attention.multi_head_attention.rule: heads.multi_head_attention,
    ops.shape.getitem.rule: getitem.getitem,
}


def on() -> AbstractContextManager[Any]:
    """Compute float32 by the fast forms from now on, in every thread.

    As a context manager, restore the table of fast forms at the end of the block. What malloc has
    been asked for stays in force, since it cannot be taken back (see `buffers.ask_malloc`).
    """
    leaving = ExitStack()
    leaving.callback(second_forms.update, dict(second_forms))
    leaving.callback(second_forms.clear)  # the last callback is called first
    buffers.ask_malloc()
    second_forms.update(SECOND_FORMS)
    return leaving
