"""How long a download waits, and how much memory it holds, whatever the server sends."""

import contextlib
import gzip
import http.client
import io
import signal
import socket
import threading
import time
import tracemalloc
from typing import Any

import pytest
from support.server import (
    CHUNKED,
    HALF,
    OLD,
    SHA256,
    Answer,
    Server,
    answer,
    both,
    downloading,
    only_file,
)

from crosscheck.reception import Lines, Reception, Request


@pytest.mark.parametrize("begun", [bool, answer("200 OK"), HALF])
def test_a_silent_server_is_given_up(server: Server, begun: Answer) -> None:
    server.answers = [both(begun, lambda _: server.ended.wait())]
    assert "Read timed out" in server.failure(read_timeout=0.4, attempts=2)
    assert len(server.heads) == 2


@pytest.mark.parametrize(
    ("begun", "piece"), [(answer("200 OK"), b"x"), (HALF, b"x"), (CHUNKED, b"1\r\nx\r\n")]
)
def test_a_trickling_body_is_given_up(server: Server, begun: Answer, piece: bytes) -> None:
    server.answers = [both(begun, lambda connection: server.trickle(connection, piece))]
    assert "within 0.2 s (attempts made: 2)" in server.failure(total_timeout=0.2, attempts=2)
    assert server.client_left.wait(10.0)


def test_trickling_headers_are_given_up(server: Server) -> None:
    server.answers = [server.trickle]
    assert "not complete within 0.15 s" in server.failure(total_timeout=0.15, attempts=1)
    assert server.client_left.wait(10.0)


def test_the_wait_between_attempts_doubles(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    server.answers = [answer("500 Oh No")]
    server.failure(backoff=0.05, attempts=4)
    assert waits == [0.05, 0.1, 0.2]  # and none after the last


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
    assert begun.wait(10.0)
    reception.close()
    assert not downloading()
