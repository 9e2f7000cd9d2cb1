"""The kinds of numbers that a tensor can hold, under PyTorch's names. They are NumPy's dtypes."""

from __future__ import annotations

import numpy as np

float32 = float = np.dtype(np.float32)
float64 = double = np.dtype(np.float64)
uint8 = np.dtype(np.uint8)
int32 = int = np.dtype(np.int32)
int64 = long = np.dtype(np.int64)
bool = np.dtype(np.bool_)
