"""`crosscheck walk`, as it is called: the file, the exit codes, and mistakes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from support.walks import TEXT

from crosscheck.cli import cli

SIZES = ["--layers", "1", "--width", "12", "--heads", "2", "--feed-forward", "20"]


@pytest.fixture
def walk(tmp_path: Path) -> Any:
    """walk(*arguments) -> what the command does in an empty folder, with a short text."""
    text = tmp_path / "text.txt"
    text.write_text(TEXT.text, "utf-8")
    runner = CliRunner()

    def run(*arguments: str) -> Result:
        page = ["-o", str(tmp_path / "walk.html"), "--characters", "6"]
        given = ["walk", *page, "--corpus", str(text), "--dtype", "float64", *arguments]
        return runner.invoke(cli, given, prog_name="crosscheck")

    return run


def data_in(folder: Path) -> dict[str, Any]:
    page = (folder / "walk.html").read_text("utf-8")
    (found,) = re.findall(r'id="walk">(.*?)</script>', page, re.S)
    data: dict[str, Any] = json.loads(found)
    return data


def test_a_healthy_model(walk: Any, tmp_path: Path) -> None:
    result = walk(*SIZES, "--language", "pt-BR", "--norm", "pre", "--seed", "3")
    assert result.exit_code == 0, result.output
    assert "AGREE" in result.output
    data = data_in(tmp_path)
    assert (data["version"], data["language"], data["bug"]) == (1, "pt-BR", None)
    assert (data["model"]["options"]["norm"], data["model"]["seed"]) == ("pre", 3)
    assert len(data["text"]["tokens"]) == data["model"]["options"]["context"] == 6
    assert str(tmp_path) not in (tmp_path / "walk.html").read_text("utf-8")


def test_a_planted_bug_ends_with_1_and_a_page(walk: Any, tmp_path: Path) -> None:
    result = walk(*SIZES, "--bug", "gelu-no-density-term", "--text", "hear me")
    assert result.exit_code == 1, result.output
    assert "DISAGREE" in result.output
    data = data_in(tmp_path)
    assert data["bug"]["findings"][0]["op"] == "blocks.0/gelu"
    assert "".join(data["text"]["tokens"]) == "hear m"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--bug", "no-such"], "no bug is called no-such"),
        (["--text", ""], "--text has 0 characters: give 3 to 257"),
        (["--text", "hi"], "--text has 2 characters: give 3 to 257"),
        (["--text", "he" * 150], "--text has 300 characters: give 3 to 257"),
        (["--text", "hear mé"], "vocabulary; name a text that has it: --corpus FILE"),
        (["--width", "7"], "width 7 is not divisible by heads 4"),
        (["--shape", "2,3"], "--shape goes with a model of your own"),
        (["--fast"], "--fast computes float32 alone"),
        (["--language", "fr"], "'fr' is not one of"),
    ],
)
def test_a_mistake_ends_with_2_and_no_page(
    walk: Any, tmp_path: Path, arguments: list[str], said: str
) -> None:
    result = walk(*arguments)
    assert result.exit_code == 2
    assert said in " ".join(result.output.split())
    assert not (tmp_path / "walk.html").exists()


@pytest.mark.parametrize(
    ("option", "value"), [("--layers", "2"), ("--bug", "softmax-no-average"), ("--text", "hear me")]
)
def test_an_option_of_our_own_model_is_refused_beside_another(option: str, value: str) -> None:
    result = CliRunner().invoke(cli, ["walk", "my_block.py:Block", option, value])
    assert result.exit_code == 2
    assert f"{option} is of our own language model" in result.output


def test_a_page_that_cannot_be_written_is_told_before_the_run(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["walk", "-o", str(tmp_path / "no" / "walk.html")])
    assert result.exit_code == 2
    assert "cannot write" in result.output
