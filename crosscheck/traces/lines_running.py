"""What is known of the functions of the user's that are running, while their lines are traced."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import FrameType
from typing import Any, Protocol

from crosscheck.traces.lines_source import Source, Unit
from crosscheck.traces.lines_values import Found
from crosscheck.traces.trace import Place


@dataclass(frozen=True)
class Said:
    """What a record says of the line that made it; see `Record`."""

    place: Place | None
    callers: tuple[Place, ...]
    op: str = ""


class Naming(Protocol):
    """Who may name records otherwise than by their line: the ops of a tensor engine."""

    def enters(self, frame: FrameType, parent: Activation | None) -> Any:
        """Return what is to be remembered of a function that begins, as `Activation.op`."""

    def leaves(self, activation: Activation, returned: Any) -> None:
        """A function ends, and returns this."""

    def said(self, activation: Activation, found: Found, plain: Said) -> tuple[str, Said]:
        """Return the name and place of a record for this array, in place of its line's."""


@dataclass(eq=False)
class Activation:
    """A function of the user's that is running."""

    frame: FrameType
    source: Source
    callers: tuple[Place, ...]
    parent: Activation | None
    unit: Unit | None = None  # the line that runs now
    instruction: int = -1  # how far it had come in its bytecode
    reads: list[set[int]] = field(default_factory=list)  # of each statement, before it ran
    returned: set[int] = field(default_factory=set)  # by the functions that this line called
    numbers: dict[str, set[int]] = field(default_factory=dict)  # what names without arrays are of
    looped: dict[str, int] = field(default_factory=dict)  # what names of loops hold, by identity
    written: set[int] = field(default_factory=set)  # arrays that have a record of this line's end
    op: Any = None  # for the naming

    @property
    def place(self) -> Place:
        """The line that runs now."""
        line = self.unit.line if self.unit else self.frame.f_code.co_firstlineno
        return Place(self.frame.f_code.co_filename, line)

    @property
    def sources(self) -> set[int]:
        """All that the line that runs now was given."""
        return self.returned.union(*self.reads)
