"""From what was named on the command line to a model that can be compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from crosscheck.answers import in_words
from crosscheck.arrays import is_tensor
from crosscheck.brought import as_model
from crosscheck.brought.construct import Maker, is_model, module_of, parameters_of
from crosscheck.brought.load import Library
from crosscheck.brought.target import Target
from crosscheck.brought.wrap import parameters_among


@dataclass
class Brought:
    """A model, and what was called to make it."""

    model: Any  # what `side_of` knows
    forward: Callable[..., Any]  # the user's function whose arguments a mask may be among
    who: str  # as it was named: "my_block.py:Block"
    called: list[str] = field(default_factory=list)


def bring(library: Library, target: Target, maker: Maker) -> Brought:
    """Load what is named, make a model of it, and say what was called.

    Raises ValueError for what cannot be a model, and whatever the user's own code raises.
    """
    module, things = library.load(target)
    first = things[0]
    if not callable(first) and not is_model(first) and not isinstance(first, tuple):
        raise ValueError(
            f"{target.who} is {in_words(first)}, expected a class, a function that makes a model, "
            "a model, or a forward"
        )
    before = len(maker.said)
    model, forward = (
        _pair(things, module, maker)
        if len(things) > 1
        else _single(things[0], target, module, maker)
    )
    return Brought(model, forward, target.who, maker.said[before:])


def _single(
    thing: Any, target: Target, module: ModuleType, maker: Maker
) -> tuple[Any, Callable[..., Any]]:
    home = module_of(thing, module)
    if isinstance(thing, type):
        return _of_object(maker.make(thing, home), target)
    if is_model(thing):
        return _of_object(thing, target)
    if _is_factory(thing, maker):
        return _of_object(maker.make(thing, home), target)
    return as_model(thing, parameters=_parameters(None, home, maker)), thing


def _pair(things: list[Any], module: ModuleType, maker: Maker) -> tuple[Any, Callable[..., Any]]:
    forward, backward = things[:2]
    parameters = _parameters(things[2] if len(things) == 3 else None, module, maker)
    return as_model((forward, backward), parameters=parameters), forward


def _of_object(thing: Any, target: Target) -> tuple[Any, Callable[..., Any]]:
    """Return a model of what a class or factory made."""
    if is_tensor(thing) or thing is None or isinstance(thing, str | int | float):
        raise ValueError(f"{target.who} returned {in_words(thing)} when it was called, no model")
    forward = getattr(thing, "forward", None)
    if isinstance(thing, tuple) and thing and callable(thing[0]):
        forward = thing[0]
    return as_model(thing), forward if callable(forward) else thing


def _is_factory(function: Callable[..., Any], maker: Maker) -> bool:
    """Whether a function makes a model, and is no forward: it requires sizes and no input."""
    required = [
        name
        for name, p in parameters_of(function).items()
        if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    if required and len(required[0]) == 1 and required[0].islower():
        return False  # f(x), f(h)
    return maker.can_make(function)


def _parameters(given: Any, module: ModuleType, maker: Maker) -> Any:
    """The parameters of a function by hand: what its maker makes, or the object that is named."""
    if given is None:
        _, given = parameters_among(vars(module))
        if callable(given) and not maker.can_make(given):
            return None
    return maker.make(given, module) if callable(given) else given
