"""Weights by name: from one engine to the other, drawn at random, and on disk.

Weights are a model's parameters, frozen ones too, under the names of its `state_dict`: a tied
parameter has several. Buffers, such as a causal mask, are state and no weights: they are not drawn,
not copied and not asked for. Both sides use PyTorch's own names, so nothing here maps one name to
another.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from safetensors.numpy import save

from crosscheck.answers import in_words
from crosscheck.arrays import array_of
from crosscheck.draws import Stream, draws
from crosscheck.files import StrPath, write_whole
from crosscheck.sides import Array, Dialect, side_of
from crosscheck.weight_files import read_weights


def get_weights(model: Any) -> dict[str, Array]:
    """Return a copy of every parameter as an array, by name; training does not change the copy."""
    return side_of(model).weights(model)


def set_weights(model: Any, weights: Mapping[str, Array]) -> None:
    """Load arrays into a model, strictly: all of them, exactly, or none.

    Values for the model's buffers may be among them; they are not asked for. Raises RuntimeError
    listing everything that does not fit, see `misfits`, and TypeError for a ForeignModel.
    """
    _give(model, weights, "set_weights", "the values")


def _give(model: Any, weights: Mapping[str, Array], who: str, what: str) -> None:
    """Load the weights. who: the function that was called; what: the subject of its message."""
    side = _dialect_of(model, who)
    faults = misfits(model, weights)
    if not faults:
        try:
            return side.load(model, weights)
        except Exception as error:  # the model's own code refuses; it is as it was
            faults = [str(error)]
    raise RuntimeError(
        f"{who}: {what} do not fit {type(model).__name__}:\n  " + "\n  ".join(faults)
    )


def misfits(model: Any, weights: Mapping[str, Array]) -> list[str]:
    """Return a sentence for each reason why these weights do not fit into the model.

    A weight is missing, unexpected, mis-shaped, not of floats, or the model could hold it only by
    rounding it; or a tied parameter is given two values; or a buffer could not hold what it is
    given. Raises TypeError for a ForeignModel.
    """
    side = _dialect_of(model)
    own, buffers = side.parameters(model), model.state_dict()
    faults = [f"missing: {name}" for name in own if name not in weights]
    for name, value in weights.items():
        if name in own:
            faults += _misfits(name, value, own[name], side)
        elif name in buffers:
            faults += _misfits_of_buffer(name, value, side.array(buffers[name]))
        else:
            faults.append(f"unexpected: {name}")
    return faults + [
        f"{' and '.join(names)} are one parameter here, and are given different values"
        for names in ties(model)
        if len({weights[name].tobytes() for name in names if name in weights}) > 1
    ]


def _misfits_of_buffer(name: str, value: Array, held: Array) -> Iterator[str]:
    """A buffer may be of any kind, integers too, as long as no value changes."""
    with np.errstate(invalid="ignore", over="ignore"):  # NaN in a buffer of integers, say
        as_held = value.astype(held.dtype)
    if value.shape != held.shape:
        yield f"shape of the buffer {name}: got {value.shape}, expected {held.shape}"
    if not np.array_equal(as_held, value, equal_nan=True):
        yield f"dtype of the buffer {name}: {value.dtype} would be rounded to {held.dtype}"


def _misfits(name: str, value: Array, parameter: Any, side: Dialect) -> Iterator[str]:
    held = side.array(parameter)
    if value.shape != held.shape:
        yield f"shape of {name}: got {value.shape}, expected {held.shape}"
    if value.dtype.kind in "iub" and held.dtype.kind == "f":
        yield (
            f"dtype of {name}: got {value.dtype}, expected {held.dtype}; "
            "integers are no weights until they are scaled to what they stand for"
        )
    elif value.dtype.kind != held.dtype.kind:
        yield f"dtype of {name}: got {value.dtype}, expected {held.dtype}"
    elif not np.can_cast(value.dtype, held.dtype, casting="safe"):
        yield (
            f"dtype of {name}: got {value.dtype}, expected {held.dtype}; convert the model with "
            ".double(), or the values to the model's precision"
        )
    elif not np.array_equal(side.as_held(parameter, value), value, equal_nan=True):
        yield f"dtype of {name}: {value.dtype} would be rounded to {parameter.dtype}"


def ties(model: Any) -> list[tuple[str, ...]]:
    """Return the names of each parameter that has several. Only a Dialect's model has any."""
    side = side_of(model)
    names: dict[int, list[str]] = {}
    if isinstance(side, Dialect):
        for name, parameter in side.parameters(model).items():
            names.setdefault(id(parameter), []).append(name)
    return [tuple(several) for several in names.values() if len(several) > 1]


