from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support.fast_forms import fast_form

from tinygrad_tf.ops.embedding import embedding

Check = Callable[..., None]
V, C = 60, 40


def ids(*shape: int, dtype: str = "i8") -> np.ndarray:
    return np.random.default_rng(0).integers(0, V, shape).astype(dtype)


INDICES = {
    "one axis": ids(7),
    "many": ids(30, 50),
    "all the same": np.full((20, 30), 3),
    "first and last": np.array([V - 1, 0, V - 1]),
    "uint8": ids(9, 8, dtype="u1"),
    "int32": ids(9, 8, dtype="i4"),
    "uint64": ids(9, 8, dtype="u8"),
    "from one on": np.array([2, 1, 1]),
    "a number": np.array(5),
}


@pytest.mark.parametrize("name", INDICES)
def test_the_fast_form_is_the_page(name: str, check_kernel: Check) -> None:
    check_kernel(embedding, INDICES[name], (V, C))


@pytest.mark.parametrize(
    ("indices", "weight"),
    [
        (np.array([], dtype=int), (V, C)),
        (np.array([1.0]), (V, C)),
        (np.array([True]), (V, C)),
        (np.array([V]), (V, C)),
        (np.array([-1]), (V, C)),
        (np.array([0]), (V,)),
    ],
)
def test_what_it_leaves_to_the_page(indices: np.ndarray, weight: Any) -> None:
    assert fast_form(embedding) is not None
    assert fast_form(embedding)(indices, np.ones(weight, dtype="f4")) is NotImplemented
