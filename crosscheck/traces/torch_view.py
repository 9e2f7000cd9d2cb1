"""The numbers of PyTorch's tensors, and of NumPy's arrays beside them."""

from __future__ import annotations

from typing import Any

import torch
from crosscheck.arrays import Array, array_of
from crosscheck.traces.book import numpy_view


def torch_view(value: Any) -> Array | None:
    """Return the numbers of a tensor or array, which share its memory where they can; else None.

    A complex tensor is its real and imaginary parts, along a new last axis.
    """
    if not isinstance(value, torch.Tensor):
        return numpy_view(value)
    if value.layout != torch.strided or value.is_quantized or value.device.type == "meta":
        return None
    held = value.detach()
    if held.is_complex():
        held = torch.view_as_real(held.resolve_conj())
    try:
        return array_of(held.resolve_neg())
    except RuntimeError:  # within vmap and its like a tensor stands for many and has no numbers
        return None
