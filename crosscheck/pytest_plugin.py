"""The pytest plugin: a fixture `crosscheck` whose `assert_agrees` fails with the whole diagnosis.

It is loaded with every run of pytest where this package is installed, so PyTorch and the engines
are imported only when a test uses the fixture.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from crosscheck.choices import DTYPES

if TYPE_CHECKING:
    from crosscheck.report import Report

SHOWN = 5  # rows in the summary


@dataclass
class _Session:
    """What has been compared so far, by test."""

    reports: dict[str, list[Report]] = field(default_factory=dict)


_session = pytest.StashKey[_Session]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add our options to pytest's."""
    group = parser.getgroup("crosscheck", "cross-check of gradients")
    group.addoption(
        "--crosscheck-dtype",
        choices=DTYPES,
        default="both",
        help="precision of the comparisons, where a test does not say (default: both)",
    )
    group.addoption(
        "--crosscheck-seed",
        type=int,
        default=0,
        help="seed of the random cotangents, where a test does not say (default: 0)",
    )
    group.addoption(
        "--crosscheck-report",
        type=Path,
        metavar="DIR",
        help="write every comparison into this folder, as JSON",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Begin with nothing compared. Raises UsageError for a seed that is none."""
    if config.getoption("crosscheck_seed") < 0:
        raise pytest.UsageError("--crosscheck-seed is negative, expected 0 or more")
    config.stash[_session] = _Session()


@pytest.fixture
def crosscheck(request: pytest.FixtureRequest) -> CrossCheck:
    """Compare models with `crosscheck.assert_agrees(model, reference, batch)`."""
    return CrossCheck(request.config, request.node.nodeid)


class CrossCheck:
    """What the fixture gives: one test's comparisons."""

    def __init__(self, config: pytest.Config, test: str) -> None:
        self._config = config
        self._test = test

    def assert_agrees(
        self,
        model: Any,
        reference: Any,
        batch: Any,
        *,
        weights: Any = "name",
        dtype: str | None = None,
        seed: int | None = None,
    ) -> Report:
        """Fail unless output and every gradient agree, with the place where they first do not.

        model, reference, batch, weights, dtype, seed: as for `crosscheck.compare`; dtype and seed
        are the command line's where they are left out. Returns the report of models that agree. A
        wrong call fails too, with the mistake; an error of a model's own code is let through.
        """
        __tracebackhide__ = True
        from crosscheck.answers import is_wrong_call
        from crosscheck.comparison import compare

        try:
            report = compare(
                model,
                reference,
                batch,
                weights=weights,
                dtype=dtype or self._config.getoption("crosscheck_dtype"),
                seed=self._config.getoption("crosscheck_seed") if seed is None else seed,
            )
        except (TypeError, ValueError) as error:
            if not is_wrong_call(error):
                raise  # the model's own
            pytest.fail(f"crosscheck: {error}", pytrace=False)
        reports = self._config.stash[_session].reports.setdefault(self._test, [])
        reports.append(report)
        self._save(report, len(reports))
        if not report.agrees:
            pytest.fail(f"crosscheck: {report}", pytrace=False)
        return report

    def _save(self, report: Report, number: int) -> None:
        folder = self._config.getoption("crosscheck_report")
        if folder is not None:
            from crosscheck.check import SCHEMA
            from crosscheck.files import write_json

            folder.mkdir(parents=True, exist_ok=True)
            name = re.sub(r"[^\w.-]+", "-", self._test).strip("-")
            content = {"schema": SCHEMA, "test": self._test, "report": report.to_dict()}
            write_json(folder / f"{name}-{number}.json", content)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """List the rows with the largest errors, of all tests together."""
    rows = [
        (row.error, test, f"{row.name} under {comparison.loss}: {row.error:.1e}, {row.verdict}")
        for test, reports in config.stash[_session].reports.items()
        for report in reports
        for comparison in report.comparisons
        for row in comparison.rows
        if row.error is not None and row.verdict != "agree, zero"
    ]
    if rows:
        terminalreporter.section("crosscheck: largest relative errors in float64")
        for _, test, words in sorted(rows, reverse=True)[:SHOWN]:
            terminalreporter.write_line(f"{test}: {words}")
