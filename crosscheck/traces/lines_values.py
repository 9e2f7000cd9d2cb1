"""The values behind the names of a line, and the arrays in them, without running a user's code."""

from __future__ import annotations

import inspect
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from crosscheck.traces.book import View
from crosscheck.traces.lines_source import Index, Path
from tinygrad_tf import Tensor

DEEPEST = 3  # how many attributes, lists, tuples and dictionaries may stand around an array
MISSING: Any = object()
_OF_MODULES = ("_parameters", "_buffers", "_modules")  # where a torch.nn.Module has attributes
_NO_HOLDERS = (
    str, bytes, int, float, complex, type, types.ModuleType, types.FunctionType,
    types.BuiltinFunctionType, types.MethodType, types.CodeType, types.FrameType, range,
)  # fmt: skip


@dataclass(frozen=True)
class Found:
    """An array behind a name."""

    array: Any
    name: str  # as the source has it: "cache['q']"
    owner: Any = None  # the object with `.data` and `.grad`, if this is its gradient


@dataclass(frozen=True)
class Reached:
    """How far a path could be followed."""

    value: Any
    name: str
    rest: int  # how many steps are left
    owner: Any = None  # whose attribute or item the value is
    key: Any = None  # under which
    step: str | Index | None = None  # the first step that is left, of an array


@dataclass(frozen=True)
class Names:
    """The names of one frame."""

    local: Mapping[str, Any]
    wide: Mapping[str, Any]  # the module's

    def get(self, name: str) -> Any:
        """Return the value, or MISSING."""
        return self.local[name] if name in self.local else self.wide.get(name, MISSING)


def reach(path: Path, names: Names, view: View) -> Reached | None:
    """Follow a path as far as that runs no code of the user's; None if its name is unknown.

    It ends at an array, but for the `.grad` of a tensor: what follows are its parts and methods.
    """
    value, name = names.get(path.root), path.root
    if value is MISSING:
        return None
    owner = key = None
    for taken, step in enumerate(path.steps):
        rest = len(path.steps) - taken
        if view(value) is not None and step != "grad":
            return Reached(value, name, rest, owner, key, step)
        if isinstance(step, str):
            after, text, step_key = attribute(value, step), f"{name}.{step}", step
        else:
            step_key = _evaluated(step, names)
            after, text = _item(value, step_key), f"{name}[{step_key!r}]"
        if after is MISSING:
            return Reached(value, name, rest, owner, key)
        owner, key, value, name = value, step_key, after, text
    return Reached(value, name, int(path.goes_on), owner, key)


def arrays_in(value: Any, name: str, view: View, deepest: int = DEEPEST) -> Iterator[Found]:
    """Yield the arrays in a value with their names.

    Attributes, lists, tuples and dictionaries are entered, `deepest` of them one in another. Of an
    object that has `.data` and `.grad`, only these two are read.
    """
    yield from _arrays_in(value, name, view, deepest, set())


def attribute(value: Any, name: str) -> Any:
    """Return an attribute if that runs no code of the user's, else MISSING."""
    held = _held(value)
    if name in held:
        return held[name]
    if name.startswith("__") and not name.endswith("__"):  # Python adds the class to its name
        return next((x for key, x in held.items() if key.endswith(name)), MISSING)
    if isinstance(value, Tensor) and name in ("data", "grad"):  # properties, but not the user's
        return getattr(value, name)
    static = inspect.getattr_static(type(value), name, MISSING)
    if isinstance(static, property) or static is MISSING:
        return MISSING
    if isinstance(value, types.ModuleType):
        return MISSING
    try:
        return getattr(value, name, MISSING)
    except RuntimeError:  # a tensor of PyTorch within vmap has no data
        return MISSING


def is_tensor_like(value: Any) -> bool:
    """Whether this is an object with `.data` and `.grad`, as the tensors of small engines are."""
    if isinstance(value, _NO_HOLDERS):
        return False
    return all(attribute(value, name) is not MISSING for name in ("data", "grad"))


def _arrays_in(value: Any, name: str, view: View, deepest: int, seen: set[int]) -> Iterator[Found]:
    if isinstance(value, _NO_HOLDERS) or value is None or id(value) in seen:
        return
    if view(value) is not None:
        yield Found(value, name)
        return
    seen.add(id(value))
    if not deepest:
        return
    if isinstance(value, Mapping):
        items: Iterator[tuple[str, Any]] = ((f"{name}[{k!r}]", x) for k, x in value.items())
    elif isinstance(value, list | tuple | set | frozenset):
        items = ((f"{name}[{i}]", x) for i, x in enumerate(value))
    elif is_tensor_like(value):
        for part in ("data", "grad"):
            held = attribute(value, part)
            if view(held) is not None:
                yield Found(held, f"{name}.{part}", value if part == "grad" else None)
        return
    else:
        items = ((f"{name}.{key}", x) for key, x in list(_held(value).items()))
    for text, part in items:
        yield from _arrays_in(part, text, view, deepest - 1, seen)


def _held(value: Any) -> dict[str, Any]:
    """Return the attributes that an object holds by itself."""
    held = getattr(value, "__dict__", None)
    found = dict(held) if isinstance(held, dict | types.MappingProxyType) else {}
    for name in _OF_MODULES:
        if isinstance(found.get(name), dict):
            found.update(found.pop(name))
    for kind in type(value).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in ("__dict__", "__weakref__"):
                held_there = getattr(value, name, MISSING)
                if held_there is not MISSING:
                    found[name] = held_there
    return found


def _evaluated(index: Index, names: Names) -> Any:
    values = {name: names.get(name) for name in index.names}
    if not all(isinstance(x, int | str) for x in values.values()):
        return MISSING
    try:
        return eval(index.code, {"__builtins__": {}}, values)
    except Exception:  # whatever it is, the index is not known
        return MISSING


def _item(value: Any, key: Any) -> Any:
    if key is MISSING or not isinstance(value, dict | list | tuple):
        return MISSING
    try:
        return value[key]
    except (KeyError, IndexError, TypeError):
        return MISSING
