"""The anchor at PyTorch's own layer, as the command line prints it."""

from __future__ import annotations

from typing import Any

import pytest
from support.engines import NUMPY

from crosscheck.models import ModelOptions
from crosscheck.parity import encoder_layer_parity


@pytest.mark.parametrize("norm", ["post", "pre"])
@pytest.mark.parametrize("activation", ["gelu", "relu"])
@pytest.mark.parametrize("bias", [True, False])
def test_both_sides_in_both_precisions(norm: str, activation: str, bias: bool) -> None:
    rows = encoder_layer_parity(ModelOptions(norm=norm, activation=activation, bias=bias))
    assert [(row.side, row.dtype) for row in rows] == [
        ("tinygrad_tf", "float32"),
        ("torch_impl", "float32"),
        ("tinygrad_tf", "float64"),
        ("torch_impl", "float64"),
    ]
    for row in rows:
        assert row.agrees, row
        assert row.limit == {"float32": 1e-5, "float64": 1e-12}[row.dtype]


@pytest.mark.parametrize("options", [{"norm": "none"}, {"residual": False}])
def test_what_pytorch_does_not_have_is_not_tested(options: dict[str, Any]) -> None:
    assert encoder_layer_parity(ModelOptions(**options)) == ()


def test_another_activation_does_not_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    tanh_form = NUMPY.nn.GELU(approximate="tanh")
    monkeypatch.setitem(NUMPY.models.block.ACTIVATIONS, "gelu", tanh_form)
    rows = encoder_layer_parity(ModelOptions())
    assert [row.agrees for row in rows] == [False, True, False, True]
