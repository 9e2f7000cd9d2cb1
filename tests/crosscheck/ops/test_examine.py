"""A case accuses whoever is wrong, and nobody else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from crosscheck.mutants.catalogue import mutant_called
from crosscheck.mutants.mutant import Mutant
from crosscheck.ops.case import OpCase
from crosscheck.ops.cases import CASES
from crosscheck.ops.outcome import Failure
from crosscheck.sides import TORCH


def failures(op: str, dtype: str = "both") -> list[Failure]:
    found = (case.examine(0, dtype) for case in CASES if case.op == op)
    return [failure for outcome in found for failure in outcome.failures]


def mutant(module: str, old: str, new: str) -> Mutant:
    return Mutant(id="a", family="a", what="a", module=module, old=old, new=new, found=())


def test_ours_is_wrong_and_the_words_say_so() -> None:
    with mutant_called("layer-norm-no-mean-term").planted():
        found = next(f for f in failures("layer_norm", "float64") if f.case == "three inputs")
    assert found.array == "dx"
    assert "ours is wrong" in found.what
    assert found.gap is not None
    assert found.witness == pytest.approx(found.gap.reference, rel=1e-6)
    assert found.place.startswith("tinygrad_tf/ops/layer_norm.py:")
    assert "is a mean or a sum along it missing?" in found.hint
    assert "finite difference" in str(found)


def test_the_reference_is_wrong() -> None:
    """PyTorch's gradient is halved by an expression that only PyTorch is given."""

    def use(side: Any, x: Any) -> Any:
        return 0.5 * x.exp() + 0.5 * x.exp().detach() if side is TORCH else x.exp()

    # The finite difference follows the values, which detach does not change.
    (found,) = OpCase("exp", "a", use).examine(0, "float64").failures
    assert found.what.startswith("the reference is wrong here")
    assert found.gap is not None
    assert found.witness == pytest.approx(found.gap.ours, rel=1e-6)


def test_both_sides_share_a_mistake() -> None:
    (found,) = (
        OpCase("exp", "a", lambda side, x: x.exp() + x.detach()).examine(0, "float64").failures
    )
    assert "both sides agree, and the finite difference does not" in found.what


@pytest.mark.parametrize(
    ("op", "planted", "words"),
    [
        (
            "softmax",
            mutant(
                "tinygrad_tf.ops.softmax",
                "exponential = np.exp(x - peak) ",
                "exponential = np.exp(np.subtract(x, peak, out=x), out=x) ",
            ),
            "softmax writes into the input x",
        ),
        (
            "matmul",
            mutant(
                "tinygrad_tf.ops.matmul",
                "drows = sum_to(dproduct @ columns.swapaxes(-1, -2), rows.shape)",
                "drows = sum_to(columns @ dproduct.swapaxes(-1, -2) if y.ndim == 1 and x.shape[-1] "
                "== x.shape[-2] else dproduct @ columns.swapaxes(-1, -2), rows.shape)",
            ),
            "square @ vector: dx: ours is wrong",
        ),
        (
            "add",
            mutant("tinygrad_tf.machinery.arrivals", "elif not is_fresh:", "elif False:"),
            "dx and dy share their memory",
        ),
        ("neg", mutant_called("dout-written"), "the backward of neg writes into dout"),
        ("mul", mutant_called("buffer-overwritten"), "writes into what its forward has kept"),
        ("exp", mutant_called("input-overwritten"), "exp writes into the input x"),
        ("SGD", mutant_called("sgd-dampened-twice"), "step 2, after SGD, ours differs"),
        ("zero_grad", mutant_called("grad-stale"), "ours is there, and PyTorch has none"),
        ("clip_grad_norm_", mutant_called("clip-each"), "step 1, after clip_grad_norm_"),
        (
            "cross_entropy",
            mutant_called("loss-of-float64"),
            "in float32, it raised RuntimeError: cross_entropy: backward returned (10, 6) float64",
        ),
        (
            "sub",
            mutant("tinygrad_tf.ops.arithmetic", "    out = x - y\n", "    out = 1 / 0\n"),
            "it raised ZeroDivisionError: division by zero\n    rule at tinygrad_tf/ops/arith",
        ),
        (
            "tanh",
            mutant(
                "tinygrad_tf.ops.elementwise",
                "out = np.tanh(x)",
                "out = np.tanh(x) * (1 if x.dtype == np.float64 else np.float32(1.0001))",
            ),
            "float32 error",
        ),
        (
            "softmax",
            mutant("tinygrad_tf.ops.softmax", "np.exp(x - peak)", "np.exp(x - 0 * peak)"),
            "huge inputs, 1000: out",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_planted_bug_is_said_in_words(op: str, planted: Mutant, words: str) -> None:
    with planted.planted():
        said = "\n".join(map(str, failures(op)))
    assert words in said
    assert failures(op) == []  # the patch is undone


def test_a_case_that_tests_nothing_fails() -> None:
    (found,) = OpCase("mul", "a", lambda side, x: x * 0).examine(0, "both").failures
    assert found.what == "every gradient is too small to be tested"


def test_a_promise_of_new_memory_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    from tinygrad_tf import differentiable
    from tinygrad_tf.machinery.contract import Fresh

    @differentiable
    def double(x: np.ndarray) -> Any:
        return 2 * x, lambda dout: Fresh((np.multiply(dout, 2, out=dout),))

    case = OpCase("double", "a", lambda side, x: 2 * x if side is TORCH else double(x))
    said = "\n".join(map(str, case.examine(0, "float64").failures))
    assert "the backward of double writes into dout" in said
    assert "the backward of double promises new memory, and returns its dout" in said
