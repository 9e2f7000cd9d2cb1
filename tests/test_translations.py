"""The Portuguese pages say what the English ones say, or a test names the section that lags."""

from __future__ import annotations

from pathlib import Path

import pytest
import translations
from support.pages import ROOT, blocks

PAGES = translations.translations()
ENGLISH = """[Português](page.pt-BR.md)

# One

Words with <!--=flow:said/1-->3<!--/--> numbers.

## Two

More words.

<!-- run -->
said
<!-- /run -->

```text
# printed
```
"""
PORTUGUESE = """[English](page.md)

# Um

Palavras.

## Dois

Mais palavras.

<!-- run -->
said
<!-- /run -->
"""


def test_there_are_translations() -> None:
    assert PAGES


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_section_lags_behind(page: Path) -> None:
    assert translations.lagging(page) == [], "translate, then: python docs/translations.py --accept"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_first_line_leads_to_the_other_language(page: Path) -> None:
    english = translations.original(page)
    for here, there in ((page, english), (english, page)):
        first, *_ = here.read_text(encoding="utf-8").splitlines()
        assert f"]({there.name})" in first, here.name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
@pytest.mark.parametrize("language", ["python", "sh"])
def test_the_code_is_the_same_in_both(page: Path, language: str) -> None:
    names = [p.relative_to(ROOT).as_posix() for p in (page, translations.original(page))]
    assert blocks(names[0], language) == blocks(names[1], language)


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """An English page, and its translation that has just been accepted."""
    english, portuguese = tmp_path / "page.md", tmp_path / "page.pt-BR.md"
    english.write_text(ENGLISH, "utf-8")
    text = translations.accepted(PORTUGUESE, [*translations.split(ENGLISH)])
    portuguese.write_text(text, "utf-8")
    return english, portuguese


def test_accepting_twice_changes_nothing(pair: tuple[Path, Path]) -> None:
    text = pair[1].read_text("utf-8")
    assert text.startswith("[English](page.md)")
    assert translations.accepted(text, [*translations.split(ENGLISH)]) == text
    assert translations.lagging(pair[1]) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("3<!--/-->", "4<!--/-->", []),
        ("# printed", "# 4 printed", []),
        ("said", "says", ["page.pt-BR.md: an output is not that of page.md"]),
        ("More words", "Other words", ["page.pt-BR.md: '## Dois' lags behind '## Two'"]),
        ("# One", "# 1", ["page.pt-BR.md: '# Um' lags behind '# 1'"]),
        ("More", "## Three\n\nMore", [
            "page.pt-BR.md: '## Dois' lags behind '## Two'",
            "page.pt-BR.md: '## Three' is not translated",
        ]),
    ],
)  # fmt: skip
def test_words_count_and_numbers_do_not(
    pair: tuple[Path, Path], old: str, new: str, said: list[str]
) -> None:
    pair[0].write_text(ENGLISH.replace(old, new), "utf-8")
    assert translations.lagging(pair[1]) == said
