"""The sentence of an entry, for each rule that the page explains, against NumPy."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest
from browsing import Open
from test_page_numbers import ROUNDING, array, number

ROW, COLUMN = 3, 2
SENTENCES = [
    ("linear", "dx"), ("linear", "dweight"), ("linear", "dbias"), ("matmul", "dx"),
    ("matmul", "dy"), ("softmax", "dx"), ("layer_norm", "dx"), ("layer_norm", "dweight"),
    ("add", "dx"), ("gelu", "dx"), ("embedding", "dweight"), ("cross_entropy", "dlogits"),
]  # fmt: skip


def derived(rule: str, name: str, a: dict[str, Any], n: int, c: int) -> float:
    """Return entry [n, c] of a gradient, by the formula of its rule, of the first head."""
    match rule, name:
        case ("linear", "dx"):
            found = a["dout"][n] @ a["weight"][:, c]
        case ("linear", "dweight"):
            found = a["dout"][:, n] @ a["x"][:, c]
        case ("linear", "dbias"):
            found = a["dout"][:, c].sum()
        case ("matmul", "dx"):
            found = a["dout"][n] @ a["y"][c]
        case ("matmul", "dy"):
            found = a["x"][:, n] @ a["dout"][:, c]
        case ("softmax", "dx"):
            found = a["out"][n, c] * (a["dout"][n, c] - a["dout"][n] @ a["out"][n])
        case ("layer_norm", "dx" | "dweight"):
            x = a["x"]
            inv_std = 1 / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
            x_hat = (x - x.mean(-1, keepdims=True)) * inv_std
            if name == "dweight":
                return float((a["dout"] * x_hat).sum(0)[c])
            g = a["dout"][n] * a["weight"]
            found = (inv_std[n] * (g - g.mean() - x_hat[n] * (g * x_hat[n]).mean()))[c]
        case ("add", "dx"):
            found = a["dout"][n, c]
        case ("gelu", "dx"):
            x = a["x"][n, c]
            bell = math.exp(-x * x / 2) / math.sqrt(2 * math.pi)
            found = a["dout"][n, c] * ((1 + math.erf(x / math.sqrt(2))) / 2 + x * bell)
        case ("embedding", "dweight"):
            found = a["dout"][a["indices"] == n, c].sum()
        case _:
            p = np.exp(a["logits"][n] - a["logits"][n].max())
            found = (p[c] / p.sum() - (a["targets"][n] == c)) / len(a["logits"])
    return float(found)


@pytest.mark.parametrize(("rule", "name"), SENTENCES)
def test_the_sentence_has_the_number_of_the_derivation(opened: Open, rule: str, name: str) -> None:
    page = opened()
    op = next(op for op in reversed(page.walk["ops"]) if op["op"] == rule)
    every = [op["dout"], op["output"]]
    every += [one[side] for one in op["inputs"] for side in ("value", "gradient")]
    there = [one for one in every if one is not None and one["ours"] is not None]
    whole = {one["name"]: array(page.walk, one["ours"]) for one in there}
    first = {key: value[(0,) * (value.ndim - 2)] for key, value in whole.items()}
    first |= {key: whole[key].reshape(-1) for key in ("indices", "targets") if key in whole}
    row = int(first["indices"][ROW]) if rule == "embedding" else ROW if first[name].ndim > 1 else 0
    page.go(op["id"])
    page.page.locator(f'canvas[aria-label^="{name} ("]').first.focus()
    for key in ["ArrowDown"] * row + ["ArrowRight"] * COLUMN:
        page.page.keyboard.press(key)
    said = page.page.locator(".entry-sentence").text_content() or ""
    assert said.startswith(f"{name}["), said
    *_, shown = re.findall(r"= (−?[\d.]+(?:e−?\d+)?)[.;:]", said.partition(" The largest")[0])
    value = derived(rule, name, first, row, COLUMN)
    assert number(shown) == pytest.approx(value, rel=2 * ROUNDING), said
    kept = first[name][row, COLUMN] if first[name].ndim > 1 else first[name][COLUMN]
    recorded = said.rpartition("recorded: ")[2].removesuffix(".")
    assert number(recorded) == pytest.approx(kept, rel=2 * ROUNDING), said


def test_the_five_largest_terms_are_products_of_what_is_named(opened: Open) -> None:
    page = opened()
    page.go("blocks.0.linear1/linear")
    page.page.locator('canvas[aria-label^="dx ("]').first.focus()
    page.page.keyboard.press("ArrowDown")
    said = page.page.locator(".entry-sentence").text_content() or ""
    terms = said.partition("terms: ")[2].partition(". Computed")[0].split("; ")
    assert len(terms) == 5
    sizes = []
    for term in terms:
        left, right, product = (number(n) for n in re.findall(r"[\]=] (−?[\d.]+(?:e−?\d+)?)", term))
        assert left * right == pytest.approx(product, rel=4 * ROUNDING)
        sizes.append(abs(product))
    assert sizes == sorted(sizes, reverse=True)
