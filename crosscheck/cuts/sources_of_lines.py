"""What the user's own lines say: the names that they read, and the functions that they call."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from crosscheck.traces.trace import Place

# Functions after which a value goes on, and its gradient does not, or goes on changed.
CUTS = re.compile(r"\b(detach|no_grad|register_hook|stop_gradient|data|item|tolist|numpy)\b")
NAME = re.compile(r"[A-Za-z_]\w*")


@cache
def lines_of(file: str) -> tuple[str, ...]:
    """Return the lines of a source file; none if it cannot be read."""
    try:
        return tuple(Path(file).read_text(encoding="utf-8").splitlines())
    except (OSError, UnicodeDecodeError):
        return ()


def text_of(place: Place) -> str:
    """Return the source of a line, without a comment at its end."""
    lines = lines_of(place.file)
    return lines[place.line - 1].split(" #")[0] if 0 < place.line <= len(lines) else ""


def reads(place: Place, name: str) -> bool:
    """Whether a line has this name in it."""
    return name.split(".")[-1].split("[")[0] in NAME.findall(text_of(place))


def cuts_off(place: Place) -> bool:
    """Whether a line calls something that cuts off a gradient, or changes it."""
    return CUTS.search(text_of(place)) is not None
