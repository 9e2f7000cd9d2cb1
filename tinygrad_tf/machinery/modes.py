"""The two switches of the engine: whether ops record the graph, and who is told about each op.

Both are context variables: what one thread or task switches, the others do not see.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from tinygrad_tf.machinery.forms import Op
    from tinygrad_tf.tensor import Tensor

Listener: TypeAlias = Callable[["Op", tuple[Any, ...], Mapping[str, Any], "Tensor"], None]

grad_enabled: ContextVar[bool] = ContextVar("grad_enabled", default=True)
listeners: ContextVar[tuple[Listener, ...]] = ContextVar("listeners", default=())


@contextmanager
def no_grad() -> Iterator[None]:
    """Within this block, or under `@no_grad()`, ops compute but record no graph."""
    token = grad_enabled.set(False)
    try:
        yield
    finally:
        grad_enabled.reset(token)


def is_grad_enabled() -> bool:
    """Return whether ops record the graph here."""
    return grad_enabled.get()


@contextmanager
def observe(listener: Listener) -> Iterator[None]:
    """Within this block, call `listener(op, inputs, options, output)` after every op."""
    token = listeners.set((*listeners.get(), listener))
    try:
        yield
    finally:
        listeners.reset(token)
