"""The tree of a module: its parameters, its buffers and its children, by name.

They are simply its attributes, in the order in which they were assigned. Which names are buffers,
and which are places of parameters and modules, a module remembers. Everything in this file walks
that tree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Self

from tinygrad_tf.machinery.naming import named
from tinygrad_tf.nn.parameter import Parameter
from tinygrad_tf.tensor import Tensor


class Tree:
    """What `Module` has of a tree."""

    # By the name of a buffer, whether it is in the state dict. A module with buffers has its own.
    _is_persistent: Mapping[str, bool] = {}
    # By the name of an attribute that is a parameter or a module, or that is None in the place of
    # one, which of the two it is: `Parameter` or `Tree`. Nothing else may take that place.
    _places: Mapping[str, type] = {}

    @named
    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Keep a tensor that is state and no weight, such as a causal mask, as `self.name`.

        It is in the state dict if it is persistent, and it follows `to`, `double` and `float`. An
        optimiser does not see it. Raises KeyError for a name that is taken or has a dot, and
        TypeError if it is no tensor, or a Parameter.
        """
        if name not in self._is_persistent:
            _require_free("register_buffer", self, name)
        if isinstance(tensor, Parameter):
            raise TypeError(f"register_buffer: {name!r} is a Parameter, which is a weight")
        _require_tensor("register_buffer", name, tensor)
        self._is_persistent = {**self._is_persistent, name: persistent}
        setattr(self, name, tensor)

    @named
    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Keep a parameter as `self.name`, or None in its place, which only a parameter may take.

        Raises KeyError for a name that is taken or has a dot, and TypeError if it is no Parameter.
        """
        keep_in_place("register_parameter", self, name, Parameter, param)

    @named
    def add_module(self, name: str, module: Any) -> None:
        """Keep a module as `self.name`, or None in its place, which only a module may take.

        Raises KeyError for a name that is taken or has a dot, and TypeError if it is no Module.
        """
        keep_in_place("add_module", self, name, Tree, module)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self._is_persistent and not isinstance(value, Tensor):
            _require_tensor(type(self).__name__, name, value)
        place = _place_of(value)
        if place is not None:
            if place is Tree and self._places.get(name) is Parameter:
                _require_placeable(type(self).__name__, name, Parameter, value)
            if self._places.get(name) is not place:
                self._places = {**self._places, name: place}
        elif name in self._places:
            _require_placeable(type(self).__name__, name, self._places[name], value)
        super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        for kept in ("_places", "_is_persistent"):
            if name in getattr(self, kept):
                others = {n: kind for n, kind in getattr(self, kept).items() if n != name}
                super().__setattr__(kept, others)

    # Modules

    def named_children(self) -> Iterator[tuple[str, Any]]:
        """Yield the attributes that are modules with their names, each module once."""
        return _each_once(self._own_modules())

    def children(self) -> Iterator[Any]:
        """Iterate over the attributes that are modules, each once."""
        return (child for _, child in self.named_children())

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Any]]:
        """Yield this module and all below it, each once, with dotted paths that start at prefix."""
        seen: set[int] = set()
        stack: list[tuple[str, Any]] = [(prefix, self)]
        while stack:
            path, module = stack.pop()
            if id(module) not in seen:
                seen.add(id(module))
                yield path, module
                stack.extend(reversed([(_join(path, n), m) for n, m in module._own_modules()]))

    def modules(self) -> Iterator[Any]:
        """Iterate over this module and all modules below it, each once."""
        return (module for _, module in self.named_modules())

    def apply(self, fn: Callable[[Any], Any]) -> Self:
        """Call fn on every module below this one, and on this one last. Return this module."""
        if not callable(fn):
            raise TypeError(f"apply: fn is {type(fn).__name__}, expected a function of a module")
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    # Parameters and buffers

    @named
    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """Yield all parameters with their dotted names, which start at prefix.

        A tied one comes only under its first name, or under each if not remove_duplicate. If not
        recurse, those of the modules below are left out.
        """
        everything = self._walk(Tree._own_parameters, prefix, recurse)
        return _each_once(everything) if remove_duplicate else everything

    @named
    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """Iterate over all parameters, each once."""
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    @named
    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """Yield all buffers with their dotted names, as `named_parameters` yields parameters."""
        everything = self._walk(Tree._own_buffers, prefix, recurse)
        return _each_once(everything) if remove_duplicate else everything

    @named
    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """Iterate over all buffers, each once."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def _named_state(self) -> Iterator[tuple[str, Tensor]]:
        """Yield what a state dict has: the parameters of a module, its buffers, its children."""
        return self._walk(Tree._own_state, "", True)

    def _own_modules(self) -> Iterator[tuple[str, Any]]:
        return ((name, m) for name, m in vars(self).items() if isinstance(m, Tree))

    def _own_parameters(self) -> Iterator[tuple[str, Parameter]]:
        return ((name, x) for name, x in vars(self).items() if isinstance(x, Parameter))

    def _own_buffers(self) -> Iterator[tuple[str, Tensor]]:
        for name in self._is_persistent:
            value = vars(self).get(name)  # None if it is empty, or was deleted
            if isinstance(value, Tensor) and not isinstance(value, Parameter):
                yield name, value

    def _own_state(self) -> Iterator[tuple[str, Tensor]]:
        yield from self._own_parameters()
        yield from ((name, x) for name, x in self._own_buffers() if self._is_persistent[name])

    def _walk(self, own: Callable[[Any], Any], path: str, recurse: bool) -> Iterator[Any]:
        """Yield what `own` gives of this module, then of its children, under dotted names."""
        for name, value in own(self):
            yield _join(path, name), value
        for name, child in self._own_modules() if recurse else ():
            yield from child._walk(own, _join(path, name), recurse)


def _each_once(named: Iterator[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    seen: set[int] = set()
    for name, value in named:
        if id(value) not in seen:
            seen.add(id(value))
            yield name, value


def keep_in_place(op: str, owner: Tree, name: Any, place: type, value: Any) -> None:
    """Set an attribute of a module that is a parameter or a module, or None in such a place."""
    if owner._places.get(name) is not place:
        _require_free(op, owner, name)
    _require_placeable(op, name, place, value)
    owner._places = {**owner._places, name: place}
    setattr(owner, name, value)


def _require_tensor(op: str, name: str, value: Any) -> None:
    if value is not None and not isinstance(value, Tensor):
        kind = type(value).__name__
        raise TypeError(f"{op}: {name!r} is a buffer, expected a Tensor or None, got {kind}")


def _place_of(value: Any) -> type | None:
    """Return what kind of place an attribute is of this value; None if it is an ordinary one."""
    return Parameter if isinstance(value, Parameter) else Tree if isinstance(value, Tree) else None


def _require_placeable(op: str, name: str, place: type, value: Any) -> None:
    """Raise unless the value may stand here, where otherwise training would lose what stood."""
    if value is not None and not isinstance(value, place):
        kind = type(value).__name__
        what = "parameter {!r} (nn.Parameter" if place is Parameter else "child module {!r} (Module"
        raise TypeError(f"{op}: cannot assign {kind!r} as {what.format(name)} or None expected)")


def _require_free(op: str, owner: Tree, name: Any) -> None:
    """Raise unless the name may be that of a new attribute of the module."""
    if not isinstance(name, str):
        raise TypeError(f"{op}: name is {type(name).__name__}, expected str")
    if "." in name or not name:
        raise KeyError(f"{op}: {name!r} is no name: it is empty, or has a dot")
    if hasattr(owner, name):
        raise KeyError(f"{op}: attribute {name!r} already exists")


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
