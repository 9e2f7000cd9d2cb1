"""The exit code is 1 only where something disagrees, whatever else may end the command."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import torch
from crosscheck import check as check_module
from crosscheck.cli import main

needs_full_disk = pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    """A small check, as a process of its own."""
    path = tmp_path / "text.txt"
    path.write_text("What you egg! Young fry of treachery! " * 9, encoding="utf-8")
    sizes = ["--layers", "0", "--width", "4", "--heads", "2", "--context", "5"]
    return [sys.executable, "-m", "crosscheck", "--corpus", str(path), *sizes]


def finish(command: list[str], **streams: Any) -> tuple[int, str]:
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
    # With a buffer, as people have it: what is left in it at the end is written once more.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    done = subprocess.run(command, check=False, text=True, timeout=120, env=env, **streams)
    return done.returncode, done.stderr


@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_a_closed_pipe_ends_it_quietly(command: list[str], arguments: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        assert finish([*command, *arguments], stdout=writer) == (141, "")
    finally:
        os.close(writer)


@needs_full_disk
@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_output_that_cannot_be_written(command: list[str], arguments: list[str]) -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123
        code, said = finish([*command, *arguments], stdout=full)
    assert (code, said) == (2, "Error: cannot write the output: No space left on device\n")


@needs_full_disk
def test_a_complaint_that_cannot_be_written(command: list[str]) -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123
        assert finish([*command, "--bogus"], stderr=full)[0] not in (0, 1)


def test_no_output_at_all(command: list[str]) -> None:
    code, said = finish(["sh", "-c", '"$@" >&-', "sh", *command], stdout=None)
    assert (code, said) == (2, "Error: cannot write the output: standard output is closed\n")


def raising(error: BaseException) -> Any:
    def run_check(*_: Any, **__: Any) -> Any:
        raise error

    return run_check


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (KeyboardInterrupt(), 130, "\nInterrupted.\n"),
        (ValueError("a mistake"), 2, "Error: a mistake\n"),
        (OSError("unreadable"), 2, "Error: unreadable\n"),
        (MemoryError(), 2, "Error: the run needs more memory than there is left\n"),
    ],
)
def test_what_ends_it_has_its_code(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: list[str],
    error: BaseException,
    code: int,
    said: str,
) -> None:
    monkeypatch.setattr(check_module, "run_check", raising(error))
    monkeypatch.setattr(sys, "argv", command[2:])
    assert main() == code
    assert capsys.readouterr() == ("", said)


ENGINES: list[Callable[[int], object]] = [np.empty, torch.empty]


@pytest.mark.parametrize("empty", ENGINES, ids=["numpy", "torch"])
def test_memory_that_an_engine_does_not_get(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: list[str],
    empty: Callable[[int], object],
) -> None:
    monkeypatch.setattr(check_module, "run_check", lambda *_, **__: empty(1 << 59))
    monkeypatch.setattr(sys, "argv", command[2:])
    assert main() == 2
    said = capsys.readouterr().err
    assert said.startswith("Error: the run needs more memory than there is left: ")
    assert said.count("\n") == 1


def test_a_crash_has_its_traceback_and_is_no_disagreement(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    monkeypatch.setattr(check_module, "run_check", raising(ZeroDivisionError("a bug")))
    monkeypatch.setattr(sys, "argv", command[2:])
    assert main() == 2
    said = capsys.readouterr().err
    assert said.startswith("Traceback (most recent call last):\n")
    assert said.endswith("ZeroDivisionError: a bug\n")


def test_it_ends_with_what_it_found(command: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert finish(command) == (0, "")
    monkeypatch.setattr(
        sys, "argv", [*command[2:], "--layers", "1", "--width", "1", "--heads", "1"]
    )
    assert main() == 1


def test_the_help_tells_the_codes(command: list[str]) -> None:
    text = subprocess.run([*command, "--help"], capture_output=True, text=True, check=True).stdout
    assert text.startswith("Usage: crosscheck check [OPTIONS]\n")
    for code in (0, 1, 2, 130, 141):
        assert f"\n    {code:<3}  " in text
