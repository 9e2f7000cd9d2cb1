"""Every op has a page that explains it, a page that tests it, and a rung of the ladder."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

import pytest

import tinygrad_tf.ops
from crosscheck.ops.cases import OP_RUNGS

HAND_DERIVED = {
    "attention", "cross_entropy", "dropout", "embedding", "gelu", "layer_norm", "linear", "matmul",
    "multi_head_attention", "relu", "softmax",
}  # fmt: skip


def all_ops() -> dict[str, tuple[str, str]]:
    """The file and the docstring of every op, by name."""
    found = {}
    for info in pkgutil.iter_modules(tinygrad_tf.ops.__path__):
        module = importlib.import_module(f"tinygrad_tf.ops.{info.name}")
        for name, value in vars(module).items():
            if hasattr(value, "rule") and value.rule.__module__ == module.__name__:
                found[name] = (info.name, value.__doc__ or "")
    return found


OPS = all_ops()


def test_there_are_ops() -> None:
    assert len(OPS) > 40
    assert {file for file, _ in OPS.values()} >= HAND_DERIVED


@pytest.mark.parametrize("op", OPS)
def test_the_rules_page_explains_it(op: str) -> None:
    file, page = OPS[op]
    parts = ["Backward.", "Mirrors: torch."]
    if file in HAND_DERIVED:
        parts += [" = ", "->", "Fact:", "Source:"]
    assert [part for part in parts if part not in page] == []


@pytest.mark.parametrize("op", OPS)
def test_a_test_page_names_it(op: str) -> None:
    file, _ = OPS[op]
    page = Path(__file__).parent / "tinygrad_tf" / "ops" / f"test_{file}.py"
    assert op in page.read_text(encoding="utf-8"), f"{page} does not test {op}"


def test_every_op_has_a_rung_and_every_rung_an_op() -> None:
    assert set(OP_RUNGS) == set(OPS)
