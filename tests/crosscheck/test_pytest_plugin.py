"""The pytest plugin, in a pytest of its own: the fixture, its options, and what it prints."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from support.inner_pytest import BAD, GOOD


def test_models_that_agree_pass_and_are_summed_up(inner_pytest: Any) -> None:
    result = inner_pytest(GOOD)
    result.assert_outcomes(passed=1)
    text = result.stdout.str()
    assert "crosscheck: largest relative errors in float64" in text
    assert "test_it.py::test_honest: " in text
    assert "under random cotangent: " in text


def test_a_disagreement_fails_with_the_whole_diagnosis(inner_pytest: Any) -> None:
    result = inner_pytest(BAD)
    result.assert_outcomes(failed=1)
    text = result.stdout.str()
    for part in (
        "crosscheck: 3 of 4 rows fail",
        "born here: exp in model: its dx is wrong, on right inputs and a right dout",
        "rule at test_it.py:",
        "hint: dx is 4x too large",
        "inherited from there: ",
        "layer.weight (under random cotangent): disagree",
    ):
        assert part in text, text
    assert "it went on" not in text
    assert "comparison.py" not in text  # no traceback through our own code


def test_the_module_is_named_where_the_bug_is_in_one(inner_pytest: Any) -> None:
    result = inner_pytest(
        """
from crosscheck.mutants.mutant import Mutant

def test_wrong(crosscheck):
    minus = Mutant(
        id="minus", family="", what="", module="tinygrad_tf.ops.linear",
        old="dweight = dout_rows.T", new="dweight = -dout_rows.T", found=(),
    )
    with minus.planted():
        crosscheck.assert_agrees(*pair(), Batch(X))
"""
    )
    result.assert_outcomes(failed=1)
    text = result.stdout.str()
    assert "born here: linear in layer: its dweight is wrong" in text
    assert "hint: dweight has the wrong sign" in text


def test_a_wrong_call_fails_with_the_mistake_and_no_traceback(inner_pytest: Any) -> None:
    result = inner_pytest(
        """
import pytest

CALLS = {
    "kind": lambda ours, theirs: (ours, theirs, np.ones((3, 5, 6), int)),
    "tuple": lambda ours, theirs: (ours, theirs, (X, X)),
    "class": lambda ours, theirs: (Ours, theirs, X),
    "weights": lambda ours, theirs: (ours, Theirs(), X),
    "output": lambda ours, theirs: (pair(lambda x: None)[0], theirs, X),
}

@pytest.mark.parametrize("call", CALLS)
def test_wrong(crosscheck, call):
    crosscheck.assert_agrees(*CALLS[call](*pair()))
"""
    )
    result.assert_outcomes(failed=5)
    text = result.stdout.str()
    for said in (
        "model Ours takes floats and was given integers",
        "write Batch(inputs, targets)",
        "the model: got the class Ours, expected an object",
        "call copy_weights(reference, model) first",
        "the NumPy model Ours returned None from its forward",
    ):
        assert said in text
    assert text.count("crosscheck: compare: ") >= 5
    assert "comparison.py" not in text  # no traceback


def test_an_error_of_the_models_own_code_keeps_its_traceback(inner_pytest: Any) -> None:
    result = inner_pytest(
        """
def broken(x):
    raise TypeError("heads do not divide the width")

def test_broken(crosscheck):
    crosscheck.assert_agrees(*pair(broken), X)
"""
    )
    result.assert_outcomes(failed=1)
    text = result.stdout.str()
    assert "def broken(x):" in text
    assert "heads do not divide the width" in text


def test_the_largest_errors_come_first_and_only_a_few(inner_pytest: Any) -> None:
    result = inner_pytest(GOOD + BAD)
    lines = result.stdout.lines
    start = next(i for i, line in enumerate(lines) if "largest relative errors" in line)
    rows = [line for line in lines[start + 1 :] if line.startswith("test_it.py::")]
    assert len(rows) == 5
    assert all("test_wrong" in row and "3.0e+00, disagree" in row for row in rows[:3])
    errors = [float(row.split(": ")[-1].split(",")[0]) for row in rows]
    assert errors == sorted(errors, reverse=True)


def test_who_does_not_use_it_sees_nothing_and_imports_nothing(tmp_path: Path) -> None:
    (tmp_path / "test_plain.py").write_text(
        "import sys\n\ndef test_plain(pytestconfig):\n"
        '    assert pytestconfig.pluginmanager.has_plugin("crosscheck")\n'
        '    assert not {"torch", "numpy", "tinygrad_tf"} & set(sys.modules)\n',
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout
    assert "crosscheck" not in done.stdout
