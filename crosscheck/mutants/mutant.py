"""A planted bug: a small patch on one of our own sources, put in and taken out while running."""

from __future__ import annotations

import difflib
import importlib
import inspect
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from types import CodeType, FunctionType, ModuleType
from typing import Any

from crosscheck.forms import fast_forms


@dataclass(frozen=True)
class Mutant:
    """One realistic mistake.

    id: a name for it. family: what it is about. what: the mistake in one line. module: whose source
    is patched: the text `old`, which occurs once, becomes `new`. found: the ops that localisation
    may rightly name. hint: a part of the hint that should be given, empty if none can be expected.
    why_not: why it cannot be caught or localised, where that is so.
    """

    id: str
    family: str
    what: str
    module: str
    old: str
    new: str
    found: tuple[str, ...]
    hint: str = ""
    why_not: str = ""

    @contextmanager
    def planted(self) -> Iterator[None]:
        """Within this block, the functions that the patch touches run the patched code.

        A fast form is computed with only if the fast forms are on, so for such a patch they are.
        """
        functions = list(self._touched())
        is_fast = self.module.startswith("tinygrad_tf.fast.")
        try:
            for function, _, patched in functions:
                function.__code__ = patched
            with fast_forms() if is_fast else nullcontext():
                yield
        finally:
            for function, original, _ in functions:
                function.__code__ = original

    def touched(self) -> list[FunctionType]:
        """The functions that the patch changes."""
        return [function for function, _, _ in self._touched()]

    def patch(self) -> str:
        """The patch as a unified diff, with as much around it as a reader needs."""
        module = importlib.import_module(self.module)
        before = inspect.getsource(module).splitlines()
        after = self._patched_source(module).splitlines()
        name = f"{self.module.replace('.', '/')}.py"
        return "\n".join(difflib.unified_diff(before, after, name, name, lineterm="", n=2))

    def _touched(self) -> Iterator[tuple[FunctionType, CodeType, CodeType]]:
        """The functions that differ, with their code before and after."""
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
    """The functions of a module and the methods of its classes, by name."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            here = (*path, constant.co_name)
            # Only a function has its locals in an optimised form; else it is a class's body.
            if constant.co_flags & inspect.CO_OPTIMIZED:
                if not constant.co_name.startswith("<"):
                    yield here, constant
            else:
                yield from _functions(constant, here)


def _without_lines(code: CodeType) -> tuple[Any, ...]:
    """What a code object does, wherever it stands in its file."""
    constants = tuple(_without_lines(c) if isinstance(c, CodeType) else c for c in code.co_consts)
    return code.co_code, code.co_names, code.co_varnames, code.co_freevars, repr(constants)


def _find(module: ModuleType, path: tuple[str, ...]) -> FunctionType:
    """The living function of this name: of an op, its rule."""
    thing: Any = module
    for name in path:
        thing = vars(thing)[name] if isinstance(thing, type) else getattr(thing, name)
    thing = getattr(thing, "rule", thing)
    thing = thing.fget if isinstance(thing, property) else thing
    found: FunctionType = inspect.unwrap(thing)
    return found
