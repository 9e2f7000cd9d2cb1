"""Writes what the snippets of docs/theory.md print into that page and its translation.

The page is one session: its Python blocks run in their order and share their names. A block that
prints has a block of text right behind it. Both are copied into the translation.

    python docs/snippets.py
"""

from __future__ import annotations

import io
import re
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from crosscheck.files import write_whole

DOCS = Path(__file__).parent
PAGE, TRANSLATION = "theory.md", "theory.pt-BR.md"
SNIPPET = re.compile(
    r"^```python\n(?P<code>.*?)^```\n(?:\n```text\n(?P<printed>.*?)^```\n)?", re.S | re.M
)


def main() -> None:
    """Rewrite the page and its translation."""
    page = filled((DOCS / PAGE).read_text(encoding="utf-8"))
    translation = copied(page, (DOCS / TRANSLATION).read_text(encoding="utf-8"))
    write_whole(DOCS / PAGE, page.encode())
    write_whole(DOCS / TRANSLATION, translation.encode())


def filled(page: str) -> str:
    """Return the page with what its snippets print now."""
    names: dict[str, Any] = {}

    def with_output(found: re.Match[str]) -> str:
        with redirect_stdout(io.StringIO()) as said:
            exec(compile(found["code"], PAGE, "exec"), names)
        return block(found["code"], said.getvalue())

    return SNIPPET.sub(with_output, page)


def block(code: str, printed: str) -> str:
    """Return the Markdown of a snippet and of what it prints."""
    shown = f"\n```text\n{printed}```\n" if printed else ""
    return f"```python\n{code}```\n{shown}"


def copied(page: str, translation: str) -> str:
    """Return the translation with the page's snippets. Raises ValueError if it lacks some."""
    snippets = [found[0] for found in SNIPPET.finditer(page)]
    if (count := len(SNIPPET.findall(translation))) != len(snippets):
        raise ValueError(f"{TRANSLATION} has {count} snippets, and {PAGE} has {len(snippets)}")
    left = iter(snippets)
    return SNIPPET.sub(lambda _: next(left), translation)


if __name__ == "__main__":
    main()
