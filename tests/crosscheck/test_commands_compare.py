"""`crosscheck compare`: what is brought, what is said of it, and bad input of every kind."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from support.brought import BLOCK, PAIR, written

import torch
from crosscheck.brought import load as load_module
from crosscheck.cli import cli

SMALL = ("--dtype", "float64", "--shape", "2,5,12", "--heads", "3", "--feed-forward", "20")


def compare(*arguments: Any, small: tuple[str, ...] = SMALL) -> Result:
    """Run the command in this process, on small sizes."""
    words = ["compare", *map(str, arguments), *small]
    return CliRunner().invoke(cli, words, prog_name="crosscheck")


def words(result: Result) -> str:
    return " ".join(result.output.split())


def pair(folder: Path, forward: str, name: str = "block.py", head: str = "") -> tuple[str, str]:
    """Two small models of the same weights, of which the first has this forward."""
    path = written(folder, head + PAIR.replace("FORWARD", forward), name)
    return f"{path}:Mine", f"{path}:Theirs"


GOOD = "return self.down(torch.tanh(self.up(x)))"


def test_a_block_is_compared_with_the_layer_that_fits(tmp_path: Path) -> None:
    path, saved = written(tmp_path, BLOCK), tmp_path / "map.json"
    result = compare(f"{path}:Block", "--save-map", saved, "--json", tmp_path / "result.json")
    assert result.exit_code == 0, result.output
    said = words(result)
    assert "Block(d_model=12, nhead=3, d_ff=20)" in said
    assert (
        "torch.nn.TransformerEncoderLayer, pre-norm, gelu, causal: under the same weights" in said
    )
    assert "floats 2x5x12, seed 0" in said
    assert "shape 2x5x12, as the reference's" in said
    assert result.output.splitlines()[-1].startswith("AGREE: ")
    written_map = json.loads(saved.read_text())
    assert written_map["w_o.weight"] == "self_attn.out_proj.weight"
    answer = json.loads((tmp_path / "result.json").read_text())
    assert answer["agrees"] is True
    assert answer["report"]["map"] == written_map
    again = compare(f"{path}:Block", "--weights", saved)
    assert again.exit_code == 0, again.output


@pytest.mark.parametrize("option", ["--save-map", "--json"])
def test_where_a_file_cannot_be_written_no_code_is_run(tmp_path: Path, option: str) -> None:
    path = written(tmp_path, "raise RuntimeError('this ran')")
    missing = tmp_path / "missing" / "file.json"
    result = compare(f"{path}:Block", option, missing)
    assert result.exit_code == 2
    assert f"cannot write {missing}: No such file or directory" in result.output
    assert "this ran" not in result.output


@pytest.mark.parametrize("mask", ["causal", "both"])
def test_a_mask_is_given_to_both(tmp_path: Path, mask: str) -> None:
    path = written(tmp_path, BLOCK)
    result = compare(f"{path}:Masked", "--mask", mask)
    assert result.exit_code == 0, result.output


def test_the_reference_takes_the_eps_of_the_norms_that_the_model_has(tmp_path: Path) -> None:
    path = written(tmp_path, BLOCK.replace("nn.LayerNorm(d_model)", "nn.LayerNorm(d_model, 1e-6)"))
    result = compare(f"{path}:Block")
    assert result.exit_code == 0, result.output
    assert "pre-norm, gelu, causal, eps 1e-06: under the same weights" in words(result)
    first_alone = BLOCK.replace("nn.LayerNorm(d_model)", "nn.LayerNorm(d_model, 1e-6)", 1)
    result = compare(f"{written(tmp_path, first_alone, 'other.py')}:Block")
    assert result.exit_code == 1, result.output


def test_a_wrong_block_disagrees_and_its_reference_is_the_one_it_was_meant_to_be(
    tmp_path: Path,
) -> None:
    path = written(tmp_path, BLOCK.replace("K**-0.5", "K**-0.25"))
    result = compare(f"{path}:Block", "--mask", "causal")
    assert result.exit_code == 1, result.output
    assert "pre-norm, gelu, causal: no form has the outputs of block.py:Block; this" in words(
        result
    )
    assert result.output.splitlines()[-1].startswith("DISAGREE: ")


def test_a_model_that_reads_tokens_first_is_compared_so(tmp_path: Path) -> None:
    path = written(tmp_path, BLOCK)
    result = compare(f"{path}:TokensFirst")
    assert result.exit_code == 0, result.output
    assert "with the tokens on the first axis: (T, B, C)" in words(result)


def test_a_pair_of_functions_and_a_named_reference(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        PAIR.replace("FORWARD", GOOD)
        + """
