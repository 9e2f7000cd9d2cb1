"""The command, as a person and as a script meet it."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from support.engines import NUMPY

from crosscheck import check as check_module
from crosscheck import forms
from crosscheck.cli import cli
from crosscheck.commands import common as common_module
from crosscheck.corpus import CORPUS_VARIABLE, Corpus
from crosscheck.forms import has_fast_forms

TEXT = "To be, or not to be, that is the question:\nWhether 'tis nobler in the mind to suffer\n" * 9


@pytest.fixture
def crosscheck(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run the command on a small text, with small sizes, in this process."""
    path = tmp_path / "text.txt"
    path.write_text(TEXT, encoding="utf-8")
    monkeypatch.setenv(CORPUS_VARIABLE, str(path))
    small = ["--width", "12", "--heads", "3", "--feed-forward", "20", "--context", "8"]

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(cli, [*small, *arguments], prog_name="crosscheck")

    return run


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--layers", "0"),
        ("--layers", "1", "--width", "15", "--heads", "5"),
        ("--norm", "pre", "--activation", "relu", "--position", "learned"),
        ("--norm", "none", "--no-residual", "--no-bias"),
        ("--tie-weights", "--batch", "1", "--seed", "7"),
        ("--dtype", "float64"),
        ("--dtype", "float32"),
        ("--mask", "both", "--activation", "gelu-tanh", "--attention", "fused"),
    ],
)
def test_every_form_agrees_and_exits_with_0(crosscheck: Any, options: tuple[str, ...]) -> None:
    result = crosscheck(*options)
    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[-1].startswith("AGREE: ")


def test_it_says_what_was_run(crosscheck: Any, tmp_path: Path) -> None:
    output = crosscheck("--seed", "3").output
    words = " ".join(output.split())
    for part in (
        "2 blocks, width 12, 3 heads, feed-forward 20, post-norm, residual, gelu",
        f"{len(TEXT):,} characters, {len(set(TEXT))} distinct",
        "4 windows of 8 characters",
        "float64 and float32, seed 3",
        "Initial loss NumPy 3.",
        f"ln {len(set(TEXT))} = ",
        "blocks.1",
        "self_attn.in_proj_bias[k]",
        "agree, zero",
        "Under random cotangent: 36 of 36 rows agree",
        "against torch.nn.TransformerEncoderLayer, input 2x8x12",
    ):
        assert part in words, f"{part!r} is not in:\n{output}"
    assert "\x1b" not in output
    assert max(map(len, output.splitlines())) <= 110


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (("--mask", "none"), "attention written out; no mask"),
        (("--mask", "both"), "attention written out; causal and padding masks"),
        (("--attention", "fused"), "attention fused; causal mask"),
        (("--activation", "gelu-tanh"), "post-norm, residual, gelu-tanh, sinusoidal positions"),
    ],
)
def test_it_says_how_attention_runs(
    crosscheck: Any, tmp_path: Path, options: tuple[str, str], line: str
) -> None:
    path = tmp_path / "result.json"
    output = crosscheck("--layers", "1", *options, "--json", str(path)).output
    assert line in " ".join(output.split())
    assert json.loads(path.read_text())["options"][options[0].lstrip("-")] == options[1]


@pytest.mark.skipif(not has_fast_forms(), reason="there are no fast forms")
@pytest.mark.parametrize("fast", [(), ("--fast",)])
def test_packed_attention_runs_its_own_op(
    crosscheck: Any, monkeypatch: pytest.MonkeyPatch, fast: tuple[str, ...]
) -> None:
    packed = import_module("tinygrad_tf.fast.packed")
    op, calls = packed.multi_head_attention, []

    def counted(*arguments: Any, **options: Any) -> Any:
        calls.append(options["is_causal"])
        return op(*arguments, **options)

    monkeypatch.setattr(packed, "multi_head_attention", counted)
    for mask in ("causal", "none"):
        result = crosscheck("--layers", "1", "--attention", "packed", "--mask", mask, *fast)
        assert result.exit_code == 0, result.output
        assert "packed, against PyTorch's fused" in result.output
    assert set(calls) == {True, False}


def test_packed_attention_needs_the_fast_forms(
    crosscheck: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forms, "has_fast_forms", lambda: False)
    for options in (("--attention", "packed"), ("--fast",)):
        result = crosscheck(*options)
        assert result.exit_code == 2
        assert result.output == (
            "Error: this copy of tinygrad_tf has no fast forms: its folder fast/ is missing\n"
        )


