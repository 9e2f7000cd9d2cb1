"""The pytest plugin, in a pytest of its own: the fixture, its options, and what it prints."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import torch
from crosscheck import Batch, compare, copy_weights
from crosscheck.check import SCHEMA
from crosscheck.cli import cli
from tinygrad_tf import nn

HEAD = """
import numpy as np
import torch
from crosscheck import Batch, copy_weights, randomize
from tinygrad_tf import nn
from tinygrad_tf import differentiable

X = np.random.default_rng(0).standard_normal((3, 5, 6))

@differentiable
def exp(x):
    out = np.exp(x)
    return out, lambda dout: (4.0 * dout * out,)

class Ours(nn.Module):
    def __init__(self, op):
        super().__init__()
        self.layer, self.op = nn.Linear(6, 4), op

    def forward(self, x):
        return self.op(self.layer(x))

class Theirs(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(6, 4)

    def forward(self, x):
        return self.layer(x).exp()

def pair(op=lambda x: x.exp()):
    ours, theirs = Ours(op), Theirs()
    randomize(theirs)
    copy_weights(theirs, ours)
    return ours, theirs
"""
GOOD = """
def test_honest(crosscheck):
    report = crosscheck.assert_agrees(*pair(), X)
    assert report.agrees
"""
BAD = """
def test_wrong(crosscheck):
    crosscheck.assert_agrees(*pair(exp), X)
    raise AssertionError("it went on")
"""


@pytest.fixture(scope="module", autouse=True)
def _imported() -> None:
    """All that a comparison imports: what the inner pytest imports first, it takes out again."""
    ours, theirs = nn.Linear(3, 2), torch.nn.Linear(3, 2)
    copy_weights(theirs, ours)
    assert compare(ours, theirs, Batch(np.ones((4, 3)))).agrees


@pytest.fixture
def run(pytester: pytest.Pytester) -> Any:
    """run(tests, *options): the tests, after the models above, in a pytest within this one."""

    def run(tests: str, *options: str) -> pytest.RunResult:
        pytester.makepyfile(test_it=HEAD + tests)
        return pytester.runpytest_inprocess("-p", "no:cacheprovider", *options)

    return run


def test_models_that_agree_pass_and_are_summed_up(run: Any) -> None:
    result = run(GOOD)
    result.assert_outcomes(passed=1)
    text = result.stdout.str()
    assert "crosscheck: largest relative errors in float64" in text
    assert "test_it.py::test_honest: " in text
    assert "under random cotangent: " in text


def test_a_disagreement_fails_with_the_whole_diagnosis(run: Any) -> None:
    result = run(BAD)
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


def test_the_module_is_named_where_the_bug_is_in_one(run: Any) -> None:
    result = run(
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


def saved(folder: Path) -> list[Any]:
    return [json.loads(path.read_text()) for path in sorted(folder.iterdir())]


def test_a_wrong_call_fails_with_the_mistake_and_no_traceback(run: Any) -> None:
    result = run(
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
        "model Theirs takes floats and was given integers",
        "write Batch(inputs, targets)",
        "the model: got the class Ours, expected a model",
        "call copy_weights(reference, model) first",
        "the NumPy model Ours returned None from its forward",
    ):
        assert said in text
    assert text.count("crosscheck: compare: ") >= 5
    assert "comparison.py" not in text  # no traceback


def test_an_error_of_the_models_own_code_keeps_its_traceback(run: Any) -> None:
    result = run(
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


def test_reports_go_into_the_folder(run: Any, pytester: pytest.Pytester) -> None:
    tests = """
import pytest

@pytest.mark.parametrize("name", ["a/b", "c d"])
def test_twice(crosscheck, name):
    crosscheck.assert_agrees(*pair(), X)
    crosscheck.assert_agrees(*pair(), X, seed=7)
"""
    folder = pytester.path / "deep" / "reports"
    result = run(tests + BAD, "--crosscheck-report", str(folder), "--crosscheck-seed", "3")
    result.assert_outcomes(passed=2, failed=1)
    reports = saved(folder)
    assert len(reports) == 5
    assert all(report["schema"] == SCHEMA for report in reports)
    by_test: dict[str, list[Any]] = {}
    for report in reports:
        by_test.setdefault(report["test"], []).append(report["report"])
    assert set(by_test) == {
        "test_it.py::test_twice[a/b]",
        "test_it.py::test_twice[c d]",
        "test_it.py::test_wrong",
    }
    assert [r["seed"] for r in by_test["test_it.py::test_twice[a/b]"]] == [3, 7]
    wrong = by_test["test_it.py::test_wrong"][0]
    assert wrong["agrees"] is False
    assert wrong["localisation"]["findings"][0]["op"] == "exp"


def test_saved_reports_can_be_compared_by_diff(run: Any, pytester: pytest.Pytester) -> None:
    folder = pytester.path / "reports"
    result = run(GOOD + BAD, "--crosscheck-report", str(folder))
    result.assert_outcomes(passed=1, failed=1)
    good, bad = sorted(map(str, folder.iterdir()))
    done = CliRunner().invoke(cli, ["diff", good, bad], prog_name="crosscheck")
    assert done.exit_code == 1, done.output
    assert "3 got worse, 0 better" in done.output
    done = CliRunner().invoke(cli, ["diff", bad, bad], prog_name="crosscheck")
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("dtype", ["both", "float64", "float32"])
def test_the_precision_is_the_command_lines_unless_the_test_says(run: Any, dtype: str) -> None:
    tests = f"""
def test_left_out(crosscheck):
    assert crosscheck.assert_agrees(*pair(), X).dtype == "{dtype}"

def test_said(crosscheck):
    assert crosscheck.assert_agrees(*pair(), X, dtype="float64").dtype == "float64"
"""
    run(tests, "--crosscheck-dtype", dtype).assert_outcomes(passed=2)


def test_the_seed_is_the_command_lines_unless_the_test_says(run: Any) -> None:
    tests = """
def test_seeds(crosscheck):
    assert crosscheck.assert_agrees(*pair(), X).seed == 5
    assert crosscheck.assert_agrees(*pair(), X, seed=0).seed == 0
"""
    run(tests, "--crosscheck-seed", "5").assert_outcomes(passed=1)


def test_an_unknown_precision_is_a_usage_error(run: Any) -> None:
    result = run(GOOD, "--crosscheck-dtype", "float16")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "--crosscheck-dtype" in result.stderr.str()


def test_the_help_tells_the_options(pytester: pytest.Pytester) -> None:
    text = pytester.runpytest_inprocess("--help").stdout.str()
    for option in ("--crosscheck-dtype=", "--crosscheck-seed=", "--crosscheck-report=DIR"):
        assert option in text


def test_the_largest_errors_come_first_and_only_a_few(run: Any) -> None:
    result = run(GOOD + BAD)
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
