"""A server on this machine that answers as it is told, for tests of downloads."""

import hashlib
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from crosscheck.download import DownloadError, download

CONTENT = bytes(range(256)) * 200
SHA256 = hashlib.sha256(CONTENT).hexdigest()
OLD = b"what the destination held before"
LENGTH = f"Content-Length: {len(CONTENT)}"

Answer = Callable[[socket.socket], object]


class Server(socketserver.ThreadingTCPServer):
    """Answers the nth request with the nth answer, and with the last one from there on."""

    daemon_threads = True

    def __init__(self, target: Path) -> None:
        super().__init__(("127.0.0.1", 0), Connection)
        self.url = f"http://127.0.0.1:{self.server_address[1]}/file"
        self.target = target
        self.answers: list[Answer] = [GOOD]
        self.heads: list[str] = []
        self.ended = threading.Event()
        self.client_left = threading.Event()

    def handle_error(self, *_: object) -> None:
        self.client_left.set()  # sending failed

    def trickle(self, connection: socket.socket, piece: bytes = b"x") -> None:
        for _ in range(150):
            self.ended.wait(0.02)
            connection.sendall(piece)

    def fetch(self, url: str = "", **options: Any) -> None:
        quick = {"backoff": 0.0, "total_timeout": 10.0, "max_bytes": 51_200, "sha256": SHA256}
        download(url or self.url, self.target, **{**quick, **options})

    def failure(self, url: str = "", **options: Any) -> str:
        """The message, once it is sure that only the old file is left, no thread, no time lost."""
        start = time.monotonic()
        with pytest.raises(DownloadError) as caught:
            self.fetch(url, **options)
        assert time.monotonic() - start < 8.0  # nor waited for the 10 s of `fetch`
        assert not downloading()
        assert only_file(self.target) == OLD
        assert str(caught.value).startswith(f"could not download {url or self.url}: ")
        return str(caught.value)


class Connection(socketserver.StreamRequestHandler):
    server: Server

    def handle(self) -> None:
        self.server.heads.append(b"".join(iter(self.rfile.readline, b"\r\n")).decode())
        position = min(len(self.server.heads), len(self.server.answers)) - 1
        self.server.answers[position](self.request)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    (tmp_path / "file.bin").write_bytes(OLD)
    with Server(tmp_path / "file.bin") as server:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        yield server
        server.ended.set()
        server.shutdown()


def downloading() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "download"]


def only_file(path: Path) -> bytes:
    assert list(path.parent.iterdir()) == [path]
    return path.read_bytes()


def answer(status: str, *headers: str, body: bytes = b"") -> Answer:
    head = "\r\n".join([f"HTTP/1.1 {status}", "Connection: close", *headers, "", ""])
    return lambda connection: connection.sendall(head.encode() + body)


def both(first: Answer, second: Answer) -> Answer:
    return lambda connection: (first(connection), second(connection))


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


GOOD = answer("200 OK", LENGTH, body=CONTENT)
HALF = answer("200 OK", LENGTH, body=CONTENT[:20_000])
CHUNKED = answer("200 OK", "Transfer-Encoding: chunked", body=b"5\r\nabcde\r\n")
