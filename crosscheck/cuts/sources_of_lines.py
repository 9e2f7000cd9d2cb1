"""What the user's own lines say: the names that they read, and the functions that they call."""

from __future__ import annotations

import ast
import linecache
import re
from collections.abc import Iterator
from functools import lru_cache

from crosscheck.traces.trace import Place

# Functions after which a value goes on, and its gradient does not, or goes on changed.
CUTS = re.compile(
    r"\b(detach|no_grad|inference_mode|register_hook|stop_gradient|requires_grad_?|"
    r"set_grad_enabled)\b"
)
DATA = re.compile(
    r"\.data\b(?!\.(dtype|shape|ndim|size))"
)  # of a tensor; an engine's own lines have it everywhere
NAME = re.compile(r"[A-Za-z_]\w*")


def text_of(place: Place) -> str:
    """Return the source of a line, without a comment at its end."""
    return linecache.getline(place.file, place.line).split(" #")[0]


def reads(place: Place, name: str) -> bool:
    """Whether a line has this name in it."""
    found = NAME.findall(name.split("[")[0])
    return bool(found) and found[-1] in NAME.findall(text_of(place))


def cuts_off(place: Place) -> bool:
    """Whether a line calls something that cuts off a gradient, or changes it."""
    text = text_of(place)
    if CUTS.search(text) is not None:
        return True
    if DATA.search(text) is None:
        return False
    around = _engines(place.file, _source(place.file))
    return not any(first <= place.line <= last for first, last in around)


def same_function(a: Place, b: Place) -> bool:
    """Whether two lines stand in the same function."""
    return a.file == b.file and _function(a) == _function(b)


def keeps(place: Place, name: str) -> bool:
    """Whether a line keeps, or hands back, what has this name, for the way back."""
    text = text_of(place)
    kept = re.search(r"\b(save_for_backward|cache\w*|saved|return|ctx|self)\b", text)
    return kept is not None and (not name or reads(place, name))


def hands_back(place: Place, name: str) -> bool:
    """Whether a line returns what has this name."""
    return re.search(r"\breturn\b", text_of(place)) is not None and reads(place, name)


def passes_through(place: Place) -> bool:
    """Whether a line returns what the function was given, as it is."""
    found = re.fullmatch(r"\s*return ([A-Za-z_]\w*)\s*", text_of(place))
    first, _ = _function(place)
    return found is not None and found[1] in NAME.findall(linecache.getline(place.file, first))


def is_alias(place: Place) -> bool:
    """Whether a line gives another name to what there is."""
    return re.fullmatch(r"\s*\w+ = [\w.]+\s*", text_of(place)) is not None


def asks_for_sizes(place: Place) -> bool:
    """Whether a line asks an array for its shape."""
    return re.search(r"\.(shape|size)\b", text_of(place)) is not None


def is_factor(place: Place) -> bool:
    """Whether a line computes a number as scales are computed: with a root, a power, a quotient."""
    return re.search(r"\*\*|sqrt|(?<!/)/(?!/)", text_of(place)) is not None


def origins_of(place: Place) -> list[Place]:
    """The lines that named what this line changes, and what that is a view of; latest first."""
    first, _ = _function(place)
    assigned = _assigned(place.file, _source(place.file))
    found: list[Place] = []
    changed = NAME.search(text_of(place))
    while changed is not None:
        lines = [n for n in assigned if first <= n < place.line and changed[0] in assigned[n]]
        if not lines:
            break
        place = Place(place.file, max(lines))
        found.append(place)
        changed = NAME.search(re.split("=| in ", text_of(place), maxsplit=1)[-1])
    return found


def is_loop(place: Place) -> bool:
    """Whether a line begins a loop."""
    return text_of(place).lstrip().startswith("for ")


def names_set(place: Place) -> set[str]:
    """The names that a line assigns to."""
    return _assigned(place.file, _source(place.file)).get(place.line, set())


def lines_around(place: Place) -> Iterator[Place]:
    """All lines of the function that has this one."""
    first, last = _function(place)
    for line in range(first, min(last, len(linecache.getlines(place.file))) + 1):
        yield Place(place.file, line)


def defaults_of(place: Place) -> Iterator[Place]:
    """The lines of the file that give a default, or an attribute, of a name this line reads."""
    attributes = set(re.findall(r"\.([A-Za-z_]\w*)\b(?!\()", text_of(place)))
    for number, line in enumerate(linecache.getlines(place.file), 1):
        for name in attributes:
            if re.search(rf"\bdef\b.*\b{name}\s*(:[^=,]*)?=\s*[-.\d]", line) or re.search(
                rf"self\.{name}\s*=\s*[^=]*\d", line
            ):
                yield Place(place.file, number)


def setters_of(place: Place) -> Iterator[Place]:
    """The lines of the same function that assign to a name which this line reads."""
    names = set(NAME.findall(text_of(place)))
    first, last = _function(place)
    for line, targets in sorted(_assigned(place.file, _source(place.file)).items()):
        if first <= line <= last and line != place.line and targets & names:
            yield Place(place.file, line)


def _source(file: str) -> str:
    return "".join(linecache.getlines(file))


def _function(place: Place) -> tuple[int, int]:
    """The first and last line of the innermost function with this line; of the file, if none."""
    around = [
        (first, last)
        for first, last in _functions(place.file, _source(place.file))
        if first <= place.line <= last
    ]
    return max(around, default=(0, 1 << 30))


@lru_cache(maxsize=8)
def _engines(file: str, source: str) -> tuple[tuple[int, int], ...]:
    """The lines of the classes of which an object has `.data`: their own lines read it freely."""
    return tuple(
        (node.lineno, node.end_lineno or node.lineno)
        for node in ast.walk(_tree(source))
        if isinstance(node, ast.ClassDef)
        and "self.data =" in (ast.get_source_segment(source, node) or "")
    )


@lru_cache(maxsize=8)
def _functions(file: str, source: str) -> tuple[tuple[int, int], ...]:
    return tuple(
        (node.lineno, node.end_lineno or node.lineno)
        for node in ast.walk(_tree(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )


@lru_cache(maxsize=8)
def _assigned(file: str, source: str) -> dict[int, set[str]]:
    found: dict[int, set[str]] = {}
    for node in ast.walk(_tree(source)):
        if isinstance(node, ast.Assign | ast.For):
            ends = node.targets if isinstance(node, ast.Assign) else [node.target]
            targets = [n.id for t in ends for n in ast.walk(t) if isinstance(n, ast.Name)]
            found.setdefault(node.lineno, set()).update(targets)
    return found


def _tree(source: str) -> ast.AST:
    try:
        return ast.parse(source)
    except SyntaxError:
        return ast.Module([], [])