import numpy as np
def init_params(d_model, seed=0):
    rng = np.random.default_rng(seed)
    return {"up.weight": rng.normal(size=(9, d_model)), "up.bias": rng.normal(size=9),
            "down.weight": rng.normal(size=(d_model, 9)), "down.bias": rng.normal(size=d_model)}
def forward(x, params):
    h = np.tanh(x @ params["up.weight"].T + params["up.bias"])
    return h @ params["down.weight"].T + params["down.bias"], (x, h, params)
def backward(dout, cache):
    x, h, params = cache
    dh = dout @ params["down.weight"] * (1 - h * h)
    return dh @ params["up.weight"], {
        "up.weight": np.einsum("btf,btc->fc", dh, x), "up.bias": dh.sum((0, 1)),
        "down.weight": np.einsum("btc,btf->cf", dout, h), "down.bias": dout.sum((0, 1))}
""",
    )
    result = compare(f"{path}:forward,backward", f"{path}:Theirs")
    assert result.exit_code == 0, result.output
    assert "init_params(d_model=12)" in words(result)


def test_an_input_of_ones_own(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.random.default_rng(1).standard_normal((3, 4, 12)))
    result = compare(*pair(tmp_path, GOOD), "--input", tmp_path / "x.npy")
    assert result.exit_code == 0, result.output
    assert f"floats 3x4x12, from {tmp_path}/x.npy" in "".join(result.output.split("\n"))


# Bad input.


@pytest.mark.parametrize(
    ("forward", "message"),
    [
        (
            "return F.dropout(self.down(torch.tanh(self.up(x))), 0.3)",
            "two plain runs of BLOCK:Mine on the same input differ by",
        ),
        (
            "return Answer(x, self.down(x @ self.up.weight.T))",
            "BLOCK:Mine returns an Answer with hidden (2, 5, 12), out (2, 5, 12): say which is "
            "compared by --output hidden",
        ),
        ("self.down(self.up(x))", "BLOCK:Mine returns None, expected one tensor; is a return"),
        ("return x.sum().item()", "BLOCK:Mine returns float, expected one tensor"),
    ],
)
def test_what_cannot_be_compared_is_told_in_one_line(
    tmp_path: Path, forward: str, message: str
) -> None:
    mine, theirs = pair(tmp_path, forward)
    result = compare(mine, theirs)
    assert result.exit_code == 2, result.output
    assert message.replace("BLOCK", "block.py") in words(result)
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("forward", "said"),
    [
        ("x *= 2.0; return self.down(torch.tanh(self.up(x / 2.0)))", "writes into its input"),
        (
            "return self.down(torch.tanh(self.up(self.drop(x))))",
            "Mine is run in evaluation mode, where drop drops nothing",
        ),
        ("print('a step'); " + GOOD, "prints when it runs"),
        ("sys.settrace(None); " + GOOD, ""),
        ("sys.settrace(lambda *_: None); " + GOOD, "sets a trace function of its own"),
        (
            "threading.Thread(target=time.sleep, args=(60,), daemon=True).start(); " + GOOD,
            "threads",
        ),
        (
            "return self.down(torch.tanh(F.linear(x.float(), self.up.weight.float(), "
            "self.up.bias.float()).to(x.dtype)))",
            "computes in float32, since",
        ),
    ],
)
def test_what_is_odd_is_said_and_compared(tmp_path: Path, forward: str, said: str) -> None:
    result = compare(*pair(tmp_path, forward), "--dtype", "both", small=SMALL[2:])
    assert result.exit_code == 0, result.output
    assert said in words(result)
    assert not said or words(result).count(said) == 1


def test_one_part_of_an_output_is_named(tmp_path: Path) -> None:
    mine = pair(tmp_path, "return Answer(x, self.down(torch.tanh(self.up(x))))")
    result = compare(*mine, "--output", "out")
    assert result.exit_code == 0, result.output
    wrong = compare(*mine, "--output", "outs")
    assert wrong.exit_code == 2
    assert "Mine returns hidden, out (did you mean 'out'?)" in words(wrong)


@pytest.mark.parametrize(
    ("forward", "shown", "sentence"),
    [
        (
            "y = x @ self.up.weight\n        return y",
            "block.py:21, in forward y = x @ self.up.weight RuntimeError: ",
            "block.py raised RuntimeError in forward; the last line of its own is shown above",
        ),
        (
            "return Broken.apply(self.down(torch.tanh(self.up(x))))",
            "raise KeyError('dx') KeyError: 'dx'",
            "block.py raised KeyError in its backward; the last line",
        ),
    ],
)
def test_a_model_that_raises_shows_the_last_line_of_its_own(
    tmp_path: Path, forward: str, shown: str, sentence: str
) -> None:
    result = compare(*pair(tmp_path, forward))
    assert result.exit_code == 2, result.output
    assert shown in words(result)
    assert sentence in words(result)
    assert "crosscheck/" not in result.output


def test_a_file_that_does_not_import_shows_its_own_traceback(tmp_path: Path) -> None:
    path = written(tmp_path, "import torch\nsize = 1 / 0\n")
    result = compare(f"{path}:Block")
    assert result.exit_code == 2
    assert result.output == (
        "Traceback (most recent call last):\n"
        f'  File "{path}", line 2, in <module>\n    size = 1 / 0\n           ~~^~~\n'
        "ZeroDivisionError: division by zero\n"
        f"Error: {path} could not be imported: ZeroDivisionError: division by zero\n"
    )


def test_a_file_that_trains_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load_module, "IMPORT_SECONDS", 0.05)
    result = compare(f"{written(tmp_path, 'while True: pass')}:Block")
    assert result.exit_code == 2
    assert 'under `if __name__ == "__main__":`' in words(result)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("BLOCK:Blok",), "has no Blok (did you mean 'Block'?); it has "),
        (
            ("BLOCK:NeedsMore",),
            'NeedsMore requires window, which no size is called: give --args "w',
        ),
        (("BLOCK:Block", "--args", "n_embd=3"), "--args: nothing that was called takes n_embd"),
        (("BLOCK:Block", "--args", "3"), "--args '3' cannot be read"),
        (("lesson.ipynb:Block",), "lesson.ipynb is a notebook"),
        (("BLOCK:Block", "--shape", "8"), "'8' is no shape: expected B,T,C"),
        (("BLOCK:Block", "--weights", "automatic"), "'automatic' is not auto, name, value, or"),
        (("BLOCK:Block", "--weights", "no.json"), "no.json: there is no such file"),
        (("BLOCK:Block", "--input", "no.npy"), "--input: no.npy: no such file (seen from"),
        (("BLOCK:Block", "--heads", "5"), "width 12 is not divisible by heads 5: every head"),
        (("BLOCK:OnMeta",), "is on the device meta, where weights have no numbers"),
        (("BLOCK:size",), "BLOCK:size is int, expected a class, a function that makes a model"),
        (
            ("BLOCK:makes_nothing",),
            "BLOCK:makes_nothing returned None when it was called, no model",
        ),
        (
            ("torch.nn:LayerNorm", "--args", "normalized_shape=12"),
            "no reference is named, and torch",
        ),
        (
            ("BLOCK:Block", "BLOCK:makes_norm", "--weights", "name"),
            "weights are compared under equal n",
        ),
        (("BLOCK:HoldsNaN", "BLOCK:HoldsNaN", "--weights", "value"), "hold NaN or infinity before"),
        (("BLOCK:norm", "BLOCK:norm"), "model and reference are one and the same object"),
    ],
)
def test_a_mistake_exits_with_2_and_one_clear_line(
    tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    path = str(written(tmp_path, BLOCK))
    small = SMALL[:2] if "--shape" in arguments else SMALL[:4]
    result = compare(*(a.replace("BLOCK", path) for a in arguments), small=small)
    assert result.exit_code == 2, result.output
    assert message.replace("BLOCK", "block.py") in words(result)
    assert "Traceback" not in result.output


def test_a_model_that_computes_nan_disagrees(tmp_path: Path) -> None:
    result = compare(*pair(tmp_path, "return self.down(torch.log(self.up(x)))"))
    assert result.exit_code == 1, result.output
    assert "not finite" in words(result)


def test_pytorchs_attention_is_given_its_input_three_times_and_taken_by_its_output(
    tmp_path: Path,
) -> None:
    source = """
