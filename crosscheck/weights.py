"""Weights by name: from one engine to the other, drawn at random, and on disk.

Both sides use PyTorch's own names, so nothing here maps one name to another.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from crosscheck.draws import Stream, draws
from crosscheck.files import write_whole
from crosscheck.sides import Array, Dialect, side_of


def get_weights(model: Any) -> dict[str, Array]:
    """Return a copy of every parameter as an array, by name; training does not change the copy."""
    return side_of(model).weights(model)


def set_weights(model: Any, weights: dict[str, Array]) -> None:
    """Load arrays into a model, as `Dialect.load` does. Raises TypeError for a ForeignModel."""
    side = side_of(model)
    if not isinstance(side, Dialect):
        raise TypeError(f"set_weights: a {side.name} model cannot be given weights")
    side.load(model, weights)


def copy_weights(source: Any, target: Any) -> None:
    """Give target the weights of source; each may be of either engine. Raises as `set_weights`."""
    set_weights(target, get_weights(source))


def randomize(model: Any, seed: int = 0) -> None:
    """Redraw every parameter so that none is special: default values hide bugs.

    Matrices (out, in) are normal with variance 1 / in. Biases lie between 0.05 and 0.25 with either
    sign: none is zero. The weights of norms, the only vectors of that name, lie between 0.5 and
    1.5: none is 1.
    """
    generator = draws(Stream.WEIGHTS, seed)
    drawn: dict[str, Array] = {}
    for name, value in get_weights(model).items():
        if value.ndim >= 2:
            values = generator.standard_normal(value.shape) / np.sqrt(value.shape[-1])
        elif name.endswith("weight"):
            values = generator.uniform(0.5, 1.5, value.shape)
        else:
            signs = generator.choice([-1.0, 1.0], value.shape)
            values = signs * generator.uniform(0.05, 0.25, value.shape)
        drawn[name] = values.astype(np.float32).astype(value.dtype)  # exact in both precisions
    set_weights(model, drawn)


def save_weights(model: Any, path: Path | str) -> None:
    """Write a model's weights as safetensors; the file appears whole or not at all."""
    write_whole(Path(path), save(get_weights(model)))


def load_weights(model: Any, path: Path | str) -> None:
    """Read weights written by `save_weights`, or by anyone under PyTorch's names.

    Raises ValueError if the file is not safetensors, and as `set_weights` if it does not fit.
    """
    try:
        weights = load_file(path)
    except SafetensorError as error:
        raise ValueError(f"load_weights: {path} is not a safetensors file: {error}") from error
    set_weights(model, weights)
