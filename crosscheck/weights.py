"""Weights by name: from one engine to the other, drawn at random, and on disk.

Both sides use PyTorch's own names, so nothing here maps one name to another.
"""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

import torch
from crosscheck.engines import Array, engine_of


def get_weights(model: Any) -> dict[str, Array]:
    """Every parameter as an array, by name; copies, so that later training does not change them."""
    array = engine_of(model).array
    return {name: np.array(array(value)) for name, value in model.state_dict().items()}


def set_weights(model: Any, weights: dict[str, Array]) -> None:
    """Load arrays into a model of either engine, strictly.

    Raises RuntimeError listing everything that is missing, unexpected or mis-shaped, or that the
    model could hold only by rounding it.
    """
    if not isinstance(model, torch.nn.Module):
        model.load_state_dict(weights)
        return
    rounded = [
        f"{name}: {weights[name].dtype} into {dtype}"
        for name, value in model.state_dict().items()
        if name in weights
        and not np.can_cast(weights[name].dtype, dtype := value.numpy().dtype, casting="safe")
    ]
    if rounded:
        raise RuntimeError(
            "set_weights: these values would be rounded; convert the model with .double():\n  "
            + "\n  ".join(rounded)
        )
    model.load_state_dict({name: torch.tensor(value) for name, value in weights.items()})


def copy_weights(source: Any, target: Any) -> None:
    """Give target the weights of source; each may be of either engine. Raises as `set_weights`."""
    set_weights(target, get_weights(source))


def randomize(model: Any, seed: int = 0) -> None:
    """Redraw every parameter so that none is special: default values hide bugs.

    Matrices (out, in) are normal with variance 1 / in. Biases lie between 0.05 and 0.25 with either
    sign: none is zero. The weights of norms, the only vectors of that name, lie between 0.5 and
    1.5: none is 1.
    """
    generator = np.random.default_rng(seed)
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


def save_weights(model: Any, path: Path) -> None:
    """Write a model's weights as safetensors; the file appears whole or not at all."""
    write_whole(path, save(get_weights(model)))


def load_weights(model: Any, path: Path) -> None:
    """Read weights written by `save_weights`, or by anyone under PyTorch's names.

    Raises ValueError if the file is not safetensors, and as `set_weights` if it does not fit.
    """
    try:
        weights = load_file(path)
    except SafetensorError as error:
        raise ValueError(f"load_weights: {path} is not a safetensors file: {error}") from error
    set_weights(model, weights)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file by way of a temporary one beside it: readers never see half of it.

    What is there but no file, such as /dev/stdout, is written to, not replaced. Raises OSError that
    names `path`, and never the temporary file.
    """
    with _blaming(path):
        if path.exists() and not path.is_file():
            path.write_bytes(content)
            return
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            temporary.chmod(0o644)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def require_writable(path: Path) -> None:
    """Raise the OSError that `write_whole` would, for who wants to know before a long run."""
    with _blaming(path):
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not path.exists() or path.is_file():
            tempfile.TemporaryFile(dir=path.parent).close()


@contextmanager
def _blaming(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OSError(f"cannot write {path}: {error.strerror or error}") from error
