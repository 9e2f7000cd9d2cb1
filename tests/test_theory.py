"""The page on theory: its snippets print what it shows, and no number in it is by hand."""

from __future__ import annotations

import re

import fill
import pytest
import snippets
from support.pages import PAGES, SESSION

BOTH = (SESSION, "docs/theory.pt-BR.md")
ENGLISH, PORTUGUESE = (PAGES[page] for page in BOTH)
# What is not measured: sections of papers, and their numbers at arXiv.
GIVEN = {
    "3.1", "3.2", "3.3", "3.5", "1706.03762", "1502.03167", "1607.06450", "1603.05027",
    "2002.04745", "2002.07028", "2012.14913", "2001.08361",
}  # fmt: skip
each_page = pytest.mark.parametrize("page", BOTH)


def test_the_snippets_print_what_the_page_shows() -> None:
    now = snippets.filled(ENGLISH)
    for line, printed in zip(ENGLISH.splitlines(), now.splitlines(), strict=True):
        assert line == printed, "run python docs/snippets.py"
    assert len(re.findall("^```text$", now, re.M)) >= 8


def test_another_output_is_noticed() -> None:
    page = "```python\nprint(1 + 1)\n```\n\n```text\n3\n```\n\n```python\nx = 1\n```\n"
    assert snippets.filled(page) == page.replace("3", "2")


def test_both_languages_have_the_same_snippets() -> None:
    assert snippets.copied(ENGLISH, PORTUGUESE) == PORTUGUESE, "run python docs/snippets.py"
    with pytest.raises(ValueError, match=r"theory.pt-BR.md has 0 snippets, and theory.md has 1"):
        snippets.copied("```python\nx = 1\n```\n", "x = 1")


@each_page
def test_every_marked_number_is_the_one_that_was_measured(page: str) -> None:
    text = PAGES[page]
    assert fill.filled(text, fill.language(page)) == text, "run python docs/fill.py"
    places, places_in_english = (
        [found[2] for found in fill.NUMBER.finditer(either)] for either in (text, ENGLISH)
    )
    assert places == places_in_english


@each_page
def test_every_other_decimal_is_printed_by_a_snippet(page: str) -> None:
    prose = fill.NUMBER.sub("", snippets.SNIPPET.sub("", PAGES[page]))
    shown = {
        number
        for found in snippets.SNIPPET.finditer(ENGLISH)
        for number in re.findall(r"\d+\.\d+", found["printed"] or "")
    }
    said = {number.replace(",", ".") for number in re.findall(r"\b\d+[.,]\d+", prose)}
    assert said - GIVEN <= shown
    assert said & shown
