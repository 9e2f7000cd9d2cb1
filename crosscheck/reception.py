"""The network half of a download: one attempt, in a thread that does not outlive it.

Memory is bounded, whatever the server sends: a redirect's body is not read, lines have a limit, and
pieces that nobody has taken yet hold the thread up.
"""

import contextlib
import http.client
import io
import ipaddress
import queue
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter

_CHUNK_BYTES = 1 << 14
_WAITING = 8  # pieces that may wait to be taken
_LINE_BYTES = 1 << 16  # of a line among the headers or between chunks, as http.client has it
_MAX_REDIRECTS = 5
WRONG_ADDRESS = "Check the address: the file may have moved, or be another than expected."
BROKEN = "The connection broke half-way: try again later."
_SLOW = "The server or the network is too slow: try again later."
# Failures worth another attempt, and what to do when the last one fails too; first match counts.
_TRANSIENT: dict[type[Exception], str] = {
    requests.exceptions.SSLError: "A proxy's own certificate goes into REQUESTS_CA_BUNDLE.",
    requests.exceptions.ProxyError: "The proxy did not answer: check HTTPS_PROXY and NO_PROXY.",
    requests.Timeout: _SLOW,
    requests.ConnectionError: "The network is down, or a firewall is in the way: check both.",
    requests.exceptions.ChunkedEncodingError: BROKEN,
}


class AttemptError(Exception):
    """One attempt failed."""

    def __init__(self, what: str, advice: str, *, retry: bool) -> None:
        super().__init__(what)
        # What happened, what the reader can do, and whether another attempt may succeed.
        self.what, self.advice, self.retry = what, advice, retry


@dataclass(frozen=True)
class Request:
    """What one attempt is asked for."""

    url: str
    sha256: str  # of the whole file, in hexadecimal
    max_bytes: int  # the largest size that is accepted
    timeouts: tuple[float, float]  # in seconds, to connect and between two pieces of data
    total_timeout: float  # in seconds, for one whole attempt


class Reception:
    """What arrives in one attempt. Its thread ends with `close`, at whatever it waits for.

    requests bounds the wait for each next piece of data, never the whole: a server that trickles
    headers or a body byte by byte passes under every timeout it knows. So the waiting side has the
    deadline, stays open to Ctrl-C, and shuts the connections down. Only the lookup of a name and
    the wait for a connection cannot be cut short: the thread, a daemon, ends right after them.
    """

    def __init__(self, request: Request) -> None:
        self.expected: int | None = None  # the body's length in bytes, once announced
        self._request = request  # what to fetch, and how long that may take
        self._deadline = time.monotonic() + request.total_timeout  # for the whole attempt
        # Pieces of the body as they come, then None; or the exception that ended it.
        self._items: queue.Queue[bytes | Exception | None] = queue.Queue(_WAITING)
        self._abandoned = threading.Event()  # set once nobody waits any longer
        self._connections: list[socket.socket] = []  # second handles, to shut them down by
        self._thread = threading.Thread(target=self._receive, name="download", daemon=True)
        self._thread.start()

    def chunks(self) -> Iterator[bytes]:
        """Yield the body as it comes; raise AttemptError at the deadline and on any failure."""
        while True:
            try:
                item = self._items.get(timeout=self._deadline - time.monotonic())
            except (queue.Empty, ValueError):  # ValueError: negative, so even with pieces waiting
                what = f"not complete within {self._request.total_timeout:g} s"
                raise AttemptError(what, _SLOW, retry=True) from None
            if item is None:
                return
            if isinstance(item, Exception):
                raise _explained(item) from item
            yield item

    def close(self) -> None:
        """End the thread: whatever it reads ends, and whatever it has read is dropped."""
        self._abandoned.set()
        for connection in self._connections:
            _shut_down(connection)
        self._thread.join(1.0)  # one that looks up a name ends later
        if not self._thread.is_alive():
            for connection in self._connections:
                connection.close()

    def _connected(self, connection: socket.socket) -> None:
        # A duplicate, because a TLS socket takes the first handle over.
        self._connections.append(duplicate := connection.dup())
        if self._abandoned.is_set():  # close() came before there was one to shut down
            _shut_down(duplicate)

    def _receive(self) -> None:
        try:
            with _Session(self._connected) as session, _open(session, self._request) as response:
                self.expected = _announced_length(response, self._request.max_bytes)
                for chunk in response.iter_content(_CHUNK_BYTES):
                    if not self._hand_over(chunk):
                        return
            self._hand_over(None)
        except Exception as error:  # handed over: it is the waiting side that raises
            self._hand_over(error)
        finally:
            if self._abandoned.is_set():  # also when close() did not wait for it
                for connection in self._connections:
                    connection.close()

    def _hand_over(self, item: bytes | Exception | None) -> bool:
        """Wait for room and put the item there; return whether anybody still wants it."""
        while not self._abandoned.is_set():
            with contextlib.suppress(queue.Full):
                self._items.put(item, timeout=0.05)
                return True
        return False


