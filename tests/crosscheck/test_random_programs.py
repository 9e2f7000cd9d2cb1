"""Random programs of our ops against PyTorch, in float64: every value and every gradient.

Ops that are right one by one can still be wrong together: a value used twice, a broadcast inside a
slice of a view, an empty axis. A failure prints the shortest program that shows it.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.engines import NUMPY, TORCH, Engine
from support.program_ops import OPS
from support.programs import Program, programs

Array = np.ndarray


def outcome(engine: Engine, program: Program) -> tuple[list[Array], list[Array | None]]:
    """All values, and the leaves' gradients: each value that nothing uses gets a cotangent."""
    rng = np.random.default_rng(0)
    values = program.run(engine, [rng.standard_normal(shape) for shape in program.leaves])
    loss = 0.0
    for i in program.sinks():
        if i >= len(program.leaves):
            loss = loss + (values[i] * engine.tensor(rng.standard_normal(values[i].shape))).sum()
    loss.backward()
    grads = [leaf.grad for leaf in values[: len(program.leaves)]]
    return (
        [value.detach().numpy() for value in values],
        [None if grad is None else grad.numpy() for grad in grads],
    )


def assert_close(what: str, actual: Array, expected: Array, largest: float) -> None:
    """Law 5: |a - b| <= 1e-10 |b| + 1e-12 times the largest entry anywhere."""
    assert actual.shape == expected.shape, what
    assert actual.dtype == expected.dtype, what
    assert np.isfinite(expected).all(), f"{what}: the reference is not finite"
    error = float(np.linalg.norm(actual - expected))
    allowed = 1e-10 * float(np.linalg.norm(expected)) + 1e-12 * max(1.0, largest)
    assert error <= allowed, f"{what}: off by {error:.1e}"


def size(array: Array | None) -> float:
    return float(np.abs(array).max()) if array is not None and array.size else 0.0


def compare(program: Program) -> None:
    ours, ours_grads = outcome(NUMPY, program)
    theirs, theirs_grads = outcome(TORCH, program)
    largest = max(map(size, theirs))
    for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        assert_close(f"v{i} in {program}", a, b, largest)
    largest = max(map(size, theirs_grads))
    for i, (a, b) in enumerate(zip(ours_grads, theirs_grads, strict=True)):
        assert (a is None) == (b is None), f"gradient of v{i} is missing on one side in {program}"
        if a is not None and b is not None:
            assert_close(f"gradient of v{i} in {program}", a, b, largest)


@pytest.mark.parametrize("first", OPS)
@settings(max_examples=20)
@given(data=st.data())
def test_random_programs(first: str, data: st.DataObject) -> None:
    compare(data.draw(programs(first)))
