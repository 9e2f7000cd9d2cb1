"""A change of one character in any rule of `ops/` is named by op and argument."""

from __future__ import annotations

import inspect
import re
from typing import Any

import numpy as np
import pytest

import tinygrad_tf.ops
from crosscheck import Batch, compare, localise
from crosscheck.mutants import gym
from crosscheck.mutants.mutant import Mutant
from crosscheck.ops.cases import OP_RUNGS


def dropout(engine: Any, x: Any) -> Any:
    """Both engines drop the same; the gym knows how."""
    if engine.library is tinygrad_tf:
        return engine.functional.dropout(x, gym.DROPPED, generator=gym.SameDraws())
    return gym.dropout(x)


def cast(engine: Any, x: Any) -> Any:
    """There and back: within one precision nothing is cast."""
    return (x.to(engine.library.float32) * 2).to(x)


def getitem(engine: Any, x: Any) -> Any:
    """A plain slice, of which the backward speaks first."""
    return x[:, 1:, ::2]


RUNGS = {**OP_RUNGS, "cast": cast, "dropout": dropout, "getitem": getitem}
del RUNGS["clone"]  # the tape sees through it
PACKED = RUNGS.pop("multi_head_attention")  # PyTorch has no op that it could be held against

# By file and rule: what stands there, what is made of it, and the gradient that is then wrong.
CHANGES = {
    "linear/linear": ("dweight = dout_rows", "dweight =-dout_rows", "dweight"),
    "softmax/softmax": ("out * (dout - average)", "out * (dout + average)", "dx"),
    "softmax/log_softmax": ("dout + np.exp(out)", "dout - np.exp(out)", "dx"),
    "layer_norm/layer_norm": ("along_ones - x_hat", "along_ones + x_hat", "dx"),
    "gelu/gelu": ("cdf + x * pdf", "cdf - x * pdf", "dx"),
    "gelu/gelu_tanh": ("(1.0 - t * t)", "(1.0 + t * t)", "dx"),
    "attention/scaled_dot_product_attention": (
        "probs * (dprobs - average)",
        "probs * (dprobs + average)",
        "dq",
    ),
    "cross_entropy/cross_entropy": ("- goal) * dlosses", "+ goal) * dlosses", "dlogits"),
    "embedding/embedding": (
        "np.add.at(dweight, indices, dout)",
        "np.add.at(dweight, indices,-dout)",
        "dweight",
    ),
    "matmul/matmul": ("dcolumns = sum_to(rows", "dcolumns = sum_to(-rows", "dy"),
    "relu/relu": ("np.where(out <= 0", "np.where(out >= 0", "dx"),
    "arithmetic/mul": ("dout * y, x.shape), sum_to", "dout / y, x.shape), sum_to", "dx"),
    "arithmetic/div": ("sum_to(-dout * out / y", "sum_to(-dout * out * y", "dy"),
    "arithmetic/sub": ("sum_to(-dout, y_shape)", "sum_to(+dout, y_shape)", "dy"),
    "elementwise/tanh": ("1.0 - out * out", "1.0 + out * out", "dx"),
    "elementwise/sigmoid": ("out * (1.0 - out)", "out * (1.0 + out)", "dx"),
    "elementwise/sqrt": ("(2.0 * out)", "(2.0 / out)", "dx"),
    "reductions/mean": ("dim) / max(_count", "dim) * max(_count", "dx"),
    "reductions/std": ("(dout, 2.0 * out", "(dout, 2.0 / out", "dx"),
    "reductions/var": ("dsquares * 2.0 *", "dsquares * 3.0 *", "dx"),
    "selection/masked_fill": ("np.where(mask, np.zeros", "np.where(~mask, np.zeros", "dx"),
    "selection/tril": ("np.tril(dout, diagonal)", "np.tril(dout,-diagonal)", "dx"),
}


@pytest.fixture
def model(on_both_sides: Any) -> Any:
    """The op's rung, as a model of both engines, and a batch for it."""

    def build(op: str) -> Any:
        x = np.random.default_rng(1).standard_normal((2, 5, 6)).astype(np.float32)
        return *on_both_sides(lambda e, self, x: RUNGS[op](e, x)), Batch(x)

    return build


@pytest.mark.parametrize("rule", CHANGES)
def test_a_changed_sign_or_operator_is_named_in_the_report(model: Any, rule: str) -> None:
    (file, op), (old, new, argument) = rule.split("/"), CHANGES[rule]
    pair = model(op)
    assert compare(*pair).agrees
    changed = Mutant(
        id="one character", family="", what="",
        module=f"tinygrad_tf.ops.{file}", old=old, new=new, found=(),
    )  # fmt: skip
    with changed.planted():
        report = compare(*pair)
    assert not report.agrees
    text = str(report)
    assert re.search(
        f"born here: {op} in (model|loss): its {argument} is wrong, on right inputs", text
    )
    assert f"rule at tinygrad_tf/ops/{file}.py:" in text
    assert report.localisation is not None
    assert {finding.op for finding in report.localisation.findings} == {op}
    assert compare(*pair).agrees


def with_a_minus(op: str) -> tuple[str, Mutant]:
    """The op's rule with a minus before the first dout that its backward computes with, or without
    the one that stands there.
    """
    file = next(
        f
        for f in vars(tinygrad_tf.ops).values()
        if inspect.ismodule(f) and getattr(getattr(f, op, None), "__module__", "") == f.__name__
    )
    old = inspect.getsource(getattr(file, op).rule)
    head, backward = old.split("def backward(", 1)
    pattern = r"(?<=[ (])(-?)dout\b(?!\.(shape|ndim|dtype|size)|:)"
    new = re.sub(pattern, lambda m: "dout" if m[1] else "-dout", backward, count=1)
    return file.__name__, Mutant(
        id=f"minus in {op}", family="", what="",
        module=file.__name__, old=old, new=f"{head}def backward({new}", found=(),
    )  # fmt: skip


def test_an_op_without_a_twin_is_named_by_what_the_reference_has_instead(
    on_both_sides: Any,
) -> None:
    x = np.random.default_rng(0).standard_normal((2, 5, 6)).astype("f4")
    pair = *on_both_sides(lambda e, self, x: PACKED(e, x)), Batch(x)
    assert localise(*pair).findings == ()
    _, mutant = with_a_minus("multi_head_attention")
    with mutant.planted():
        where = localise(*pair)
    assert [finding.op for finding in where.findings] == ["multi_head_attention"]
    assert "all that could be paired is right" in str(where)
    assert "scaled_dot_product_attention" in str(where)


@pytest.mark.parametrize("op", RUNGS)
def test_a_minus_in_any_rule_is_named_by_op_and_argument(model: Any, op: str) -> None:
    file, mutant = with_a_minus(op)
    assert abs(len(mutant.new) - len(mutant.old)) == 1, mutant.patch()
    pair = model(op)
    assert localise(*pair).findings == ()
    with mutant.planted():
        where = localise(*pair)
    assert where.findings, mutant.patch()
    arguments = inspect.signature(mutant.touched()[0]).parameters
    for finding in where.findings:
        assert finding.op == op, str(where)
        name, _, _ = finding.argument.removeprefix("d").partition("[")
        assert name in arguments, str(where)
        assert f"/{file.replace('.', '/')}.py:" in finding.rule
