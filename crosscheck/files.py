"""Files are written whole or not at all: plain bytes, JSON, and the marked places of a page."""

from __future__ import annotations

import errno
import json
import math
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def write_whole(path: Path, content: bytes) -> None:
    """Write a file by way of a temporary one beside it: readers never see half of it.

    If the path is not a regular file (/dev/stdout, say), write to it and do not replace it. Raises
    OSError that names `path`, and never the temporary file.
    """
    with _blaming(path):
        if path.exists() and not path.is_file():
            path.write_bytes(content)
            return
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            temporary.chmod(0o644)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def require_writable(path: Path) -> None:
    """Raise the OSError that `write_whole` would, for callers who want to know early."""
    with _blaming(path):
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not path.exists() or path.is_file():
            tempfile.TemporaryFile(dir=path.parent).close()


@contextmanager
def _blaming(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OSError(f"cannot write {path}: {error.strerror or error}") from error


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write the file, whole or not at all."""
    text = json.dumps(_without_nan(content), indent=2, allow_nan=False)
    write_whole(path, f"{text}\n".encode())


def _without_nan(value: Any) -> Any:
    """JSON has no NaN and no infinity: they become the strings "nan" and "inf"."""
    if isinstance(value, dict):
        return {name: _without_nan(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def replace_marked(path: Path, name: str, content: str) -> None:
    """Put text between the lines `<!-- NAME -->` and `<!-- /NAME -->` of a Markdown file.

    Raises ValueError if the file has no such lines.
    """
    text, pattern = _marked(path, name)
    new = pattern.sub(lambda found: found[1] + content + found[2], text)
    write_whole(path, new.encode())


def require_marked(path: Path, name: str) -> None:
    """Raise the error that `replace_marked` would, for callers who want to know early."""
    _marked(path, name)
    require_writable(path)


def _marked(path: Path, name: str) -> tuple[str, re.Pattern[str]]:
    """Return the text of a file, and what finds the place between its markers."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not text in UTF-8: {error}") from error
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.S)
    if not pattern.search(text):
        raise ValueError(f"{path} has no markers <!-- {name} --> and <!-- /{name} -->")
    return text, pattern
