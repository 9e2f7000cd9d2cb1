"""How a function that someone wrote by hand is called: which of its arguments is what.

An argument has a *role*: the input, the parameters, the gradient of the output, what the forward
has kept (the cache), the output, or a place for gradients. Its name tells the role. Arguments whose
names tell nothing get what is left, in the usual order.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any

from crosscheck.answers import in_words
from crosscheck.arrays import Array
from crosscheck.brought.by_hand_tree import is_float_array


class Role(Enum):
    """What an argument is; the value is the pattern of its names."""

    INPUT = r"x|x_in|xs?|inputs?|inp|tokens?|tok|ids|idx|token_ids|input_ids|src"
    PARAMETERS = r"p|ps|params?|parameters|weights|theta|w"
    DOUT = (
        r"d_?out(put)?|d_?[yozhgl]|d_?loss|d_?logits|grads?_?(out|output|outputs|y|o|z|h|logits)?"
        r"|g|gy|g_?out|upstream|delta|dl_?d?[yozh]|dl_?d?out|d_?up"
    )
    CACHE = (
        r"c|cache|caches|ctx|context|saved|kept|tape|state|mem|memory|acts|activations|store"
        r"|stash|intermediates|residuals|tmp"
    )
    OUTPUT = r"out|output|y|logits"
    GRADIENTS = r"grads|gradients|d_?params"


FORWARD = (Role.INPUT, Role.PARAMETERS)
BACKWARD = (Role.DOUT, Role.CACHE, Role.INPUT, Role.PARAMETERS)


def role_of(name: str, roles: Sequence[Role] | Mapping[Role, Any]) -> Role | None:
    """Return the first of the roles that an argument of this name has; None if it has none."""
    order = sorted(roles, key=lambda role: role is not Role.GRADIENTS)  # "grads" is no dout
    return next((r for r in order if re.fullmatch(r.value, name, re.IGNORECASE)), None)


def takes(function: Callable[..., Any], role: Role) -> bool:
    """Whether a function has an argument of this role, by its name."""
    return any(role_of(name, [role]) for name in _signature(function))


def call(
    function: Callable[..., Any],
    given: Mapping[Role, Any],
    named: Mapping[str, Any],
    who: str,
) -> Any:
    """Call a function with what it asks for.

    given: what can be given, by role, in the order in which arguments get it whose names tell
    nothing. named: what goes to the argument of just this name: options, and parameters of a
    function that takes each as an argument of its own. Raises TypeError if an argument is left.
    """
    positional, keywords = arguments(function, given, named, who)
    return function(*positional, **keywords)


def arguments(
    function: Callable[..., Any], given: Mapping[Role, Any], named: Mapping[str, Any], who: str
) -> tuple[list[Any], dict[str, Any]]:
    """Return the arguments that `call` calls with: by position, and by keyword."""
    taken: dict[str, Any] = {}
    free, left = dict(given), dict(named)
    signature = _signature(function)
    stars = [p for p in signature.values() if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    plain = [p for p in signature.values() if p not in stars]
    for parameter in plain:
        role = role_of(parameter.name, free)
        if parameter.name in left:
            taken[parameter.name] = left.pop(parameter.name)
        elif role is not None:
            taken[parameter.name] = free.pop(role)
    needed = [p for p in plain if p.name not in taken and p.default is p.empty]
    for parameter, value in zip(needed, _in_order(free, len(needed)), strict=False):
        taken[parameter.name] = value
    lacking = [p.name for p in needed if p.name not in taken]
    if lacking:
        raise TypeError(
            f"compare: {who} takes {', '.join(map(repr, lacking))}, and nothing that is given has "
            f"this name; given are {', '.join([*(r.name.lower() for r in given), *named])}"
        )
    positional = [taken.pop(p.name) for p in plain if p.kind is p.POSITIONAL_ONLY]
    for star in stars:
        if star.kind is star.VAR_KEYWORD:
            taken.update(left)
        else:
            before = [taken.pop(p.name) for p in plain if p.name in taken]
            positional += [*before, *left.values()]
            left = {}
    return positional, taken


def split_output(returned: Any, who: str) -> tuple[Array, list[Any]]:
    """Return the output that a forward returned, and what came beside it.

    The output is the array that was returned, or the first array of floats in a tuple. Raises
    TypeError if there is none.
    """
    parts = list(returned) if isinstance(returned, tuple | list) else [returned]
    for position, part in enumerate(parts):
        if is_float_array(part):
            return part, [*parts[:position], *parts[position + 1 :]]
    raise TypeError(
        f"compare: {who} returned {in_words(returned)} from its forward, expected the output as an "
        "array of floats, alone or first in a tuple"
    )


def _in_order(free: Mapping[Role, Any], count: int) -> list[Any]:
    """Return what arguments get whose names tell nothing; a cache of several parts is spread."""
    values = [value for role, value in free.items() if role is not Role.GRADIENTS]
    cache = free.get(Role.CACHE)
    if isinstance(cache, tuple) and len(values) - 1 + len(cache) == count:
        at = [role for role in free if role is not Role.GRADIENTS].index(Role.CACHE)
        return [*values[:at], *cache, *values[at + 1 :]]
    return values


def _signature(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):  # a function of C, of which nothing is known
        return {}
