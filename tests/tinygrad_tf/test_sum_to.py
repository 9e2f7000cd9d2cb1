import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import torch
from tinygrad_tf import sum_to


def slow_sum_to(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Entry by entry: each entry of the array goes back to the one that it was copied from."""
    total = np.zeros(shape)
    for place, value in np.ndenumerate(array):
        own = place[len(place) - len(shape) :]
        total[tuple(0 if size == 1 else i for i, size in zip(own, shape, strict=True))] += value
    return total


@st.composite
def stretched(draw: st.DrawFn) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """A shape, and one that it broadcasts to."""
    target = draw(st.lists(st.integers(0, 3), max_size=4))
    kept = draw(st.integers(0, len(target)))
    ones = draw(st.lists(st.booleans(), min_size=kept, max_size=kept))
    source = target[len(target) - kept :]
    shape = tuple(1 if one else size for one, size in zip(ones, source, strict=True))
    return shape, tuple(target)


@given(stretched())
def test_sum_to_undoes_broadcasting(shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    shape, target = shapes
    array = np.random.default_rng(0).normal(size=target)
    found = sum_to(array, shape)
    assert found.shape == shape
    np.testing.assert_allclose(found, slow_sum_to(array, shape), atol=1e-12)


def test_sum_to_has_nothing_to_do_for_equal_shapes() -> None:
    array = np.ones((2, 1))
    assert sum_to(array, (2, 1)) is array


def test_float32_over_many_rows_is_as_exact_as_pytorch() -> None:
    """NumPy's own sum over the first axis adds one row after the other, and is far off here."""
    array = np.random.default_rng(0).random((100_000, 3), dtype=np.float32)
    exact = array.sum(axis=0, dtype=np.float64)
    theirs = torch.tensor(array).sum(dim=0).numpy()
    ours = sum_to(array, (3,))
    assert ours.dtype == np.float32
    assert np.abs(ours - exact).max() <= 8 * np.abs(theirs - exact).max()
    assert np.abs(array.sum(axis=0) - exact).max() > 50 * np.abs(ours - exact).max()
