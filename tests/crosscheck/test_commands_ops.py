"""`crosscheck ops`: what it prints, writes and ends with."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from support.pages import blocks

from crosscheck.cli import cli
from crosscheck.forms import has_fast_forms
from crosscheck.mutants.catalogue import CATALOGUE, mutant_called
from crosscheck.mutants.mutant import Mutant
from crosscheck.ops import outcome
from crosscheck.ops.cases import CASES


def crosscheck(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["ops", *arguments], prog_name="crosscheck")


def test_honest_ops_all_agree() -> None:
    """Every third op, in the order of the list; `crosscheck ops` runs them all."""
    names = list(dict.fromkeys(case.op for case in CASES))[::3]
    result = crosscheck(*names)
    assert result.exit_code == 0, result.output
    cases = sum(case.op in names for case in CASES)
    assert f"AGREE: {len(names)} ops, {cases} cases, all agree." in result.output
    assert "DISAGREE" not in result.output
    assert "\x1b" not in result.output


def test_named_ops_alone() -> None:
    result = crosscheck("softmax", "SGD", "--dtype", "float64", "--seed", "3")
    assert result.exit_code == 0, result.output
    assert "AGREE: 2 ops" in result.output
    rows = [line.split()[0] for line in result.output.splitlines() if line.endswith("agree")]
    assert rows == ["softmax", "SGD"]


def test_a_bug_exits_with_1_and_is_told_on_the_screen_and_in_json(tmp_path: Path) -> None:
    path = tmp_path / "ops.json"
    with mutant_called("relu-no-cut").planted():
        result = crosscheck("relu", "exp", "--json", str(path))
    assert result.exit_code == 1
    assert "DISAGREE: 1 of 2 ops: relu." in result.output
    assert "ours is wrong: relative error" in result.output
    assert "hint: dx is dout itself" in result.output
    saved = json.loads(path.read_text())
    assert (saved["schema"], saved["agrees"], saved["seed"]) == (1, False, 0)
    assert (saved["dtype"], saved["fast"]) == ("both", False)
    assert "torch" in saved["versions"]
    exp, relu = saved["rows"]
    assert (exp["op"], exp["agrees"], exp["failures"]) == ("exp", True, [])
    assert (relu["op"], relu["agrees"]) == ("relu", False)
    assert relu["failures"][0]["witness"] == pytest.approx(relu["failures"][0]["gap"]["reference"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sofmax"], "no op is called sofmax; did you mean softmax or log_softmax"),
        (["exp", "zzzzz"], "no op is called zzzzz; known: add, sub, mul"),
        (["--dtype", "float16"], "'float16' is not one of"),
        (["exp", "--json", "no/such/folder/x.json"], "cannot write no/such/folder/x.json"),
    ],
)
def test_a_mistake_exits_with_2_before_anything_is_run(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.setattr(outcome, "rows", lambda _: pytest.fail("it ran"))
    result = crosscheck(*arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())
    assert "Traceback" not in result.output


@pytest.mark.skipif(not has_fast_forms(), reason="there are no fast forms")
def test_fast_forms_are_checked_where_they_are_asked_for() -> None:
    with mutant_called("gelu-float32-slope").planted():
        assert crosscheck("gelu", "--fast").exit_code == 1
    assert crosscheck("gelu", "--fast").exit_code == 0


def test_the_page_shows_what_is_printed() -> None:
    (shown,) = (
        text for text in blocks("docs/judging.md", "text") if "layer_norm disagrees" in text
    )
    planted = Mutant(
        id="a", family="a", what="a", module="tinygrad_tf.ops.layer_norm",
        old="(dx_hat - along_ones - x_hat", new="(dx_hat + along_ones - x_hat", found=(),
    )  # fmt: skip
    with planted.planted():
        result = crosscheck("softmax", "layer_norm", "AdamW", "Linear")

    def words(text: str) -> list[str]:
        """The lines without their numbers, whose last digits are another machine's."""
        return [re.sub(r"-?[\d.]+(e[+-]\d+)?|\s+|─+", " ", line) for line in text.splitlines()]

    printed = words(result.output)
    assert [line for line in words(shown) if line not in printed and "..." not in line] == []


IN_REACH = [
    mutant
    for mutant in CATALOGUE
    if mutant.module.startswith(("tinygrad_tf.ops.", "tinygrad_tf.optim", "tinygrad_tf.fast."))
]


def test_a_planted_bug_in_a_rule_makes_its_row_fail() -> None:
    """Every third bug, in the order of the catalogue."""
    assert len(IN_REACH) > 60
    for mutant in IN_REACH[::3]:
        chosen = [case for case in CASES if case.op in mutant.found]
        with mutant.planted():
            assert any(case.examine(0, "both").failures for case in chosen), mutant.id


def test_fast_forms_have_no_float64() -> None:
    result = crosscheck("gelu", "--fast", "--dtype", "float64")
    assert result.exit_code == 2
    assert "--fast computes float32 alone" in result.output
