"""Files that replace others: modes, links, the umask, and what killed runs have left."""

import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from crosscheck.files import replacing, require_file, require_writable, write_json, write_whole

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="modes and links are POSIX's")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(params=[0o022, 0o027, 0o077], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def test_a_new_file_follows_the_umask_and_an_old_one_keeps_its_mode(
    umask: int, tmp_path: Path
) -> None:
    write_whole(path := tmp_path / "file", b"new")
    assert mode(path) == 0o666 & ~umask
    for kept in (0o600, 0o664, 0o444, 0o755):
        path.chmod(kept)
        write_whole(str(path), b"newer")
        assert mode(path) == kept
    assert path.read_bytes() == b"newer"


def test_a_symbolic_link_stays_and_leads_to_the_new_content(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (target := tmp_path / "there" / "file").write_text("old")
    target.chmod(0o640)
    (link := tmp_path / "link").symlink_to(Path("there") / "file")
    (chain := tmp_path / "chain").symlink_to(link)
    for path in (link, chain):
        require_writable(path)
        write_json(path, {"to": path.name})
        assert link.is_symlink()
        assert chain.is_symlink()
        assert path.name in target.read_text()
        assert mode(target) == 0o640
    (dangling := tmp_path / "dangling").symlink_to("not-yet")
    write_whole(dangling, b"new")
    assert dangling.is_symlink()
    assert (tmp_path / "not-yet").read_bytes() == b"new"


def test_the_other_name_of_a_hard_link_keeps_the_old_content(tmp_path: Path) -> None:
    (path := tmp_path / "file").write_text("old")
    (other := tmp_path / "other").hardlink_to(path)
    write_whole(path, b"new")
    assert (path.read_text(), other.read_text()) == ("new", "old")


def test_what_killed_runs_left_is_cleared_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    stray = tmp_path / ".file.0123abcd.part"
    others = [".other.0123abcd.part", ".file.part", "file.0123abcd.part", ".file.x.0123abcd.part"]
    for name in (stray.name, *others):
        (tmp_path / name).touch()
    with replacing(path) as first:  # a run that is under way, and not killed
        write_whole(path, b"second")
        first.write(b"first")
    assert path.read_bytes() == b"first"
    assert {p.name for p in tmp_path.iterdir()} == {"file", *others}


def test_a_failure_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    (path := tmp_path / "file").write_text("old")

    def interrupted() -> None:
        with replacing(path) as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("file", "old")]


def test_a_pipe_may_be_read_from_and_keeps_what_it_holds(tmp_path: Path) -> None:
    os.mkfifo(pipe := tmp_path / "pipe")
    end = os.open(pipe, os.O_RDWR)
    os.write(end, b"content")
    require_file(pipe, "--input", "an array")
    assert os.read(end, 100) == b"content"
    os.close(end)


def test_what_is_no_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    for path, said in {tmp_path: "is a folder", tmp_path / "empty": "is empty"}.items():
        with pytest.raises(ValueError, match=f"^--input: {path} {said}, expected an array$"):
            require_file(str(path), "--input", "an array")
    with pytest.raises(FileNotFoundError, match=f"^weights: {tmp_path}/none: no such file"):
        require_file(tmp_path / "none", "weights", "a map")
