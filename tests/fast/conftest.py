"""Here the fast forms are on. A fast form is judged by its page, in float64."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from support.fast_forms import fast_form
from support.op_checks import any_strided, cotangent, draw, in_dtype, scattered, strided

import tinygrad_tf
from tinygrad_tf.fast import buffers

Array = np.ndarray[Any, Any]
Result = list[Array | None]  # the output, then the gradient of each input


@pytest.fixture(autouse=True)
def _fast_forms_are_on() -> Iterator[None]:
    with tinygrad_tf.fast.on():
        yield


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A pool of its own for each test, as where malloc keeps nothing."""
    fresh = buffers._Pool()
    monkeypatch.setattr(buffers, "_pool", fresh)
    monkeypatch.setattr(buffers, "SMALLEST", 1 << 17)
    return fresh


@pytest.fixture(scope="session")
def check_kernel() -> Any:
    return _check_kernel


def _check_kernel(op: Any, *inputs: Any, scale: float = 1.0, **options: Any) -> None:
    """A rule's fast form against the rule, whose float64 is the truth; its buffers stay its own.

    A gradient that is zero in truth may be noise here, small beside the largest of the results.
    """
    arrays = [in_dtype(a, "f4") for a in draw(inputs, scale, None)]
    truth = _run_rule(op.rule, [in_dtype(a, "f8") for a in arrays], options)
    page = _run_rule(op.rule, arrays, options)
    noise = 1e-6 * max(np.linalg.norm(exact) for exact in truth if exact is not None)
    found = _run_rule(fast_form(op), arrays, options)
    copies = [None if a is None else a.copy() for a in found]
    for again in (
        found,
        *(_run_rule(fast_form(op), a, options) for a in (arrays, scattered(arrays))),
    ):
        for a, rival, exact in zip(again, page, truth, strict=True):
            assert (a is None) == (exact is None)
            if a is not None and exact is not None:
                assert (a.shape, a.dtype) == (exact.shape, "f4")
                allowed = max(4 * np.linalg.norm(rival - exact), 1e-6 * np.linalg.norm(exact))
                assert np.linalg.norm(a - exact) <= max(allowed, noise)
    for a, copy in zip(found, copies, strict=True):  # the later calls wrote elsewhere
        assert a is None or (a == copy).all()


def _run_rule(rule: Callable[..., Any], arrays: list[Any], options: dict[str, Any]) -> Result:
    out, backward = rule(*arrays, **options)
    dout = cotangent(out)
    once = backward(strided(dout) if any_strided(arrays) else dout)[: len(arrays)]
    copies = [None if a is None else a.copy() for a in once]
    backward(dout)
    for a, copy in zip(once, copies, strict=True):
        assert a is None or (a == copy).all()
    return [out, *once]
