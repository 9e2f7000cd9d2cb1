"""What `register_hook`, `retain_grad` and the hooks of modules fill, and how they are called."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable
from typing import Any

from tinygrad_tf.graph import Array, Variable

_keys = itertools.count()


class Hooks(dict[int, Callable[..., Any]]):
    """Hooks, in the order in which they were registered."""

    # The tensor whose `retain_grad()` asked for the gradient that they leave. It holds the node,
    # and the node holds the hooks, so the reference is weak.
    keeper: weakref.ref[Any] | None = None


class RemovableHandle:
    """Removes one hook: call `remove()`, or use it as a context manager."""

    def __init__(self, hooks: Hooks, hook: Callable[..., Any]) -> None:
        if not callable(hook):
            raise TypeError(f"the hook is {type(hook).__name__}, expected a function")
        self._hooks = hooks
        self._key = next(_keys)
        hooks[self._key] = hook

    def remove(self) -> None:
        """Remove the hook. Removing it twice is harmless."""
        self._hooks.pop(self._key, None)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *exception: object) -> None:
        self.remove()


def replaced_by_hooks(root: Variable, hooks: Hooks, gradient: Array) -> Array:
    """Call each hook with the gradient. Return the gradient, or what the hooks put in its place."""
    for hook in tuple(hooks.values()):
        replacement = hook(root.new_tensor(gradient))
        if replacement is None:
            continue
        if not isinstance(replacement, Variable):
            raise TypeError(
                f"register_hook: the hook returned {type(replacement).__name__}, expected a Tensor "
                "or None"
            )
        new = replacement.data
        if new.shape != gradient.shape or new.dtype != gradient.dtype:
            raise ValueError(
                f"register_hook: the hook returned {new.shape} {new.dtype} for a gradient that is "
                f"{gradient.shape} {gradient.dtype}"
            )
        gradient = new
    return gradient
