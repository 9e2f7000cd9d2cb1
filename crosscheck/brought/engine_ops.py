"""Records made within a tensor engine, named by op, call site and operand.

An engine's backward runs long after the line of the model that called the op. The two are tied by
the tensor that the op made, which the backward of the op still holds, as a name of its closure or
as an attribute.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field, replace
from types import CodeType, FrameType, ModuleType
from typing import Any

import numpy as np

from crosscheck.traces.lines_records import Activation, Said
from crosscheck.traces.lines_values import Found
from crosscheck.traces.trace import Place

BACKWARD = "backward"  # the method of a tensor that goes back from it


@dataclass(eq=False)
class _Call:
    """One call of an op, by the model."""

    op: str  # the method's name
    code: CodeType  # of the method
    site: Place | None  # the line of the model; None if nobody's line called it
    callers: tuple[Place, ...]  # the lines that called that one
    operands: dict[int, str] = field(default_factory=dict)  # names of arguments, by identity
    held: list[Any] = field(default_factory=list)  # keeps the operands, and so their identities


class EngineOps:
    """The `Naming` of a tensor engine: see `OfEngine` for what its records say."""

    def __init__(self, kind: type) -> None:
        self._kind = kind
        self._codes = {
            code for part in kind.__mro__ for held in vars(part).values() for code in _codes(held)
        }
        self._made: dict[int, tuple[Any, _Call]] = {}  # by the identity of what an op has made

    def enters(self, frame: FrameType, parent: Activation | None) -> _Call | None:
        """Return the call of an op that a function of the engine, or a helper of it, belongs to."""
        above: _Call | None = None if parent is None else parent.op
        name = frame.f_code.co_name
        if parent is not None and self._goes_back(parent):
            is_walk = above is None or above.op == BACKWARD
            same = frame.f_locals.get("self") is parent.frame.f_locals.get("self")
            is_local = "<locals>" in frame.f_code.co_qualname
            looks = is_local or (is_walk and (not same or frame.f_code not in self._codes))
            return (self._tied(frame) or above) if looks else above
        if frame.f_code not in self._codes or "<locals>" in frame.f_code.co_qualname:
            # A helper that the engine calls belongs to the op; the model's own functions do not.
            return above
        if parent is None or above is None:
            site, callers = (None, ()) if parent is None else (parent.place, parent.callers)
            return self._call(frame, site, callers)
        if name == "__init__" or (name.startswith("_") and not name.startswith("__")):
            return above  # what helps the op that called it
        return self._call(frame, above.site, above.callers)

    def _goes_back(self, activation: Activation | None) -> bool:
        """Whether `backward` is running."""
        while activation is not None:
            code = activation.frame.f_code
            if code.co_name == BACKWARD and code in self._codes:
                return True
            activation = activation.parent
        return False

    def leaves(self, activation: Activation, returned: Any) -> None:
        """Remember which call made this tensor, and what it holds beside."""
        call = activation.op
        if not isinstance(call, _Call) or self._goes_back(activation):
            return
        parts = returned if isinstance(returned, tuple | list) else [returned]
        made = [part for part in parts if isinstance(part, self._kind)]
        # What else the backward of the op may be given to go by, such as a context.
        held = [value for value in activation.frame.f_locals.values() if _may_be_context(value)]
        own = activation.frame.f_code is call.code
        for value in [*(made if own else []), *held]:
            if id(value) not in call.operands:
                self._made.setdefault(id(value), (value, call))

    def said(self, activation: Activation, found: Found, plain: Said) -> tuple[str, Said]:
        """Return a name such as "matmul.other.grad", the call site, and the engine's own line."""
        call = activation.op
        if not isinstance(call, _Call) or call.site is None:
            return found.name, plain
        code, op, name = activation.frame.f_code, call.op.strip("_"), found.name
        if code not in self._codes:
            name = f"{code.co_name}.{name}"  # in a helper of the engine
        elif code.co_name == "__init__":
            name = name.replace("self.", "out.", 1)  # the tensor that the op makes
        if found.owner is not None:
            made = self._made.get(id(found.owner))
            name = call.operands.get(id(found.owner), "")
            if not name and (code.co_name == "__init__" or (made and made[1] is call)):
                name = "out"
            name = f"{name}.grad" if name else found.name
        engines = () if plain.place is None else (plain.place,)
        return f"{op}.{name}", replace(
            plain, place=call.site, callers=(*engines, *call.callers), op=op
        )

    def _call(self, frame: FrameType, site: Place | None, callers: tuple[Place, ...]) -> _Call:
        code = frame.f_code
        op = self._kind.__name__ if code.co_name == "__init__" else code.co_name
        call = _Call(op, code, site, callers)
        for name in code.co_varnames[: code.co_argcount]:
            value = frame.f_locals.get(name)
            if isinstance(value, self._kind):
                call.operands.setdefault(id(value), name)
                call.held.append(value)
        return call

    def _tied(self, frame: FrameType) -> _Call | None:
        """Return the last call one of whose tensors this function of the way back holds.

        Of a function that was made within an op's method, only calls of this op are considered.
        """
        qualified = frame.f_code.co_qualname
        held = {id(value) for value in frame.f_locals.values()}
        calls = [call for _, call in self._made.values()]
        if "<locals>" in qualified:
            own = [c for c in calls if qualified.startswith(f"{c.code.co_qualname}.<locals>")]
            made = [c for identity, (_, c) in self._made.items() if identity in held and c in own]
            alike = [c for c in own if held.issuperset(c.operands) and c.operands]
            return next(reversed(made or alike), None)
        made = [call for identity, (_, call) in self._made.items() if identity in held]
        return next(reversed(made), None)


def _may_be_context(value: Any) -> bool:
    """Whether this is an object of a class that somebody wrote, which may have attributes."""
    return hasattr(value, "__dict__") and not (
        isinstance(value, type | ModuleType | np.ndarray) or callable(value)
    )


def _codes(held: Any) -> list[CodeType]:
    """Return the code of a method, and of all functions that are made within it."""
    held = getattr(held, "__func__", None) or getattr(held, "fget", None) or held
    code = getattr(inspect.unwrap(held) if callable(held) else held, "__code__", None)
    found = [code] if isinstance(code, CodeType) else []
    for one in found:
        found.extend(part for part in one.co_consts if isinstance(part, CodeType))
    return found
