"""The page of a rule, as it is read from its docstring and its source."""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path
from typing import Any

import pytest
from support.walks import small_walk

import tinygrad_tf.ops
from crosscheck.walk.rule_page import ROOT, rule_page

MODULES = [
    importlib.import_module(f"tinygrad_tf.ops.{info.name}")
    for info in pkgutil.iter_modules(tinygrad_tf.ops.__path__)
]
RULES: dict[str, Any] = {
    name: value.rule
    for module in MODULES
    for name, value in vars(module).items()
    if hasattr(value, "rule") and value.rule.__module__ == module.__name__
}


@pytest.mark.parametrize("op", RULES)
def test_every_rule_has_formulas_a_derivation_and_its_lines(op: str) -> None:
    page = rule_page(op, RULES[op])
    text = " ".join((RULES[op].__doc__ or "").split())
    for formula in (*page.forward, *page.backward, page.fact, page.source):
        assert formula in text
    assert all(page.forward)
    assert all(page.backward)
    assert page.derivation
    assert page.mirrors.startswith("torch.")
    source = Path(ROOT, page.file).read_text("utf-8").splitlines()
    assert all(source[line.number - 1] == line.text for line in page.lines)
    assert not any('"""' in line.text or "Backward. " in line.text for line in page.lines)
    assert any(line.backward and "return" in line.text for line in page.lines)


def test_every_op_of_the_model_has_a_page() -> None:
    walk = small_walk()
    assert {op.op for op in walk.ops} == set(walk.rules)
    assert len(walk.rules) > 10


@pytest.mark.parametrize(
    ("op", "forward", "backward"),
    [
        ("add", "out = x + y", ("dx = dy = dout", "dy = dout")),
        ("transpose", "Swap two axes.", ("Swap them again.",)),
        ("masked_fill", None, ("dx is dout with 0 at the filled entries",)),
        ("gelu", None, ("d out / d x = cdf(x) + x * pdf(x)",)),
        ("sigmoid", None, ("ds/dx = exp(-x) / (1 + exp(-x))^2 = s * (1 - s)",)),
        ("embedding", None, ("dweight[i] = sum over n with indices[n] == i of dout[n]",)),
        ("cross_entropy", None, ("dlogits[n] = (probs[n] - goal[n]) * dloss[n]",)),
        (
            "layer_norm",
            "out = (x - mean) / sqrt(variance + eps) * weight + bias",
            (
                "dx = inv_std * (dx_hat - mean(dx_hat) - x_hat * mean(dx_hat * x_hat))",
                "dweight = sum dout * x_hat",
                "dbias = sum dout",
            ),
        ),
    ],
)
def test_the_formulas(op: str, forward: str | None, backward: tuple[str, ...]) -> None:
    page = rule_page(op, RULES[op])
    assert page.backward == backward
    assert forward is None or page.forward == (forward,)


def test_the_summary_stands_before_the_formula() -> None:
    assert rule_page("softmax", RULES["softmax"]).summary == "Turn scores into probabilities."
    assert rule_page("add", RULES["add"]).summary == ""


@pytest.mark.parametrize("op", RULES)
def test_the_backward_undoes_the_steps_of_the_forward(op: str) -> None:
    page = rule_page(op, RULES[op])
    made = {step for line in page.lines if not line.backward for step in line.steps}
    undone = [step for line in page.lines if line.backward for step in line.steps]
    assert set(undone) <= made
    assert not made or made == set(range(1, max(made) + 1))
    numbered = any(re.search(r"# \d", line.text) for line in page.lines)
    assert numbered == bool(made)


def test_a_step_may_undo_several() -> None:
    lines = rule_page("layer_norm", RULES["layer_norm"]).lines
    (way,) = [line for line in lines if line.text.lstrip().startswith("dx = ")]
    assert (way.steps, way.backward) == ((4, 3, 2, 1), True)
