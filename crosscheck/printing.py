"""How results reach a terminal or a file as text: the console, and tables that fit its width."""

from __future__ import annotations

import io
import sys
import textwrap
from collections.abc import Iterable

from rich import box
from rich.console import Console, RenderableType
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

PIPED_WIDTH = 110  # a file has no width of its own; this one fits all columns of common sizes
UNLIMITED = 10_000  # a console as wide as any table


def make_console() -> Console:
    """Return a console on standard output: the terminal's width, or in a pipe one that fits."""
    if sys.stdout is None:
        raise OSError("standard output is closed")
    # A file's name may hold what no encoding can, and a terminal may know no block characters.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    width = None if sys.stdout.isatty() else PIPED_WIDTH
    return Console(width=width, highlight=False, markup=False, emoji=False)


def print_sections(sections: Iterable[RenderableType], console: Console) -> None:
    """Print one section after the other.

    In a pipe, lines end where their text does, without the spaces that fill a table's last column.
    """
    if console.is_terminal:
        _print(sections, console)
        return
    with console.capture() as captured:
        _print(sections, console)
    console.file.write("\n".join(line.rstrip(" ") for line in captured.get().split("\n")))
    console.file.flush()  # so that a full disk is an error now, and not after the exit code


def _print(sections: Iterable[RenderableType], console: Console) -> None:
    for section in sections:
        # No cropping: a table that had to be wider than the console is left to the terminal.
        console.print(section, crop=False)


def printed(section: RenderableType) -> str:
    """Return what a console as wide as needed prints, without the spaces at the ends of lines."""
    console = Console(file=io.StringIO(), width=UNLIMITED, markup=False, highlight=False)
    with console.capture() as captured:
        console.print(section)
    return "\n".join(line.rstrip() for line in captured.get().split("\n")).strip("\n")


def hanging(text: str, width: int) -> str:
    """Fold the lines of a text that are too long, with more space before what is folded."""
    folded = []
    for line in text.split("\n"):
        indent = " " * (len(line) - len(line.lstrip()) + 2)
        folded += textwrap.wrap(
            line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False,
            replace_whitespace=False, drop_whitespace=True,
        ) or [""]  # fmt: skip
    return "\n".join(folded)


def plural(count: int, one: str, many: str) -> str:
    """Return the form of a word that stands beside this count."""
    return one if count == 1 else many


def two_columns(
    lines: dict[str, str], term_style: str = "", style: str = "", gap: int = 3
) -> Table:
    """Return terms and what is said of them; as Text, since a corpus may look like markup."""
    grid = Table.grid(padding=(0, gap))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for term, words in lines.items():
        grid.add_row(Text(term, term_style or style), Text(words, style))
    return grid


def plain_table(title: str = "", padding: int = 1) -> Table:
    """Return an empty table as all are here: a title, a line under the head, no frame."""
    return Table(
        title=Text(f"\n{title}") if title else None,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        padding=(0, padding),
        pad_edge=False,
    )


def unwrapped(table: Table, console: Console) -> int:
    """Return the width at which no cell is wrapped."""
    return Measurement.get(console, console.options.update(width=UNLIMITED), table).maximum


def fitted(table: Table, console: Console) -> Table:
    """Give the table the width at which no cell is wrapped, if the console is narrower."""
    if (needed := unwrapped(table, console)) > console.width:
        table.width = needed
    return table
