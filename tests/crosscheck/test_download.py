"""What is downloaded, from where, and how many attempts are made."""

import gzip
import hashlib
import io

import pytest
import requests
from support.server import (
    CHUNKED,
    CONTENT,
    GOOD,
    HALF,
    LENGTH,
    OLD,
    SHA256,
    Answer,
    Server,
    answer,
    both,
    only_file,
    reset,
)

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
    assert server.client_left.wait(10.0)


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


def test_what_a_killed_download_left_is_cleared(server: Server) -> None:
    server.target.with_name(f".{server.target.name}.0123abcd.part").write_bytes(CONTENT[:100])
    server.target.chmod(0o640)
    server.fetch()
    assert only_file(server.target) == CONTENT
    assert server.target.stat().st_mode & 0o777 == 0o640


def test_no_attempt_is_an_error_of_the_caller(server: Server) -> None:
    with pytest.raises(ValueError, match="attempts is 0, expected at least 1"):
        server.fetch(attempts=0)
