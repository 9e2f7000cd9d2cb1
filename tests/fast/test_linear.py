from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support.fast_forms import fast_form

from tinygrad_tf.ops.linear import linear

Check = Callable[..., None]


@pytest.mark.parametrize("bias", [(), (None,), ((160,),)])
@pytest.mark.parametrize("leading", [(), (3,), (2, 5), (3, 170), (0,), (2, 0)])
def test_the_fast_form_is_the_page(leading: Any, bias: Any, check_kernel: Check) -> None:
    check_kernel(linear, (*leading, 120), (160, 120), *bias)


@pytest.mark.parametrize("scale", [1e-3, 30.0])
def test_at_every_scale(scale: float, check_kernel: Check) -> None:
    check_kernel(linear, (3, 170, 120), (160, 120), (160,), scale=scale)


@pytest.mark.parametrize(("outputs", "inputs"), [(0, 3), (5, 0), (0, 0)])
def test_no_channels(outputs: int, inputs: int, check_kernel: Check) -> None:
    check_kernel(linear, (4, inputs), (outputs, inputs), (outputs,))


@pytest.mark.parametrize(
    "shapes", [[(4, 3), (3,)], [(), (5, 3)], [(4, 5), (5, 3)], [(4, 3), (5, 3), (3,)]]
)
def test_what_it_leaves_to_the_page(shapes: list[Any]) -> None:
    arrays = [np.ones(shape, dtype="f4") for shape in shapes]
    assert fast_form(linear)(*arrays) is NotImplemented  # type: ignore[misc]
