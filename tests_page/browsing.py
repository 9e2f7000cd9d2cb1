"""What the tests of the page share: which pages there are, and a page in a window."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect

ROOT = Path(__file__).parent.parent
BUG = "layer-norm-no-mean-term"
MARKUP = "</script><img src=x onerror=alert(1)><!--"  # of a corpus in which all of it is text
WRONG = ("np.sum(da * a", "np.mean(da * a")  # in softmax's backward of an example
# The pages by name: what `crosscheck walk` is asked for.
WALKS: dict[str, list[str]] = {
    "ours": [],
    "portuguese": ["--language", "pt-BR"],
    "portuguese-bug": ["--language", "pt-BR", "--bug", BUG],
    "padding": ["--mask", "both"],
    "other": ["--norm", "pre", "--activation", "relu", "--position", "learned", "--tie-weights"],
    "bug": ["--bug", BUG],
    "brought": ["examples/brought/numpy_flat.py:block"],
    "brought-bug": ["{folder}/wrong.py:block"],
    "torch": ["examples/brought/torch_gpt.py:Block"],
    "markup": ["--corpus", "{folder}/markup.txt", "--text", MARKUP, "--layers", "1"],
}


class Opened:
    """A page in a window of its own."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.walk: dict[str, Any] = json.loads(page.locator("#walk").text_content() or "")

    def go(self, op: str, screen: str = "card") -> None:
        """Follow an address, and wait until the page is there."""
        hashed = f"#{op}" if screen == "card" else f"#{op}?{screen}"
        self.page.evaluate(
            """hash => new Promise(done => {
              if (decodeURIComponent(location.hash) === decodeURIComponent(hash)) return done();
              addEventListener("hashchange", () => setTimeout(done), { once: true });
              location.hash = hash;
            })""",
            hashed,
        )
        assert self.page.evaluate("document.body.dataset.screen") == screen

    def open_tables(self) -> None:
        """Open the tables of all pictures, and wait until they are filled."""
        self.page.keyboard.press("t")
        waiting = "main details.numbers:is(:not([open]), :not(:has(> :nth-child(2))))"
        expect(self.page.locator(waiting)).to_have_count(0)

    @property
    def op(self) -> str:
        """The op that the address names."""
        named: str = self.page.evaluate("decodeURIComponent(location.hash.slice(1).split('?')[0])")
        return named

    @property
    def screens(self) -> list[str]:
        """The screens that the page has, in their order."""
        links = self.page.locator(".screens a").evaluate_all("all => all.map(a => a.hash)")
        return [link.partition("?")[2] or "card" for link in links]


Open = Callable[..., Opened]  # by the name of a page; with a width, and dark or not
