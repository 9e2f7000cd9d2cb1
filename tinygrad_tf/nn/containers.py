"""Modules that hold other modules, in a row or by name."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self

from tinygrad_tf.machinery.naming import named
from tinygrad_tf.nn.module import Module
from tinygrad_tf.nn.tree import Tree, keep_in_place


class Row(Module):
    """Modules that are numbered from 0 on, as the children 0, 1, and so on."""

    @named
    def __init__(self, modules: Iterable[Module] = ()) -> None:
        super().__init__()
        self.extend(modules)

    @named
    def append(self, module: Module) -> Self:
        """Add a module at the end."""
        return self.insert(len(self), module)

    @named
    def extend(self, modules: Iterable[Module]) -> Self:
        """Add modules at the end."""
        return self._renumber([*self, *modules])

    @named
    def insert(self, index: int, module: Module) -> Self:
        """Put a module before the one with this index; those after it move up."""
        modules = list(self)
        modules.insert(index, module)
        return self._renumber(modules)

    def _renumber(self, modules: list[Module]) -> Self:
        for module in modules:
            _require_module(type(self).__name__, module)
        for name in [name for name, _ in self._own_modules()]:
            del vars(self)[name]
        vars(self).update({str(i): module for i, module in enumerate(modules)})
        return self

    def __len__(self) -> int:
        return len(list(self._own_modules()))

    def __iter__(self) -> Iterator[Module]:
        return (module for _, module in self._own_modules())

    def __getitem__(self, index: Any) -> Any:
        chosen = list(self._own_modules())[index]
        return self._part(chosen) if isinstance(index, slice) else chosen[1]

    def __setitem__(self, index: int, module: Module) -> None:
        modules = list(self)
        modules[index] = module
        self._renumber(modules)

    def _part(self, chosen: list[tuple[str, Module]]) -> Row:
        return type(self)(module for _, module in chosen)


class ModuleList(Row):
    """A list of modules whose parameters are named 0.…, 1.…, and so on."""

    def _child_lines(self) -> list[str]:
        """Return one line for all neighbours that print alike, as PyTorch does."""
        lines: list[str] = []
        i = 0
        for text, alike in itertools.groupby(map(repr, self)):
            count = len(list(alike))
            name = f"({i}): " if count == 1 else f"({i}-{i + count - 1}): {count} x "
            lines.append(name + text)
            i += count
        return lines


class Sequential(Row):
    """Modules that are applied one after the other. A dictionary gives them names of their own."""

    @named
    def __init__(self, *modules: Any) -> None:
        is_named = len(modules) == 1 and isinstance(modules[0], Mapping)
        super().__init__(() if is_named else modules)
        for name, module in modules[0].items() if is_named else ():
            _keep("Sequential", self, name, module)

    def forward(self, input: Any) -> Any:
        """Apply each module to the output of the module before it."""
        for module in self:
            input = module(input)
        return input

    def _part(self, chosen: list[tuple[str, Module]]) -> Row:
        return type(self)(dict(chosen))


class ModuleDict(Module):
    """Modules by name. `d["head"]` and `d.head` are the same module."""

    @named
    def __init__(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] = ()) -> None:
        super().__init__()
        self.update(modules)

    @named
    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        """Add modules, or put them in the place of those of the same names."""
        pairs = modules.items() if isinstance(modules, Mapping | ModuleDict) else modules
        for name, module in pairs:
            self[name] = module

    def __setitem__(self, name: str, module: Module) -> None:
        _keep("ModuleDict", self, name, module)

    def __getitem__(self, name: str) -> Module:
        module: Module = dict(self._own_modules())[name]
        return module

    def __delitem__(self, name: str) -> None:
        self.pop(name)

    @named
    def pop(self, name: str) -> Module:
        """Take a module out, and return it."""
        module = self[name]
        delattr(self, name)
        return module

    def __contains__(self, name: object) -> bool:
        return name in dict(self._own_modules())

    def __len__(self) -> int:
        return len(self.keys())

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def keys(self) -> list[str]:
        """Return the names."""
        return [name for name, _ in self._own_modules()]

    def values(self) -> list[Module]:
        """Return the modules."""
        return [module for _, module in self._own_modules()]

    def items(self) -> list[tuple[str, Module]]:
        """Return the names with their modules."""
        return list(self._own_modules())


def _keep(op: str, owner: Module, name: Any, module: Any) -> None:
    _require_module(op, module)
    keep_in_place(op, owner, name, Tree, module)


def _require_module(op: str, module: Any) -> None:
    if not isinstance(module, Module):
        raise TypeError(f"{op}: expected a Module, got {type(module).__name__}")
