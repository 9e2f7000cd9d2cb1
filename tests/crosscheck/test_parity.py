"""The anchor at PyTorch's own layer, as the command line prints it."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from support.engines import NUMPY, TORCH

from crosscheck import Verdict, parity
from crosscheck.amplification import Amplification
from crosscheck.models import ModelOptions
from crosscheck.mutants.mutant import Mutant
from crosscheck.parity import EncoderLayerParity, Parity, encoder_layer_parity, parity_failures
from crosscheck.runs import Run, run
from crosscheck.tape.finding import Kind


@pytest.mark.parametrize("norm", ["post", "pre"])
@pytest.mark.parametrize("activation", ["gelu", "relu", "gelu-tanh"])
@pytest.mark.parametrize("bias", [True, False])
def test_both_sides_in_both_precisions(norm: str, activation: str, bias: bool) -> None:
    rows, where = encoder_layer_parity(ModelOptions(norm=norm, activation=activation, bias=bias))
    assert where is None
    assert [(row.side, row.dtype) for row in rows] == [
        ("tinygrad_tf", "float32"),
        ("torch_impl", "float32"),
        ("tinygrad_tf", "float64"),
        ("torch_impl", "float64"),
    ]
    for row in rows:
        assert row.agrees, row
        # Whatever PyTorch itself rounds on this machine, which may raise float32's limit a little:
        promised = {"float32": 1e-5, "float64": 1e-12}[row.dtype]
        assert row.gradient is not None
        assert max(row.output, row.gradient) < promised
        assert promised <= row.limit < 2 * promised


@pytest.mark.parametrize("norm", ["post", "pre"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("width", [1, 2, 3])
def test_narrow_layers_round_more_and_are_given_more(width: int, bias: bool, norm: str) -> None:
    # One channel less its mean is zero, and so are most gradients: a quotient would be 0 / 0.
    vacuous = width == 1 and norm == "post" and not bias
    options = ModelOptions(width=width, heads=1, bias=bias, norm=norm)
    for seed in range(6):
        for row in encoder_layer_parity(options, seed).rows:
            assert row.verdict == (Verdict.VACUOUS if vacuous else Verdict.AGREE), row
            assert row.agrees is not vacuous
            assert (row.gradient is None) is vacuous
            assert row.limit == 1e-12 if row.dtype == "float64" else 1e-5 <= row.limit < 0.1


def test_a_gradient_is_measured_by_the_largest_entry_of_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    small = {"output": np.zeros(2), "loss": np.zeros(())}
    layer = Run(**small, gradients={"a": np.array([3.0, -4.0]), "b": np.array([0.0])})
    ours = Run(**small, gradients={"a": np.array([3.0, -4.0]), "b": np.array([1e-6])})

    def fake(model: Any, *_: Any, **__: Any) -> Run:
        return ours if isinstance(model, NUMPY.library.nn.Module) else layer

    monkeypatch.setattr(parity, "run", fake)
    monkeypatch.setattr(Amplification, "runs", [layer])  # nothing is amplified
    monkeypatch.setattr(parity, "localise", lambda *_, **__: None)  # these are no real runs
    rows, _ = encoder_layer_parity(ModelOptions())
    assert [row.gradient for row in rows] == [2.5e-7, 0.0, 2.5e-7, 0.0]
    assert [row.agrees for row in rows] == [True, True, False, True]
    assert [row.worst for row in rows] == [(), (), ("b",), ()]


@pytest.mark.parametrize("gone", [None, "name"])
def test_a_missing_gradient_is_infinitely_wrong(
    monkeypatch: pytest.MonkeyPatch, gone: str | None
) -> None:
    def severed(model: Any, *arguments: Any, **options: Any) -> Run:
        found = run(model, *arguments, **options)
        if isinstance(model, NUMPY.library.nn.Module):
            gradients = {**found.gradients, "linear1.bias": None}
            if gone:
                del gradients["linear1.bias"]
            return replace(found, gradients=gradients)
        return found

    monkeypatch.setattr(parity, "run", severed)
    rows, _ = encoder_layer_parity(ModelOptions())
    assert [row.gradient == math.inf for row in rows] == [True, False, True, False]
    assert [row.agrees for row in rows] == [False, True, False, True]


@pytest.mark.parametrize("number", [math.nan, math.inf])
@pytest.mark.parametrize("place", ["output", "gradient"])
def test_what_is_not_finite_disagrees(number: float, place: str) -> None:
    row = replace(Parity("tinygrad_tf", "float64", 0.0, 0.0, 1e-12), **{place: number})
    assert row.verdict == Verdict.DISAGREE


@pytest.mark.parametrize("options", [{"norm": "none"}, {"residual": False}])
def test_what_pytorch_does_not_have_is_not_tested(options: dict[str, Any]) -> None:
    assert encoder_layer_parity(ModelOptions(**options)) == ((), None)


TANH = {
    engine.key: engine.library.nn.GELU(approximate="tanh") for engine in (NUMPY, TORCH)
}  # fmt: skip


def with_tanh(monkeypatch: pytest.MonkeyPatch, *engines: Any) -> EncoderLayerParity:
    for engine in engines:
        monkeypatch.setitem(engine.models.block.ACTIVATIONS, "gelu", TANH[engine.key])
    return encoder_layer_parity(ModelOptions())


def test_another_activation_does_not_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, where = with_tanh(monkeypatch, NUMPY)
    assert [row.agrees for row in rows] == [False, True, False, True]
    said = parity_failures(rows, where).split("\n")
    assert "is run with activation='gelu-tanh': the model has GELU's tanh form" in said[1]


def test_where_only_the_mirror_is_wrong_its_arrays_are_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows, where = with_tanh(monkeypatch, TORCH)
    assert [row.agrees for row in rows] == [True, False, True, False]
    assert where is None
    assert parity_failures(rows, where) == (
        "block of torch_impl, float32 and float64: it differs most in the output, "
        "the gradient of linear1.weight, the gradient of self_attn.out_proj.weight"
    )


def test_a_mistake_that_both_share_is_found_beside_the_layer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows, where = with_tanh(monkeypatch, NUMPY, TORCH)
    assert not any(row.agrees for row in rows)
    assert where is not None
    assert [finding.kind for finding in where.findings] == [Kind.SETTING]


def planted(old: str, new: str) -> EncoderLayerParity:
    mutant = Mutant(
        id="made here", family="", what="", module="tinygrad_tf.ops.softmax", old=old, new=new,
        found=(),
    )  # fmt: skip
    with mutant.planted():
        return encoder_layer_parity(ModelOptions())


def test_a_wrong_rule_is_found_beside_the_mirror() -> None:
    rows, where = planted("out = exponential / total", "out = exponential * total")
    assert [row.agrees for row in rows] == [False, True, False, True]
    assert where is not None
    assert [(f.kind, f.op) for f in where.findings] == [(Kind.FORWARD, "softmax")]


def test_a_rule_that_raises_is_a_row_and_no_traceback() -> None:
    rows, where = planted("out = exponential / total", "out = exponential / totally")
    assert [row.agrees for row in rows] == [False, True, False, True]
    assert rows[0].raised == "NameError: name 'totally' is not defined"
    assert where is not None
    assert [(f.kind, f.op) for f in where.findings] == [(Kind.RAISED, "softmax")]
    said = parity_failures(rows, where)
    assert "block of tinygrad_tf, float32 and float64: it raised NameError" in said
    assert "rule at tinygrad_tf/ops/softmax.py:" in said
    assert "called from" not in said  # nobody knows
