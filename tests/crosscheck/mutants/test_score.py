"""The published score: every planted bug caught, nearly all placed, most of them named.

To judge all of them takes a minute, so most are left to `honest`.
"""

from __future__ import annotations

import dataclasses
import io
import json
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import pytest
from rich.console import Console

from crosscheck.forms import has_fast_forms
from crosscheck.mutants.acceptance import OTHER_RULES
from crosscheck.mutants.catalogue import CATALOGUE, mutant_called
from crosscheck.mutants.mutant import Mutant
from crosscheck.mutants.score import HONEST_RUNS, Score, honest_run, judge_mutant, score
from crosscheck.mutants.score_table import markdown, put_into, score_sections
from crosscheck.mutants.trials import TRIALS

ROOT = Path(__file__).parents[3]
SAMPLE = CATALOGUE[::5]
FEW_RUNS = 15  # each of the six trials twice, and three others; the command makes 200

judged = cache(judge_mutant)


def each(mutants: Iterable[Mutant]) -> pytest.MarkDecorator:
    """Ask for each of these bugs, and for those out of the sample only where `honest` does."""
    return pytest.mark.parametrize(
        "mutant",
        [
            pytest.param(m, id=m.id, marks=() if m in SAMPLE else pytest.mark.honest)
            for m in mutants
        ],
    )


def score_of(mutants: Iterable[Mutant], alarms: tuple[str, ...]) -> Score:
    """Return what `score` does, with each bug judged once for all tests."""
    return Score(0, tuple(map(judged, mutants)), FEW_RUNS, alarms)


@pytest.fixture(scope="module")
def alarms() -> tuple[str, ...]:
    return tuple(alarm for seed in range(FEW_RUNS) for alarm in honest_run(seed))


@pytest.fixture(scope="module")
def sampled(alarms: tuple[str, ...]) -> Score:
    return score_of(SAMPLE, alarms)


@pytest.fixture(scope="module")
def scored(alarms: tuple[str, ...]) -> Score:
    """Return the score of all bugs, for tests that are marked `honest`."""
    return score_of(CATALOGUE, alarms)


@each(CATALOGUE)
def test_it_is_caught_and_placed(mutant: Mutant) -> None:
    result = judged(mutant)
    if not mutant.why_not:
        assert result.caught
        assert result.placed, f"found in {result.op}, expected in {' or '.join(mutant.found)}"
    assert result.trial in {trial.name for trial in TRIALS}


@each(mutant for mutant in CATALOGUE if mutant.hint)
def test_its_hint_says_what_it_is(mutant: Mutant) -> None:
    result = judged(mutant)
    assert result.named, f"{mutant.hint!r} is in no hint; the first is {result.hint!r}"


@pytest.mark.honest
def test_the_goals_are_met(scored: Score) -> None:
    total = len(CATALOGUE)
    assert len(scored.results) == total >= 40
    assert scored.caught == total
    assert scored.placed >= 0.97 * total
    assert scored.named >= 0.8 * total
    assert scored.innocent == 0
    assert scored.good


def test_nothing_honest_is_accused(sampled: Score) -> None:
    assert sampled.honest_runs >= 2 * len(TRIALS)
    assert sampled.false_alarms == ()


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("trial", TRIALS, ids=[trial.name for trial in TRIALS])
def test_nothing_honest_is_accused_in_one_precision(trial: object, dtype: str) -> None:
    outcome = trial.run(123, dtype)  # type: ignore[attr-defined]
    assert outcome.agrees, outcome.said


@pytest.mark.honest
def test_each_trial_is_needed(scored: Score) -> None:
    assert {result.trial for result in scored.results} == {trial.name for trial in TRIALS}


@pytest.mark.honest
def test_the_rules_of_others_miss_what_ours_catch(scored: Score) -> None:
    others = scored.others()
    assert set(others) == set(OTHER_RULES)
    for name, (caught, asked) in others.items():
        ours = sum(result.caught for result in scored.results if result.others)
        assert asked == ours
        assert 0.3 * asked < caught < ours, name


def test_json_holds_all_of_it(sampled: Score) -> None:
    plain = json.loads(json.dumps(sampled.to_dict()))
    assert plain["schema"] == 1
    counts = [plain[name] for name in ("mutants", "caught", "placed", "named")]
    assert counts == [len(SAMPLE), sampled.caught, sampled.placed, sampled.named]
    assert [result["id"] for result in plain["results"]] == [mutant.id for mutant in SAMPLE]
    assert plain["honest_runs"] == sampled.honest_runs


def printed(scored: Score) -> str:
    console = Console(file=io.StringIO(), width=200)
    for section in score_sections(scored):
        console.print(section)
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_the_table_has_a_row_for_each(sampled: Score) -> None:
    text = printed(sampled)
    lines = {line.split()[0]: line.split() for line in text.splitlines() if line.split()}
    for result in sampled.results:
        cells = lines[result.id]
        assert cells[1] == ("yes" if result.caught else "NO")
        assert result.op in " ".join(cells)
    assert f"crosscheck    {sampled.caught} of {len(SAMPLE)}" in re.sub(" {4,}", "    ", text)
    assert f"False alarms in {sampled.honest_runs} honest runs: 0" in text
    assert "Escaped" not in text


