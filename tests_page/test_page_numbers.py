"""The numbers on the page are those of the run."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browsing import ROOT, Open, Opened

DIGITS = 3  # of a number on the page
ROUNDING = 0.5 * 10.0 ** (1 - DIGITS)  # relative, at most


def number(text: str) -> float:
    """Read a number as the page writes it."""
    return float(text.replace("\u2212", "-").replace("✓", "").replace("×", "").strip())


def array(walk: dict[str, Any], ref: int) -> np.ndarray:
    """An array of the page, as Python reads it: the page has its own code for that."""
    packed = walk["arrays"][ref]
    content = zlib.decompress(base64.b64decode(walk["buffers"][packed["buffer"]]), -zlib.MAX_WBITS)
    buffer = np.frombuffer(content, "<f4")
    steps = [4 * stride for stride in packed["strides"]]
    return np.lib.stride_tricks.as_strided(buffer, packed["shape"], steps).astype(np.float64)


def test_the_verdict_s_table_is_the_json_report(opened: Open, folder: Path) -> None:
    page = opened()
    page.go("loss/cross_entropy", "verdict")
    report = json.loads((folder / "report.json").read_text("utf-8"))["report"]
    (rows,) = [c["gradients"] for c in report["comparisons"] if c["loss"] == "cross-entropy"]
    page.page.keyboard.press("t")
    page.page.wait_for_selector(".panel:has(table.parameters) details.numbers td")
    table = page.page.locator(".panel", has=page.page.locator("table.parameters"))
    shown = table.locator("details.numbers tbody tr").evaluate_all(
        "all => all.map(row => [...row.children].map(cell => cell.textContent))"
    )
    assert [row[0] for row in shown] == [row["name"] for row in rows]
    for cells, row in zip(shown, rows, strict=True):
        for text, key in zip(cells[1:], ("norm", "norm_reference", "error"), strict=True):
            if row[key] is None:
                assert text == "–"
            else:
                assert number(text) == pytest.approx(row[key], rel=ROUNDING * 1.001, abs=1e-30)


def test_the_card_of_every_op_shows_its_norms(opened: Open) -> None:
    page = opened()
    for op in page.walk["ops"]:
        page.go(op["id"])
        rows = page.page.locator(".witnesses tbody tr").evaluate_all(
            "all => all.map(row => [...row.children].map(cell => cell.textContent))"
        )
        arrays = [op["dout"], *(i["gradient"] for i in op["inputs"]), op["output"]]
        there = [one for one in arrays if one is not None]
        assert [row[0] for row in rows] == [one["name"] for one in there]
        for cells, one in zip(rows, there, strict=True):
            assert number(cells[2]) == pytest.approx(one["norm"], rel=ROUNDING * 1.001)
            assert number(cells[3]) == pytest.approx(one["norm_reference"], rel=ROUNDING * 1.001)


def pointed(page: Opened, row: str, name: str) -> tuple[tuple[int, int], str]:
    """Point at the middle of the picture of an array, and return the entry and the sentence."""
    figure = page.page.locator(f".{row} figure", has_text=f"{name} (").first
    picture = figure.locator("canvas")
    picture.scroll_into_view_if_needed()
    picture.focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowRight", "ArrowRight", "ArrowRight"):
        page.page.keyboard.press(key)
    return (2, 3), page.page.locator(".entry-sentence").text_content() or ""


def test_sentences_are_the_arrays_recomputed(opened: Open) -> None:
    page = opened()
    ops = {op["id"]: op for op in page.walk["ops"]}

    def of(op: str, name: str) -> np.ndarray:
        found = ops[op]
        every = [found["dout"], found["output"]]
        every += [one[side] for one in found["inputs"] for side in ("value", "gradient")]
        (ref,) = {one["ours"] for one in every if one is not None and one["name"] == name}
        return array(page.walk, ref)

    linear, norm = "blocks.0.linear1/linear", "blocks.1.norm1/layer_norm"
    softmax = "blocks.1.self_attn/softmax"
    out, dout = of(softmax, "out")[0, 0], of(softmax, "dout")[0, 0]
    centred = dout - (dout * out).sum(-1, keepdims=True)
    x = of(norm, "x")[0]
    x_hat = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    dx_hat = of(norm, "dout")[0] * of(norm, "weight")
    rest = dx_hat - dx_hat.mean(-1, keepdims=True)
    rest -= x_hat * (dx_hat * x_hat).mean(-1, keepdims=True)
    expected = [
        (linear, "gradients", "dx", of(linear, "dout")[0] @ of(linear, "weight")),
        (linear, "parameter-gradients", "dweight", of(linear, "dout")[0].T @ of(linear, "x")[0]),
        (softmax, "gradients", "dx", out * centred),
        (norm, "gradients", "dx", rest / np.sqrt(x.var(-1, keepdims=True) + 1e-5)),
    ]
    for op, row, name, values in expected:
        page.go(op)
        entry, said = pointed(page, row, name)
        first = said.partition(" The largest")[0]
        *_, computed = re.findall(r"= (−?[\d.]+(?:e−?\d+)?)[.;]", first)
        recorded = said.rpartition("recorded: ")[2].removesuffix(".")
        assert number(computed) == pytest.approx(values[entry], rel=2 * ROUNDING)
        kept = of(op, name).reshape(-1, values.shape[-1])[entry]
        assert number(recorded) == pytest.approx(kept, rel=2 * ROUNDING)


def test_the_question_is_prediction_minus_truth(opened: Open) -> None:
    page = opened()
    text = page.walk["text"]
    page.page.locator(".chip").nth(3).click()
    said = page.page.locator(".question .said").text_content() or ""
    p = array(page.walk, text["probs"])[3]
    goal = text["target_ids"][3]
    shown = number(re.search(r"p = (\S+), and", said)[1])  # type: ignore[index]
    gradient = number(re.search(r"= (\S+)\.$", said)[1])  # type: ignore[index]
    assert shown == pytest.approx(p[goal], rel=2 * ROUNDING)
    assert gradient == pytest.approx(array(page.walk, text["dlogits"])[3, goal], rel=2 * ROUNDING)


@pytest.mark.parametrize("name", ["ours", "other"])
def test_every_array_is_explained_as_it_is_recorded(folder: Path, name: str) -> None:
    command = ["node", str(ROOT / "tests_page/explained_entries.js"), str(folder / f"{name}.html")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert [one for one in found if one["left"]] == []  # of the sentence, a hole
    assert [one for one in found if one["gap"] > 1e-5 * (one["size"] or 1)] == []
    sent = [one for one in found if re.fullmatch("d(?!out)\\w+", one["name"])]
    assert len([one for one in sent if one["explained"]]) > 0.9 * len(sent) > 50
