"""The list of cases is complete, and each case uses what it says."""

from __future__ import annotations

from collections import Counter

import numpy as np

import tinygrad_tf
import tinygrad_tf.optim
from crosscheck.ops.cases import CASES, OP_CASES
from crosscheck.ops.run_case import run_reference
from crosscheck.sides import NUMPY
from tinygrad_tf.nn import init

NAMES = {case.op for case in CASES}


def test_no_two_cases_of_an_op_have_one_name() -> None:
    (_, most), *_ = Counter((case.op, case.name) for case in CASES).most_common(1)
    assert most == 1


def test_every_optimiser_and_every_function_that_fills_a_tensor_has_a_case() -> None:
    optimisers = {
        name
        for name, value in vars(tinygrad_tf.optim).items()
        if isinstance(value, type) and issubclass(value, tinygrad_tf.optim.Optimizer)
    }
    fillers = {name for name in vars(init) if name.endswith("_") and not name.startswith("_")}
    assert optimisers - {"Optimizer"} | fillers | {"clip_grad_norm_", "zero_grad"} <= NAMES


def test_every_case_uses_its_op() -> None:
    for case in OP_CASES:
        used: list[str] = []
        note = tinygrad_tf.observe(lambda op, *_, used=used: used.append(op.__name__))
        with np.errstate(all="ignore"), note:
            case.use(NUMPY, *(NUMPY.tensor(array) for array in case.arrays(0)))
        # Within one precision nothing is cast.
        assert case.op in used or (case.op == "cast" and not used), f"{case.op}, {case.name}"


def test_the_inputs_depend_on_the_case_and_the_seed_alone() -> None:
    first, second = OP_CASES[0], OP_CASES[-1]
    assert (first.arrays(0)[0] == first.arrays(0)[0]).all()
    assert (first.arrays(0)[0] != first.arrays(1)[0]).all()
    assert (first.arrays(0)[0].ravel()[:9] != second.arrays(0)[0].ravel()[:9]).all()
    for case in OP_CASES:
        for array in case.arrays(0, "float32"):
            np.testing.assert_array_equal(array, array.astype(np.float32))


def test_each_op_is_tried_on_small_and_large_numbers() -> None:
    for op in {case.op for case in OP_CASES}:
        sizes = [np.abs(case.arrays(0)[0]).max() for case in OP_CASES if case.op == op]
        assert min(sizes) < 1e-2, op
        assert max(sizes) > 30, op


def test_the_cotangent_is_no_input() -> None:
    case = OP_CASES[0]
    run = run_reference(case, case.arrays(0), "float64", 0)
    assert not np.isin(run.dout, case.arrays(0)[0]).any()
