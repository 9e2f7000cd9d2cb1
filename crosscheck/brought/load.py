"""Loading what a person names on the command line: `file.py:name`, or `package.module:name`.

The user's file is imported under its own name, with its folder on `sys.path`, as if she had written
`import` beside it. It runs only because the command names it, and it is never edited.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

from crosscheck.answers import did_you_mean
from crosscheck.brought.target import Target

IMPORT_SECONDS = 20.0  # a file that takes longer to import trains, or waits for somebody
MAIN_GUARD = 'put what should only run as a script under `if __name__ == "__main__":`'
BACKEND = "MPLBACKEND"  # the variable by which matplotlib is told how to draw
LIBRARIES = "site-packages"  # a folder of this name holds no code of the user's
OUR_FOLDER = Path(__file__).resolve().parents[1]


class UserCodeError(Exception):
    """The user's own code raised. `shown` is what to print before the sentence: her own lines."""

    def __init__(self, sentence: str, shown: str) -> None:
        super().__init__(sentence)
        self.shown = shown


class _TooSlowError(BaseException):
    """The import took too long. No `except Exception` of the user's catches it."""


@dataclass
class Library:
    """The user's modules of one command, each imported once."""

    folders: list[Path] = field(default_factory=list)  # where the user's own code lies
    notes: list[str] = field(default_factory=list)  # sentences for the reader
    _files: dict[Path, ModuleType] = field(default_factory=dict)

    def load(self, target: Target) -> tuple[ModuleType, list[Any]]:
        """Return the module of a target, and the objects that it names.

        Raises ValueError if there is no such file, module or name, or if it ran for too long, and
        UserCodeError for what the import raises.
        """
        module = self._file(target) if target.is_file else self._dotted(target)
        if not target.names:
            raise ValueError(f"{target.text} names nothing in it: write {_choice(target, module)}")
        return module, [_named(target, module, name) for name in target.names]

    def is_users(self, file: str) -> bool:
        """Whether this source file is the user's own: beside what was named, and no library."""
        if file.startswith("<"):
            return False
        path = Path(file).resolve()
        if LIBRARIES in path.parts or path.is_relative_to(OUR_FOLDER):
            return False
        return any(path.is_relative_to(folder) for folder in self.folders)

    def own_frames(self, error: BaseException) -> list[traceback.FrameSummary]:
        """The frames of an exception that lie in the user's own files, outermost first."""
        return [f for f in traceback.extract_tb(error.__traceback__) if self.is_users(f.filename)]

    def _file(self, target: Target) -> ModuleType:
        path = Path(target.module).resolve()
        if not path.is_file():
            raise ValueError(f"{target.module}: there is no such file{_near_files(path)}")
        if path in self._files:
            return self._files[path]
        self._add_folder(path.parent)
        name = path.stem if path.stem.isidentifier() else f"brought_{len(self._files)}"
        if name in sys.modules:  # a file called torch.py must not take the place of torch
            name = f"brought_{name}"
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None  # it ends in .py
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            self._run(target, lambda: spec.loader.exec_module(module))
        except BaseException:
            sys.modules.pop(name, None)
            raise
        self._files[path] = module
        return module

    def _dotted(self, target: Target) -> ModuleType:
        self._add_folder(Path.cwd())
        found: list[ModuleType] = []
        importlib.invalidate_caches()
        try:
            self._run(target, lambda: found.append(importlib.import_module(target.module)))
        except UserCodeError as error:
            missing = error.__cause__
            if isinstance(missing, ModuleNotFoundError) and missing.name is not None:
                whole = f"{target.module}."
                if whole.startswith(f"{missing.name}."):
                    raise ValueError(
                        f"there is no module {missing.name!r}: name a file, as in "
                        f"{target.module.replace('.', '/')}.py:name, or a module that Python finds "
                        "from this folder"
                    ) from error
            raise
        return found[0]

    def _add_folder(self, folder: Path) -> None:
        if folder not in self.folders:
            self.folders.append(folder)
            sys.path.insert(0, str(folder))

    def _run(self, target: Target, load: Any) -> None:
        """Import, for no longer than IMPORT_SECONDS."""
        try:
            with _time_limit(IMPORT_SECONDS):
                load()
        except _TooSlowError as error:
            frames = self.own_frames(error)
            where = f" It was in line {frames[-1].lineno} of {_base(frames[-1])}." if frames else ""
            raise ValueError(
                f"{target.module} was still running after {IMPORT_SECONDS:g} seconds when it was "
                f"imported, so it was stopped.{where} If it trains, plots or waits for input there,"
                f" {MAIN_GUARD}"
            ) from None
        except SystemExit as error:
            raise ValueError(
                f"{target.module} ended the program when it was imported (exit code {error.code}); "
                f"{MAIN_GUARD}"
            ) from None
        except Exception as error:
            raise UserCodeError(
                f"{target.module} could not be imported: {type(error).__name__}: {error}"
                + _import_advice(error, target),
                self._traceback(error),
            ) from error

    def _traceback(self, error: BaseException) -> str:
        """The traceback as Python prints it, but with the user's own frames alone."""
        told = traceback.TracebackException.from_exception(error)
        told.stack = traceback.StackSummary.from_list(self.own_frames(error))
        told.__cause__ = told.__context__ = None
        return "".join(told.format()).rstrip("\n")


