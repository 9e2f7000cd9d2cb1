import contextlib
import gzip
import hashlib
import http.client
import io
import signal
import socket
import socketserver
import struct
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from crosscheck.download import DownloadError, download
from crosscheck.reception import Lines, Reception, Request

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
        assert time.monotonic() - start < 3.0
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
PASSING = [
    (answer("500 Oh No"), "HTTP 500 Oh No"),
    (answer("429 Too Many"), "HTTP 429 Too Many"),
    (HALF, "ended after 20,000 of 51,200 bytes"),
    (CHUNKED, "ChunkedEncoding"),
    (reset, "reset by peer"),
    (both(HALF, reset), "reset by peer"),
]
FINAL = [
    (answer("404 Not Found", body=b"no such page"), "HTTP 404 Not Found"),
    (answer("403 Forbidden", LENGTH, body=CONTENT), "HTTP 403 Forbidden"),
    (answer("204 No Content"), "HTTP 204 No Content"),
    (answer("302 Found", "Location: http://example.invalid/"), "http://example.invalid/: not http"),
    (answer("302 Found", "Location: http://[/file"), "ValueError"),
    (answer("200 OK", LENGTH, body=CONTENT[::-1]), f"expected {SHA256} (51,200 bytes)"),
    (answer("200 OK", body=CONTENT[:-1]), hashlib.sha256(CONTENT[:-1]).hexdigest()),
    (answer("200 OK", "Content-Length: 51201"), "announces 51,201 bytes, the limit is 51,200"),
]


def test_a_good_answer_becomes_the_file(server: Server) -> None:
    with server.target.open("rb") as old:
        server.fetch(sha256=SHA256.upper())
        assert old.read() == OLD  # put aside, not written over
    assert only_file(server.target) == CONTENT
    (other := server.target.with_name("other")).touch()
    assert server.target.stat().st_mode == other.stat().st_mode  # as any file made here
    server.target = server.target.parent / "a" / "b" / "file.bin"  # folders are made
    server.fetch(server.url.replace("127.0.0.1", "localhost"))
    assert only_file(server.target) == CONTENT


@pytest.mark.parametrize(("fault", "saying"), PASSING)
def test_a_passing_fault_gets_more_attempts(server: Server, fault: Answer, saying: str) -> None:
    server.answers = [answer("502 Not The Last"), fault, fault, fault, GOOD]
    message = server.failure(attempts=2)
    assert saying in message
    assert "attempts made: 2" in message
    server.fetch(attempts=3)
    assert only_file(server.target) == CONTENT
    assert len(server.heads) == 5


@pytest.mark.parametrize(("fault", "saying"), FINAL)
def test_a_final_answer_is_not_asked_for_again(server: Server, fault: Answer, saying: str) -> None:
    server.answers = [fault, GOOD]
    message = server.failure()
    assert saying in message
    assert "attempts made: 1" in message
    assert len(server.heads) == 1


def test_a_body_of_unknown_length_is_cut_at_the_limit(server: Server) -> None:
    server.answers = [answer("200 OK", body=bytes(1 << 26))]
    assert "longer than the limit of 51,200 bytes" in server.failure()
    assert server.client_left.wait(2.0)


@pytest.mark.parametrize("begun", [bool, answer("200 OK"), HALF])
def test_a_silent_server_is_given_up(server: Server, begun: Answer) -> None:
    server.answers = [both(begun, lambda _: server.ended.wait())]
    assert "Read timed out" in server.failure(read_timeout=0.1, attempts=2)
    assert len(server.heads) == 2


@pytest.mark.parametrize(
    ("begun", "piece"), [(answer("200 OK"), b"x"), (HALF, b"x"), (CHUNKED, b"1\r\nx\r\n")]
)
def test_a_trickling_body_is_given_up(server: Server, begun: Answer, piece: bytes) -> None:
    server.answers = [both(begun, lambda connection: server.trickle(connection, piece))]
    assert "within 0.2 s (attempts made: 2)" in server.failure(total_timeout=0.2, attempts=2)
    assert server.client_left.wait(2.0)


def test_trickling_headers_are_given_up(server: Server) -> None:
    server.answers = [server.trickle]
    assert "not complete within 0.15 s" in server.failure(total_timeout=0.15, attempts=1)
    assert server.client_left.wait(2.0)


@pytest.mark.parametrize("host", ["localhost.invalid", "127.0.0.1.invalid", "10.0.0.1"])
def test_only_https_is_spoken(server: Server, host: str) -> None:
    for url in (f"http://{host}/", f"http://localhost@{host}/", f"ftp://{host}/", f"{host}/file"):
        assert f"refused to fetch {url}: not https (attempts made: 1)" in server.failure(url)


def test_redirects_are_followed_up_to_a_limit(server: Server) -> None:
    server.answers = [answer("302 Found", "Location: /elsewhere")]
    assert "more than 5 redirects" in server.failure()
    server.answers = [*server.answers * 8, GOOD]
    server.fetch()
    assert [head.split()[1] for head in server.heads[6:]] == ["/file", "/elsewhere", "/elsewhere"]


