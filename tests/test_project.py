"""What the project says of itself in several files is one thing: version, targets, commands."""

from __future__ import annotations

import re
import tomllib

from support.pages import PAGES, ROOT, blocks


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


PROJECT = tomllib.loads(read("pyproject.toml"))["project"]
MAKEFILE = read("Makefile")
WORKFLOW = read(".github/workflows/ci.yml")
STEPS = re.findall(r"^ *- run: (.*)$", WORKFLOW, re.M)


def recipe(target: str) -> list[str]:
    """The commands of a target, without the folder of their programs."""
    found = re.search(rf"^{target}:.*\n((?:\t.*\n)+)", MAKEFILE, re.M)
    assert found is not None, target
    return [line.strip().replace("$(BIN)/", "") for line in found[1].splitlines()]


def prerequisites(target: str) -> list[str]:
    (found,) = re.findall(rf"^{target}: (.*)$", MAKEFILE, re.M)
    return list(found.split())


def test_changelog_and_citation_have_the_version() -> None:
    number, date = re.findall(r"^## \[([\d.]+)\] - (\d{4}-\d\d-\d\d)$", read("CHANGELOG.md"), re.M)[
        0
    ]
    assert number == PROJECT["version"]
    citation = dict(re.findall(r"^([\w-]+): (.+)$", read("CITATION.cff"), re.M))
    assert citation["version"] == number
    assert citation["date-released"] == date
    assert citation["license"] == PROJECT["license"]
    assert citation["title"] == PROJECT["name"]


def test_the_workflow_calls_targets_that_exist() -> None:
    targets = {step.removeprefix("make ") for step in STEPS if step.startswith("make ")}
    assert {"test", "run", "check", "ops", "test-fast", "test-without-fast"} <= targets
    assert {"test-floors", "test-honest"} <= targets
    for target in targets:
        assert re.search(rf"^{target}:", MAKEFILE, re.M), target


def test_the_workflow_has_the_systems_and_the_pythons_that_are_claimed() -> None:
    assert "system: [ubuntu-latest, macos-latest]" in WORKFLOW
    assert "runs-on: windows-latest" in WORKFLOW
    claimed = re.findall(r":: (3\.\d+)$", "\n".join(PROJECT["classifiers"]), re.M)
    matrices = re.findall(r"python: \[(.*)\]", WORKFLOW)
    assert matrices == [", ".join(f'"{version}"' for version in claimed)] * 2
    assert PROJECT["requires-python"] == f">={claimed[0]}"


def test_the_way_without_make_is_the_readmes_wherever_it_is_run() -> None:
    without_make = [step for step in STEPS if not step.startswith("make ")]
    assert without_make == ["python -m pip install -e '.[dev]'", "crosscheck", "python -m pytest"]
    floors = "\n".join(recipe("test-floors"))
    for command in without_make:
        assert f"`{command}`" in PAGES["README.md"]
        assert command in floors


def test_the_hooks_are_what_make_check_runs() -> None:
    entries = re.findall(r"^ *entry: make (.*)$", read(".pre-commit-config.yaml"), re.M)
    assert entries == prerequisites("check")


def test_the_commands_without_make_are_those_of_make_check() -> None:
    (commands,) = (block for block in blocks("CONTRIBUTING.md", "sh") if "mypy" in block)
    install, *checks = commands.splitlines()
    assert install in read("constraints.txt").replace("#   ", "")
    made = [line for target in prerequisites("check") for line in recipe(target)]
    assert checks == [f"python -m {line.replace('$(TEST)', 'pytest')}" for line in made]
