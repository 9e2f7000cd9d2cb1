"""What `--args` gives: Python literals by name, for constructors whose arguments are no sizes."""

from __future__ import annotations

import ast
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from crosscheck.answers import did_you_mean


@dataclass
class Arguments:
    """Values by name, and which of the names have been taken by something that was called."""

    values: dict[str, Any] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    offered: set[str] = field(default_factory=set)  # the names that could have been taken

    @classmethod
    def of(cls, text: str) -> Arguments:
        """Parse "n_embd=64, causal=True". Raises ValueError for anything but literals by name."""
        if not text.strip():
            return cls()
        try:
            call = ast.parse(f"f({text})", mode="eval").body
        except SyntaxError:
            call = None
        if not isinstance(call, ast.Call) or call.args or any(k.arg is None for k in call.keywords):
            raise ValueError(
                f'--args {text!r} cannot be read: expected arguments by name, as in "n_embd=64, '
                'causal=True"'
            )
        values = {}
        for keyword in call.keywords:
            try:
                values[str(keyword.arg)] = ast.literal_eval(keyword.value)
            except ValueError as error:
                raise ValueError(
                    f"--args {keyword.arg}={ast.unparse(keyword.value)}: expected a number, a text,"
                    " True, False, None, or a list, tuple or dictionary of these"
                ) from error
        return cls(values)

    def among(self, names: Collection[str], every: bool = False) -> dict[str, Any]:
        """Take the values of these names; every: of all names, whatever they are."""
        self.offered |= set(names)
        given = {n: value for n, value in self.values.items() if every or n in names}
        self.taken |= set(given)
        return given

    def require_all_taken(self) -> None:
        """Raise ValueError if nothing that was called takes one of the names."""
        strangers = [name for name in self.values if name not in self.taken]
        if strangers:
            named = ", ".join(f"{name}{did_you_mean(name, self.offered)}" for name in strangers)
            there = ", ".join(sorted(self.offered)) or "no arguments"
            raise ValueError(f"--args: nothing that was called takes {named}; taken are {there}")
