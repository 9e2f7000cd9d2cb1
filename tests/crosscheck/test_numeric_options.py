"""Every number that a command takes, given what is no such number or far too large a one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from click.testing import CliRunner

import tinygrad_tf
import torch
from crosscheck import room
from crosscheck.cli import COMMANDS, cli
from crosscheck.commands.common import FilePath

# What holds text. An option that is not here, is no path and offers no choice, holds numbers.
TEXTS = {
    "compare": {"mine", "reference", "arguments", "weights", "output"},
    "ops": {"names"},
    "mutants": {"ids"},
    "lab": {"bug", "answer"},
    "walk": {"mine", "reference", "arguments", "weights", "output", "text", "bug"},
}
NO_NUMBERS = (click.Choice, click.types.BoolParamType, FilePath)
# The largest comes first: where it is taken, it fails at once, and 2**31 may fill the memory.
VALUES = (
    "1" + "0" * 400, "9" * 5000, "1" + "0" * 30, str(2**31), "1e20", "nan", "inf", "", "-1", "0",
)  # fmt: skip
FINE = {("--seed", "0"), ("--seed", str(2**31)), ("--layers", "0"), ("--honest", "0")}
NEEDED = {"compare": ["torch.nn:Linear"]}  # arguments that the command does not go without
MEMORY = 4 * 10**9  # bytes that this machine is said to have


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every command by its name."""
    context = click.Context(cli)
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        yield name, command


def numeric() -> list[tuple[str, str]]:
    """The command, and the option, of everything that holds numbers."""
    return [
        (name, parameter.opts[0])
        for name, command in commands()
        for parameter in command.params
        if not isinstance(parameter.type, NO_NUMBERS)
        and parameter.name not in TEXTS.get(name, set())
    ]


@pytest.fixture
def small_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine of MEMORY, a text that is read at once; no model can be built, no number drawn."""

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a run has begun")

    monkeypatch.setattr(np.random, "default_rng", refuse)
    for engine in (torch, tinygrad_tf):
        monkeypatch.setattr(engine.nn.Module, "__init__", refuse)
    (tmp_path / "text.txt").write_text("To be, or not to be. " * 9)
    monkeypatch.setenv("CROSSCHECK_CORPUS", str(tmp_path / "text.txt"))
    monkeypatch.setattr(room, "available", lambda: MEMORY)


def test_the_search_finds_the_numbers() -> None:
    found = set(numeric())
    assert {("check", "--layers"), ("flow", "--depths"), ("compare", "--shape")} <= found
    assert {("mutants", "--honest"), ("ops", "--seed"), ("lab", "--threads")} <= found
    assert ("check", "--norm") not in found


@pytest.mark.parametrize(("command", "option"), numeric())
@pytest.mark.usefixtures("small_machine")
def test_what_is_no_number_for_it_ends_at_once_and_in_words(command: str, option: str) -> None:
    for value in VALUES:
        if (option, value) in FINE:
            continue
        arguments = [command, *NEEDED.get(command, []), option, value]
        result = CliRunner().invoke(cli, arguments, prog_name="crosscheck")
        said = " ".join(result.output.split())
        assert result.exit_code == 2, (value, said, result.exception)
        assert isinstance(result.exception, SystemExit), (value, result.exception)
        of_the_option = f"Invalid value for '{option}'" in said
        of_the_size = len(value) > 9 and value in said  # "0" stands in many a sentence
        assert of_the_option or of_the_size, (value, said)


@pytest.mark.parametrize(("option", "value"), sorted(FINE))
def test_what_is_a_number_for_it_is_taken(option: str, value: str) -> None:
    takes = [
        command.make_context(name, [*NEEDED.get(name, []), option, value])
        for name, command in commands()
        if option in {o for parameter in command.params for o in parameter.opts}
    ]
    assert takes