def _shut_down(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it is closed, or was never more than half open
        # Closing then resets the connection. After a plain shutdown a server whose data nobody has
        # read may be told that there is no room at the moment, and wait for a minute or two.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RDWR)


class _Session(requests.Session):
    """A session that tells of its connections, bounds their lines and reads no redirect."""

    def __init__(self, connected: Callable[[socket.socket], None]) -> None:
        super().__init__()
        self.headers["Accept-Encoding"] = "identity"  # Content-Length is then the file's own size
        self.mount("http://", _Adapter(connected))
        self.mount("https://", _Adapter(connected))

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Know of no redirect: requests would read, and unpack, the whole body of one."""

    def next_target(self, response: requests.Response) -> str | None:
        """Return where a redirect leads, or None."""
        return super().get_redirect_target(response)


class _Adapter(HTTPAdapter):
    """Connects as requests does, with the connections that `_Session` speaks of."""

    def __init__(self, connected: Callable[[socket.socket], None]) -> None:
        self._connected = connected
        super().__init__()

    def get_connection_with_tls_context(self, *args: Any, **options: Any) -> Any:
        """Return the pool for a request, whose connections are told of."""
        pool: Any = super().get_connection_with_tls_context(*args, **options)
        kind, connected = type(pool).ConnectionCls, self._connected  # the class's: pools are kept

        class Connection(kind):  # type: ignore[misc, valid-type]
            response_class = _Response

            def _new_conn(self) -> socket.socket:
                made: socket.socket = super()._new_conn()
                connected(made)
                return made

        pool.ConnectionCls = Connection
        return pool


class _Response(http.client.HTTPResponse):
    """An answer whose lines all have a limit; older urllib3 sets none between chunks."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fp: Any = Lines(self.fp.detach())


class Lines(io.BufferedReader):
    """What an answer is read from. A line of any length may be asked for, and is not read."""

    def readline(self, size: int | None = -1, /) -> bytes:
        """Return the next line, or size bytes of it; raise LineTooLong if neither ends it."""
        if size is not None and size >= 0:
            return super().readline(size)
        line = super().readline(_LINE_BYTES)
        if len(line) == _LINE_BYTES:
            raise http.client.LineTooLong("chunk")
        return line


def _open(session: _Session, request: Request) -> requests.Response:
    """Follow the redirects, each checked before it is followed, to the final answer."""
    url = request.url
    for _ in range(_MAX_REDIRECTS + 1):
        local = _is_local(url)
        if not (urlsplit(url).scheme == "https" or (local and _is_local(request.url))):
            advice = "Give an https address: plain http can be read and altered on the way."
            raise AttemptError(f"refused to fetch {url}: not https", advice, retry=False)
        session.trust_env = not local  # a proxy's loopback is another machine's
        response = session.get(url, stream=True, allow_redirects=False, timeout=request.timeouts)
        target = session.next_target(response)
        if target is None:
            return response
        response.close()
        url = urljoin(url, target)
    raise AttemptError(f"more than {_MAX_REDIRECTS} redirects", WRONG_ADDRESS, retry=False)


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
        advice = "The server is in trouble: try again later." if busy else WRONG_ADDRESS
        raise AttemptError(f"HTTP {status} {response.reason}", advice, retry=busy)
    length = response.headers.get("Content-Length", "")
    encoding = response.headers.get("Content-Encoding", "identity")
    if "," in encoding:  # packed in one layer, a piece grows a thousandfold; in two, a millionfold
        what = f"the server packed the file as {encoding}, and was asked for it as it is"
        raise AttemptError(what, WRONG_ADDRESS, retry=False)
    if not length.isdecimal() or encoding != "identity":
        return None
    if int(length) > max_bytes:
        what = f"the server announces {int(length):,} bytes, the limit is {max_bytes:,}"
        raise AttemptError(what, WRONG_ADDRESS, retry=False)
    # urllib3 2 complains of a short body by itself, urllib3 1 does not: one judge, one message.
    response.raw.enforce_content_length = False
    return int(length)


def _explained(error: Exception) -> AttemptError:
    """Put an exception of the network thread in the terms of an attempt."""
    if isinstance(error, AttemptError):
        return error
    advice = next((text for kind, text in _TRANSIENT.items() if isinstance(error, kind)), None)
    # urllib3 wraps the reason in its own count of attempts, which is always one.
    reason = getattr(next(iter(error.args), None), "reason", None) or error
    what = f"{type(reason).__name__}: {reason}"
    return AttemptError(what, advice or WRONG_ADDRESS, retry=advice is not None)