of_all_bugs = pytest.mark.skipif(not has_fast_forms(), reason="the score is that of all bugs")


@pytest.mark.honest
@of_all_bugs
def test_the_page_on_judging_shows_this_score(scored: Score) -> None:
    page = (ROOT / "docs" / "judging.md").read_text("utf-8")
    shown = re.search("<!-- score -->\n(.*?)\n<!-- /score -->", page, re.S)
    assert shown is not None
    assert shown[1] == markdown(dataclasses.replace(scored, honest_runs=HONEST_RUNS))


@pytest.mark.honest
@of_all_bugs
def test_the_readme_shows_the_totals(scored: Score) -> None:
    words = " ".join((ROOT / "README.md").read_text("utf-8").split())
    assert (
        f"Of {len(scored.results)} bugs planted in our own sources, it catches {scored.caught}, "
        f"places {scored.placed} at the op that is to blame, and names {scored.named} in a hint. "
        f"In {HONEST_RUNS} honest runs it raised {len(scored.false_alarms)} false alarms."
    ) in words


def test_the_score_goes_between_its_markers(sampled: Score, tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text("before\n<!-- score -->\nold\n<!-- /score -->\nafter\n", encoding="utf-8")
    for _ in range(2):  # and the second time in the place of the first
        put_into(path, sampled)
    text = path.read_text(encoding="utf-8")
    assert text == f"before\n<!-- score -->\n{markdown(sampled)}\n<!-- /score -->\nafter\n"
    path.write_text("no place here\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"page\.md has no markers <!-- score -->"):
        put_into(path, sampled)
    assert path.read_text(encoding="utf-8") == "no place here\n"


# A change that changes nothing: it cannot be caught, and must not be.
EQUIVALENT = Mutant(
    id="equivalent-order",
    family="softmax",
    what="the factors of a product change places",
    module="tinygrad_tf.ops.softmax",
    old="dx = out * (dout - average)",
    new="dx = (dout - average) * out",
    found=("softmax",),
    hint="a hint",
)


def test_a_bug_that_escapes_spoils_the_score_unless_it_is_explained() -> None:
    result = judge_mutant(EQUIVALENT)
    assert (result.caught, result.placed, result.named) == (False, False, False)
    assert (result.op, result.trial, result.hint) == ("", "", "")
    assert not any(result.others.values())
    escaped = Score(0, (result,), 0, ())
    assert not escaped.good
    assert "Escaped: equivalent-order" in printed(escaped)
    explained = dataclasses.replace(result, why_not="the product is the same")
    assert Score(0, (explained,), 0, ()).good
    assert explained.why_not in printed(Score(0, (explained,), 0, ()))


def test_an_honest_run_that_is_accused_spoils_the_score() -> None:
    assert Score(0, (), 5, ()).good
    assert not Score(0, (), 5, ("seed 3",)).good


def test_a_false_alarm_is_told_with_its_seed_and_trial() -> None:
    """The runs are not honest here: a bug is planted around them."""
    bug = mutant_called("layer-norm-no-mean-term")
    said: list[str] = []
    with bug.planted():
        accused = score([], seed=9, honest_runs=2, progress=said.append)
    assert said == ["honest run 1", "honest run 2"]
    alarm = accused.false_alarms[0]
    assert alarm.startswith(f"seed 9, {TRIALS[0].name}, both: ")
    assert "born here: layer_norm" in alarm
    assert accused.false_alarms[-1].startswith(f"seed 10, {TRIALS[1].name}")
    assert not accused.good


def test_another_seed_finds_the_same() -> None:
    for bug in SAMPLE[::8]:
        again, first = judge_mutant(bug, seed=9), judged(bug)
        assert (again.caught, again.placed, again.op) == (True, True, first.op)


@pytest.mark.parametrize("bug", ["sum-to-forgotten", "attention-qkv-order", "residual-dropped"])
def test_what_is_gross_is_caught_by_all(bug: str) -> None:
    assert judged(mutant_called(bug)).others == dict.fromkeys(OTHER_RULES, True)


@pytest.mark.parametrize(
    ("bug", "rule"),
    [
        ("layer-norm-dx-without-weight", "absolute 2e-2"),  # an initial weight is 1
        ("layer-norm-no-eps", "norms within 1 %"),
        ("linear-dweight-transposed", "norms within 1 %"),
        ("gelu-tanh-for-erf", "relative 1e-3"),
    ],
)
def test_what_each_misses(bug: str, rule: str) -> None:
    result = judged(mutant_called(bug))
    assert result.caught
    assert not result.others[rule]


@pytest.mark.honest
def test_a_sum_misses_what_a_random_cotangent_catches(scored: Score) -> None:
    name = "allclose 1e-5, .sum()"
    missed = {r.family for r in scored.results if r.others and not r.others[name]}
    assert missed & {"softmax", "layer norm", "attention"}, missed
