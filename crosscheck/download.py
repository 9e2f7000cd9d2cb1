"""Download one file whose sha256 is known beforehand, or say plainly why that failed.

The destination either keeps what it had or holds the whole verified file, never a part of it. Every
attempt ends: the network half runs in a thread of its own, and whoever waits for it has a deadline.
"""

import contextlib
import hashlib
import ipaddress
import queue
import secrets
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urljoin, urlsplit

import requests
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

_CHUNK_BYTES = 1 << 14
_MAX_REDIRECTS = 5
_WRONG_ADDRESS = "Check the address: the file may have moved, or be another than expected."
_BROKEN = "The connection broke half-way: try again later."
_SLOW = "The server or the network is too slow: try again later."
# Failures worth another attempt, and what to do when the last one fails too; first match counts.
_TRANSIENT: dict[type[Exception], str] = {
    requests.exceptions.SSLError: "A proxy's own certificate goes into REQUESTS_CA_BUNDLE.",
    requests.exceptions.ProxyError: "The proxy did not answer: check HTTPS_PROXY and NO_PROXY.",
    requests.Timeout: _SLOW,
    requests.ConnectionError: "The network is down, or a firewall is in the way: check both.",
    requests.exceptions.ChunkedEncodingError: _BROKEN,
}


class DownloadError(OSError):
    """No verified file was obtained; the message says what happened last and what to do."""


class _AttemptError(Exception):
    """One attempt failed."""

    def __init__(self, what: str, advice: str, *, retry: bool) -> None:
        super().__init__(what)
        # What happened, what the reader can do, and whether another attempt may succeed.
        self.what, self.advice, self.retry = what, advice, retry


@dataclass(frozen=True)
class _Request:
    url: str
    sha256: str  # of the whole file, in hexadecimal
    max_bytes: int  # the largest size that is accepted
    timeouts: tuple[float, float]  # in seconds, to connect and between two pieces of data
    total_timeout: float  # in seconds, for one whole attempt


