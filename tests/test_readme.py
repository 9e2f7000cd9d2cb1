"""The README tells the truth: its program runs, and the files and options it names are there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from crosscheck.check import run_check
from crosscheck.cli import cli
from crosscheck.corpus import load_corpus
from crosscheck.models import ModelOptions
from crosscheck.mutants.mutant import Mutant

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_layer_norm_program_checks_itself() -> None:
    program = next(
        code for code in re.findall(r"```python\n(.*?)```", README, re.S) if "F." in code
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    derived, measured = map(float, done.stdout.split())
    assert measured == pytest.approx(derived, rel=1e-6)
    shown = re.search(r"# (-?\d+\.\d+)\.\.\.", program)
    assert shown is not None
    assert done.stdout.startswith(shown[1])


def rows(output: str) -> dict[str, list[str]]:
    """Of each line of the tables its name, and what does not depend on rounding: shape, norms."""
    found = {}
    for line in output.splitlines():
        pattern = r"\s+(\S+)\s+([\dx]+|scalar)\s+([\d.e+-]+)\s+([\d.e+-]+)\s"
        if parts := re.match(pattern, line):
            name, shape, *norms = parts.groups()
            tiny = any("e-1" in norm for norm in norms)
            found.setdefault(name, []).append(" ".join([shape, *([] if tiny else norms)]))
    return found


def test_the_output_it_shows_is_that_of_a_run() -> None:
    if not (corpus := load_corpus(attempts=1)).complete:
        pytest.skip(f"the whole text is not here: {corpus.source}")
    done = subprocess.run(
        [sys.executable, "-m", "crosscheck"], capture_output=True, text=True, check=True
    )
    shown = re.search(r"## What `make run` prints\n\n```\n(.*?)```", README, re.S)
    assert shown is not None
    assert len(rows(done.stdout)) > 15
    assert rows(shown[1]) == rows(done.stdout)
    assert done.stdout.splitlines()[-1].startswith("AGREE: ")


def test_the_diagnosis_it_shows_is_that_of_a_run() -> None:
    """The README's words for a changed sign; numbers that depend on rounding are left out."""
    old, new = "(dx_hat - along_ones", "(dx_hat + along_ones"
    module = "tinygrad_tf.ops.layer_norm"
    mutant = Mutant("sign", "layer norm", "a sign", module, old, new, ("layer_norm",))
    with mutant.planted():
        check = run_check(ModelOptions(), load_corpus(None))
    shown = re.search(r"```\n(  born here:.*?)```", README, re.S)
    assert shown is not None
    rounded = r"-?\d\S*e\S+|-?\d+\.\d+|(?<=worst at )\[.*?\]"
    words = [re.sub(rounded, "#", line) for line in shown[1].splitlines()]
    said = [re.sub(rounded, "#", line) for line in str(check.report).splitlines()]
    assert words == said[1 : 1 + len(words)]
    assert f"{check.failed} of {check.rows} rows fail" in README.replace("\n", " ")


def test_every_link_leads_to_a_file() -> None:
    links = re.findall(r"\]\((?!https?:)([^)]+)\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_every_command_and_option_is_real() -> None:
    commands = re.findall(r"^crosscheck (.*)$|`crosscheck ([^`]+)`", README, re.M)
    named = [line for pair in commands for line in pair if "-" in line or line in cli.commands]
    assert named
    for line in named:
        first, *_ = words = line.split()
        command = cli.commands["check" if first.startswith("-") else first]
        known = {"--help", *(name for p in command.params for name in (*p.opts, *p.secondary_opts))}
        unknown = {word for word in words if word.startswith("--")} - known
        assert not unknown, f"crosscheck {line}"
