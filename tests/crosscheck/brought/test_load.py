"""Loading a user's file: hers alone, under its own name, with her own traceback."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.brought import written

from crosscheck.brought import load as load_module
from crosscheck.brought.load import Library, UserCodeError, user_library
from crosscheck.brought.target import Target


@pytest.fixture
def library() -> Iterator[Library]:
    with user_library() as opened:
        yield opened


def load(library: Library, path: Path, names: str = "Block") -> Any:
    return library.load(Target.of(f"{path}:{names}"))[1]


@pytest.mark.parametrize(
    ("text", "module", "names"),
    [
        ("a/block.py:Block", "a/block.py", ("Block",)),
        ("block.py:forward,backward", "block.py", ("forward", "backward")),
        ("block.py:forward, backward, init", "block.py", ("forward", "backward", "init")),
        ("torch.nn:Linear", "torch.nn", ("Linear",)),
        ("C:\\a\\block.py:Block", "C:\\a\\block.py", ("Block",)),
        ("block.py", "block.py", ()),
    ],
)
def test_a_target_is_a_module_and_names(text: str, module: str, names: tuple[str, ...]) -> None:
    target = Target.of(text)
    assert (target.module, target.names) == (module, names)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lesson.ipynb:Block", "lesson.ipynb is a notebook, .*%%writefile"),
        ("a/block.txt:Block", "a/block.txt is not a Python file"),
        ("block.py:Block(64)", "is not a name"),
        ("block.py:a,b,c,d", "is not a name, nor forward,backward"),
    ],
)
def test_a_target_of_another_form_is_told(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Target.of(text)


def test_a_file_is_imported_once_under_its_own_name_and_then_forgotten(tmp_path: Path) -> None:
    written(tmp_path, "SIZE = 7\n", "own_layers.py")
    path = written(tmp_path, "import own_layers\nclass Block:\n    size = own_layers.SIZE\n")
    before = list(sys.path)
    with user_library() as library:
        (block,) = load(library, path)
        assert (block.__module__, block.size) == ("block", 7)
        assert load(library, path) == [block]
        assert sys.modules["block"].Block is block
    assert "block" not in sys.modules
    assert "own_layers" not in sys.modules
    assert sys.path == before


def test_a_file_called_like_a_library_takes_no_ones_place(library: Library, tmp_path: Path) -> None:
    torch = sys.modules["torch"]
    path = written(tmp_path, "import torch\nclass Block(torch.nn.Module): pass\n", "torch.py")
    (block,) = load(library, path)
    assert issubclass(block, torch.nn.Module)
    assert sys.modules["torch"] is torch


def test_a_name_that_is_not_there_is_told_with_those_that_are(
    library: Library, tmp_path: Path
) -> None:
    path = written(tmp_path, "import os\nclass Block: pass\ndef forward(x): pass\n_no = 1\n")
    with pytest.raises(
        ValueError, match=r"has no Blok \(did you mean 'Block'\?\); it has Block, f"
    ):
        load(library, path, "Blok")
    with pytest.raises(ValueError, match=r"names nothing in it: write \S*:Block or \S*:forward$"):
        library.load(Target.of(str(path)))


def test_a_file_that_is_not_there_is_told_with_what_is_near(
    library: Library, tmp_path: Path
) -> None:
    written(tmp_path, "")
    with pytest.raises(ValueError, match=r"there is no such file \(did you mean 'block.py'\?\)"):
        load(library, tmp_path / "blocks.py")
    with pytest.raises(ValueError, match="and no folder"):
        load(library, tmp_path / "no" / "block.py")


@pytest.mark.parametrize("name", ["no_such_package.block:Block", "torch.no_such_part:Block"])
def test_a_module_that_is_not_there_is_told(library: Library, name: str) -> None:
    with pytest.raises(ValueError, match=r"there is no module .*name a file, as in "):
        library.load(Target.of(name))


def test_an_import_that_fails_shows_the_lines_of_the_user_alone(
    library: Library, tmp_path: Path
) -> None:
    written(tmp_path, "def half():\n    import json\n    json.loads('{')\n", "helper.py")
    path = written(tmp_path, "import helper\n\nhelper.half()\n")
    with pytest.raises(UserCodeError, match=r"could not be imported: JSONDecodeError") as caught:
        load(library, path)
    assert [line for line in caught.value.shown.splitlines() if "File" in line] == [
        f'  File "{path}", line 3, in <module>',
        f'  File "{tmp_path}/helper.py", line 3, in half',
    ]
    assert "importlib" not in caught.value.shown
    assert "json/decoder" not in caught.value.shown


def test_a_syntax_error_shows_its_line(library: Library, tmp_path: Path) -> None:
    with pytest.raises(UserCodeError, match="SyntaxError") as caught:
        load(library, written(tmp_path, "class Block\n    pass\n"))
    assert "class Block\n" in caught.value.shown


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("import sys\nsys.exit(3)\n", r"ended the program .*\(exit code 3\).*__main__"),
        ("while True:\n    pass\n", r"still running after 0\.05 seconds.*line [12] of block\.py"),
        ("try:\n    while True: pass\nexcept Exception:\n    pass\n", "still running"),
    ],
)
def test_a_file_that_trains_or_ends_the_program_is_told_of_the_main_guard(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, message: str
) -> None:
    monkeypatch.setattr(load_module, "IMPORT_SECONDS", 0.05)
    with pytest.raises(ValueError, match=message):
        load(library, written(tmp_path, source))


def test_a_relative_import_is_told_of_its_package(library: Library, tmp_path: Path) -> None:
    with pytest.raises(UserCodeError, match=r"name it package\.block:name"):
        load(library, written(tmp_path, "from .layers import Block\n"))


def test_a_file_can_be_loaded_in_a_thread(library: Library, tmp_path: Path) -> None:
    path, loaded = written(tmp_path, "class Block: pass\n"), []
    thread = threading.Thread(target=lambda: loaded.append(load(library, path)))
    thread.start()
    thread.join()
    assert loaded[0][0].__name__ == "Block"


def test_pictures_go_to_no_window(library: Library, tmp_path: Path) -> None:
    (backend,) = load(
        library, written(tmp_path, "import os\nbackend = os.environ['MPLBACKEND']\n"), "backend"
    )
    assert backend == "Agg"


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no alarms here")
def test_the_alarm_of_somebody_else_is_set_again(library: Library, tmp_path: Path) -> None:
    signal.setitimer(signal.ITIMER_REAL, 1000)
    try:
        load(library, written(tmp_path, "Block = 3\n"))
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 900
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
