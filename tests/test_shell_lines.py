"""Every shell line in the pages names a command, options and targets that exist."""

from __future__ import annotations

import importlib
import re
import shlex
import tomllib
from collections.abc import Iterator
from importlib.util import find_spec

import click
import pytest
from support.pages import PAGES, ROOT, blocks

from crosscheck.cli import cli

COMMANDS = ("crosscheck", "make", "python", "pip", "pytest")


def shell_lines(page: str) -> Iterator[list[str]]:
    """The words of each line in a shell block, and of each command in code font."""
    lines = [line for block in blocks(page, "sh") for line in block.splitlines()]
    prose = re.sub(r"^```.*?^```$", "", PAGES[page], flags=re.S | re.M)
    for code in re.findall(r"`([^`]+)`", prose):
        words = [word for word in code.split() if "=" not in word]
        if words and words[0] in COMMANDS and len(code.split()) > 1:
            lines.append(code)
    for line in lines:
        if words := shlex.split(line, comments=True):
            yield words


def check_line(words: list[str]) -> None:
    """Fail unless the command of a shell line exists, with its options."""
    while "=" in words[0]:
        check_variable(words[0].partition("=")[0])
        words = words[1:]
    command, *rest = words
    {
        "crosscheck": lambda: check_click(cli, rest),
        "make": lambda: check_make(rest),
        "python": lambda: check_python(rest),
        "pip": lambda: check_pip(rest),
        "pytest": lambda: check_pytest(rest),
    }[command]()


def check_variable(name: str) -> None:
    """Ours must occur in our sources; those of other programs are not looked up."""
    if name.startswith(("TINYGRAD", "CROSSCHECK")):
        folders = ("tinygrad_tf", "crosscheck", "benchmarks")
        files = (file for folder in folders for file in (ROOT / folder).rglob("*.py"))
        assert any(name in file.read_text("utf-8") for file in files), name


def check_click(command: click.Command, words: list[str]) -> None:
    """A word that is no option, where commands are expected, is a command."""
    if isinstance(command, click.Group) and words:
        context = click.Context(command)
        if words[0] not in command.list_commands(context):
            assert words[0].startswith("-"), f"{command.name} {words[0]}"
            words = ["check", *words]  # `crosscheck` alone runs it
        return check_click(command.get_command(context, words[0]), words[1:])
    options = {
        name: parameter
        for parameter in command.params
        for name in (*parameter.opts, *parameter.secondary_opts)
    }
    values = iter(words)
    for word in values:
        if word.startswith("-") and word != "--help":
            assert word in options, f"{command.name} {word}"
            if not getattr(options[word], "is_flag", False):
                value = next(values)
                if isinstance(kind := options[word].type, click.Choice):
                    assert value in kind.choices, f"{command.name} {word} {value}"
    return None


def check_make(words: list[str]) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for word in words:
        name, is_variable, _ = word.partition("=")
        pattern = rf"^{name} \?=" if is_variable else rf"^{name}:"
        assert re.search(pattern, makefile, re.M), f"make {word}"


def check_python(words: list[str]) -> None:
    if words[0] != "-m":
        script, *options = words
        known = script in ("...", "train.py")
        text = "" if known else (ROOT / script).read_text(encoding="utf-8")
        assert all(f'"{option}"' in text for option in options), words
        return
    _, module, *rest = words
    assert find_spec(module), f"python -m {module}"
    if module in ("pip", "pytest"):
        check_line([module, *rest])
    elif module in ("ruff", "mypy"):
        return  # tests/test_project.py holds what they are asked against the Makefile
    elif rest:
        loaded = importlib.import_module(module)
        check_click(getattr(loaded, "cli", None) or loaded.main, rest)


def check_pip(words: list[str]) -> None:
    assert words[0] == "install"
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    for word in words[1:]:
        if found := re.fullmatch(r"\.\[(.*)\]", word):
            assert set(found[1].split(",")) <= set(extras["optional-dependencies"]), word


def check_pytest(words: list[str]) -> None:
    plugin = (ROOT / "crosscheck" / "pytest_plugin.py").read_text(encoding="utf-8")
    for word in words:
        if word.startswith("--") and not word.startswith("--cov"):  # that is another plugin's
            assert f'"{word}"' in plugin, f"pytest {word}"


LINES = [(page, words) for page in PAGES for words in shell_lines(page)]


@pytest.mark.parametrize(("page", "words"), LINES, ids=[" ".join(words) for _, words in LINES])
def test_a_shell_line_names_a_command_and_options_that_exist(page: str, words: list[str]) -> None:
    check_line(words)


def test_there_are_shell_lines_of_every_kind() -> None:
    said = {" ".join(words[:3]) for _, words in LINES}
    assert {"make run", "make test", "crosscheck check --help", "python -m pytest"} <= said
    assert "python -m pip" in said


@pytest.mark.parametrize(
    "line",
    [
        "crosscheck flow --papers",
        "crosscheck flows --paper dong2021",
        "crosscheck flow --paper dong2020",
        "crosscheck --layer 6",
        "make runs",
        "python docs/translations.py --accepted",
        "make run TORCH=x",
        "python -m benchmarks.blocks",
        "python -m benchmarks.more rules --rules gelu",
        "python -m pip install '.[devel]'",
        "python -m pytest --crosscheck-type float64",
        "TINYGRAD_TF_SLOW=1 make run",
    ],
)
def test_what_does_not_exist_is_noticed(line: str) -> None:
    with pytest.raises(AssertionError):
        check_line(shlex.split(line))
