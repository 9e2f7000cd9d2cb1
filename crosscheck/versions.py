"""The versions of what computes both sides, for every saved result."""

from __future__ import annotations

import platform
from importlib.metadata import version

import numpy as np
import scipy

import torch


def versions() -> dict[str, str]:
    """Return the versions by name."""
    return {
        "tinygrad_tf": version("tinygrad-tf"),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "torch": str(torch.__version__),
        "python": platform.python_version(),
    }
