"""The texts themselves: a file that is named, the bundled excerpt, and the real corpus."""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path

import pytest

from crosscheck.corpus import CorpusError, load_corpus

EXCERPT = files("crosscheck").joinpath("excerpt.txt").read_bytes().decode()
REAL = os.environ.get("CROSSCHECK_CORPUS")


@pytest.fixture(autouse=True)
def no_corpus_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CROSSCHECK_CORPUS", raising=False)


@pytest.mark.parametrize("by_environment", [True, False])
@pytest.mark.parametrize(
    ("content", "saying"),
    [
        (None, "no such file"),
        (b"", "the file is empty"),
        ("Fußnote".encode("latin-1"), r"not UTF-8, byte 2 is 0xdf .*probably Latin-1"),
        (b"caf\xe9 ol\xe9", r"not UTF-8, byte 3 is 0xe9 .*probably Latin-1"),
        ("Fuß".encode("utf-16"), r"byte 0 is 0xf[ef] .*looks like UTF-16"),
        ("Fuß".encode()[:-1], r"byte 2 is 0xc3 .*cut in the middle"),
        (b"\x7fELF\x02\x00\x00\x90", r"byte 7 is 0x90 .*binary file"),
    ],
)
def test_an_unusable_named_file_is_an_error(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    content: bytes | None,
    saying: str,
    by_environment: bool,
) -> None:
    path = tmp_path / "named.txt"
    if content is not None:
        path.write_bytes(content)
    if by_environment:
        monkeypatch.setenv("CROSSCHECK_CORPUS", str(path))
    with pytest.raises(CorpusError, match=saying) as caught:
        load_corpus(None if by_environment else path)
    assert str(path) in str(caught.value)


def test_a_directory_is_not_a_corpus(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="it is a directory"):
        load_corpus(tmp_path)


def test_the_excerpt_is_a_whole_number_of_speeches() -> None:
    assert 6_000 <= len(EXCERPT) <= 10_000
    assert EXCERPT.startswith("First Citizen:\nBefore we proceed any further, hear me speak.\n")
    assert EXCERPT.endswith(".\n")
    assert "\r" not in EXCERPT
    for speech in EXCERPT.rstrip("\n").split("\n\n"):
        assert speech.split("\n")[0].endswith(":"), speech


@pytest.mark.skipif(not REAL, reason="CROSSCHECK_CORPUS names no file")
def test_the_real_corpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSCHECK_CORPUS", str(REAL))
    loaded = load_corpus()
    assert loaded.complete
    assert len(loaded.text.encode()) == 1_115_394
    assert len(set(loaded.text)) == 65
    assert loaded.text.startswith(EXCERPT + "\n")
