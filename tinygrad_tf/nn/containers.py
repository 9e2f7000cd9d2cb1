"""Modules that hold other modules in a row."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

from tinygrad_tf.nn.module import Module


class ModuleList(Module):
    """A list of modules whose parameters are named 0.…, 1.…, and so on."""

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        super().__init__()
        for module in modules:
            self.append(module)

    def append(self, module: Module) -> ModuleList:
        """Add a module at the end."""
        vars(self)[str(len(self))] = module
        return self

    def __len__(self) -> int:
        return len(list(self.children()))

    def __iter__(self) -> Iterator[Module]:
        return self.children()

    def __getitem__(self, index: int) -> Module:
        return list(self.children())[index]

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


class Sequential(Module):
    """Modules that are applied one after the other."""

    def __init__(self, *modules: Module) -> None:
        super().__init__()
        vars(self).update({str(i): module for i, module in enumerate(modules)})

    def forward(self, input: Any) -> Any:
        """Apply each module to the output of the module before it."""
        for module in self.children():
            input = module(input)
        return input
