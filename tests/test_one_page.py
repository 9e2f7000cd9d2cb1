"""The GPT on one page is short, is NumPy alone, has PyTorch's gradients, and learns."""

from __future__ import annotations

import ast
import json
import math
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import one_page
import proof
import pytest
from click.testing import CliRunner
from support.pages import ROOT

import torch
from crosscheck import compare
from crosscheck.brought import as_model
from crosscheck.cli import cli
from crosscheck.in_projection import with_parts
from crosscheck.mutants.foreign.bug import module_of
from torch.nn import functional as F
from torch_impl import TransformerLanguageModel

PAGE = ROOT / "examples" / "one_page.py"
SOURCE = PAGE.read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGE_AS_IT_IS = module_of(SOURCE, PAGE.name)
V = 11
SMALL = {"B": 2, "T": 5, "C": 6, "F": 9, "BLOCKS": 1}


def loaded(source: str = SOURCE, **sizes: int) -> ModuleType:
    """The page as a module, in the sizes of a test."""
    page = module_of(source, PAGE.name)
    vars(page).update({"B": 3, "T": 7, "C": 12, "H": 3, "F": 20, "BLOCKS": 2, **sizes})
    return page


def compared(page: Any) -> Any:
    """Hold the page against the same model of PyTorch's."""
    model = as_model(page.gpt, parameters=lambda: page.init_weights(V))
    reference = TransformerLanguageModel(
        V, page.T, page.C, page.H, page.BLOCKS, page.F, activation="gelu-tanh",
        norm_first=True, position="learned", scale_embedding=False,
    )  # fmt: skip
    tokens = np.random.default_rng(0).integers(V, size=(page.B, page.T))
    return compare(model, reference, tokens, weights="auto")


def test_the_page_is_one_page_of_numpy() -> None:
    lines = SOURCE.splitlines()
    assert len(lines) <= 200
    assert max(map(len, lines)) <= 100
    imported = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(SOURCE))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else _names(node))
    }
    assert "numpy" in imported
    assert imported - {"numpy"} <= sys.stdlib_module_names


def _names(node: ast.Import) -> list[str]:
    return [alias.name for alias in node.names]


def test_the_command_proves_every_gradient_of_the_page_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    command = f"crosscheck compare {PAGE.relative_to(ROOT).as_posix()}:gpt"
    assert f"`{command}`" in SOURCE
    saved = tmp_path / "result.json"
    done = CliRunner().invoke(cli, [*command.split()[1:], "--json", str(saved)])
    assert done.exit_code == 0, done.output
    result = json.loads(saved.read_text(encoding="utf-8"))
    assert result["reference"].startswith("the language model, pre-norm, gelu-tanh, causal")
    (comparison,) = result["report"]["comparisons"]
    rows = {row["name"]: row for row in comparison["gradients"]}
    page = loaded()
    assert set(rows) == set(dict(with_parts(page.init_weights(V))))
    zeros = {f"blocks.{n}.self_attn.in_proj_bias[k]" for n in range(page.BLOCKS)}
    assert {name for name, row in rows.items() if row["verdict"] != "agree"} == zeros
    assert max(row["error"] for name, row in rows.items() if name not in zeros) <= 1e-12
    assert all(row["norm"] < 1e-12 for name, row in rows.items() if name in zeros)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("(dprobs * probs).sum(axis=-1, ", "(dprobs * probs).sum(axis=-2, "),
        (" - x_hat * along_x_hat)", ")"),
        ("(0.5 * x * (1 - t * t))", "(0.5 * x * (1 - t))"),
    ],
    ids=["softmax", "layer norm", "gelu"],
)
def test_a_bug_in_the_page_is_caught_and_its_line_is_named(right: str, wrong: str) -> None:
    assert SOURCE.count(right) == 1
    report = compared(loaded(SOURCE.replace(right, wrong), **SMALL))
    assert report.disagrees
    assert report.first is not None
    assert report.first.place.line == SOURCE[: SOURCE.index(right)].count("\n") + 1


def test_the_loss_and_its_gradient_are_pytorchs() -> None:
    rng = np.random.default_rng(0)
    logits, targets = rng.standard_normal((3, 5, V)), rng.integers(V, size=(3, 5))
    loss, dlogits = loaded().cross_entropy(logits, targets)
    leaf = torch.tensor(logits, requires_grad=True)
    expected = F.cross_entropy(leaf.flatten(0, 1), torch.tensor(targets).flatten())
    expected.backward()
    assert loss == pytest.approx(expected.item(), abs=1e-14)
    assert leaf.grad is not None
    np.testing.assert_allclose(dlogits, leaf.grad.numpy(), rtol=0, atol=1e-15)


