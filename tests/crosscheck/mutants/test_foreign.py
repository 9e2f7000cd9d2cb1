"""Bugs in blocks of others: the catalogue fits the examples, and a sample is caught and placed."""

from __future__ import annotations

import dataclasses
import re
import warnings
from pathlib import Path

import pytest

from crosscheck.mutants.foreign import score as score_module
from crosscheck.mutants.foreign import trial
from crosscheck.mutants.foreign.bug import EXAMPLES, Bug, planted
from crosscheck.mutants.foreign.catalogue import CATALOGUE, FAMILIES, bug_called
from crosscheck.mutants.foreign.score import ForeignScore, Totals, score
from crosscheck.mutants.foreign.score_table import markdown, put_into
from crosscheck.mutants.foreign.subject import SIZES
from crosscheck.mutants.foreign.trial import SUBJECTS, Result, honest_run, judge_bug, subject_of

ENOUGH = {"NumPy by hand": 40, "PyTorch": 40, "tensor engine": 10, "JAX": 10}
# Of each kind of example, of which the tests of cuts have more; those in JAX wait for its first
# compilation, and are left to `honest`.
SAMPLE = [
    "layers-norm-sign", "flat-dv-not-transposed", "engine-scale-forgotten",
    "functions-softmax-diagonal",
]  # fmt: skip


def test_there_are_enough_of_every_family_under_names_of_their_own() -> None:
    for family, bugs in FAMILIES.items():
        assert len(bugs) >= ENOUGH[family], family
    assert len({bug.id for bug in CATALOGUE}) == len(CATALOGUE)
    assert {bug.file for bug in CATALOGUE} == set(SUBJECTS)


@pytest.mark.parametrize("file", list(SUBJECTS))
def test_each_bug_fits_its_file_and_says_why_people_write_it(file: str) -> None:
    before = (EXAMPLES / file).read_text("utf-8")
    for bug in (bug for bug in CATALOGUE if bug.file == file):
        after, to_blame = planted(bug)
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", bug.id)
        assert 10 < len(bug.why) < 110
        assert after != before
        compile(after, file, "exec")
        lines = len(after.splitlines())
        assert to_blame
        assert all(1 <= line <= lines for line in to_blame)


@pytest.mark.parametrize("id", SAMPLE)
def test_a_sample_is_caught_and_placed(id: str) -> None:
    result = judge_bug(bug_called(id))
    assert result.caught, result.error
    assert result.among, f"named {result.named}, to blame {result.to_blame}"


@pytest.mark.parametrize("file", ["numpy_layers.py", "torch_einsum.py", "tensor_engine.py"])
def test_nothing_is_said_against_an_example_as_it_is(file: str) -> None:
    seed = list(SUBJECTS).index(file) + len(SUBJECTS) * 4  # heads of size 1, see SIZES
    assert subject_of(seed).file == file
    assert honest_run(seed) == []


def test_what_an_honest_run_raises_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "_said_against", lambda *_: warnings.warn("too large", stacklevel=1))
    said = honest_run(0)
    assert len(said) == 1
    assert said[0].startswith("seed 0, numpy_caches.py, ")
    assert said[0].endswith("UserWarning: too large")


@pytest.mark.honest
def test_the_goals_are_met() -> None:
    """At least 99 % are caught, and 80 %, 90 % and 95 % placed; no honest run is accused."""
    result = score()
    total = result.total
    assert result.false_alarms == ()
    assert total.caught >= 0.99 * total.bugs
    assert total.first >= 0.8 * total.bugs
    assert total.among >= 0.9 * total.bugs
    assert total.inside >= 0.95 * total.bugs
    assert total.median <= 5


def result_of(id: str, **changes: object) -> Result:
    plain = Result(id, "PyTorch", "torch_gpt.py", "why", True, True, True, True, 3, (1,), (1, 2, 3))
    return dataclasses.replace(plain, **changes)  # type: ignore[arg-type]


def test_the_totals_are_counted_by_family() -> None:
    results = (
        result_of("a-first"),
        result_of("b-third", first=False, lines=5),
        result_of("c-escaped", caught=False, first=False, among=False, inside=False, lines=0),
        result_of("d-far", family="JAX", first=False, among=False, lines=9),
    )
    scored = ForeignScore(0, results, 2, ("seed 1",))
    assert scored.families[0] == Totals("PyTorch", 3, 2, 1, 2, 2, 4)
    assert scored.total == Totals("all", 4, 3, 1, 2, 3, 5)
    assert not scored.good
    assert "| PyTorch | 3 | 2 (67%) | 1 (33%) | 2 (67%) | 2 (67%) | 4 |" in markdown(scored)
    assert "False alarms in 2 honest runs: 1." in markdown(scored)


def test_many_runs_are_shared_among_processes_and_few_are_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(score_module, "judge_bug", lambda bug, seed: result_of(bug.id))
    monkeypatch.setattr(score_module, "honest_run", lambda seed: [f"alarm {seed}"])
    pool = pytest.fail
    monkeypatch.setattr(score_module, "ProcessPoolExecutor", lambda *_: pool("it started one"))
    told: list[None] = []
    scored = score(CATALOGUE[:3], seed=4, honest_runs=2, progress=lambda: told.append(None))
    assert [result.id for result in scored.results] == [bug.id for bug in CATALOGUE[:3]]
    assert scored.false_alarms == ("alarm 4", "alarm 5")
    assert len(told) == 5
    path = tmp_path / "page.md"
    path.write_text("<!-- foreign-score -->\n<!-- /foreign-score -->\n", encoding="utf-8")
    put_into(path, scored)
    assert markdown(scored) in path.read_text(encoding="utf-8")


def test_an_unknown_bug_and_a_text_that_is_not_there() -> None:
    with pytest.raises(ValueError, match="no bug is called nonsense"):
        bug_called("nonsense")
    with pytest.raises(ValueError, match="occurs 0 times"):
        planted(Bug("x-y", CATALOGUE[0].file, "no such text", "", "why"))


def test_honest_runs_meet_every_special_size() -> None:
    assert any(sizes.T == 1 for sizes in SIZES)
    assert any(sizes.B == 1 for sizes in SIZES)
    assert any(sizes.K == 1 for sizes in SIZES)
    assert any(len({sizes.B, sizes.T, sizes.C}) == 1 for sizes in SIZES)


def test_the_readme_shows_the_totals_of_the_page_on_judging() -> None:
    page, readme = (
        " ".join((EXAMPLES.parents[1] / name).read_text("utf-8").split())
        for name in ("docs/judging.md", "README.md")
    )
    total = re.search(r"\| all \| (\d+) \| (\d+) \(\d+%\) \| (\d+) ", page)
    assert total is not None
    planted_bugs, caught, first = total.groups()
    assert int(planted_bugs) == len(CATALOGUE)
    assert (
        f"Of {planted_bugs} bugs planted in blocks in the styles of others, it catches {caught}, "
        f"and names the line of {first} first."
    ) in readme
