"""Where tensors are: on the CPU. Model files ask for it, and are answered as by PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_tf.machinery.complaints import complaint


class device(str):  # noqa: N801, PyTorch's name
    """The place of a tensor. It is a string, of which there is one: "cpu"."""

    __slots__ = ()

    def __new__(cls, name: Any = "cpu") -> device:
        """Raise RuntimeError for any other place."""
        require_cpu("device", name)
        return super().__new__(cls, "cpu")

    @property
    def type(self) -> str:
        """The kind of the device, without a number."""
        return "cpu"

    def __repr__(self) -> str:
        return "device(type='cpu')"


def require_cpu(op: str, place: Any) -> None:
    """Raise RuntimeError unless this device is the CPU, or none is asked for."""
    if place is not None and str(place) != "cpu":
        text = f"device is {str(place)!r}, but this engine computes on the CPU alone"
        raise complaint(RuntimeError, op, text)


def dtype_asked_for(op: str, places_and_kinds: tuple[Any, ...]) -> np.dtype[Any] | None:
    """Return the dtype among what `x.to(...)` is given, or None if only the CPU is named.

    Raises RuntimeError for another device, which is a word that is no name of a dtype.
    """
    found = None
    for given in places_and_kinds:
        if given is None or isinstance(given, device):
            continue
        if isinstance(given, str):
            try:
                found = np.dtype(given)
            except TypeError:
                require_cpu(op, given)
        else:
            found = np.dtype(given)
    return found
