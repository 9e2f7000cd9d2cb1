"""The text both models are run on, and a plain word on where it came from.

First of: a file the caller names, a file the environment names, the cached copy, a download, and
an excerpt that travels with the package, so that a first run works without a network too.
"""

import hashlib
import os
import tempfile
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from textwrap import shorten

from platformdirs import user_cache_path
from rich.console import Console

from crosscheck.files import StrPath

CORPUS_VARIABLE = "CROSSCHECK_CORPUS"
CORPUS_URL = (
    "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"
)
CORPUS_SHA256 = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"
CORPUS_BYTES = 1_115_394
CACHE_NAME = "tiny_shakespeare.txt"
REASON_LENGTH = 40  # characters of the reason for a failed download in `source`; `note` has all


class CorpusError(ValueError):
    """A text that was named cannot be used; the message says which file and why."""


@dataclass(frozen=True)
class Corpus:
    """A text, and where it came from."""

    text: str
    source: str  # where the text came from, in plain words
    complete: bool  # whether the text is exactly the pinned corpus
    # What went wrong on the way, in full, for callers who want to mend it. It is mostly empty.
    note: str = ""


def load_corpus(
    path: StrPath | None = None,
    *,
    url: str = CORPUS_URL,
    sha256: str = CORPUS_SHA256,
    max_bytes: int = CORPUS_BYTES,
    attempts: int = 3,
    cache_directory: StrPath | None = None,
    console: Console | None = None,
) -> Corpus:
    """Return the text of `path`, else of $CROSSCHECK_CORPUS, else the pinned corpus.

    The pinned corpus is the one with this `sha256`: the cached copy in `cache_directory` (default:
    `default_cache_directory()`, or where nothing can be written there, the user's) if intact, else
    `url` in at most `attempts` attempts and `max_bytes` bytes, with progress on `console`. Else a
    bundled excerpt: `source` says so, and `note` why.

    Raises CorpusError when a file named by `path` or by the environment is missing, a directory,
    empty, unreadable or not UTF-8; a lack of network never raises.
    """
    if path is not None:
        return _corpus(_read_named(Path(path)), f"file {path}", sha256)
    if named := os.environ.get(CORPUS_VARIABLE):
        origin = f"file {named} (named by {CORPUS_VARIABLE})"
        return _corpus(_read_named(Path(named)), origin, sha256)

    directory = _cache_directory() if cache_directory is None else Path(cache_directory)
    cached = directory / CACHE_NAME
    content, remark = _read_cached(cached, sha256)
    if content is not None:
        return _corpus(content, f"cached copy {_shown(cached)}", sha256)
    from crosscheck.download import download  # it brings requests along, which few runs need

    try:
        download(
            url, cached, sha256=sha256, max_bytes=max_bytes, attempts=attempts, console=console
        )
        content = cached.read_bytes()
    except OSError as error:  # DownloadError is one
        reason = str(error).removeprefix(f"could not download {url}: ").split(" (attempts")[0]
        return _excerpt(reason, f"{remark}; {error}" if remark else str(error))
    return _corpus(content, f"downloaded from {url}", sha256, remark)


def default_cache_directory(package: Path = Path(__file__).parent) -> Path:
    """Return where the corpus is kept: `data/` of the checkout around `package`, if it is in one.

    An installed package has no checkout, and the user's cache directory is used instead.
    """
    try:
        project = (package.parent / "pyproject.toml").read_text(encoding="utf-8")
    except OSError:
        project = ""
    if 'name = "tinygrad-tf"' in project:  # and not some other project that vendors the package
        return package.parent / "data"
    return user_cache_path("tinygrad-tf", appauthor=False)


def _cache_directory() -> Path:
    """The default cache directory; if it neither holds a copy nor can be written, the user's."""
    directory = default_cache_directory()
    if (directory / CACHE_NAME).is_file() or _is_writable(directory):
        return directory
    return user_cache_path("tinygrad-tf", appauthor=False)


def _is_writable(directory: Path) -> bool:
    """Whether a file can be made in it: tried out, since permission bits tell only half."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=directory).close()
    except OSError:
        return False
    return True


def _read_named(path: Path) -> bytes:
    """Read a file that the caller or the environment named; whatever is wrong is their business."""
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise CorpusError(f"corpus {path}: no such file (seen from {Path.cwd()})") from error
    except OSError as error:
        what = "it is a directory, name a file in it" if path.is_dir() else str(error.strerror)
        raise CorpusError(f"corpus {path}: {what}") from error
    if not content:
        raise CorpusError(f"corpus {path}: the file is empty")
    return content


def _read_cached(path: Path, sha256: str) -> tuple[bytes | None, str]:
    """Return the bytes of the cached copy if it is intact, else None and a remark if it exists."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None, ""
    except OSError as error:
        return None, f"the cached copy {_shown(path)} could not be read: {error.strerror}"
    found = hashlib.sha256(content).hexdigest()
    if found == sha256:
        return content, ""
    remark = f"the cached copy {_shown(path)} was corrupt: {len(content):,} bytes, sha256 {found}"
    return None, remark


def _excerpt(reason: str, note: str) -> Corpus:
    source = (
        "bundled excerpt, NOT Tiny Shakespeare (download failed: "
        f"{shorten(reason, REASON_LENGTH, placeholder=' ...')}; name a file of your own)"
    )
    text = files("crosscheck").joinpath("excerpt.txt").read_bytes().decode("utf-8")
    return Corpus(text, source, complete=False, note=note)


def _shown(path: Path) -> Path:
    """`path` as seen from here, which is shorter to read, if it lies below."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _corpus(content: bytes, origin: str, sha256: str, note: str = "") -> Corpus:
    """Decode as it stands, newlines included: another text would have other tokens."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise CorpusError(
            f"corpus from {origin}: not UTF-8, byte {error.start} is 0x{content[error.start]:02x} "
            f"({error.reason}). {_likely_encoding(content, error)}"
        ) from error
    return Corpus(text, origin, hashlib.sha256(content).hexdigest() == sha256, note)


def _likely_encoding(content: bytes, error: UnicodeDecodeError) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "It looks like UTF-16, as Windows writes it: save it as UTF-8."
    if b"\0" in content:
        return "It looks like a binary file: name a text."
    if error.end == len(content) and error.reason == "unexpected end of data":
        return "It was probably cut in the middle of a character: fetch or copy it anew."
    return "It is probably Latin-1 or Windows-1252: save it as UTF-8."
