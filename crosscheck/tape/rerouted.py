"""What two models often read differently: masks, and the axes of the input.

No attribute says how a model reads them, so they are changed on their way into a forward.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from crosscheck.tape.settings import BATCH_FIRST, Change, dialect_of

# What a forward may call its masks: the one that is added to the scores, and that of the keys.
ATTENTION = ("attn_mask", "src_mask", "mask")
PADDING = ("key_padding_mask", "src_key_padding_mask")


def axes(model: Any) -> Iterator[Change]:
    """Yield the exchange of the first two axes, unless the model has batch_first for that."""
    if not any(BATCH_FIRST.changes(model)):
        yield Change(
            "the first two axes of its input and output exchanged",
            partial(_around, wrapper=_exchanged),
            "has the tokens along one of these axes",
            "has them along the other",
            (),
        )


def masks(model: Any) -> Iterator[Change]:
    """Yield the other masks that the model could be under; none if no forward takes a mask.

    A change raises in the run if it changes nothing, since no mask is given, say.
    """

    def change(setting: str, alter: Any, names: tuple[str, ...], after: str, before: str) -> Change:
        return Change(setting, partial(_mask, names=names, alter=alter), after, before, names)

    if any(_takes(module, ATTENTION) for module in model.modules()):
        yield change("a causal mask", _causal, ATTENTION, "hides the future", "does not hide it")
        yield change("no mask", _no_mask, ATTENTION, "heeds no mask", "heeds one")
        yield change(
            "its mask inverted", _inverted, ATTENTION,
            "reads True in the mask as seen", "reads it as hidden",
        )  # fmt: skip
    if any(_takes(module, PADDING) for module in model.modules()):
        yield change("no padding mask", _no_mask, PADDING, "heeds no padding mask", "heeds one")
        yield change(
            "its padding mask inverted", _inverted, PADDING,
            "reads True in the padding mask as seen", "reads it as hidden",
        )  # fmt: skip


def _takes(module: Any, names: tuple[str, ...]) -> bool:
    """Whether the module's forward takes one of these arguments."""
    return any(name in inspect.signature(type(module).forward).parameters for name in names)


def _mask(model: Any, names: tuple[str, ...], alter: Callable[..., Any]) -> None:
    """Alter the mask on its way into the innermost forwards that take it."""
    for module in list(model.modules()):
        inner = [child for child in module.modules() if child is not module]
        if _takes(module, names) and not any(_takes(child, names) for child in inner):
            _around(module, partial(_masked, names=names, alter=alter))


def _around(module: Any, wrapper: Callable[..., Any]) -> None:
    """Call wrapper(forward, module, *inputs, **options) where the module's forward is called.

    The module gets another class and not another attribute, so that copies of it have that too.
    """
    before = type(module)

    @functools.wraps(before.forward)
    def forward(self: Any, *inputs: Any, **options: Any) -> Any:
        return wrapper(before.forward, self, *inputs, **options)

    module.__class__ = type(before.__name__, (before,), {"forward": forward})


def _exchanged(forward: Any, module: Any, x: Any, *inputs: Any, **options: Any) -> Any:
    return forward(module, x.transpose(0, 1), *inputs, **options).transpose(0, 1)


def _masked(
    forward: Any, module: Any, *inputs: Any, names: Any, alter: Callable[..., Any], **options: Any
) -> Any:
    given = inspect.signature(forward).bind(module, *inputs, **options)
    given.apply_defaults()
    name = next(name for name in names if name in given.arguments)
    is_causal = names is ATTENTION and bool(given.arguments.get("is_causal"))
    mask = given.arguments[name]
    if (alter is _causal) != (mask is None and not is_causal):
        raise ValueError("there is a mask already, or there is none")
    if is_causal:
        given.arguments["is_causal"] = False
    given.arguments[name] = alter(module, inputs[0], mask)
    return forward(*given.args, **given.kwargs)


def _causal(module: Any, x: Any, mask: None) -> Any:
    """Return a float mask (T, T) that hides the future, for x (B, T, C) or (T, B, C)."""
    side = dialect_of(module)
    T = x.shape[-2] if getattr(module, "batch_first", True) else x.shape[0]
    return side.tensor(np.triu(np.full((T, T), -np.inf), 1).astype(side.array(x).dtype))


def _no_mask(module: Any, x: Any, mask: Any) -> None:
    return None


def _inverted(module: Any, x: Any, mask: Any) -> Any:
    side = dialect_of(module)
    array = side.array(mask)  # what is hidden is True, or -inf to be added to the scores
    inverted = ~array if array.dtype == bool else np.where(array == 0, -np.inf, 0.0)
    return side.tensor(inverted.astype(array.dtype))