def test_https_never_leads_to_plain_http(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    moved = requests.Response()
    moved.status_code, moved.raw = 302, io.BytesIO()
    moved.headers["Location"] = server.url  # loopback, which is well only when asked for
    monkeypatch.setattr(requests.Session, "get", lambda *args, **options: moved)
    message = server.failure("https://127.0.0.1/file")
    assert f"refused to fetch {server.url}: not https" in message


def test_a_compressed_answer_is_measured_as_a_file(server: Server) -> None:
    body = gzip.compress(CONTENT)
    headers = (f"Content-Length: {len(body)}", "Content-Encoding: gzip")
    server.answers = [answer("200 OK", *headers, body=body)]
    server.fetch()
    assert only_file(server.target) == CONTENT
    assert "Accept-Encoding: identity" in server.heads[0]


def test_no_proxy_is_asked_for_this_machine(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"HTTP_PROXY": "http://127.0.0.1:9", "NO_PROXY": "", "no_proxy": ""}.items():
        monkeypatch.setenv(name, value)
    server.fetch()
    assert only_file(server.target) == CONTENT


def test_the_wait_between_attempts_doubles(server: Server) -> None:
    server.answers = [answer("500 Oh No")]
    start = time.monotonic()
    server.failure(backoff=0.05, attempts=4)
    assert 0.35 <= time.monotonic() - start < 1.5  # 0.05 + 0.1 + 0.2, and none after the last


def test_ctrl_c_ends_a_stalled_download(server: Server) -> None:
    def interrupt(_: socket.socket) -> None:
        time.sleep(0.1)  # until the main thread waits
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        server.ended.wait()

    server.answers = [both(HALF, interrupt)]
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a job of a shell has none
    try:
        with pytest.raises(KeyboardInterrupt):
            server.fetch()
    finally:
        signal.signal(signal.SIGINT, before)
    assert not downloading()
    assert only_file(server.target) == OLD


# What a faulty server can make a client hold

PACKED = gzip.compress(bytes(1 << 24), 1) * 8  # 128 MB when unpacked
PACKED_HEADERS = ("Content-Encoding: gzip", f"Content-Length: {len(PACKED)}")
LONG = b"x" * (1 << 20)


def endless(head: Answer, piece: bytes = LONG) -> Answer:
    """Send the piece again and again, 128 MB at most, until the client leaves."""
    return both(head, lambda c: [c.sendall(piece) for _ in range((1 << 27) // len(piece))])


@pytest.mark.parametrize(
    ("fault", "saying"),
    [
        (answer("302 Found", "Location: /", *PACKED_HEADERS, body=PACKED), "more than 5 redirects"),
        (endless(answer("302 Found", "Location: /")), "more than 5 redirects"),
        (endless(answer("404 Not Found")), "HTTP 404"),
        (endless(answer("200 OK")), "longer than the limit"),
        (answer("200 OK", *PACKED_HEADERS, body=PACKED), "longer than the limit"),
        (
            answer("200 OK", "Content-Encoding: gzip, gzip", body=PACKED),
            "packed the file as gzip, ",
        ),
        (endless(answer("200 OK", "Transfer-Encoding: chunked")), "ChunkedEncodingError"),
        (
            endless(answer("200 OK", "Transfer-Encoding: chunked", body=b"0\r\n")),
            "ChunkedEncodingError",
        ),
        (endless(bool), "LineTooLong"),
        (endless(lambda c: c.sendall(b"HTTP/1.1 200 OK\r\n"), b"a: b\r\n" * 4096), "headers"),
    ],
)
def test_memory_stays_small_whatever_the_server_sends(
    server: Server, fault: Answer, saying: str
) -> None:
    server.answers = [fault]
    tracemalloc.start()
    try:
        message = server.failure(attempts=1)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert saying in message
    assert peak < 20e6  # bytes; urllib3 before 2.6 unpacks a piece of 16 KiB at once


def test_no_line_is_read_beyond_a_limit() -> None:
    for read in (Lines.readline, next):
        assert read(Lines(io.BytesIO(b"5\r\nabcde"))) == b"5\r\n"
        with pytest.raises(http.client.LineTooLong):
            read(Lines(io.BytesIO(LONG)))


def test_pieces_wait_on_the_network_while_the_disk_is_slow(server: Server) -> None:
    server.answers = [endless(answer("200 OK"))]
    request = Request(server.url, SHA256, 1 << 30, (5.0, 5.0), 5.0)
    tracemalloc.start()
    try:
        with contextlib.closing(Reception(request)) as reception:
            next(reception.chunks())
            time.sleep(0.1)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 5e6
    assert not downloading()


def test_a_thread_that_connects_late_ends_at_once(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect, begun = socket.socket.connect, threading.Event()

    def late(self: socket.socket, address: Any) -> None:
        begun.set()
        time.sleep(0.1)
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", late)
    server.answers = [lambda _: server.ended.wait()]
    reception = Reception(Request(server.url, SHA256, 1, (5.0, 5.0), 5.0))
    assert begun.wait(2.0)
    reception.close()
    assert not downloading()


def test_what_a_killed_download_left_is_cleared(server: Server) -> None:
    server.target.with_name(f".{server.target.name}.0123abcd.part").write_bytes(CONTENT[:100])
    server.target.chmod(0o640)
    server.fetch()
    assert only_file(server.target) == CONTENT
    assert server.target.stat().st_mode & 0o777 == 0o640


def test_no_attempt_is_an_error_of_the_caller(server: Server) -> None:
    with pytest.raises(ValueError, match="attempts is 0, expected at least 1"):
        server.fetch(attempts=0)