def test_its_steps_are_those_of_adamw() -> None:
    page, rng = loaded(), np.random.default_rng(0)
    weights = {"matrix": rng.standard_normal((4, 3)), "vector": rng.standard_normal(5)}
    leaves = {name: torch.tensor(array) for name, array in weights.items()}
    optimizer = torch.optim.AdamW(
        leaves.values(), lr=0.02, betas=(0.9, 0.99), weight_decay=page.DECAY
    )
    moments: dict[str, Any] = {}
    for step in range(1, 5):
        dweights = {name: rng.standard_normal(array.shape) for name, array in weights.items()}
        page.adamw(weights, dweights, moments, step, 0.02)
        for name, leaf in leaves.items():
            leaf.grad = torch.tensor(dweights[name])
        optimizer.step()
    for name, leaf in leaves.items():
        np.testing.assert_allclose(weights[name], leaf.numpy(), rtol=0, atol=1e-14)


def test_a_short_training_lowers_the_loss_and_can_write(
    capsys: pytest.CaptureFixture[str],
) -> None:
    page = loaded()
    text = "to be, or not to be: " * 40
    weights, characters = page.train(text, steps=150)
    assert {array.dtype.name for array in weights.values()} == {"float32"}
    tokens = np.array([characters.index(character) for character in text])
    windows = np.lib.stride_tricks.sliding_window_view(tokens, page.T + 1)
    before = page.loss_on(windows, page.init_weights(len(characters)))
    assert before == pytest.approx(math.log(len(characters)), abs=0.1)  # a fair guess
    assert page.loss_on(windows, weights) < 0.7 * before
    assert re.fullmatch(
        r"step    1   loss \d\.\d{3}   held out \d\.\d{3}\n", capsys.readouterr().out
    )
    written = page.write(weights, characters, length=30)
    assert len(written) == 31
    assert set(written) <= set(text)
    assert page.write(weights, characters, length=30) == written  # its seed decides


def test_no_character_is_both_learned_and_held_out() -> None:
    page, held_out, learned = loaded(), set[int](), set[int]()

    def gpt(tokens: Any, weights: Any) -> Any:
        learned.update(tokens.flat)
        return None, lambda dlogits: {}

    def cross_entropy(logits: Any, targets: Any) -> tuple[float, float]:
        learned.update(targets.flat)
        return 0.0, 0.0

    def loss_on(windows: Any, weights: Any) -> float:
        held_out.update(windows.flat)
        return 0.0

    text = "".join(map(chr, range(1000, 1400)))  # no character occurs twice
    vars(page).update(gpt=gpt, cross_entropy=cross_entropy, loss_on=loss_on)
    page.adamw = page.init_weights = lambda *_: {}
    page.train(text, steps=1000)
    assert learned == set(range(360))
    assert held_out == set(range(360, 396))  # five windows, each T = 7 from the last one


def test_the_readme_shows_a_training_that_is_good_enough_for_ci() -> None:
    shown = re.search(r"<!-- one-page -->\n```text\n(.*?)```\n<!-- /one-page -->", README, re.S)
    assert shown is not None
    command, *lines = shown[1].splitlines()
    assert command == f"$ {one_page.COMMAND}"
    losses = one_page.held_out_losses(shown[1])
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < one_page.LIMIT <= 2.0
    steps = [int(line[5:9]) for line in lines if line.startswith("step ")]
    assert steps == [1, *range(300, PAGE_AS_IT_IS.STEPS + 1, 300)]
    assert len(steps) == len(losses)
    assert f"guessing among 65 characters, which is {math.log(65):.3f}:" in README


def test_the_picture_is_of_all_entries_and_they_are_on_the_diagonal() -> None:
    small = SOURCE.replace("= 16, 64, 96, 4, 384, 2\n", "= 2, 40, 6, 3, 9, 1\n")
    assert small != SOURCE
    ours, theirs = map(proof.entries, proof.both_runs(small))
    weights = module_of(small, PAGE.name).init_weights(proof.V)
    assert len(ours) == sum(array.size for array in weights.values()) - 6  # without the key biases
    assert np.all(theirs != 0)  # a logarithmic axis has no place for zero
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12 * np.abs(theirs).max())
    assert SOURCE.count(proof.RIGHT) == 1
    picture = (proof.PICTURES / "one-page.svg").read_bytes()
    assert len(picture) < 150_000
    assert b"<dc:date>" not in picture


def test_without_a_text_it_says_how_to_get_one(tmp_path: Path) -> None:
    """It looks beside its own folder, wherever it is called from."""
    (tmp_path / "examples").mkdir()
    copy = shutil.copy(PAGE, tmp_path / "examples")
    done = subprocess.run([sys.executable, copy], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    missing = tmp_path / "data" / "tiny_shakespeare.txt"
    assert done.stderr == f"Too little text in {missing}: give another, or run `make run` first.\n"
