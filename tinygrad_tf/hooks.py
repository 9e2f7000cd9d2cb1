"""What `register_hook` and its likes fill, and the handles that they return."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

_keys = itertools.count()


class Hooks(dict[int, Callable[..., Any]]):
    """Hooks, in the order they were registered. keeper: the tensor whose `retain_grad()` asked for
    the gradient that they leave.
    """

    keeper: Any = None


class RemovableHandle:
    """Removes one hook: call `remove()`, or use it as a context manager."""

    def __init__(self, hooks: Hooks, hook: Callable[..., Any]) -> None:
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
