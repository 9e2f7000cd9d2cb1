"""The user's own source, with a tick, a cross or a tilde beside each line that ran."""

from __future__ import annotations

import linecache
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.text import Text

from crosscheck.cuts.cuts import Cuts
from crosscheck.cuts.marks import Kind, Mark
from crosscheck.printing import PIPED_WIDTH, hanging

SHARE = 0.55  # of the columns for the source; a longer line is cut, unless it is the one blamed
OTHERS = 5  # so many lines are named in which the bug may stand
FOLDED = 3  # so many lines without a mark are shown between two that have one
STYLES = {Kind.RIGHT: "green", Kind.WRONG: "bold red", Kind.INHERITED: "yellow", Kind.NONE: "dim"}


def annotated(cuts: Cuts, width: int = PIPED_WIDTH) -> Text:
    """Return the source of each file that ran, with the marks of its lines.

    `.plain` of what is returned is the same without colour. width: in columns. What is said of a
    line stands beside it, and goes on below where it is long. Long stretches without a mark are
    folded. At the end stand the other lines in which the bug may stand.
    """
    text = Text(no_wrap=True)
    by_file: dict[str, list[Mark]] = {}
    for mark in cuts.marks:
        by_file.setdefault(mark.place.file, []).append(mark)
    for file, marks in by_file.items():
        if any(mark.kind != Kind.NONE for mark in marks):
            text.append(f"{_shown(file)}\n", "bold")
            for line in _lines(file, marks, width):
                text.append_text(line)
                text.append("\n")
    for other in cuts.between[1:OTHERS]:
        shown = f"{_shown(other.place.file)}:{other.place.line}"
        text.append(f"{hanging(f'or {shown}, which {other.why}', width)}\n", "dim")
    text.rstrip()
    return text


def _shown(file: str) -> str:
    path = Path(file)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else file


def _lines(file: str, marks: Sequence[Mark], width: int) -> Iterator[Text]:
    said = {mark.place.line: mark for mark in marks if mark.kind != Kind.NONE}
    source = [line.rstrip("\n") for line in linecache.getlines(file)]
    digits = len(str(max(said)))
    longest = max(len(_code(source, number)) for number in said)
    columns = min(longest, int(width * SHARE))
    last = 0
    for number in sorted(said):
        gap = number - last - 1
        if last and gap > FOLDED:
            yield Text(f"{'':{digits}}  ...", "dim")
        elif last:
            for between in range(last + 1, number):
                code = _cut(_code(source, between), columns)
                yield Text(f"{between:{digits}}  {code}".rstrip(), "dim")
        yield _marked(f"{number:{digits}}  ", _code(source, number), said[number], columns, width)
        last = number


def _code(source: Sequence[str], number: int) -> str:
    return source[number - 1].expandtabs(4) if number <= len(source) else ""


def _cut(code: str, columns: int) -> str:
    return code if len(code) <= columns else f"{code[: columns - 1]}…"


def _marked(number: str, code: str, mark: Mark, columns: int, width: int) -> Text:
    line = Text(number, "dim")
    indent = len(number) + columns
    if mark.kind == Kind.WRONG and len(code) > columns:
        line.append(f"{code}\n{'':{indent}}")
    else:
        line.append(f"{_cut(code, columns):{columns}}")
    words = textwrap.wrap(mark.text, max(width - indent - 3, 20), break_long_words=False) or [""]
    first, *others = words
    line.append(f" {mark.sign} {first}".rstrip(), STYLES[mark.kind])
    for more in others:
        line.append(f"\n{'':{indent + 3}}{more}", STYLES[mark.kind])
    return line