@contextmanager
def user_library() -> Iterator[Library]:
    """Within this block the user's modules can be imported, and find each other.

    Pictures are drawn without a window. At the end `sys.path` is as it was, and what was imported
    from her folders is forgotten.
    """
    path, known = list(sys.path), set(sys.modules)
    backend = os.environ.get(BACKEND)
    os.environ[BACKEND] = "Agg"  # plt.show would wait for somebody to close the window
    library = Library()
    try:
        yield library
    finally:
        sys.path[:] = path
        os.environ.pop(BACKEND)
        if backend is not None:
            os.environ[BACKEND] = backend
        for name in set(sys.modules) - known:
            file = getattr(sys.modules[name], "__file__", None)
            if file and library.is_users(file):
                del sys.modules[name]


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Raise _TooSlowError in this block when the time is over, where a signal can do it."""
    if sys.platform == "win32" or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        raise _TooSlowError

    before = signal.signal(signal.SIGALRM, stop)
    left, _ = signal.setitimer(signal.ITIMER_REAL, seconds)  # of who else waits for an alarm
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, left)


def things_in(module: ModuleType) -> list[str]:
    """The names of what in a module can be brought: its own classes, functions, and models."""
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and not isinstance(value, ModuleType)
        and (
            hasattr(value, "forward")
            if not callable(value) or not hasattr(value, "__module__")
            else value.__module__ == module.__name__ or hasattr(value, "parameters")
        )
    ]


def _named(target: Target, module: ModuleType, name: str) -> Any:
    if hasattr(module, name):
        return getattr(module, name)
    there = things_in(module)
    listed = f"it has {', '.join(there)}" if there else "it has no class and no function of its own"
    raise ValueError(f"{target.module} has no {name}{did_you_mean(name, there)}; {listed}")


def _choice(target: Target, module: ModuleType) -> str:
    there = things_in(module) or ["name"]
    return " or ".join(f"{target.module}:{name}" for name in there)


def _near_files(path: Path) -> str:
    if not path.parent.is_dir():
        return f", and no folder {path.parent}"
    return did_you_mean(path.name, [file.name for file in path.parent.glob("*.py")])


def _import_advice(error: Exception, target: Target) -> str:
    if isinstance(error, ImportError) and "relative import" in str(error):
        return (
            ". A file with relative imports belongs to a package: start the command in the folder "
            f"above it, and name it package.{Path(target.module).stem}:name"
        )
    if isinstance(error, EOFError):
        return f". It waits for input: {MAIN_GUARD}"
    return ""


def _base(frame: traceback.FrameSummary) -> str:
    return Path(frame.filename).name
