from collections.abc import Callable

import numpy as np
import pytest
from support.fast_forms import fast_form

from tinygrad_tf.fast.gelu import BLOCK
from tinygrad_tf.ops.gelu import gelu

SIZES = [(), (1,), (0, 3), (3, 5, 7), (BLOCK,), (BLOCK + 1,), (3, BLOCK - 2), (2, 16, 2048)]


@pytest.mark.parametrize("shape", SIZES)
def test_the_fast_form_is_the_page(
    shape: tuple[int, ...], check_kernel: Callable[..., None]
) -> None:
    check_kernel(gelu, shape)


@pytest.mark.parametrize("scale", [1e-3, 3.0, 30.0, 1e4])
def test_at_every_scale(scale: float, check_kernel: Callable[..., None]) -> None:
    check_kernel(gelu, (2, 3, 4097), scale=scale)


def test_entry_by_entry() -> None:
    x = np.concatenate([np.linspace(-7, 7, 100_001), [0.0, -0.0, 1e4, -1e4, 1e-30, np.nan]])
    x = x.astype("f4")
    out, backward = fast_form(gelu)(x)  # type: ignore[misc]
    exact, exact_backward = gelu.rule(x.astype("f8"))
    (slope,), (exact_slope,) = backward(np.ones_like(x)), exact_backward(np.ones(x.shape))
    np.testing.assert_allclose(out, exact, rtol=1e-6, atol=6e-7)
    np.testing.assert_allclose(slope, exact_slope, rtol=1e-6, atol=6e-7)