def download(
    url: str,
    destination: Path,
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
    request = _Request(url, sha256, max_bytes, (connect_timeout, read_timeout), total_timeout)
    console = Console(stderr=True) if console is None else console
    for attempt in range(1, attempts + 1):
        try:
            return _attempt(request, destination, console)
        except _AttemptError as error:
            if attempt == attempts or not error.retry:
                last = f"{error.what} (attempts made: {attempt}). {error.advice}"
                raise DownloadError(f"could not download {url}: {last}") from error
        time.sleep(backoff * 2 ** (attempt - 1))


def _attempt(request: _Request, destination: Path, console: Console) -> None:
    """Try once. The temporary file is a neighbour, so that replacing is one atomic rename."""
    # Not tempfile: its files are private (mode 0600), and a cache may be shared.
    partial = destination.with_name(f".{destination.name}.{secrets.token_hex(4)}.part")
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("xb") as file, contextlib.closing(_Reception(request)) as reception:
            _copy(reception, file, request, console)
        partial.replace(destination)
    except OSError as error:  # Only local ones: the network's arrive as _AttemptError.
        what = f"cannot write {destination}: {error}"
        advice = f"Check that {destination.parent} is a writable folder with space left."
        raise _AttemptError(what, advice, retry=False) from error
    finally:
        with contextlib.suppress(OSError):  # Never hide the failure that is on its way out.
            partial.unlink(missing_ok=True)


def _copy(source: "_Reception", file: BinaryIO, request: _Request, console: Console) -> None:
    """Write what arrives to `file`; raise _AttemptError unless it is the whole, right content."""
    digest = hashlib.sha256()
    received = 0
    columns = (TextColumn("downloading"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("download", total=None)
        for chunk in source.chunks():
            received += len(chunk)
            if received > request.max_bytes:
                what = f"the body is longer than the limit of {request.max_bytes:,} bytes"
                raise _AttemptError(what, _WRONG_ADDRESS, retry=False)
            digest.update(chunk)
            file.write(chunk)
            progress.update(task, completed=received, total=source.expected)
    if source.expected is not None and received != source.expected:
        what = f"the body ended after {received:,} of {source.expected:,} bytes"
        raise _AttemptError(what, _BROKEN, retry=True)
    if digest.hexdigest() != request.sha256.lower():
        what = f"sha256 is {digest.hexdigest()}, expected {request.sha256} ({received:,} bytes)"
        advice = "The file was changed upstream, or a proxy or login page answered in its place."
        raise _AttemptError(what, advice, retry=False)


class _Reception:
    """The network half of one attempt, in a daemon thread.

    requests bounds the wait for each next piece of data, never the whole: name resolution, and a
    server that trickles headers or a body byte by byte, pass under every timeout it knows. So the
    waiting side has the deadline, and stays open to Ctrl-C, whatever the thread is blocked on.
    """

    def __init__(self, request: _Request) -> None:
        self.expected: int | None = None  # the body's length in bytes, once announced
        self._request = request  # what to fetch, and how long that may take
        self._deadline = time.monotonic() + request.total_timeout  # for the whole attempt
        # Pieces of the body as they come, then None; or the exception that ended it.
        self._items: queue.SimpleQueue[bytes | Exception | None] = queue.SimpleQueue()
        self._abandoned = threading.Event()  # set once nobody waits any longer
        self._response: requests.Response | None = None  # the answer, once there is one
        self._thread = threading.Thread(target=self._receive, name="download", daemon=True)
        self._thread.start()

    def chunks(self) -> Iterator[bytes]:
        """Yield the body as it comes; raise _AttemptError at the deadline and on any failure."""
        while True:
            try:
                item = self._items.get(timeout=self._deadline - time.monotonic())
            except (queue.Empty, ValueError):  # ValueError: negative, so even with pieces waiting
                what = f"not complete within {self._request.total_timeout:g} s"
                raise _AttemptError(what, _SLOW, retry=True) from None
            if item is None:
                return
            if isinstance(item, Exception):
                raise _explained(item) from item
            yield item

    def close(self) -> None:
        """Let go of the thread; one that still waits for a body is woken and ends now."""
        self._abandoned.set()
        if self._response is not None:
            # Closing would wait for the read in progress; a shutdown (urllib3 >= 2.3) ends it.
            with contextlib.suppress(AttributeError, OSError, RuntimeError, ValueError):
                self._response.raw.shutdown()
        self._thread.join(0.2)  # long enough for the thread that was woken, short for Ctrl-C

    def _receive(self) -> None:
        try:
            with requests.Session() as session, _open(session, self._request) as response:
                self.expected = _announced_length(response, self._request.max_bytes)
                self._response = response
                if self._abandoned.is_set():  # close() came before there was one to shut down
                    return
                for chunk in response.iter_content(_CHUNK_BYTES):
                    if self._abandoned.is_set():
                        return
                    self._items.put(chunk)
            self._items.put(None)
        except Exception as error:  # handed over: it is the waiting side that raises
            self._items.put(error)


def _open(session: requests.Session, request: _Request) -> requests.Response:
    """Follow the redirects, each checked before it is followed, to the final answer."""
    url = request.url
    session.headers["Accept-Encoding"] = "identity"  # Content-Length is then the file's own size
    for _ in range(_MAX_REDIRECTS + 1):
        local = _is_local(url)
        if not (urlsplit(url).scheme == "https" or (local and _is_local(request.url))):
            advice = "Give an https address: plain http can be read and altered on the way."
            raise _AttemptError(f"refused to fetch {url}: not https", advice, retry=False)
        session.trust_env = not local  # a proxy's loopback is another machine's
        response = session.get(url, stream=True, allow_redirects=False, timeout=request.timeouts)
        target = session.get_redirect_target(response)
        if target is None:
            return response
        response.close()
        url = urljoin(url, target)
    raise _AttemptError(f"more than {_MAX_REDIRECTS} redirects", _WRONG_ADDRESS, retry=False)


def _is_local(url: str) -> bool:
    """Whether `url` is plain http to this very machine."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    with contextlib.suppress(ValueError):  # a name, not an address
        return parts.scheme == "http" and ipaddress.ip_address(host).is_loopback
    return parts.scheme == "http" and host == "localhost"


def _announced_length(response: requests.Response, max_bytes: int) -> int | None:
    """Return the file's size in bytes if the server tells it; raise on an error answer."""
    if (status := response.status_code) != requests.codes.ok:
        busy = status >= 500 or status == requests.codes.too_many_requests
        advice = "The server is in trouble: try again later." if busy else _WRONG_ADDRESS
        raise _AttemptError(f"HTTP {status} {response.reason}", advice, retry=busy)
    length = response.headers.get("Content-Length", "")
    if not length.isdecimal() or response.headers.get("Content-Encoding", "identity") != "identity":
        return None
    if int(length) > max_bytes:
        what = f"the server announces {int(length):,} bytes, the limit is {max_bytes:,}"
        raise _AttemptError(what, _WRONG_ADDRESS, retry=False)
    # urllib3 2 complains of a short body by itself, urllib3 1 does not: one judge, one message.
    response.raw.enforce_content_length = False
    return int(length)


def _explained(error: Exception) -> _AttemptError:
    """Put an exception of the network thread in the terms of an attempt."""
    if isinstance(error, _AttemptError):
        return error
    advice = next((text for kind, text in _TRANSIENT.items() if isinstance(error, kind)), None)
    # urllib3 wraps the reason in its own count of attempts, which is always one.
    reason = getattr(next(iter(error.args), None), "reason", None) or error
    what = f"{type(reason).__name__}: {reason}"
    return _AttemptError(what, advice or _WRONG_ADDRESS, retry=advice is not None)