def copy_weights(source: Any, target: Any) -> None:
    """Give target the weights of source; each may be a model of either engine.

    source may also be a dictionary from names to tensors, parameters or arrays, such as a
    `state_dict`. Raises as `set_weights`.
    """
    if isinstance(source, Mapping):
        weights = {name: _number(name, value) for name, value in source.items()}
    else:
        weights = side_of(source, "copy_weights").weights(source)
    _give(target, weights, "copy_weights", "the values")


def _number(name: str, value: Any) -> Array:
    try:
        array = array_of(value)
    except (TypeError, ValueError, RuntimeError) as error:  # ragged lists, 4-bit or absent numbers
        raise TypeError(f"copy_weights: {name} cannot be read as numbers: {error}") from error
    if array.dtype.kind not in "fiub":
        raise TypeError(f"copy_weights: {name} must be real numbers, got {in_words(value)}")
    return array


def randomize(model: Any, seed: int = 0) -> None:
    """Redraw every parameter so that none is special: default values hide bugs.

    Matrices (out, in) are normal with variance 1 / in. Biases lie between 0.05 and 0.25 with either
    sign: none is zero. The weights of norms, the only vectors of that name, lie between 0.5 and
    1.5: none is 1. A tied parameter is drawn once. Parameters of integers and buffers stay as they
    are. Raises TypeError for a ForeignModel.
    """
    side = _dialect_of(model, "randomize")
    generator = draws(Stream.WEIGHTS, seed)
    drawn: dict[int, Array] = {}  # by the parameter's identity
    weights: dict[str, Array] = {}
    for name, parameter in side.parameters(model).items():
        if id(parameter) not in drawn:
            drawn[id(parameter)] = _drawn(name, parameter, side, generator)
        weights[name] = drawn[id(parameter)]
    side.load(model, weights)


def _drawn(name: str, parameter: Any, side: Dialect, generator: np.random.Generator) -> Array:
    held = side.array(parameter)
    if held.dtype.kind != "f":
        return held
    return side.as_held(parameter, fresh_values(name, held.shape, generator))


def fresh_values(name: str, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
    """Draw the values of one parameter as `randomize` says: float32, exact in both precisions."""
    if len(shape) >= 2:
        values = generator.standard_normal(shape) / np.sqrt(shape[-1])
    elif name.endswith("weight"):
        values = generator.uniform(0.5, 1.5, shape)
    else:
        values = generator.choice([-1.0, 1.0], shape) * generator.uniform(0.05, 0.25, shape)
    return np.asarray(values, np.float32)


def save_weights(model: Any, path: StrPath) -> None:
    """Write a model's weights as safetensors; the file appears whole or not at all."""
    write_whole(path, save(side_of(model, "save_weights").weights(model)))


def load_weights(model: Any, path: StrPath) -> None:
    """Read weights written by `save_weights`, or by anyone under PyTorch's names.

    Raises as `read_weights` if it is not a file of safetensors, and as `set_weights`, with the name
    of the file, if it does not fit.
    """
    _dialect_of(model, "load_weights")
    _give(model, read_weights(path), "load_weights", f"the values in {path}")


def _dialect_of(model: Any, who: str = "set_weights") -> Dialect:
    side = side_of(model, who)
    if not isinstance(side, Dialect):
        raise TypeError(f"{who}: a {side.name} model cannot be given weights")
    return side
