"""The walk of a model that somebody brings: its own lines, ticked by the reference's values."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.walks import op_called, unpacked

from crosscheck.brought.prepare import Request
from crosscheck.walk.brought import walk_of_brought
from crosscheck.walk.schema import Walk
from crosscheck.walk.write import page_of

EXAMPLES = Path(__file__).parents[3] / "examples" / "brought"

pytestmark = pytest.mark.usefixtures("no_other_tracer")


SIZES: dict[str, Any] = {"width": 12, "heads": 2, "feed_forward": 48, "shape": (2, 5, 12)}
REFERENCE = """from torch import nn
layer = nn.TransformerEncoderLayer(12, 2, 48, 0.0, "gelu", batch_first=True)
"""
HEADS = {"wq": "q", "wk": "k", "wv": "v"}
MAP = {
    **{
        name: f"self_attn.in_proj_weight[{part}].reshape(2, 6, 12).permute(0, 2, 1)"
        for name, part in HEADS.items()
    },
    **{f"b{part}": f"self_attn.in_proj_bias[{part}].reshape(2, 6)" for part in "qkv"},
    "wo": "self_attn.out_proj.weight.reshape(12, 2, 6).permute(1, 2, 0)",
    "bo": "self_attn.out_proj.bias",
    **{f"g{i}": f"norm{i}.weight" for i in (1, 2)},
    **{f"s{i}": f"norm{i}.bias" for i in (1, 2)},
    **{f"w{i}": f"linear{i}.weight.T" for i in (1, 2)},
    **{f"b{i}": f"linear{i}.bias" for i in (1, 2)},
}


def walk_of_flat(folder: Path, *patches: tuple[str, str]) -> Walk:
    """The walk of a block in NumPy, in which texts are replaced by others."""
    source = (EXAMPLES / "numpy_flat.py").read_text("utf-8")
    for old, new in patches:
        assert source.count(old) == 1
        source = source.replace(old, new)
    (folder / "mine.py").write_text(source, "utf-8")
    (folder / "theirs.py").write_text(REFERENCE, "utf-8")
    (folder / "map.json").write_text(json.dumps(MAP), "utf-8")  # neither is searched for
    return walk_of_brought(
        Request(
            f"{folder}/mine.py:block", f"{folder}/theirs.py:layer", dtype="float64",
            weights=f"{folder}/map.json", **SIZES,
        ),
        "en",
    )  # fmt: skip


def test_a_right_block_is_ticked_line_by_line(tmp_path: Path) -> None:
    file = shutil.copy(EXAMPLES / "torch_gpt.py", tmp_path / "mine.py")
    walk = walk_of_brought(Request(f"{file}:Block", dtype="float64", **SIZES), "en")
    assert (walk.kind, walk.bug, walk.outcome.agrees) == ("brought", None, True)
    assert {op.verdict for op in walk.ops} == {"agree", "unpaired"}
    probs = op_called(walk, "CausalSelfAttention.forward/att~3")
    assert (probs.op, probs.output.name, probs.mark) == ("softmax", "probs", "right")
    assert probs.caller is not None
    assert probs.caller.file == "mine.py"
    assert "softmax" in probs.caller.text
    assert np.allclose(unpacked(walk, probs.output.ours).sum(-1), 1)
    assert probs.dout is not None
    assert probs.dout.verdict == "agree"
    assert probs.dout.axes == ("B", "H", "T", "S")
    assert walk.spine is not None
    assert [op_called(walk, id).op for id in walk.spine.stream] == ["add", "add"]
    (file,) = walk.files
    marks = {int(line): mark for line, (mark, _) in file.marks.items()}
    assert marks[probs.caller.line] == "right"
    assert file.lines[probs.caller.line - file.first].strip() == probs.caller.text
    assert all(p.good and p.gradient == p.gradient_reference for p in walk.parameters)
    assert str(tmp_path) not in page_of(walk).decode("utf-8")


def test_a_wrong_forward_line_shows_what_was_expected(tmp_path: Path) -> None:
    walk = walk_of_flat(tmp_path, ("a = e / e.sum", "a = 0.5 * e / e.sum"))
    assert walk.bug is not None
    first = walk.bug.findings[0]
    born = op_called(walk, first.op)
    assert (born.verdict, born.mark, born.output.name) == ("born", "wrong", "probs")
    assert born.output.verdict == "disagree"
    ours, right = unpacked(walk, born.output.ours), unpacked(walk, born.output.reference)
    assert np.allclose(2 * ours, right, rtol=1e-5)
    assert first.place is not None
    assert first.place.text.startswith("a = 0.5 ")
    assert op_called(walk, "block/q").output.verdict == "agree"
    assert "block/c" in walk.bug.inherited


def test_a_wrong_backward_line_shows_the_gradient_in_its_place(tmp_path: Path) -> None:
    walk = walk_of_flat(
        tmp_path,
        ("np.mean(t, -1, keepdims=True) - n1 ", "np.mean(t) - n1 "),
        (
            "np.tensordot(h, df, axes=([0, 1], [0, 1]))",
            "np.tensordot(df, h, axes=([0, 1], [0, 1]))",
        ),
    )
    assert walk.bug is not None
    born = op_called(walk, walk.bug.findings[0].op)
    assert (born.op, born.output.verdict) == ("y", "agree")
    assert born.dout is not None
    assert born.dout.verdict == "disagree"
    ours, right = unpacked(walk, born.dout.ours), unpacked(walk, born.dout.reference)
    assert not np.allclose(ours, right)
    assert op_called(walk, "block/h").verdict == "agree"
    assert op_called(walk, "block/c").verdict == "inherited"
    assert [op.id for op in walk.ops if op.verdict == "born"] == [born.id]
    (turned,) = [p for p in walk.parameters if p.name == "linear1.weight"]
    assert (turned.verdict, turned.gradient) == ("shape differs", None)


def test_a_reference_that_shows_no_values(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text((EXAMPLES / "numpy_flat.py").read_text("utf-8"), "utf-8")
    other = tmp_path / "other.py"
    other.write_text((EXAMPLES / "numpy_flat.py").read_text("utf-8"), "utf-8")
    request = Request(f"{file}:block", f"{other}:block", width=12, heads=2, dtype="float64")
    with pytest.raises(ValueError, match="only a reference in PyTorch"):
        walk_of_brought(request, "en")


ODD = """from torch import nn
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.num_heads = 2  # and no size of a head
        self.linear1 = nn.Sequential(nn.Linear(6, 6), nn.Tanh())
        self.linear2 = nn.Linear(6, 6)
    def forward(self, x):
        return self.linear2(self.linear1(x))
"""


def test_a_reference_with_names_that_mean_something_else(tmp_path: Path) -> None:
    for name in ("mine", "theirs"):
        (tmp_path / f"{name}.py").write_text(ODD, "utf-8")
    request = Request(
        f"{tmp_path}/mine.py:Model", f"{tmp_path}/theirs.py:Model", dtype="float64", shape=(3, 6)
    )
    walk = walk_of_brought(request, "en")
    assert walk.outcome.agrees
    assert walk.model.sizes == {"B": 3}
