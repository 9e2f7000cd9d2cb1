"""`crosscheck flow`, as a person and as a script meet it."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

import torch_impl
from crosscheck.cli import cli
from crosscheck.commands import paper as paper_module
from crosscheck.flow import study as study_module
from crosscheck.flow.papers.result import Claim, Paper
from crosscheck.flow.study import Study
from crosscheck.flow.summary import summarise
from crosscheck.flow.tables import choose_columns, number, study_sections
from crosscheck.printing import print_sections

SIZES = ["--width", "8", "--heads", "2", "--feed-forward", "12", "--tokens", "5"]
SMALL = [*SIZES, "--depths", "3,1", "--seeds", "2"]


def flow(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["flow", *arguments], prog_name="crosscheck")


def test_it_prints_a_table_a_reading_and_a_verdict() -> None:
    result = flow(*SMALL)
    assert result.exit_code == 0, result.output
    words = " ".join(result.output.split())
    for part in (
        "NumPy against PyTorch, float64, the same weights",
        "1, 3 blocks of width 8, 2 heads, feed-forward 12, relu",
        "Gaussian, 5 tokens, no mask",
        "seeds 0, 1",
        "Gradients and tokens in stacks of 3, at initialisation",
        "L = 1 L = 3",
        "What these numbers say",
        "Without residual connections, of 12 stacks",
    ):
        assert part in words, f"{part!r} is not in:\n{result.output}"
    for initialisation in ("default", "xavier", "gpt2", "kaiming"):
        assert f"\n {initialisation}\n" in result.output
    assert result.output.count("post-norm, no residual") >= 5
    assert "AGREE: 96 passes; in 96 of them the engines differ by at most" in words
    assert "\x1b" not in result.output
    assert max(map(len, result.output.splitlines())) <= 110


@pytest.mark.parametrize(
    ("width", "depths", "gradients_vary"),
    [(200, (2, 6), True), (96, (6,), True), (84, (6,), False), (50, (6,), False)],
)
def test_a_narrow_console_gets_fewer_columns(
    study: Study, width: int, depths: tuple[int, ...], gradients_vary: bool
) -> None:
    """No name is cut or folded, however narrow it is."""
    console = Console(width=width, file=io.StringIO())
    summaries = summarise(study)
    assert choose_columns(summaries, console) == (depths, gradients_vary)
    print_sections(study_sections(study, console), console)
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    assert printed.count("  post-norm, no residual ") == 4
    assert ("gradients vary" in printed) is gradients_vary


def test_one_stack_is_shown_layer_by_layer() -> None:
    result = flow(*SMALL, "--norm", "pre", "--residual", "--init", "xavier", "--mask", "causal")
    assert result.exit_code == 0
    assert "Layer by layer: pre-norm, residual, xavier, seed 0" in result.output
    assert "dW_Q" in result.output
    assert "\n output " in result.output
    assert "causal mask" in result.output


def test_one_engine_compares_nothing() -> None:
    result = flow(*SMALL, "--engine", "numpy", "--init", "gpt2")
    assert result.exit_code == 0
    assert "engines apart" not in result.output.split("What these numbers say")[0]
    assert result.output.splitlines()[-1] == "24 passes, in one engine: nothing was compared."


def test_text_is_read(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text("So foul and fair a day I have not seen. " * 5, encoding="utf-8")
    result = flow(*SMALL, "--input", "text", "--corpus", str(path), "--init", "default")
    assert result.exit_code == 0
    assert "text, file" in result.output


def test_files_are_written(tmp_path: Path) -> None:
    files = [tmp_path / "out.json", tmp_path / "out.csv"]
    pictures = tmp_path / "new" / "pictures"
    only = ["--init", "xavier", "--norm", "post"]
    wanted = ["--json", str(files[0]), "--csv", str(files[1]), "--plots", str(pictures)]
    wanted += ["--labels", "pt-BR"]
    result = flow(*SMALL, *only, *wanted)
    assert result.exit_code == 0
    assert json.loads(files[0].read_text())["schema"] == 2
    assert files[1].read_text().startswith("initialisation,norm,residual,depth,seed,engine,layer,")
    assert len(list((pictures / "pt-BR").iterdir())) == 10
    assert f"10 files, each picture as SVG and as PNG, are in {pictures}." in " ".join(
        result.output.split()
    )


def test_engines_that_disagree_exit_with_1(monkeypatch: pytest.MonkeyPatch) -> None:
    right = torch_impl.TransformerBlock

    def with_another_eps(*arguments: Any, **options: Any) -> Any:
        return right(*arguments, layer_norm_eps=1e-4, **options)

    monkeypatch.setattr(torch_impl, "TransformerBlock", with_another_eps)
    result = flow(*SMALL, "--init", "default")
    assert result.exit_code == 1
    assert "DIFFER" in result.output
    assert result.output.splitlines()[-1].startswith("DISAGREE: 24 passes; in 16 of them")


def test_an_interrupted_run_prints_and_saves_what_was_done(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run = study_module.run_study

    def early(plan: Any, advance: Any) -> Study:
        left = 5

        def stop(blocks: int) -> None:
            nonlocal left
            left -= 1
            advance(blocks)
            if not left:
                raise KeyboardInterrupt

        return run(plan, stop)

    monkeypatch.setattr(study_module, "run_study", early)
    path = tmp_path / "out.json"
    result = flow(*SMALL, "--json", str(path))
    assert result.exit_code == 130
    assert "AGREE: INTERRUPTED after 5 passes" in result.output
    assert json.loads(path.read_text())["interrupted"] is True


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--depths", "0,4"), "0 is not a depth: a stack has at least 1 block"),
        (("--depths", "four"), "'four' is not a list of whole numbers such as 1,4,16"),
        (("--width", "9", "--heads", "2"), "width 9 is not divisible by heads 2"),
        (("--tokens", "1"), "1 is not in the range x>=2"),
        (
            ("--input", "text", "--tokens", "99999999"),
            "characters, but --tokens 99999999 needs at least 100000000: name a longer one "
            "(--corpus), or take fewer tokens",
        ),
        (("--seed", str(2**64)), "Invalid value for '--seed': 18446744073709551616 is not in"),
        (("--init", "zeros"), "'zeros' is not one of"),
        (("--paper", "he2015"), "'he2015' is not one of"),
        (("--paper", "plain", "--depths", "4"), "--paper fixes --depths itself: leave it out"),
        (
            ("--paper", "training", "--engine", "both"),
            "the paper training runs in one engine, numpy or torch",
        ),
        (("--json", "no/such/folder/x.json"), "cannot write no/such/folder/x.json"),
        (("--plots", "/dev/null/x"), "--plots needs a folder: /dev/null/x"),
        (("--input", "text", "--corpus", "no/such/file"), "no such file"),
    ],
)
def test_a_mistake_exits_with_2_and_one_clear_line(options: tuple[str, ...], message: str) -> None:
    result = flow(*options)
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())
    assert "Traceback" not in result.output


def test_a_paper_is_printed_and_saved(tmp_path: Path) -> None:
    path = tmp_path / "paper.json"
    result = flow("--paper", "dong2021", "--seeds", "1", "--json", str(path))
    assert result.exit_code == 0, result.output
    assert "expected   measured   verdict" in result.output
    assert "REPRODUCED: 8 of 8 figures; NumPy and PyTorch differ by at most" in result.output
    saved = json.loads(path.read_text())
    assert (saved["schema"], saved["holds"], saved["seeds"]) == (2, True, [0])
    assert [claim["holds"] for claim in saved["claims"]] == [True] * 8


def test_a_figure_outside_its_range_exits_with_1(monkeypatch: pytest.MonkeyPatch) -> None:
    claims = (
        Claim("one", 0.5, 0.0, 1.0, error=0.0123),
        Claim("two", 1.5, 0.5, 1.0),
        Claim("three", 1.0, 3.0),
    )
    paper = Paper("plain", "title", "source", "setting", claims, ("remark",))
    monkeypatch.setattr(paper_module, "reproduce", lambda *_: paper)
    result = flow("--paper", "plain")
    assert result.exit_code == 1
    lines = [" ".join(line.split()) for line in result.output.splitlines()]
    assert "one below 1 0.5 ± 0.01 inside" in lines
    assert "±: the standard error of a mean over seeds; a figure may lie" in " ".join(lines)
    assert "two 0.5 to 1 1.5 OUTSIDE" in lines
    assert "three above 3 1 OUTSIDE" in lines
    assert "note: remark" in lines
    assert lines[-1] == "OUTSIDE: 2 of 3 figures."


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), (0.0, "0"), (2.784e-67, "3e-67"), (0.0934, "0.093"), (45.9, "46"), (142.0, "142"),
     (2.17e9, "2e+09"), (float("nan"), "nan")],
)  # fmt: skip
def test_numbers_in_tables_are_short(value: float | None, text: str) -> None:
    assert number(value) == text
