"""The findings that the pages show, line by line, are those of a run; see docs/walks.py."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import walks
from click.testing import CliRunner
from support.pages import PAGES

from crosscheck.cli import cli
from crosscheck.mutants.foreign.bug import planted
from crosscheck.mutants.foreign.catalogue import bug_called

each_walk = pytest.mark.parametrize("walk", walks.WALKS, ids=[walk.name for walk in walks.WALKS])


def shown(walk: Any) -> str:
    found = re.search(rf"<!-- {walk.name} -->\n(.*?)<!-- /{walk.name} -->", PAGES[walk.page], re.S)
    assert found is not None, walk.name
    return found[1]


def unrounded(text: str) -> list[str]:
    """The lines, without what depends on rounding: errors, ratios of them, zeros by rights."""
    text = re.sub(r"-?\d\S*e[+-]\d\d", "#", text)
    return [re.sub(r"(#) +\d+\.\d(?= )|(?<= )\d+\.\d{5,}", "#", line) for line in text.split("\n")]


def require_same(walk: Any, lines: list[str]) -> None:
    """Fail unless the page shows what the command has printed."""
    assert unrounded(shown(walk)) == unrounded(walks.content(walk, lines)), (
        "run python docs/walks.py"
    )


@each_walk
def test_the_lines_that_are_shown_are_those_of_the_file_with_the_bug(walk: Any) -> None:
    source, to_blame = planted(bug_called(walk.bug))
    lines, text = source.splitlines(), shown(walk)
    assert f"{walk.command}\n" in text
    marked = [
        (int(number), rest) for number, rest in re.findall(r"^ *(\d+)(?:  |$)(.*)$", text, re.M)
    ]
    for number, rest in marked:
        code = re.split(r" *[✓✗~] ", f"{rest} ")[0].rstrip()
        line = lines[number - 1].rstrip()
        assert code == line or (code.endswith("…") and line.startswith(code.rstrip("…")))
    if not walk.is_screen:
        assert len(marked) > 1
        blamed = text[: text.index(" ✗ ")]
        assert walk.is_of_engine or int(re.findall(r"^ *(\d+)  ", blamed, re.M)[-1]) in to_blame


def test_the_readme_shows_what_the_command_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (walk,) = (walk for walk in walks.WALKS if walk.page == "README.md")
    walks.write(walk, tmp_path)
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(cli, walk.command.split()[1:], prog_name="crosscheck")
    require_same(walk, done.stdout.splitlines())


@pytest.mark.honest
@each_walk
def test_what_is_shown_is_what_the_command_prints(walk: Any) -> None:
    if walk.file == walks.JAX_FILE:
        pytest.importorskip("jax")
    require_same(walk, walks.printed(walk))
