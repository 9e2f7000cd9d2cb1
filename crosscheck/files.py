"""Files are written whole or not at all: plain bytes, JSON, and the marked places of a page."""

from __future__ import annotations

import errno
import json
import math
import os
import re
import secrets
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

try:
    import fcntl
except ImportError:  # on Windows
    fcntl = None  # type: ignore[assignment]

StrPath = str | os.PathLike[str]  # how a user may name a file


def write_whole(path: StrPath, content: bytes) -> None:
    """Write a file by way of a temporary one beside it: readers never see half of it.

    If the path is not a regular file (/dev/stdout, say), write to it and do not replace it; for the
    rest see `replacing`. Raises OSError that names `path`, and never the temporary file.
    """
    path = Path(path)
    with _blaming(path):
        if path.exists() and not path.is_file():
            path.write_bytes(content)
            return
        with replacing(path) as file:
            file.write(content)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Yield a new file, which takes the path's place if the block ends without an exception.

    A new file has the mode that the umask leaves; one that replaces another has the other's. A
    symbolic link stays, and what it leads to is replaced. Hard links part: the other names of the
    old file keep its content, since one rename, which no reader sees half done, moves one name.
    What killed runs have left beside the path is deleted.
    """
    path = Path(os.path.realpath(path))
    _clear_strays(path)
    file = _new_neighbour(path)
    temporary = Path(file.name)
    try:
        with file:
            yield file
            if path.exists():
                temporary.chmod(stat.S_IMODE(path.stat().st_mode))
        temporary.replace(path)
    finally:
        with suppress(OSError):  # Never hide the failure that is on its way out.
            temporary.unlink(missing_ok=True)


def _new_neighbour(path: Path) -> BinaryIO:
    """Open a new file beside the path. Whoever writes it holds its lock."""
    while True:
        file = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part").open("xb")
        _lock(file)
        if os.fstat(file.fileno()).st_nlink:  # else it was taken for a stray before it was locked
            return file
        file.close()


def _clear_strays(path: Path) -> None:
    """Delete the neighbours that nobody holds. Windows refuses to delete those that are open."""
    stray = re.compile(rf"\.{re.escape(path.name)}\.[0-9a-f]{{8}}\.part")
    try:
        neighbours = list(path.parent.iterdir())
    except OSError:  # a folder that may be written to and not listed
        return
    for neighbour in neighbours:
        if stray.fullmatch(neighbour.name) and neighbour.is_file():
            with suppress(OSError), neighbour.open("rb") as file:
                _lock(file, wait=False)
                if fcntl is None:
                    file.close()
                neighbour.unlink()


def _lock(file: BinaryIO, wait: bool = True) -> None:
    """Lock the file until it is closed. Raises OSError where another has it, and not wait."""
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)


def require_writable(path: StrPath) -> None:
    """Raise the OSError that `write_whole` would, for callers who want to know early."""
    path = Path(path)
    with _blaming(path):
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not path.exists() or path.is_file():
            tempfile.TemporaryFile(dir=Path(os.path.realpath(path)).parent).close()


def require_file(path: StrPath, who: str, expected: str) -> None:
    """Raise unless this is a file with something in it, that can be read.

    who: the function or option that begins the message. expected: what the file should be. Raises
    FileNotFoundError, other OSErrors, and ValueError for a folder and for an empty file.
    """
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"{who}: {path} is a folder, expected {expected}")
    if path.exists() and not path.is_file():
        return  # a pipe, say: what is read from it here would be missing later
    try:
        with path.open("rb") as file:
            is_empty = not file.read(1)
    except FileNotFoundError as error:
        message = f"{who}: {path}: no such file (seen from {Path.cwd()})"
        raise FileNotFoundError(message) from error
    except OSError as error:
        raise OSError(f"{who}: cannot read {path}: {error.strerror or error}") from error
    if is_empty:
        raise ValueError(f"{who}: {path} is empty, expected {expected}")


@contextmanager
def _blaming(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OSError(f"cannot write {path}: {error.strerror or error}") from error


def write_json(path: StrPath, content: dict[str, Any]) -> None:
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


def replace_marked(path: StrPath, name: str, content: str) -> None:
    """Put text between the lines `<!-- NAME -->` and `<!-- /NAME -->` of a Markdown file.

    Raises ValueError if the file has no such lines.
    """
    text, pattern = _marked(path, name)
    new = pattern.sub(lambda found: found[1] + content + found[2], text)
    write_whole(path, new.encode())


def require_marked(path: StrPath, name: str) -> None:
    """Raise the error that `replace_marked` would, for callers who want to know early."""
    _marked(path, name)
    require_writable(path)


def _marked(path: StrPath, name: str) -> tuple[str, re.Pattern[str]]:
    """Return the text of a file, and what finds the place between its markers."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not text in UTF-8: {error}") from error
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.S)
    if not pattern.search(text):
        raise ValueError(f"{path} has no markers <!-- {name} --> and <!-- /{name} -->")
    return text, pattern
