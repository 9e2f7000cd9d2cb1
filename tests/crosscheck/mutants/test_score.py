"""The published score: every planted bug caught, nearly all placed, most of them named."""

from __future__ import annotations

import dataclasses
import io
import json
import re
from pathlib import Path

import pytest
from rich.console import Console

from crosscheck.forms import has_fast_forms
from crosscheck.mutants.acceptance import OTHER_RULES
from crosscheck.mutants.catalogue import CATALOGUE
from crosscheck.mutants.mutant import Mutant
from crosscheck.mutants.score import HONEST_RUNS, Result, Score, judge_mutant, score
from crosscheck.mutants.score_table import markdown, put_into, score_sections
from crosscheck.mutants.trials import TRIALS

ROOT = Path(__file__).parents[3]
each = pytest.mark.parametrize("mutant", CATALOGUE, ids=[mutant.id for mutant in CATALOGUE])


def result_of(scored: Score, mutant: Mutant) -> Result:
    return next(result for result in scored.results if result.id == mutant.id)


@each
def test_it_is_caught_and_placed(scored: Score, mutant: Mutant) -> None:
    result = result_of(scored, mutant)
    if not mutant.why_not:
        assert result.caught
        assert result.placed, f"found in {result.op}, expected in {' or '.join(mutant.found)}"
    assert result.trial in {trial.name for trial in TRIALS}


@pytest.mark.parametrize(
    "mutant", [m for m in CATALOGUE if m.hint], ids=[m.id for m in CATALOGUE if m.hint]
)
def test_its_hint_says_what_it_is(scored: Score, mutant: Mutant) -> None:
    result = result_of(scored, mutant)
    assert result.named, f"{mutant.hint!r} is in no hint; the first is {result.hint!r}"


def test_the_goals_are_met(scored: Score) -> None:
    total = len(CATALOGUE)
    assert len(scored.results) == total >= 40
    assert scored.caught == total
    assert scored.placed >= 0.97 * total
    assert scored.named >= 0.8 * total
    assert scored.innocent == 0
    assert scored.good


def test_nothing_honest_is_accused(scored: Score) -> None:
    assert scored.honest_runs >= 2 * len(TRIALS)
    assert scored.false_alarms == ()


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("trial", TRIALS, ids=[trial.name for trial in TRIALS])
def test_nothing_honest_is_accused_in_one_precision(trial: object, dtype: str) -> None:
    outcome = trial.run(123, dtype)  # type: ignore[attr-defined]
    assert outcome.agrees, outcome.said


def test_each_trial_is_needed(scored: Score) -> None:
    assert {result.trial for result in scored.results} == {trial.name for trial in TRIALS}


def test_the_rules_of_others_miss_what_ours_catch(scored: Score) -> None:
    others = scored.others()
    assert set(others) == set(OTHER_RULES)
    for name, (caught, asked) in others.items():
        ours = sum(result.caught for result in scored.results if result.others)
        assert asked == ours
        assert 0.3 * asked < caught < ours, name


def test_json_holds_all_of_it(scored: Score) -> None:
    plain = json.loads(json.dumps(scored.to_dict()))
    assert plain["schema"] == 1
    counts = [plain[name] for name in ("mutants", "caught", "placed", "named")]
    assert counts == [len(CATALOGUE), scored.caught, scored.placed, scored.named]
    assert [result["id"] for result in plain["results"]] == [mutant.id for mutant in CATALOGUE]
    assert plain["honest_runs"] == scored.honest_runs


def printed(scored: Score) -> str:
    console = Console(file=io.StringIO(), width=200)
    for section in score_sections(scored):
        console.print(section)
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_the_table_has_a_row_for_each(scored: Score) -> None:
    text = printed(scored)
    lines = {line.split()[0]: line.split() for line in text.splitlines() if line.split()}
    for result in scored.results:
        cells = lines[result.id]
        assert cells[1] == ("yes" if result.caught else "NO")
        assert result.op in " ".join(cells)
    assert f"crosscheck    {scored.caught} of {len(CATALOGUE)}" in re.sub(" {4,}", "    ", text)
    assert f"False alarms in {scored.honest_runs} honest runs: 0" in text
    assert "Escaped" not in text


