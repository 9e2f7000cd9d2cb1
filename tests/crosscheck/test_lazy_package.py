"""`import crosscheck` brings nothing along; its names come when they are asked for."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import crosscheck

HOMES = crosscheck._HOMES


def loaded_by(code: str) -> set[str]:
    program = f"import sys; {code}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


@pytest.mark.parametrize("code", ["import crosscheck", "import crosscheck.pytest_plugin"])
def test_it_loads_without_pytorch_and_numpy(code: str) -> None:
    loaded = loaded_by(code)
    assert "crosscheck" in loaded
    assert not {name.split(".")[0] for name in loaded} & {"torch", "numpy", "tinygrad_tf"}


@pytest.mark.parametrize("name", HOMES)
def test_a_name_is_what_its_home_says(name: str) -> None:
    home = importlib.import_module(f"crosscheck.{HOMES[name]}")
    assert getattr(crosscheck, name) is getattr(home, name)


def test_type_checkers_see_the_same_names_from_the_same_homes() -> None:
    assert crosscheck.__file__ is not None
    tree = ast.parse(Path(crosscheck.__file__).read_text(encoding="utf-8"))
    guard = next(node for node in tree.body if isinstance(node, ast.If))
    assert ast.unparse(guard.test) == "TYPE_CHECKING"
    seen = {
        alias.asname: (node.module, alias.name)
        for node in guard.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen == {name: (f"crosscheck.{home}", name) for name, home in HOMES.items()}


def test_all_is_sorted_and_complete() -> None:
    assert set(crosscheck.__all__) == set(HOMES)
    assert crosscheck.__all__ == sorted(crosscheck.__all__)


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'crosscheck' has no attribute 'compaer'"):
        _ = crosscheck.compaer
    with pytest.raises(ImportError, match="compaer"):
        exec("from crosscheck import compaer")
