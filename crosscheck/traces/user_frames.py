"""Which source files are the user's own, and the lines of theirs that are running now."""

from __future__ import annotations

import inspect
import os
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import crosscheck
import tinygrad_tf
import torch
from crosscheck.traces.lines import OF_THE_LINE
from crosscheck.traces.trace import Place

_CROSSCHECK = str(Path(crosscheck.__file__).parent) + os.sep
# What is installed, Python's own modules, and both engines.
_NOT_THEIRS = (
    *{sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib", "purelib", "platlib")},
    str(Path(torch.__file__).parent) + os.sep,
    str(Path(tinygrad_tf.__file__).parent) + os.sep,
    _CROSSCHECK,
)


class UserFiles:
    """Knows the user's own source files.

    They are those outside of Python, of what is installed, of both engines and of this package. If
    no part of a model is defined in such a file, those of its parts count that stand in the folder
    of its own class.
    """

    def __init__(self, model: Any) -> None:
        parts = model.modules() if hasattr(model, "modules") else [model]
        sources = [_file_of(type(part)) for part in parts]
        sources = [file for file in sources if file and not _is_below(file, (_CROSSCHECK,))]
        foreign = sources and all(_is_below(file, _NOT_THEIRS) for file in sources)
        folder = Path(sources[0]).parent if sources else None
        self._of_model = {f for f in sources if foreign and Path(f).parent == folder}
        self._known: dict[str, bool] = {}
        self.seen: dict[str, None] = {}  # those in which something ran, in this order

    def __contains__(self, file: object) -> bool:
        """Whether this file, as Python names it in co_filename, is the user's."""
        if not isinstance(file, str):
            return False
        if file not in self._known:
            self._known[file] = not file.startswith("<frozen") and (
                not _is_below(file, _NOT_THEIRS) or file in self._of_model
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


def _file_of(kind: type) -> str:
    """Return the file of a class; the empty string if it was typed in, and has none."""
    try:
        return inspect.getfile(kind)
    except (TypeError, OSError):
        return ""


def _is_below(file: str, folders: tuple[str, ...]) -> bool:
    return any(file.startswith(folder) for folder in folders)
