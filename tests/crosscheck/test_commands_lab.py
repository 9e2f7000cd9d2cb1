"""`crosscheck lab`: the symptoms without the answer, the question, and the whole answer."""

from __future__ import annotations

import re
import sys

import pytest
from click.testing import CliRunner, Result

from crosscheck.cli import cli
from crosscheck.commands.common import CouldNotRun
from crosscheck.commands.lab import _prompt
from crosscheck.mutants import lab as lab_module
from crosscheck.mutants.catalogue import CATALOGUE
from crosscheck.mutants.lab import WITHOUT_ANSWER, Exercise, set_exercise
from crosscheck.mutants.mutant import Mutant

BUG = "layer-norm-no-mean-term"
BY_ID = {mutant.id: mutant for mutant in CATALOGUE}


def crosscheck(*arguments: str, said: str = "") -> Result:
    return CliRunner().invoke(cli, ["lab", *arguments], input=said, prog_name="crosscheck")


def split(output: str) -> tuple[str, str]:
    """What is shown before the answer, and after."""
    before, verdict, after = re.split(r"^(Right|Not found)\.$", output, maxsplit=1, flags=re.M)
    return before, verdict + after


def assert_hidden(before: str) -> None:
    """Nothing of what localisation found, nor the patch."""
    for text in (
        "born here",
        "hint:",
        "rule at",
        "inherited",
        BUG,
        "no mean",
        "along_ones",
        "+++",
    ):
        assert text not in before, before


def test_the_right_answer_exits_with_0_and_reveals_all() -> None:
    result = crosscheck("--bug", BUG, "--answer", "layer_norm")
    assert result.exit_code == 0, result.output
    before, after = split(result.output)
    assert_hidden(before)
    assert "A bug is planted. It is about: layer norm." in before
    assert "disagree" in before
    for text in (
        f"{BUG}: {BY_ID[BUG].what}.",
        "born here: layer_norm in",
        "hint: in dx the term mean(dx_hat) is missing",
        "-        dx = inv_std * (dx_hat - along_ones - x_hat * along_x_hat)",
        "+        dx = inv_std * (dx_hat - x_hat * along_x_hat)",
        "What it violates:",
        "Fact: dx is orthogonal to ones",  # from the rule's own page
    ):
        assert text in after, after


def test_a_wrong_answer_exits_with_1_and_reveals_all_the_same() -> None:
    result = crosscheck("--bug", BUG, "--answer", "softmax")
    assert result.exit_code == 1
    before, after = split(result.output)
    assert_hidden(before)
    assert after.startswith("Not found")
    assert "born here: layer_norm" in after


@pytest.mark.parametrize("answer", ["", " ", "layer_nor", "LAYER_NORM"])
def test_what_is_no_ops_name_is_wrong(answer: str) -> None:
    assert crosscheck("--bug", BUG, "--answer", answer).exit_code == 1


@pytest.mark.parametrize(
    ("said", "code", "texts"),
    [
        ("layer_norm\n", 0, ["Ops that ran: ", "Right."]),
        ("  layer_norm \n", 0, ["Right."]),
        ("hint\nlayer_norm\n", 0, ["in dx the term mean(dx_hat) is missing", "Right."]),
        ("gelu\nlayer_norm\n", 0, ["No, not gelu. Tries left: 2.", "Right."]),
        (
            "gelu\nadd\nmul\n",
            1,
            ["No, not add. Tries left: 1.", "No, not mul. Tries left: 0.", "Not found."],
        ),
        ("give up\n", 1, ["Not found."]),
    ],
)
def test_asked_at_a_terminal(said: str, code: int, texts: list[str]) -> None:
    result = crosscheck("--bug", BUG, said=said)
    assert result.exit_code == code, result.output
    for text in texts:
        assert text in result.output, result.output
    before, _ = split(result.output)
    question = before.index("Which op is it?")
    assert_hidden(before[:question])
    assert "layer_norm" in before[:question]  # among the ops that ran


def test_an_end_of_the_input_is_no_answer() -> None:
    result = crosscheck("--bug", BUG, said="")
    assert result.exit_code != 0
    assert "The patch" not in result.output


def test_an_unknown_bug_exits_with_2() -> None:
    result = crosscheck("--bug", "nonsense")
    assert result.exit_code == 2
    assert "Error: no bug is called nonsense; `crosscheck mutants` lists them all" in result.output
    assert "Traceback" not in result.output


def test_a_seed_chooses_the_same_again(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: list[str] = []

    def refusing(mutant: Mutant) -> Exercise:
        chosen.append(mutant.id)
        raise ValueError("chosen")

    monkeypatch.setattr(lab_module, "set_exercise", refusing)
    for seed in ("3", "3", "4", str(len(CATALOGUE) + 3)):
        assert crosscheck("--seed", seed).exit_code == 2
    crosscheck()
    assert chosen[0] == chosen[1] == chosen[3] != chosen[2]
    assert chosen[4] in BY_ID


@pytest.mark.parametrize("mutant", CATALOGUE[::7], ids=[m.id for m in CATALOGUE[::7]])
def test_no_exercise_gives_its_answer_away(mutant: Mutant) -> None:
    exercise = set_exercise(mutant)
    for text in ("born here", "hint:", "rule at", "inherited from", mutant.what):
        assert text not in exercise.symptoms
    assert 1 <= exercise.symptoms.count("\n") <= WITHOUT_ANSWER
    assert all(exercise.accepts(op) for op in mutant.found)
    assert set(mutant.found) <= set(exercise.ops)
    assert not exercise.accepts("no such op")
    assert mutant.id not in exercise.symptoms


def test_what_shows_in_training_alone_has_symptoms_too() -> None:
    exercise = set_exercise(BY_ID["adamw-no-bias-correction"])
    assert exercise.symptoms.startswith("In the training:\nSomething differs in training")
    assert exercise.accepts("AdamW")
    assert "AdamW" in exercise.ops


def test_what_shows_nowhere_is_no_exercise() -> None:
    same = Mutant(
        id="equivalent-order", family="", what="", module="tinygrad_tf.ops.softmax",
        old="dx = out * (dout - average)", new="dx = (dout - average) * out", found=("softmax",),
    )  # fmt: skip
    with pytest.raises(ValueError, match="equivalent-order shows in no trial"):
        set_exercise(same)


@pytest.mark.parametrize("said", ["", "gelu\n"])
def test_an_input_that_ends_is_no_answer(said: str) -> None:
    result = crosscheck("--bug", BUG, said=said)
    assert result.exit_code == 2
    assert "the input has ended, and no answer was given" in result.output


def test_a_closed_input_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(CouldNotRun, match="the input has ended"):
        _prompt()
