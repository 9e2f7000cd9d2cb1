"""`crosscheck diff`: what got worse between two saved results."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from crosscheck.cli import cli


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What `crosscheck --json` has written of a small model."""
    folder = tmp_path_factory.mktemp("diff")
    (folder / "text.txt").write_text("To be, or not to be, that is the question. " * 9)
    sizes = ["--layers", "0", "--width", "6", "--heads", "2", "--context", "5"]
    files = ["--corpus", str(folder / "text.txt"), "--json", str(folder / "result.json")]
    result = CliRunner().invoke(cli, [*sizes, *files], prog_name="crosscheck")
    assert result.exit_code == 0, result.output
    return json.loads((folder / "result.json").read_text())


@pytest.fixture
def diff(saved: Any, tmp_path: Path) -> Any:
    """diff(change, swap=False): the result, against what change(its copy) has made of it."""

    def run(change: Any = lambda result: None, swap: bool = False) -> Result:
        after = copy.deepcopy(saved)
        change(after)
        paths = []
        for name, content in (("a.json", saved), ("b.json", after)):
            (tmp_path / name).write_text(json.dumps(content), encoding="utf-8")
            paths.append(str(tmp_path / name))
        arguments = paths[::-1] if swap else paths
        return CliRunner().invoke(cli, ["diff", *arguments], prog_name="crosscheck")

    return run


def gradient(result: Any, name: str = "head.weight", comparison: int = 0) -> Any:
    rows = result["report"]["comparisons"][comparison]["gradients"]
    return next(row for row in rows if row["name"] == name)


def fail(result: Any) -> None:
    gradient(result).update(verdict="disagree", error=2e-5)


def test_the_same_twice(diff: Any) -> None:
    result = diff()
    assert (result.exit_code, result.output) == (0, "No row got worse or better.\n")


def test_a_row_that_fails_now_is_worse_and_exits_with_1(diff: Any) -> None:
    result = diff(fail)
    assert result.exit_code == 1
    row = next(line for line in result.output.splitlines() if "head.weight" in line)
    assert "cross-entropy" in row
    assert "disagree, 2.0e-05" in row
    assert row.split()[-1] == "worse"
    assert result.output.splitlines()[-1] == "1 got worse, 0 better"


def test_the_other_way_round_it_is_better_and_exits_with_0(diff: Any) -> None:
    result = diff(fail, swap=True)
    assert result.exit_code == 0
    assert result.output.splitlines()[-1] == "0 got worse, 1 better"


@pytest.mark.parametrize(
    ("before", "after", "code"),
    [
        (1e-15, 9e-14, 0),  # rounding, however much it has grown
        (1e-15, 2e-13, 1),
        (1e-13, 9e-13, 0),
        (1e-13, 2e-12, 1),
        (2e-12, 1e-13, 0),  # better
    ],
)
def test_an_error_that_grows_tenfold_is_worse(
    diff: Any, saved: Any, before: float, after: float, code: int, monkeypatch: Any
) -> None:
    monkeypatch.setitem(gradient(saved), "error", before)
    assert diff(lambda result: gradient(result).update(error=after)).exit_code == code


def test_a_row_that_is_gone_is_worse_and_the_worse_ones_come_first(diff: Any) -> None:
    def change(result: Any) -> None:
        rows = result["report"]["comparisons"][1]["gradients"]
        rows.remove(gradient(result, "head.bias", 1))
        rows.append({**gradient(result), "name": "a.new.row"})

    result = diff(change)
    assert result.exit_code == 1
    rows = [line.split()[0] for line in result.output.splitlines()[3:5]]
    assert rows == ["head.bias", "a.new.row"]
    assert "not there" in result.output
    assert result.output.splitlines()[-1] == "1 got worse, 1 better"
    assert diff(change, swap=True).exit_code == 1  # then the new row is the one that is gone


def test_a_new_row_that_fails_is_worse(diff: Any) -> None:
    def change(result: Any) -> None:
        row = {**gradient(result), "name": "a.new.row", "verdict": "missing", "error": None}
        result["report"]["comparisons"][1]["gradients"].append(row)

    result = diff(change)
    assert result.exit_code == 1
    assert result.output.splitlines()[-1] == "1 got worse, 0 better"


def test_losing_the_parity_with_pytorchs_layer_is_worse(diff: Any) -> None:
    result = diff(lambda result: result["parity"][2].update(verdict="disagree"))
    assert result.exit_code == 1
    assert "block of " in result.output
    assert result.output.splitlines()[-1] == "1 got worse, 0 better"


def test_an_infinite_error_is_read(diff: Any) -> None:
    result = diff(lambda r: gradient(r).update(verdict="disagree", error="inf"))
    assert result.exit_code == 1
    assert "disagree, inf" in result.output


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no json", "is not JSON: Expecting value"),
        (b"\xff\xfe", "is not JSON: 'utf-8' codec"),
        (b'{"schema": 1, "report": {}}', "of schema 5 (it says 1): save it anew"),
        (b'{"schema": 5}', "is not a result of `crosscheck --json` of schema 5"),
        (b"[2]", "is not a result of `crosscheck --json` of schema 5 (it says None)"),
        (b'{"schema": 5, "report": {}}', "is damaged"),
        (None, "No such file or directory"),
    ],
)
@pytest.mark.parametrize("position", [0, 1])
def test_what_is_no_result_exits_with_2(
    saved: Any, tmp_path: Path, content: bytes | None, message: str, position: int
) -> None:
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text(json.dumps(saved), encoding="utf-8")
    if content is not None:
        bad.write_bytes(content)
    paths = [str(bad), str(good)] if position == 0 else [str(good), str(bad)]
    result = CliRunner().invoke(cli, ["diff", *paths], prog_name="crosscheck")
    assert result.exit_code == 2
    assert message in result.output
    assert "bad.json" in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize("arguments", [[], ["one.json"], ["a", "b", "c"], ["", "b"]])
def test_other_than_two_files_is_a_usage_error(arguments: list[str]) -> None:
    result = CliRunner().invoke(cli, ["diff", *arguments], prog_name="crosscheck")
    assert result.exit_code == 2
    assert "Usage: crosscheck diff" in result.output
