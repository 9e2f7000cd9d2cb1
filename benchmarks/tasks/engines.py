"""The two engines of this project under one set of names, for tasks that run on both alike."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np


class Engine(NamedTuple):
    """What a task needs of an engine."""

    lib: Any  # its package
    models: Any  # its Transformer
    tensor: Any  # array, requires_grad -> tensor
    optim: Any  # its optimizers
    clip: Any  # its clip_grad_norm_
    finish: Any  # what is still to be done to a model, in place
    each: Any  # work(*row) for the rows of columns, side by side in `threads` threads
    update: Any  # an optimizer's step, shared among these threads
    threads: int


def engine(name: str) -> Engine:
    """The engine of a contender's name; imported here, so that a worker loads one alone."""
    if name.startswith("ours"):
        import tinygrad_tf
        import tinygrad_tf.transformer
        from tinygrad_tf import fast, optim
        from tinygrad_tf.fast import threads

        if name != "ours, as it comes":
            fast.on()
        finish = fast.pack_attention if name.startswith("ours, fast, packed") else _as_it_is
        models, clip = tinygrad_tf.transformer, optim.clip_grad_norm_
        return Engine(
            tinygrad_tf, models, tinygrad_tf.Tensor, optim, clip, finish,
            threads.each, threads.take_step, threads.NUMBER,
        )  # fmt: skip
    import torch
    import torch_impl

    def tensor(array: Any, requires_grad: bool = False) -> Any:
        return torch.tensor(np.asarray(array), requires_grad=requires_grad)

    clip = torch.nn.utils.clip_grad_norm_
    return Engine(
        torch, torch_impl, tensor, torch.optim, clip, _as_it_is,
        _one_by_one, _step_alone, 1,
    )  # fmt: skip


def _as_it_is(model: Any) -> Any:
    return model


def _step_alone(optimizer: Any) -> None:
    optimizer.step()


def _one_by_one(work: Any, *columns: Any) -> list[Any]:
    return [work(*row) for row in zip(*columns, strict=True)]
