"""Which source files are the user's own: the one of the model, and those beside it."""

from __future__ import annotations

import inspect
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import crosscheck
import tinygrad_tf
import torch_impl

_INSTALLED = ("site-packages", "dist-packages")
_NOT_THE_USERS = (
    Path(sysconfig.get_path("stdlib")),
    *(Path(str(package.__file__)).parent for package in (crosscheck, tinygrad_tf, torch_impl)),
)


def own_files(*things: Any) -> tuple[str, ...]:
    """Return the files of these functions, classes and objects, as code objects name them.

    To each belong those of the modules that were imported from its folder or below. What is
    installed, and this package, are nobody's own. A class or function that was made in a notebook
    has the cells of its notebook.
    """
    files: dict[str, None] = {}
    for thing in things:
        for file in _files_of(thing):
            files.setdefault(file)
            for beside in _beside(file):
                files.setdefault(beside)
    return tuple(files)


def _files_of(thing: Any) -> Iterator[str]:
    thing = inspect.unwrap(thing) if callable(thing) else thing
    if inspect.ismethod(thing):
        yield from _files_of(thing.__self__)
        thing = thing.__func__
    if inspect.isfunction(thing):
        yield thing.__code__.co_filename
        yield from _cells(thing.__module__)
        return
    if hasattr(thing, "func") and callable(thing.func):  # functools.partial
        yield from _files_of(thing.func)
    for kind in (thing if isinstance(thing, type) else type(thing)).__mro__:
        if kind.__module__ != "builtins":
            yield from _of_class(kind)
            yield from _cells(kind.__module__)


def _of_class(kind: type) -> Iterator[str]:
    for held in vars(kind).values():
        code = getattr(inspect.unwrap(held) if callable(held) else held, "__code__", None)
        if code is not None and _is_own(code.co_filename):
            yield code.co_filename


def _cells(module: str) -> Iterator[str]:
    """Yield the files of a notebook's functions and classes: each cell is a file of its own."""
    if module != "__main__":
        return
    for held in list(vars(sys.modules[module]).values()):
        if getattr(held, "__module__", None) != module:
            continue
        if inspect.isfunction(held):
            yield held.__code__.co_filename
        elif isinstance(held, type):
            yield from _of_class(held)


def _beside(file: str) -> Iterator[str]:
    """Yield the files of the modules that were imported from this file's folder or below."""
    folder = Path(file).parent
    if not Path(file).is_file():
        return
    for module in list(sys.modules.values()):
        path = getattr(module, "__file__", None)
        if path and Path(path).is_relative_to(folder) and _is_own(path):
            yield path


def _is_own(file: str) -> bool:
    inside = any(Path(file).is_relative_to(folder) for folder in _NOT_THE_USERS)
    return not inside and not any(part in _INSTALLED for part in Path(file).parts)
