"""The fast form of an op, for the tests in `tests/fast`."""

from collections.abc import Callable
from typing import Any

from tinygrad_tf.fast import SECOND_FORMS


def fast_form(op: Any) -> Callable[..., Any]:
    return SECOND_FORMS[op.rule]
