"""Models that are no mirrors: what can be paired is searched, and what cannot is said."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.engines import ENGINES, NUMPY, TORCH

import torch
from crosscheck import Batch, compare, copy_weights, localise, randomize
from crosscheck.mutants.mutant import Mutant
from crosscheck.tape.finding import Kind

X = np.random.default_rng(0).standard_normal((2, 5, 12))
NONE = {"the model": (), "the reference": ()}


def planted(module: str, old: str, new: str) -> Any:
    mutant = Mutant(
        id="made here", family="", what="",
        module=f"tinygrad_tf.ops.{module}", old=old, new=new, found=(),
    )  # fmt: skip
    return mutant.planted()


@pytest.fixture(scope="module")
def layers() -> tuple[Any, Any]:
    """Our block, and PyTorch's own layer, which computes its attention in one call."""
    layer = torch.nn.TransformerEncoderLayer(12, 3, 20, activation="gelu", batch_first=True)
    block = NUMPY.models.TransformerBlock(12, 3, 20, activation="gelu")
    randomize(layer, seed=0)
    copy_weights(layer, block)
    return block, layer


def test_an_honest_pair_has_no_finding_and_every_op_a_partner(layers: Any) -> None:
    where = localise(*layers, Batch(X))
    assert where.findings == ()
    assert where.inherited == 0
    assert where.unpaired == NONE
    assert where.paired >= 20


def test_a_bug_in_a_module_that_is_alike_is_found_and_alone(layers: Any) -> None:
    minus, plus = "dx_hat - along_ones - x_hat", "dx_hat + along_ones - x_hat"
    with planted("layer_norm", minus, plus):
        where = compare(*layers, Batch(X)).localisation
    assert where is not None
    assert [(f.op, f.path, f.argument) for f in where.findings] == [
        ("layer_norm", "norm2", "dx"),
        ("layer_norm", "norm1", "dx"),
    ]


def test_pytorchs_attention_is_written_out_so_that_a_bug_in_ours_is_named(layers: Any) -> None:
    for old, new, kind in (
        ("dx = out * (dout - average)", "dx = out * (dout + average)", Kind.BACKWARD),
        ("out = exponential / total", "out = exponential * total", Kind.FORWARD),
    ):
        with planted("softmax", old, new):
            where = compare(*layers, Batch(X)).localisation
        assert where is not None
        assert where.first is not None
        assert (where.first.kind, where.first.op, where.first.path) == (
            kind,
            "softmax",
            "self_attn",
        )
        assert where.unpaired == NONE


def test_one_op_more_on_our_side_is_named(on_both_sides: Any, x: np.ndarray) -> None:
    pair = on_both_sides(
        lambda e, self, x: x.sin().exp() * x.cos(),
        lambda e, self, x: x.sin().tanh().exp() * x.cos(),
    )
    where = localise(*pair, Batch(x))
    assert where.unpaired == {"the model": ("model/tanh",), "the reference": ()}
    assert ("tanh", Kind.MISSING) in [(f.op, f.kind) for f in where.findings]
    assert "this model calls it, the reference does not" in str(where)


def test_one_op_less_on_our_side_is_named(on_both_sides: Any, x: np.ndarray) -> None:
    pair = on_both_sides(
        lambda e, self, x: x.sin().tanh().exp() * x.cos(),
        lambda e, self, x: x.sin().exp() * x.cos(),
    )
    where = localise(*pair, Batch(x))
    assert where.unpaired == {"the model": (), "the reference": ("model/tanh",)}
    assert where.first is not None
    assert (where.first.op, where.first.kind) == ("exp", Kind.WIRING)
    assert "the tanh that the reference has between model/sin and this is left out" in str(where)


def named(engine: Any, name: str) -> Any:
    class Named(engine.library.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.weight = engine.library.nn.Parameter(
                engine.tensor(np.full((4, 12), 0.5, np.float32))
            )
            setattr(self, name, engine.library.nn.ReLU())

        def forward(self, x: Any) -> Any:
            return getattr(self, name)(engine.functional.linear(x, self.weight)).tanh()

    return Named()


def test_other_module_names_are_said_and_not_accused() -> None:
    where = localise(named(NUMPY, "activation"), named(TORCH, "nonlinearity"), Batch(X))
    assert where.unpaired == {
        "the model": ("activation/relu",),
        "the reference": ("nonlinearity/relu",),
    }
    assert where.findings == ()
    assert where.paired == 4  # linear, tanh, and the loss


def test_models_without_a_single_op_in_common(on_both_sides: Any, x: np.ndarray) -> None:
    pair = on_both_sides(lambda e, self, x: x * 0.5, lambda e, self, x: x / 3.0)
    where = localise(*pair, Batch(x))
    assert where.unpaired == {"the model": ("model/div",), "the reference": ("model/mul",)}
    assert where.first is not None
    assert (where.first.kind, where.first.op) == (Kind.MISSING, "div")
    assert where.first.what == "this model calls div, where the reference calls model/mul"


def test_what_comes_after_an_exception_is_not_called_missing() -> None:
    block, layer = (e.models.TransformerBlock(12, 3, 20, activation="gelu") for e in ENGINES)
    randomize(layer)
    copy_weights(layer, block)
    with planted("gelu", "out = x * cdf ", "out = x * cdx "):
        where = localise(block, layer, Batch(X))
    assert [(f.kind, f.op, f.path) for f in where.findings] == [(Kind.RAISED, "gelu", "model")]
    assert where.unpaired == NONE


def test_one_op_for_another_is_named_and_nothing_else(on_both_sides: Any, x: np.ndarray) -> None:
    pair = on_both_sides(
        lambda e, self, x: x.sin() + x.tanh().exp(), lambda e, self, x: x.sin() - x.tanh().exp()
    )
    where = localise(*pair, Batch(x))
    assert [(f.kind, f.op) for f in where.findings] == [(Kind.MISSING, "sub")]
    assert where.findings[0].what == "this model calls sub, where the reference calls model/add"


def test_attention_in_one_op_against_attention_written_out() -> None:
    """An honest pair that is no mirror has no finding; and with a bug, just that one."""
    layer = TORCH.models.TransformerBlock(12, 3, 20, activation="gelu")
    block = NUMPY.models.TransformerBlock(12, 3, 20, activation="gelu", fused=True)
    randomize(layer)
    copy_weights(layer, block)
    assert compare(block, layer, Batch(X)).agrees
    assert localise(block, layer, Batch(X)).findings == ()
    with planted("linear", "dx = dout @ weight  ", "dx = dout @ -weight  "):
        where = localise(block, layer, Batch(X))
    assert {(f.op, f.argument) for f in where.findings} == {("linear", "dx")}