import torch
from torch import nn

class Attention(nn.Module):
    def __init__(self, embed_dim, num_heads):
        super().__init__()
        self.h, self.qkv = num_heads, nn.Linear(embed_dim, 3 * embed_dim)
        self.out = nn.Linear(embed_dim, embed_dim)

    def forward(self, x):
        q, k, v = self.qkv(x).unflatten(-1, (3, self.h, -1)).permute(2, 0, 3, 1, 4)
        probs = (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1)
        return self.out((probs @ v).transpose(1, 2).flatten(2))

class OfTwo(Attention):
    def forward(self, x, memory):
        return super().forward(x) + memory
"""
    path = written(tmp_path, source)
    result = compare(f"{path}:Attention", "torch.nn:MultiheadAttention", small=SMALL[:6])
    assert result.exit_code == 0, result.output
    assert "is given its input as key, value too" in words(result)
    result = compare(f"{path}:OfTwo", "torch.nn:MultiheadAttention", small=SMALL[:6])
    assert result.exit_code == 2
    assert "its forward requires memory beside its input" in words(result)


def test_a_parameter_under_two_names_is_one_in_the_chosen_reference_too(tmp_path: Path) -> None:
    tied = """

class Tied(Block):
    def __init__(self, d_model, nhead, d_ff):
        super().__init__(d_model, nhead, d_ff)
        self.norm2 = self.norm1
