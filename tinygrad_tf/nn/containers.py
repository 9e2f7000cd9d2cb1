"""Modules that hold other modules in a row."""

from __future__ import annotations

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
        """Like PyTorch's: neighbours that print alike share a line."""
        groups: list[tuple[int, int, str]] = []
        for i, child in enumerate(self):
            text = repr(child)
            if groups and groups[-1][2] == text:
                groups[-1] = (groups[-1][0], i, text)
            else:
                groups.append((i, i, text))
        return [
            f"({a}): {text}" if a == b else f"({a}-{b}): {b - a + 1} x {text}"
            for a, b, text in groups
        ]


class Sequential(Module):
    """Modules applied one after the other."""

    def __init__(self, *modules: Module) -> None:
        super().__init__()
        vars(self).update({str(i): module for i, module in enumerate(modules)})

    def forward(self, input: Any) -> Any:
        """Apply each module to the output of the one before."""
        for module in self.children():
            input = module(input)
        return input
