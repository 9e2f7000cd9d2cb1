import hashlib
import http.server
import io
import socket
import threading
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import platformdirs
import pytest
from rich.console import Console

from crosscheck import corpus
from crosscheck.corpus import Corpus, default_cache_directory, load_corpus

TEXT = "Fußnote:\r\nno newline is translated\n" * 100
SHA256 = hashlib.sha256(TEXT.encode()).hexdigest()
SIZE = len(TEXT.encode())
EXCERPT = files("crosscheck").joinpath("excerpt.txt").read_bytes().decode()


class Upstream(http.server.ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.url = f"http://127.0.0.1:{self.server_address[1]}/input.txt"
        self.content = TEXT.encode()
        self.requests = 0

    def load(self, cache: Path, **options: Any) -> Corpus:
        options |= {"sha256": SHA256, "max_bytes": SIZE, "attempts": 1}
        return load_corpus(url=self.url, cache_directory=cache, **options)


class Request(http.server.BaseHTTPRequestHandler):
    server: Upstream

    def do_GET(self) -> None:
        self.server.requests += 1
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.server.content)))
        self.end_headers()
        self.wfile.write(self.server.content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        yield server
        server.shutdown()


@pytest.fixture(autouse=True)
def no_corpus_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CROSSCHECK_CORPUS", raising=False)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "data"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_download_is_kept_and_then_used(upstream: Upstream, cache: Path) -> None:
    assert upstream.load(cache) == Corpus(TEXT, f"downloaded from {upstream.url}", True)
    assert names(cache) == ["tiny_shakespeare.txt"]
    again = upstream.load(cache)
    assert again == Corpus(TEXT, f"cached copy {Path('data/tiny_shakespeare.txt')}", True)
    assert upstream.requests == 1


def test_the_cached_copy_is_shown_in_full_from_elsewhere(
    upstream: Upstream, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream.load(cache)
    (cache.parent / "elsewhere").mkdir()
    monkeypatch.chdir(cache.parent / "elsewhere")
    assert upstream.load(cache).source == f"cached copy {cache / 'tiny_shakespeare.txt'}"


@pytest.mark.parametrize("damaged", [TEXT.encode()[:-1], TEXT.encode().replace(b"\r", b""), b""])
def test_a_corrupt_cached_copy_is_replaced(upstream: Upstream, cache: Path, damaged: bytes) -> None:
    cached = cache / "tiny_shakespeare.txt"
    cache.mkdir()
    cached.write_bytes(damaged)
    loaded = upstream.load(cache)
    assert loaded.text == TEXT
    assert loaded.complete
    found = hashlib.sha256(damaged).hexdigest()
    said = f"the cached copy data/tiny_shakespeare.txt was corrupt: {len(damaged):,} bytes, sha256"
    assert loaded.source == f"downloaded from {upstream.url}"
    assert loaded.note == f"{said} {found}"
    assert cached.read_bytes() == TEXT.encode()
    assert upstream.load(cache).source.startswith("cached copy ")


def test_without_a_network_the_excerpt_stands_in(upstream: Upstream, cache: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        upstream.url = f"http://127.0.0.1:{listener.getsockname()[1]}/input.txt"
    loaded = upstream.load(cache)
    assert loaded.text == EXCERPT
    assert not loaded.complete
    assert loaded.source == (
        "bundled excerpt, NOT Tiny Shakespeare (download failed: NewConnectionError: ...; "
        "name a file of your own)"
    )
    assert loaded.note.startswith(f"could not download {upstream.url}: NewConnectionError: ")
    assert "Connection refused" in loaded.note
    assert "Max retries" not in loaded.note  # urllib3's own words for one attempt
    assert "attempts made: 1" in loaded.note
    assert names(cache) == []


def test_a_wrong_download_is_neither_used_nor_kept(upstream: Upstream, cache: Path) -> None:
    upstream.content = TEXT.encode()[::-1]
    cache.mkdir()
    (cache / "tiny_shakespeare.txt").write_bytes(b"corrupt")
    loaded = upstream.load(cache)
    assert (loaded.text, loaded.complete) == (EXCERPT, False)
    assert loaded.source.startswith(
        "bundled excerpt, NOT Tiny Shakespeare (download failed: sha256 "
    )
    assert loaded.note.startswith("the cached copy data/tiny_shakespeare.txt was corrupt: 7 bytes")
    assert f"expected {SHA256}" in loaded.note
    assert (cache / "tiny_shakespeare.txt").read_bytes() == b"corrupt"
    upstream.content += b"!"
    assert f"announces {SIZE + 1:,} bytes, the limit is {SIZE:,}" in upstream.load(cache).note


def test_a_cache_that_cannot_be_written_is_said(upstream: Upstream, cache: Path) -> None:
    cache.write_bytes(b"a file where the folder should be")
    loaded = upstream.load(cache)
    assert (loaded.text, loaded.complete) == (EXCERPT, False)
    assert "(download failed: cannot write " in loaded.source
    assert f"cannot write {cache / 'tiny_shakespeare.txt'}: " in loaded.note
    cache.unlink()
    (cache / "tiny_shakespeare.txt").mkdir(parents=True)
    loaded = upstream.load(cache)
    assert (loaded.text, loaded.complete) == (EXCERPT, False)
    assert "could not be read: Is a directory; could not download" in loaded.note
    assert names(cache) == ["tiny_shakespeare.txt"]


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_is_shown_on_a_terminal_only(
    upstream: Upstream, cache: Path, terminal: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    screen = io.StringIO()
    upstream.load(cache, console=Console(file=screen, force_terminal=terminal))
    assert ("3.6/3.6 kB" in screen.getvalue()) is terminal
    assert bool(screen.getvalue()) is terminal
    (cache / "tiny_shakespeare.txt").unlink()
    upstream.load(cache)
    assert capfd.readouterr() == ("", "")


def test_a_named_file_comes_first(
    upstream: Upstream, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream.load(cache)
    option, named = cache / "option.txt", cache / "named.txt"
    option.write_bytes(b"from the option\r\n")
    named.write_bytes(b"from the environment")
    monkeypatch.setenv("CROSSCHECK_CORPUS", str(named))
    source = f"file {named} (named by CROSSCHECK_CORPUS)"
    assert upstream.load(cache) == Corpus("from the environment", source, False)
    assert load_corpus(option) == Corpus("from the option\r\n", f"file {option}", False)
    option.write_bytes(TEXT.encode())
    assert load_corpus(option, sha256=SHA256).complete
    assert not load_corpus(option).complete
    monkeypatch.setenv("CROSSCHECK_CORPUS", "")
    assert upstream.load(cache).source.startswith("cached copy ")


def test_the_cache_is_in_the_checkout_or_with_the_user(tmp_path: Path) -> None:
    package = tmp_path / "crosscheck"
    installed = platformdirs.user_cache_path("tinygrad-tf", appauthor=False)
    assert default_cache_directory(package) == installed
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "a project that vendors us"\n')
    assert default_cache_directory(package) == installed
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "tinygrad-tf"\n')
    assert default_cache_directory(package) == tmp_path / "data"


def test_the_default_cache_is_used(
    upstream: Upstream, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corpus, "default_cache_directory", lambda: cache)
    load_corpus(url=upstream.url, sha256=SHA256)
    assert names(cache) == ["tiny_shakespeare.txt"]


def test_where_nothing_can_be_written_the_users_cache_serves(
    upstream: Upstream, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.write_bytes(b"a file where the folder should be")
    users = cache.parent / "home" / "cache"
    monkeypatch.setattr(corpus, "default_cache_directory", lambda: cache)
    monkeypatch.setattr(corpus, "user_cache_path", lambda *_, **__: users)
    first = load_corpus(url=upstream.url, sha256=SHA256)
    assert first == Corpus(TEXT, f"downloaded from {upstream.url}", True)
    again = load_corpus(url=upstream.url, sha256=SHA256)
    assert again == Corpus(TEXT, "cached copy home/cache/tiny_shakespeare.txt", True)
    assert (upstream.requests, names(users)) == (1, ["tiny_shakespeare.txt"])


def test_a_copy_that_cannot_be_replaced_is_used(
    upstream: Upstream, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream.load(cache)
    monkeypatch.setattr(corpus, "default_cache_directory", lambda: cache)
    monkeypatch.setattr(corpus, "_is_writable", lambda _: False)
    assert load_corpus(url=upstream.url, sha256=SHA256).source.startswith("cached copy data")
