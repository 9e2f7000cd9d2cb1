"""A planted bug: a small patch on one of our own sources, made and undone while it runs."""

from __future__ import annotations

import difflib
import importlib
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import CodeType, FunctionType, ModuleType
from typing import Any

from crosscheck.forms import fast_forms, only_pages


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One realistic mistake."""

    id: str  # its name
    family: str  # what it is about
    what: str  # the mistake in one line
    module: str  # the module whose source is patched
    old: str  # the text that is replaced, which occurs once in that source
    new: str  # the text that takes its place
    found: tuple[str, ...]  # the ops that localisation may rightly name
    hint: str = ""  # words that the hint should have; empty if no hint can be expected
    why_not: str = ""  # why it cannot be caught or localised; empty if it can

    @contextmanager
    def planted(self) -> Iterator[None]:
        """Within this block, run the patched code of the functions that the patch changes.

        If the patch is on a fast form, the fast forms are on, and otherwise they are off: a form
        that stands in for the patched page would hide it.
        """
        functions = list(self._touched())
        is_fast = self.module.startswith("tinygrad_tf.fast.")
        try:
            for function, _, patched in functions:
                function.__code__ = patched
            with fast_forms(True) if is_fast else only_pages():
                yield
        finally:
            for function, original, _ in functions:
                function.__code__ = original

    def touched(self) -> list[FunctionType]:
        """Return the functions that the patch changes."""
        return [function for function, _, _ in self._touched()]

    def patch(self) -> str:
        """Return the patch as a unified diff, with two lines around each change."""
        module = importlib.import_module(self.module)
        before = inspect.getsource(module).splitlines()
        after = self._patched_source(module).splitlines()
        name = f"{self.module.replace('.', '/')}.py"
        return "\n".join(difflib.unified_diff(before, after, name, name, lineterm="", n=2))

    def _touched(self) -> Iterator[tuple[FunctionType, CodeType, CodeType]]:
        """Yield each function that differs, with its code before and after."""
        module = importlib.import_module(self.module)
        filename = str(module.__file__)
        before = compile(inspect.getsource(module), filename, "exec")
        after = compile(self._patched_source(module), filename, "exec")
        old, new = dict(_functions(before)), dict(_functions(after))
        for path, code in new.items():
            if _without_lines(code) != _without_lines(old[path]):
                function = _find(module, path)
                yield function, function.__code__, code

    def _patched_source(self, module: ModuleType) -> str:
        source = inspect.getsource(module)
        if source.count(self.old) != 1:
            raise ValueError(
                f"mutant {self.id}: its text occurs {source.count(self.old)} times in "
                f"{self.module}, expected once:\n{self.old}"
            )
        return source.replace(self.old, self.new)


def _functions(code: CodeType, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the functions of a module and the methods of its classes, each with its path."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            here = (*path, constant.co_name)
            # Python marks the code of functions as optimised; the body of a class is not.
            if constant.co_flags & inspect.CO_OPTIMIZED:
                if not constant.co_name.startswith("<"):
                    yield here, constant
            else:
                yield from _functions(constant, here)


def _without_lines(code: CodeType) -> tuple[Any, ...]:
    """Return what a code object does, without the lines on which it stands."""
    constants = tuple(_without_lines(c) if isinstance(c, CodeType) else c for c in code.co_consts)
    return code.co_code, code.co_names, code.co_varnames, code.co_freevars, repr(constants)


def _find(module: ModuleType, path: tuple[str, ...]) -> FunctionType:
    """Return the function at this path in the module. For an op, this is its rule."""
    thing: Any = module
    for name in path:
        thing = vars(thing)[name] if isinstance(thing, type) else getattr(thing, name)
    thing = getattr(thing, "rule", thing)
    thing = thing.fget if isinstance(thing, property) else thing
    function: FunctionType = inspect.unwrap(thing)
    return function
