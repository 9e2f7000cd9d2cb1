"""Help, the version and a typo are answered at once, without PyTorch."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec

import pytest
from click.testing import CliRunner

from crosscheck.choices import ENGINES, NORMS
from crosscheck.cli import COMMANDS, cli
from crosscheck.flow.stacks import WIRINGS
from crosscheck.sides import DIALECTS

QUICK = [
    ["--help"],
    ["--version"],
    ["chekc"],
    ["check", "--layrs", "3"],
    ["--mask", "causl"],
    *([name, "--help"] for name in COMMANDS),
]


def test_they_load_no_pytorch_and_no_matplotlib() -> None:
    program = (
        "import sys\n"
        "from crosscheck.cli import main\n"
        f"for arguments in {QUICK!r}:\n"
        "    sys.argv = ['crosscheck', *arguments]\n"
        "    main()\n"
        "    heavy = {'torch', 'torch_impl', 'matplotlib', 'requests'} & set(sys.modules)\n"
        "    assert not heavy, f'{arguments} loads {heavy}'\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["chekc"], "No such command 'chekc'. Did you mean 'check'?"),
        (["mutant"], "No such command 'mutant'. Did you mean 'mutants'?"),
        (["xyz"], "No such command 'xyz'."),
        (["--layrs", "3"], "No such option '--layrs'."),
    ],
)
def test_a_typo_is_told_what_was_meant(arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(cli, arguments, prog_name="crosscheck")
    assert result.exit_code == 2
    assert f"Error: {said}" in result.output
    if arguments == ["xyz"]:
        assert "mean" not in result.output
    if arguments[0] == "--layrs":
        assert "'--layers'" in result.output


def test_the_help_lists_every_command_in_order() -> None:
    lines = CliRunner().invoke(cli, ["--help"]).output.splitlines()
    start = lines.index("Commands:") + 1
    assert tuple(line.split()[0] for line in lines[start : start + len(COMMANDS)]) == COMMANDS


def test_the_names_are_those_of_what_runs() -> None:
    assert tuple(DIALECTS) == ENGINES
    assert {wiring.norm for wiring in WIRINGS} == set(NORMS)


@pytest.mark.skipif(find_spec("tinygrad_tf.fast") is None, reason="there are no fast forms")
def test_a_bad_environment_is_a_clear_error() -> None:
    """The fast forms are loaded with the engine, and refuse it there."""
    done = subprocess.run(
        [sys.executable, "-m", "crosscheck"],
        env={**os.environ, "TINYGRAD_TF_FAST": "1", "TINYGRAD_TF_NUM_THREADS": "many"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    said = "Error: TINYGRAD_TF_NUM_THREADS is 'many', expected a number of threads, 1 at least\n"
    assert (done.returncode, done.stderr) == (2, said)
