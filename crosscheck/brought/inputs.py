"""What goes into a brought model: floats or tokens, as it takes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from zipfile import BadZipFile

import numpy as np

import torch
from crosscheck.brought.behaviour import raw_output_of
from crosscheck.brought.sizes import Sizes
from crosscheck.draws import Stream, draws
from crosscheck.files import StrPath, require_file
from crosscheck.sides import TORCH, Array, side_of

Trial = Callable[[Any, Array], Any]


def read_input(path: StrPath) -> Array:
    """Read an array of numbers from a file of `numpy.save`. Raises ValueError or OSError."""
    require_file(path, "--input", "an array saved by numpy.save")
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, BadZipFile, MemoryError) as error:
        raise ValueError(f"--input {path} is not an array saved by numpy.save: {error}") from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiub":
        kind = array.dtype if isinstance(array, np.ndarray) else "an archive of several arrays"
        raise ValueError(f"--input {path} holds {kind}, expected one array of numbers")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError(f"--input {path} holds NaN or infinity, which no comparison survives")
    return array


def with_input(sizes: Sizes, inputs: Array) -> Sizes:
    """Return the sizes that go with an input that the user gave."""
    if inputs.ndim < 2:
        return sizes
    return replace(sizes, batch=inputs.shape[0], tokens=inputs.shape[1])


def choose_input(model: Any, sizes: Sizes) -> Array:
    """Draw an input of the kind that the model takes: floats (B, T, C), or tokens (B, T).

    It is known by trying; tokens come first where a model has an embedding. Raises what the model
    raises on the first kind, if it runs on none.
    """
    failures: list[Exception] = []
    for inputs in _kinds(model, sizes):
        for dtype in ("float64", "float32"):  # float32 may be written into its code
            try:
                raw_output_of(model, inputs, {}, dtype)
            except Exception as error:
                failures.append(error)
            else:
                return inputs
    raise failures[0]


def _kinds(model: Any, sizes: Sizes) -> Iterator[Array]:
    tables = _embeddings(model)
    shape = sizes.shape or (sizes.batch, sizes.tokens, sizes.width)
    if tables:
        for rows in dict.fromkeys((max(tables), min(tables))):  # a table of positions has fewer
            yield tokens(shape[:2], rows, sizes.seed)
    if len(shape) >= 3 or not tables:
        yield floats(shape, sizes.seed)
    if not tables:
        yield tokens(shape[:2], sizes.vocabulary, sizes.seed)


def floats(shape: tuple[int, ...], seed: int) -> Array:
    """Draw a floating input; the numbers are exact in float32."""
    drawn = draws(Stream.INPUT, seed).standard_normal(shape)
    return drawn.astype(np.float32).astype(np.float64)


def tokens(shape: tuple[int, ...], vocabulary: int, seed: int) -> Array:
    """Draw token ids below the size of the vocabulary."""
    return draws(Stream.TOKENS, seed).integers(vocabulary, size=shape)


def _embeddings(model: Any) -> list[int]:
    """The rows of each embedding table in a model of PyTorch's dialect."""
    side = side_of(model)
    if not hasattr(model, "modules"):
        return []
    library = torch if side is TORCH else getattr(side, "library", None)
    kind = getattr(getattr(library, "nn", None), "Embedding", ())
    return [len(m.weight) for m in model.modules() if isinstance(m, kind)]
