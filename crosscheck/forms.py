"""Which forms of the rules our engine computes by: their pages, or in float32 the fast forms."""

from __future__ import annotations

from contextlib import AbstractContextManager
from importlib import import_module
from typing import Any

from tinygrad_tf.machinery.forms import second_forms


def fast_forms() -> AbstractContextManager[Any]:
    """Within this block, compute float32 by the fast forms. They are loaded only here."""
    on: AbstractContextManager[Any] = import_module("tinygrad_tf.fast").on()
    return on


def are_fast_forms_on() -> bool:
    """Whether float32 is computed by the fast forms here, and not by the pages."""
    return bool(second_forms)