"""
    result = compare(f"{written(tmp_path, BLOCK + tied)}:Tied")
    assert result.exit_code == 0, result.output
    assert "norm1.weight and norm2.weight of the reference are made one too" in words(result)


def test_python_is_left_as_it_was(tmp_path: Path) -> None:
    def settings() -> tuple[object, ...]:
        modes = torch.get_default_dtype(), torch.is_grad_enabled()
        return Path.cwd(), np.geterr(), [*warnings.filters], list(sys.path), *modes

    before = settings(), set(sys.modules), torch.get_rng_state()
    changes = """
import os, warnings
import numpy as np
os.chdir("/")
np.seterr(all="ignore")
warnings.simplefilter("ignore")
torch.set_default_dtype(torch.float64)
torch.set_grad_enabled(False)
"""
    assert compare(f"{written(tmp_path, BLOCK + changes)}:Block").exit_code == 0
    assert settings() == before[0]
    assert "block" not in sys.modules
    assert torch.equal(torch.get_rng_state(), before[2])


def test_the_command_runs_in_a_process_of_its_own(tmp_path: Path) -> None:
    written(tmp_path, PAIR.replace("FORWARD", GOOD))
    command = [sys.executable, "-m", "crosscheck", "compare", "block:Mine", "block.py:Theirs"]
    done = subprocess.run(
        [*command, *SMALL], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1].startswith("AGREE: ")
