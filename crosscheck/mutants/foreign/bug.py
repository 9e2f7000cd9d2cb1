"""A planted bug in an example: one text for another, and the lines that are to blame for it."""

from __future__ import annotations

import difflib
import linecache
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

EXAMPLES = Path(__file__).parents[3] / "examples" / "brought"


@dataclass(frozen=True)
class Bug:
    """One text of an example, the wrong text in its place, and why people write that."""

    id: str
    file: str  # its name in the folder EXAMPLES: "torch_gpt.py"
    old: str  # occurs exactly once in the file
    new: str
    why: str


def planted(bug: Bug) -> tuple[str, frozenset[int]]:
    """Return the file with the bug in it, and the numbers of the lines that are to blame.

    To blame are the lines of `new` that are not in `old`. Where a line of `old` was taken away,
    they are the lines of `new` before and after the gap, or the line after it if `new` is empty.
    Raises ValueError if `old` does not occur exactly once.
    """
    source = (EXAMPLES / bug.file).read_text("utf-8")
    if source.count(bug.old) != 1:
        raise ValueError(f"{bug.id}: {bug.old!r} occurs {source.count(bug.old)} times, not once")
    start = source.index(bug.old)
    wrong = source[:start] + bug.new + source[start + len(bug.old) :]
    first = source.count("\n", 0, start) + 1
    last = first + bug.new.removesuffix("\n").count("\n")
    changed = _changed(source.splitlines(), wrong.splitlines())
    return wrong, frozenset(changed & set(range(first, last + 1)))


def _changed(before: list[str], after: list[str]) -> set[int]:
    """Return the lines that differ, as they are numbered after, and the neighbours of each gap."""
    changed: set[int] = set()
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for kind, _, _, start, end in matcher.get_opcodes():
        if kind == "delete":
            changed |= {start, start + 1}
        elif kind != "equal":
            changed |= set(range(start + 1, end + 1))
    return changed


def module_of(source: str, file: str) -> ModuleType:
    """Run a source as a module, under the path of this example. Return the module.

    Whoever asks `linecache` for lines of that path is given the lines of this source, until the
    next call.
    """
    path = str(EXAMPLES / file)
    lines = source.splitlines(keepends=True)
    linecache.cache[path] = (len(source), None, lines, path)
    module = ModuleType(f"brought_{Path(file).stem}")
    module.__file__ = path
    sys.modules[module.__name__] = module  # a dataclass looks itself up there
    exec(compile(source, path, "exec"), module.__dict__)
    return module
