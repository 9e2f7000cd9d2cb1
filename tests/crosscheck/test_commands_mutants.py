"""`crosscheck mutants`, on a few bugs: what it prints, writes and ends with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from crosscheck.cli import cli
from crosscheck.commands import mutants as command
from crosscheck.mutants import score as score_module
from crosscheck.mutants.catalogue import CATALOGUE
from crosscheck.mutants.mutant import Mutant


def crosscheck(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["mutants", *arguments], prog_name="crosscheck")


def test_one_bug() -> None:
    result = crosscheck("--bug", "softmax-diagonal-only", "--honest", "0")
    assert result.exit_code == 0, result.output
    row = next(r for r in result.output.splitlines() if "softmax-diagonal-only" in r).split()
    assert row[1:5] == ["yes", "yes", "softmax", "yes"]
    assert "1 of 1" in result.output
    assert "False alarms" not in result.output
    assert "\x1b" not in result.output


def test_several_bugs_and_honest_runs_into_json(tmp_path: Path) -> None:
    path = tmp_path / "score.json"
    result = crosscheck(
        *("--bug", "relu-no-cut", "--bug", "sub-sign"),
        *("--honest", "3", "--seed", "5", "--json", str(path)),
    )
    assert result.exit_code == 0, result.output
    assert "False alarms in 3 honest runs: 0" in result.output
    score = json.loads(path.read_text())
    assert (score["schema"], score["seed"], score["honest_runs"]) == (1, 5, 3)
    assert (score["mutants"], score["caught"], score["placed"], score["named"]) == (2, 2, 2, 2)
    found = {r["id"]: (r["op"], r["argument"]) for r in score["results"]}
    assert found == {"relu-no-cut": ("relu", "dx"), "sub-sign": ("sub", "dy")}
    assert score["false_alarms"] == []


def test_a_family() -> None:
    result = crosscheck("--family", "ReLU", "--honest", "0")
    assert result.exit_code == 0, result.output
    ids = [mutant.id for mutant in CATALOGUE if mutant.family == "ReLU"]
    assert len(ids) > 1
    for mutant in CATALOGUE:
        assert (f" {mutant.id} " in result.output) == (mutant.id in ids)


def test_a_bug_in_a_block_of_others(tmp_path: Path) -> None:
    path, page = tmp_path / "score.json", tmp_path / "page.md"
    page.write_text("<!-- foreign-score -->\n<!-- /foreign-score -->\n", encoding="utf-8")
    result = crosscheck(
        *("--foreign", "--bug", "flat-dv-not-transposed", "--honest", "1"),
        *("--json", str(path), "--update", str(page)),
    )
    assert result.exit_code == 0, result.output
    row = next(r for r in result.output.splitlines() if "flat-dv-not-transposed" in r).split()
    assert row[1:4] == ["yes", "yes", "yes"]
    assert row[-2:] == ["99", "99"]
    assert "False alarms in 1 honest runs: 0" in result.output
    score = json.loads(path.read_text())
    assert score["total"]["caught"] == score["total"]["bugs"] == 1
    assert score["results"][0]["to_blame"] == [99]
    assert "| NumPy by hand | 1 | 1 (100%) |" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--foreign", "--bug", "sub-sign"], "Error: no bug is called sub-sign; `crosscheck"),
        (["--foreign", "--family", "ReLU"], "of the family ReLU no bug is in this catalogue"),
        (["--bug", "nonsense"], "Error: no bug is called nonsense; `crosscheck mutants` lists"),
        (["--family", "softmax", "--bug", "sub-sign"], "of the family softmax no bug is called"),
        (["--family", "nonsense"], "'nonsense' is not one of"),
        (["--honest", "-1"], "-1 is not in the range 0<=x<=10000"),
        (["--json", "no/such/folder/x.json"], "cannot write no/such/folder/x.json: No such file"),
        (["--json", ""], "the path is empty"),
    ],
)
def test_a_mistake_exits_with_2_before_anything_is_run(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.setattr(score_module, "score", lambda *_, **__: pytest.fail("it ran"))
    result = crosscheck(*arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())
    assert "Traceback" not in result.output


def test_a_bug_that_escapes_exits_with_1(monkeypatch: pytest.MonkeyPatch) -> None:
    equivalent = Mutant(
        id="equivalent-order", family="softmax", what="nothing is changed by it",
        module="tinygrad_tf.ops.softmax",
        old="dx = out * (dout - average)", new="dx = (dout - average) * out", found=("softmax",),
    )  # fmt: skip
    monkeypatch.setattr(command, "CATALOGUE", (equivalent,))
    result = crosscheck("--honest", "0")
    assert result.exit_code == 1
    assert "Escaped: equivalent-order" in result.output


def test_the_score_goes_into_a_page(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text("<!-- score -->\n<!-- /score -->\n", encoding="utf-8")
    result = crosscheck("--bug", "sub-sign", "--honest", "0", "--update", str(path))
    assert result.exit_code == 0, result.output
    assert "| crosscheck | 1 of 1 | 1 of 1 | 1 of 1 |" in path.read_text(encoding="utf-8")
    path.write_text("no markers\n", encoding="utf-8")
    result = crosscheck("--bug", "sub-sign", "--honest", "0", "--update", str(path))
    assert (result.exit_code, path.read_text()) == (2, "no markers\n")
    assert "has no markers" in result.output


@pytest.mark.parametrize("foreign", [[], ["--foreign"]])
@pytest.mark.parametrize("content", [None, b"no markers", b"\xff"])
def test_a_page_is_looked_at_before_the_work(
    foreign: list[str], content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "page.md"
    if content is not None:
        page.write_bytes(content)
    monkeypatch.setattr(command, "_with_progress", None)  # would raise TypeError
    result = crosscheck(*foreign, "--update", str(page))
    assert result.exit_code == 2
    assert "page.md" in result.output
