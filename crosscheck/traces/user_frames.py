"""Which source files are the user's own, and the lines of theirs that are running now."""

from __future__ import annotations

import inspect
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import crosscheck
import tinygrad_tf
import torch
from crosscheck.traces.lines import OF_THE_LINE
from crosscheck.traces.trace import Place

_CROSSCHECK = str(Path(crosscheck.__file__).parent)
# What is installed, Python's own modules, and both engines.
_NOT_THEIRS = (
    *{sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")},
    str(Path(torch.__file__).parent),
    str(Path(tinygrad_tf.__file__).parent),
    _CROSSCHECK,
)


class UserFiles:
    """Knows the user's own source files.

    They are those outside of Python, of what is installed, of both engines and of this package. If
    the model's own class is defined in one of these places, the files of its folder count too.
    """

    def __init__(self, model: object) -> None:
        try:
            source = inspect.getfile(type(model))
        except (TypeError, OSError):  # of a class that was typed in, and has no file
            source = ""
        self._of_model = f"{Path(source).parent}/" if source else ""
        self._known: dict[str, bool] = {}
        self.seen: dict[str, None] = {}  # those in which something ran, in this order

    def __contains__(self, file: object) -> bool:
        """Whether this file, as Python names it in co_filename, is the user's."""
        if not isinstance(file, str):
            return False
        if file not in self._known:
            self._known[file] = not file.startswith("<frozen") and (
                not _is_below(file, _NOT_THEIRS)
                or (file.startswith(self._of_model or "?") and not _is_below(file, (_CROSSCHECK,)))
            )
        return self._known[file]

    def places(self, frame: FrameType | None) -> tuple[Place, ...]:
        """Return the user's lines that are running in this frame and its callers, innermost first.

        What called this package is not among them.
        """
        found = tuple(self._places(frame))
        self.seen.update(dict.fromkeys(place.file for place in found))
        return found

    def _places(self, frame: FrameType | None) -> Iterator[Place]:
        inside = False  # a comprehension, whose statement is that of the function around it
        while frame is not None:
            code = frame.f_code
            if code.co_filename.startswith(_CROSSCHECK):
                return
            if code.co_filename in self:
                if not inside:
                    yield Place(code.co_filename, frame.f_lineno)
                inside = code.co_name in OF_THE_LINE
            frame = frame.f_back


def _is_below(file: str, folders: tuple[str, ...]) -> bool:
    return any(file.startswith(folder) for folder in folders)
