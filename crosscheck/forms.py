"""Which forms of the rules our engine computes by: their pages, or in float32 the fast forms."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from tinygrad_tf.machinery.forms import second_forms


def has_fast_forms() -> bool:
    """Whether there are fast forms: the engine is whole without them."""
    return find_spec("tinygrad_tf.fast") is not None


def fast_forms(wanted: bool) -> AbstractContextManager[Any]:
    """Within this block, compute float32 by the fast forms if they are wanted."""
    if not wanted:
        return nullcontext()
    on: AbstractContextManager[Any] = _door().on()
    return on


def pack_attention(model: Any) -> None:
    """Make each attention of one of our models a packed one."""
    _door().pack_attention(model)


def _door() -> Any:
    """Return `tinygrad_tf.fast`, which is loaded only here. Raises ValueError if it is missing."""
    if not has_fast_forms():
        raise ValueError("this copy of tinygrad_tf has no fast forms: its folder fast/ is missing")
    return import_module("tinygrad_tf.fast")


@contextmanager
def only_pages() -> Iterator[None]:
    """Within this block, compute every op by its page, even where the fast forms are on."""
    kept = dict(second_forms)
    second_forms.clear()
    try:
        yield
    finally:
        second_forms.update(kept)


def are_fast_forms_on() -> bool:
    """Whether float32 is computed by the fast forms here, and not by the pages."""
    return bool(second_forms)
