"""The options of the pytest plugin, in a pytest of its own: precision, seed, and saved reports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from support.inner_pytest import BAD, GOOD

from crosscheck.check import SCHEMA
from crosscheck.cli import cli


def saved(folder: Path) -> list[Any]:
    return [json.loads(path.read_text()) for path in sorted(folder.iterdir())]


def test_reports_go_into_the_folder(inner_pytest: Any, pytester: pytest.Pytester) -> None:
    tests = """
import pytest

@pytest.mark.parametrize("name", ["a/b", "c d"])
def test_twice(crosscheck, name):
    crosscheck.assert_agrees(*pair(), X)
    crosscheck.assert_agrees(*pair(), X, seed=7)
"""
    folder = pytester.path / "deep" / "reports"
    result = inner_pytest(tests + BAD, "--crosscheck-report", str(folder), "--crosscheck-seed", "3")
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


def test_saved_reports_can_be_compared_by_diff(
    inner_pytest: Any, pytester: pytest.Pytester
) -> None:
    folder = pytester.path / "reports"
    result = inner_pytest(GOOD + BAD, "--crosscheck-report", str(folder))
    result.assert_outcomes(passed=1, failed=1)
    good, bad = sorted(map(str, folder.iterdir()))
    done = CliRunner().invoke(cli, ["diff", good, bad], prog_name="crosscheck")
    assert done.exit_code == 1, done.output
    assert "3 got worse, 0 better" in done.output
    done = CliRunner().invoke(cli, ["diff", bad, bad], prog_name="crosscheck")
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("dtype", ["both", "float64", "float32"])
def test_the_precision_is_the_command_lines_unless_the_test_says(
    inner_pytest: Any, dtype: str
) -> None:
    tests = f"""
def test_left_out(crosscheck):
    assert crosscheck.assert_agrees(*pair(), X).dtype == "{dtype}"

def test_said(crosscheck):
    assert crosscheck.assert_agrees(*pair(), X, dtype="float64").dtype == "float64"
"""
    inner_pytest(tests, "--crosscheck-dtype", dtype).assert_outcomes(passed=2)


def test_the_seed_is_the_command_lines_unless_the_test_says(inner_pytest: Any) -> None:
    tests = """
def test_seeds(crosscheck):
    assert crosscheck.assert_agrees(*pair(), X).seed == 5
    assert crosscheck.assert_agrees(*pair(), X, seed=0).seed == 0
"""
    inner_pytest(tests, "--crosscheck-seed", "5").assert_outcomes(passed=1)


def test_an_unknown_precision_is_a_usage_error(inner_pytest: Any) -> None:
    result = inner_pytest(GOOD, "--crosscheck-dtype", "float16")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "--crosscheck-dtype" in result.stderr.str()


def test_the_help_tells_the_options(pytester: pytest.Pytester) -> None:
    text = pytester.runpytest_inprocess("--help").stdout.str()
    for option in ("--crosscheck-dtype=", "--crosscheck-seed=", "--crosscheck-report=DIR"):
        assert option in text
