"""The cross-check of the fast forms: on request, said in its output, and as strict as ever."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from crosscheck.cli import cli
from crosscheck.mutants.acceptance import caught_by_others
from crosscheck.mutants.catalogue import CATALOGUE
from crosscheck.mutants.catalogue.fast_forms import MUTANTS
from crosscheck.mutants.mutant import Mutant
from crosscheck.mutants.score import judge_mutant
from tinygrad_tf import Tensor, nn
from tinygrad_tf.fast import SECOND_FORMS
from tinygrad_tf.machinery.forms import second_forms

SMALL = ["check", "--layers", "1", "--width", "8", "--heads", "2", "--feed-forward", "12"]
SMALL += ["--context", "8", "--batch", "2"]


@pytest.fixture(autouse=True)
def _fast_forms_are_off(monkeypatch: pytest.MonkeyPatch, _fast_forms_are_on: None) -> None:
    """Unlike elsewhere in this folder: here it is the commands that switch them on."""
    second_forms.clear()


@pytest.mark.parametrize("fast", [False, True])
def test_check_says_which_forms_ran(fast: bool, tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    done = CliRunner().invoke(cli, [*SMALL, *["--fast"] * fast, "--json", str(path)])
    assert done.exit_code == 0, done.output
    assert ("our float32 by the fast forms" in done.output) == fast
    assert ("every op by its page" in done.output) == (not fast)
    assert json.loads(path.read_text("utf-8"))["report"]["fast"] == fast
    assert second_forms == {}


def test_a_wrong_fast_form_is_caught_only_where_it_runs() -> None:
    mutant = next(m for m in MUTANTS if m.id == "gelu-float32-slope")
    function = mutant.touched()[0]
    code = function.__code__
    with mutant.planted():
        function.__code__, patched = code, function.__code__
    try:
        function.__code__ = patched
        plain, fast = (CliRunner().invoke(cli, [*SMALL, *more]) for more in ([], ["--fast"]))
    finally:
        function.__code__ = code
    assert (plain.exit_code, fast.exit_code) == (0, 1)
    assert "born here: gelu" in fast.output


def test_it_is_planted_with_the_fast_forms_on() -> None:
    half = Mutant(
        id="made-here", family="a family", what="a mistake", module="tinygrad_tf.fast.gelu",
        old="square *= -HALF", new="square *= -ONE", found=(),
    )  # fmt: skip
    x = np.array([0.5, 1.5])

    def slopes(dtype: str) -> np.ndarray:
        tensor = Tensor(x.astype(dtype), requires_grad=True)
        nn.functional.gelu(tensor).backward(Tensor(np.ones(2, dtype)))
        assert tensor.grad is not None
        return tensor.grad.numpy()

    honest = {dtype: slopes(dtype) for dtype in ("float32", "float64")}
    with half.planted():
        assert second_forms == SECOND_FORMS
        assert not np.allclose(slopes("float32"), honest["float32"], rtol=1e-3)
        np.testing.assert_array_equal(slopes("float64"), honest["float64"])
    assert second_forms == {}
    np.testing.assert_array_equal(slopes("float32"), honest["float32"])
    assert {function.__module__ for function in half.touched()} == {"tinygrad_tf.fast.gelu"}


@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant.id for mutant in MUTANTS])
def test_every_planted_one_is_caught_and_placed(mutant: Mutant) -> None:
    assert mutant in CATALOGUE
    result = judge_mutant(mutant)
    assert (result.caught, result.placed) == (True, True)
    assert result.op in mutant.found


def test_what_a_plain_sum_misses() -> None:
    """The rule of others for a plain sum looks at float64 alone, which the pages compute."""
    mutant = next(m for m in MUTANTS if m.id == "attention-float32-scale")
    assert not caught_by_others(mutant, 0)["allclose 1e-5, .sum()"]