of_all_bugs = pytest.mark.skipif(not has_fast_forms(), reason="the score is that of all bugs")


@of_all_bugs
def test_the_page_on_judging_shows_this_score(scored: Score) -> None:
    page = (ROOT / "docs" / "judging.md").read_text("utf-8")
    shown = re.search("<!-- score -->\n(.*?)\n<!-- /score -->", page, re.S)
    assert shown is not None
    assert shown[1] == markdown(dataclasses.replace(scored, honest_runs=HONEST_RUNS))


@of_all_bugs
def test_the_readme_shows_the_totals(scored: Score) -> None:
    words = " ".join((ROOT / "README.md").read_text("utf-8").split())
    assert (
        f"Of {len(scored.results)} bugs planted in our own sources, it catches {scored.caught}, "
        f"places {scored.placed} at the op that is to blame, and names {scored.named} in a hint. "
        f"In {HONEST_RUNS} honest runs it raised {len(scored.false_alarms)} false alarms."
    ) in words


def test_the_score_goes_between_its_markers(scored: Score, tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text("before\n<!-- score -->\nold\n<!-- /score -->\nafter\n", encoding="utf-8")
    for _ in range(2):  # and the second time in the place of the first
        put_into(path, scored)
    text = path.read_text(encoding="utf-8")
    assert text == f"before\n<!-- score -->\n{markdown(scored)}\n<!-- /score -->\nafter\n"
    path.write_text("no place here\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"page\.md has no markers <!-- score -->"):
        put_into(path, scored)
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
    bug = next(mutant for mutant in CATALOGUE if mutant.id == "layer-norm-no-mean-term")
    said: list[str] = []
    with bug.planted():
        accused = score([], seed=9, honest_runs=2, progress=said.append)
    assert said == ["honest run 1", "honest run 2"]
    alarm = accused.false_alarms[0]
    assert alarm.startswith(f"seed 9, {TRIALS[0].name}, both: ")
    assert "born here: layer_norm" in alarm
    assert accused.false_alarms[-1].startswith(f"seed 10, {TRIALS[1].name}")
    assert not accused.good


def test_another_seed_finds_the_same(scored: Score) -> None:
    for bug in CATALOGUE[::23]:
        again, first = judge_mutant(bug, seed=9), result_of(scored, bug)
        assert (again.caught, again.placed, again.op) == (True, True, first.op)


@pytest.mark.parametrize("bug", ["sum-to-forgotten", "attention-qkv-order", "residual-dropped"])
def test_what_is_gross_is_caught_by_all(scored: Score, bug: str) -> None:
    result = next(result for result in scored.results if result.id == bug)
    assert result.others == dict.fromkeys(OTHER_RULES, True)


@pytest.mark.parametrize(
    ("bug", "rule"),
    [
        ("layer-norm-dx-without-weight", "absolute 2e-2"),  # an initial weight is 1
        ("layer-norm-no-eps", "norms within 1 %"),
        ("linear-dweight-transposed", "norms within 1 %"),
        ("gelu-tanh-for-erf", "relative 1e-3"),
    ],
)
def test_what_each_misses(scored: Score, bug: str, rule: str) -> None:
    result = next(result for result in scored.results if result.id == bug)
    assert result.caught
    assert not result.others[rule]


def test_a_sum_misses_what_a_random_cotangent_catches(scored: Score) -> None:
    name = "allclose 1e-5, .sum()"
    missed = {r.family for r in scored.results if r.others and not r.others[name]}
    assert missed & {"softmax", "layer norm", "attention"}, missed