def test_a_planted_bug_exits_with_1_and_is_told(
    crosscheck: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tanh_form = NUMPY.library.nn.GELU(approximate="tanh")
    monkeypatch.setitem(NUMPY.models.block.ACTIVATIONS, "gelu", tanh_form)
    result = crosscheck("--json", str(tmp_path / "result.json"))
    assert result.exit_code == 1
    assert "output (under cross-entropy): disagree" in result.output
    assert result.output.splitlines()[-1].startswith("DISAGREE: ")
    assert json.loads((tmp_path / "result.json").read_text())["agrees"] is False


def test_the_json_file_holds_the_whole_result(crosscheck: Any, tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    assert crosscheck("--json", str(path)).exit_code == 0
    result = json.loads(path.read_text())
    assert result["schema"] == 5
    assert result["agrees"] is True
    assert result["options"]["width"] == 12
    assert result["initial_loss"]["numpy"] == pytest.approx(result["initial_loss"]["torch"])
    assert [c["loss"] for c in result["report"]["comparisons"]] == [
        "cross-entropy",
        "random cotangent",
    ]
    rows = result["report"]["comparisons"][0]["gradients"]
    named = {row["name"]: row for row in rows}
    assert named["blocks.0.linear1.weight"]["shape"] == [20, 12]
    assert named["blocks.0.linear1.weight"]["verdict"] == "agree"
    assert len(result["parity"]) == 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ("--attention", "packed", "--mask", "padding"),
            "Error: --attention packed is an op that knows no mask but the causal one: with --mask "
            "padding our engine would not run it; take --attention fused",
        ),
        (
            ("--mask", "both", "--context", "2"),
            "Error: --mask padding needs a --context of more than 2, not 2",
        ),
        (("--fast", "--dtype", "float64"), "Error: --fast computes float32 alone"),
        (("--seed", str(2**64)), "Invalid value for '--seed': 18446744073709551616 is not in the"),
        (("--threads", "0"), "Invalid value for '--threads': 0 is not in the range"),
        (("--heads", "5"), "Error: width 12 is not divisible by heads 5: every head"),
        (
            ("--context", "100000"),
            f"the text has {len(TEXT)} characters, of which the first 90 % are for training: "
            f"{len(TEXT) * 9 // 10}; but context 100000 needs at least 100001 of these",
        ),
        (("--context", "1"), "for '--context': 1 is too short: softmax over a single key is 1"),
        (("--context", "0"), "for '--context': 0 is too short"),
        (("--layers", "-1"), "-1 is not in the range x>=0"),
        (("--norm", "batch"), "'batch' is not one of 'post', 'pre', 'none'"),
        (("--dtype", "float16"), "'float16' is not one of 'both', 'float64', 'float32'"),
        (("--bogus",), "No such option '--bogus'"),
        (("--corpus", "no/such/file.txt"), "no/such/file.txt: no such file"),
        (("--corpus", ""), "Invalid value for '--corpus': the path is empty"),
        (("--json", ""), "Invalid value for '--json': the path is empty"),
        (("foo",), "Try 'crosscheck check --help' for help. Error: Got unexpected extra arg"),
    ],
)
def test_a_mistake_exits_with_2_and_one_clear_line(
    crosscheck: Any, options: tuple[str, ...], message: str
) -> None:
    result = crosscheck(*options)
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("path", "reason"),
    [("no/such/folder/x.json", "No such file or directory"), (".", "Is a directory")],
)
def test_a_json_file_that_cannot_be_written_is_told_before_the_run(
    crosscheck: Any, monkeypatch: pytest.MonkeyPatch, path: str, reason: str
) -> None:
    monkeypatch.setattr(check_module, "run_check", lambda *_, **__: pytest.fail("it ran"))
    result = crosscheck("--json", path)
    assert (result.exit_code, result.output) == (2, f"Error: cannot write {path}: {reason}\n")


def test_what_went_wrong_with_the_text_goes_to_stderr(
    crosscheck: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    excerpt = Corpus(TEXT, "bundled excerpt", False, "All the details.")
    monkeypatch.setattr(common_module, "load_corpus", lambda _: excerpt)
    result = crosscheck("--layers", "0")
    note = "All the details. Or name a text of your own: --corpus FILE."
    assert result.stderr == f"crosscheck: note: {note}\n"
    assert "distinct: bundled excerpt\n" in result.stdout
    assert "details" not in result.stdout


@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("dtype", ["both", "float64", "float32"])
def test_one_channel_under_a_norm_is_not_proved(crosscheck: Any, norm: str, dtype: str) -> None:
    result = crosscheck("--width", "1", "--heads", "1", "--dtype", dtype, "--norm", norm)
    assert result.exit_code == 1
    assert result.output.splitlines()[-1].startswith("NOT PROVED: ")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"caf\xe9", "not UTF-8"),
        (b"", "empty"),
        (b"short", "context 8 needs at least 9"),
    ],
)
def test_a_bad_corpus_exits_with_2(
    crosscheck: Any, tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "bad.txt"
    path.write_bytes(content)
    result = crosscheck("--corpus", str(path))
    assert result.exit_code == 2
    assert message in result.output


def test_the_module_is_the_command(tmp_path: Path) -> None:
    path = tmp_path / "bad.txt"
    path.write_bytes(b"\xff")
    command = [sys.executable, "-m", "crosscheck", "--corpus", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "not UTF-8" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_command_that_does_not_exist() -> None:
    result = CliRunner().invoke(cli, ["foo"], prog_name="crosscheck")
    assert result.exit_code == 2
    assert "Try 'crosscheck --help' for help." in result.output
    assert "Error: No such command 'foo'." in result.output
