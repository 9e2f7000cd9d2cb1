"""The two engines of this project under one set of names, for tasks that run on both alike."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np


class Engine(NamedTuple):
    """tensor: array, requires_grad -> tensor. models: the Transformer. lib: its package."""

    lib: Any
    models: Any
    tensor: Any
    optim: Any
    clip: Any


def engine(name: str) -> Engine:
    """The engine of a contender's name; imported here, so that a worker loads one alone."""
    if name.startswith("ours"):
        import tinygrad_tf
        import tinygrad_tf.transformer
        from tinygrad_tf import optim

        return Engine(
            tinygrad_tf, tinygrad_tf.transformer, tinygrad_tf.Tensor, optim, optim.clip_grad_norm_
        )
    import torch
    import torch_impl

    def tensor(array: Any, requires_grad: bool = False) -> Any:
        return torch.tensor(np.asarray(array), requires_grad=requires_grad)

    return Engine(torch, torch_impl, tensor, torch.optim, torch.nn.utils.clip_grad_norm_)
