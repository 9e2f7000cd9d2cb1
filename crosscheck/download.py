"""Download one file whose sha256 is known beforehand, or say plainly why that failed.

The destination either keeps what it had or holds the whole verified file, never a part of it. Every
attempt ends: the network half runs in a thread of its own, and whoever waits for it has a deadline.
"""

import contextlib
import hashlib
import time
from pathlib import Path
from typing import BinaryIO

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from crosscheck.files import StrPath, replacing
from crosscheck.reception import BROKEN, WRONG_ADDRESS, AttemptError, Reception, Request


class DownloadError(OSError):
    """No verified file was obtained; the message says what happened last and what to do."""


def download(
    url: str,
    destination: StrPath,
    *,
    sha256: str,
    max_bytes: int,
    attempts: int = 3,
    connect_timeout: float = 10.0,
    read_timeout: float = 15.0,
    total_timeout: float = 120.0,
    backoff: float = 0.5,
    console: Console | None = None,
) -> None:
    """Fetch `url` into `destination`, whose folder is made if need be, and check its sha256.

    Only https is spoken, and plain http among loopback hosts. `max_bytes` caps the size.
    Timeouts are in seconds: to connect, between two pieces of data, and for one whole attempt.
    Connection errors, cut bodies, 5xx and 429 are tried `attempts` times in all, waiting
    `backoff`, 2 `backoff`, 4 `backoff`, ... seconds in between; other failures end it at once.
    A progress bar goes to `console` (default: stderr) when that is a terminal.

    Raises DownloadError when no verified file was obtained, ValueError when attempts < 1.
    """
    if attempts < 1:
        raise ValueError(f"download: attempts is {attempts}, expected at least 1")
    request = Request(url, sha256, max_bytes, (connect_timeout, read_timeout), total_timeout)
    console = Console(stderr=True) if console is None else console
    for attempt in range(1, attempts + 1):
        try:
            return _attempt(request, Path(destination), console)
        except AttemptError as error:
            if attempt == attempts or not error.retry:
                last = f"{error.what} (attempts made: {attempt}). {error.advice}"
                raise DownloadError(f"could not download {url}: {last}") from error
        time.sleep(backoff * 2 ** (attempt - 1))


def _attempt(request: Request, destination: Path, console: Console) -> None:
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        with replacing(destination) as file, contextlib.closing(Reception(request)) as reception:
            _copy(reception, file, request, console)
    except OSError as error:  # Only local ones: the network's arrive as AttemptError.
        what = f"cannot write {destination}: {error}"
        advice = f"Check that {destination.parent} is a writable folder with space left."
        raise AttemptError(what, advice, retry=False) from error


def _copy(source: Reception, file: BinaryIO, request: Request, console: Console) -> None:
    """Write what arrives to `file`; raise AttemptError unless it is the whole, right content."""
    digest = hashlib.sha256()
    received = 0
    columns = (TextColumn("downloading"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("download", total=None)
        for chunk in source.chunks():
            received += len(chunk)
            if received > request.max_bytes:
                what = f"the body is longer than the limit of {request.max_bytes:,} bytes"
                raise AttemptError(what, WRONG_ADDRESS, retry=False)
            digest.update(chunk)
            file.write(chunk)
            progress.update(task, completed=received, total=source.expected)
    if source.expected is not None and received != source.expected:
        what = f"the body ended after {received:,} of {source.expected:,} bytes"
        raise AttemptError(what, BROKEN, retry=True)
    if digest.hexdigest() != request.sha256.lower():
        what = f"sha256 is {digest.hexdigest()}, expected {request.sha256} ({received:,} bytes)"
        advice = "The file was changed upstream, or a proxy or login page answered in its place."
        raise AttemptError(what, advice, retry=False)
