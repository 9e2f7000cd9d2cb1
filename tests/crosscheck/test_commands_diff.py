"""`crosscheck diff`: what got worse between two saved results."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from crosscheck import saved as saved_module
from crosscheck.check import SCHEMA
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


HOSTILE = (
    None, True, -1, 2.5, 10**400, 1e308, "", "nan", "\ud800", "\x1b[2J", "x" * 10_000,
    [], [None], [[[]]], {}, {"name": 3}, {"": []},
)  # fmt: skip


# What `diff` reads, and what of HOSTILE may stand there. Whatever else is in a result, it only
# shows where two results differ in it.
NAMES = ("", "nan", "x" * 10_000)
ROW = {"": (), "name": NAMES, "verdict": (), "error": (None, 2.5, 1e308, "nan")}
FITTING: dict[str, tuple[Any, ...]] = {
    "schema": (), "report": (), "report.comparisons": ([],), "report.comparisons[]": (),
    "report.comparisons[].loss": NAMES, "parity": ([],), "parity[]": (), "parity[].side": NAMES,
    "parity[].dtype": NAMES, "parity[].verdict": (),
    **{f"report.comparisons[].{kind}": ([],) for kind in ("outputs", "gradients")},
    **{
        f"report.comparisons[].{kind}[]{'.' * bool(field)}{field}": fitting
        for kind in ("outputs", "gradients")
        for field, fitting in ROW.items()
    },
}  # fmt: skip


def places(value: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Every place in a result, of each list the first item alone: path, container and key."""
    if isinstance(value, dict):
        for key in value:
            yield (here := f"{path}.{key}".removeprefix(".")), value, key
            yield from places(value[key], here)
    elif isinstance(value, list) and value:
        yield f"{path}[]", value, 0
        yield from places(value[0], f"{path}[]")


def what_is_said(good: Any, content: bytes) -> tuple[bool, list[str]]:
    """Whether a file of this content is refused, and all that is said of it."""
    try:
        read = saved_module.result_in(content, Path("bad.json"), SCHEMA)
    except ValueError as error:
        return True, [str(error)]
    said = []
    for pair in ((good, read), (read, good)):
        said += saved_module.unlike(*pair)
        for change in saved_module.changes(*pair):
            said += [change.name, change.loss, change.before, change.after]
    return False, said


def test_hostile_values_are_refused_wherever_they_are_read(saved: Any) -> None:
    small = copy.deepcopy(saved)
    for comparison in small["report"]["comparisons"]:
        for kind in ("outputs", "gradients"):
            del comparison[kind][1:]
    del small["report"]["comparisons"][1:]
    good, met = copy.deepcopy(small), set()
    for number, (place, container, key) in enumerate(places(small)):
        met.add(place)
        was = container[key]
        # What is only shown is shown the same way everywhere: some of the values will do.
        for hostile in HOSTILE if place in FITTING else HOSTILE[number % 6 :: 6]:
            container[key] = hostile
            refused, said = what_is_said(good, json.dumps(small).encode())
            fitting = FITTING.get(place, HOSTILE)
            fits = any(type(fit) is type(hostile) and fit == hostile for fit in fitting)
            assert refused != fits, (place, hostile)
            assert all(line.isprintable() for line in said), (place, hostile)
        container[key] = was
    assert met > FITTING.keys()


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("name", 3, "3 is no name of a row"),
        ("name", "\ud800", "is no name of a row"),
        ("error", 10**400, "is larger than any float64"),
        ("error", True, "is True, and no number"),
        ("error", "large", "is 'large', and no number"),
        ("error", [], "is [], and no number"),
        ("verdict", [], "is damaged"),
        ("verdict", "fine", "'fine' is not a valid Verdict"),
    ],
)
def test_a_row_of_wrong_types_is_damaged(diff: Any, field: str, value: Any, message: str) -> None:
    result = diff(lambda r: gradient(r).update({field: value}))
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[" * 200_000, "nested too deeply"),
        (b'{"schema": NaN}', "NaN is no number of JSON"),
        (b'{"a": 1, "a": 2}', "the name 'a' stands twice"),
        (b'{"schema": ' + b"9" * 5000 + b"}", "is not JSON: Exceeds the limit"),
        (b'{"schema": "' + b"x" * 500 + b'"}', "and so on"),
        (b"\xef\xbb\xbf{}", "is not JSON: Unexpected UTF-8 BOM"),
        (b'{"schema": true, "report": {}}', "(it says True)"),
    ],
)
def test_hostile_json_is_refused_in_words(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "bad.json"
    path.write_bytes(content)
    result = CliRunner().invoke(cli, ["diff", str(path), str(path)], prog_name="crosscheck")
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())


def test_a_file_without_end_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(saved_module, "LARGEST", 100)
    path = tmp_path / "long.json"
    path.write_bytes(b" " * 101)
    result = CliRunner().invoke(cli, ["diff", str(path), str(path)], prog_name="crosscheck")
    assert (result.exit_code, "larger than 100 bytes" in result.output) == (2, True)


def test_a_row_listed_twice_is_said(diff: Any) -> None:
    rows = "gradients"
    result = diff(lambda r: r["report"]["comparisons"][0][rows].append(gradient(r)))
    assert result.exit_code == 2
    assert "is listed twice under" in result.output


def test_another_seed_and_another_model_are_said(diff: Any) -> None:
    def change(result: Any) -> None:
        result["seed"] += 1
        result["options"]["layers"] = 7

    result = diff(change)
    assert result.exit_code == 0  # no row is worse
    assert "these are not two results of one run" in result.output
    assert "seed: 0, then 1" in result.output
    assert "then 7" in result.output
    assert "Note" not in diff().output
