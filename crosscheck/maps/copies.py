"""Copies of models of any kind, given other weights: drawn anew, neutral, tied."""

from __future__ import annotations

import copy
import re
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from crosscheck.draws import Stream, draws
from crosscheck.sides import Array, Dialect, side_of
from crosscheck.weights import fresh_values, get_weights, randomize, set_weights


def copy_of(model: Any) -> Any | None:
    """Return a copy that can be given weights; None if there is none, as of some ForeignModels."""
    if isinstance(side_of(model), Dialect):
        return copy.deepcopy(model)
    if not callable(getattr(model, "load_state_dict", None)):
        return None
    try:
        return copy.deepcopy(model)
    except Exception:  # whatever it is, it cannot be copied
        return None


def give(model: Any, weights: Mapping[str, Array]) -> None:
    """Give a model these weights; the others stay as they are.

    Values are converted to the precision that the model holds. Raises RuntimeError, as
    `set_weights`, if that would round them.
    """
    held = get_weights(model)
    for name, value in weights.items():
        held[name] = np.ascontiguousarray(value.astype(held[name].dtype))
    if isinstance(side_of(model), Dialect):
        set_weights(model, held)
    else:
        model.load_state_dict(held)


def redraw(model: Any, seed: int) -> None:
    """Redraw every weight, as `randomize` does, of a model of any kind."""
    if isinstance(side_of(model), Dialect):
        randomize(model, seed)
        return
    generator = draws(Stream.WEIGHTS, seed)
    held = get_weights(model)
    floats = {name: array for name, array in held.items() if array.dtype.kind == "f"}
    give(model, {name: fresh_values(name, a.shape, generator) for name, a in floats.items()})


def neutral_values(name: str, like: Array) -> Array:
    """Return what adds nothing and scales by nothing: 1 for the weights of norms, 0 for biases."""
    return np.full_like(like, 1.0 if is_gain(name) else 0.0)


def is_gain(name: str) -> bool:
    """Whether a vector of this name scales, as the weight of a norm, and adds nothing."""
    return bool(re.search(r"(weight|gamma|gain|scale|a_|(^|[._])[gw])\d*$", name.lower()))


def tie(model: Any, names: Collection[str]) -> None:
    """Make these parameters of a Dialect's model the first of them."""
    first, *others = names
    parameter = dict(model.named_parameters())[first]
    for name in others:
        module, _, leaf = name.rpartition(".")
        setattr(dict(model.named_modules())[module], leaf, parameter)
