"""What the cases of an op came to, as data and in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from crosscheck.distance import Gap

SCHEMA = 1  # of the JSON file; it rises when a field changes its meaning or goes


@dataclass(frozen=True)
class Failure:
    """One thing that is wrong in a case."""

    case: str  # the name of the case
    array: str  # the array that is wrong, such as out or dweight; empty if no array is
    what: str  # the fault in words
    gap: Gap | None = None  # how far our array is from the reference's, and where most
    # The finite difference's number for the entry where the gap is largest; None if it has no say.
    witness: float | None = None
    place: str = ""  # the file and line of the rule
    hint: str = ""  # which mistake it looks like

    def __str__(self) -> str:
        array = f"{self.array}: " if self.array else ""
        lines = [f"{self.case}: {array}{self.what}"]
        if self.gap is not None and self.gap.form in ("", "not finite"):
            numbers = f"ours {self.gap.ours:.10g}, PyTorch {self.gap.reference:.10g}"
            if self.witness is not None:
                numbers += f", finite difference {self.witness:.10g}"
            lines.append(f"worst at {list(self.gap.worst)}: {numbers}")
        if self.place:
            lines.append(f"rule at {self.place}")
        if self.hint:
            lines.append(f"hint: {self.hint}")
        return "\n    ".join(lines)


@dataclass
class Outcome:
    """What one case came to. A number is None where nothing could be measured."""

    op: str  # what the case is about
    case: str  # its name
    error: float | None = None  # the largest relative error in float64
    # Our float32 error over what judge_rounding compares it with: at most ROUNDING is right.
    ratio: float | None = None
    difference: float | None = None  # our gradient against the finite difference, relative
    tested: bool = False  # whether a wrong gradient would have shown
    failures: list[Failure] = field(default_factory=list)

    def fail(self, array: str, what: str, **more: Any) -> None:
        """Add a failure of this case."""
        self.failures.append(Failure(self.case, array, what, **more))


class Case(Protocol):
    """Something that both sides can do, and how the two are judged."""

    @property
    def op(self) -> str:
        """What it is about: an op, an optimiser, a layer, or a function of nn.init."""

    @property
    def name(self) -> str:
        """What is special in it; no other case of the op has this name."""

    def examine(self, seed: int, dtype: str) -> Outcome:
        """Run both sides and judge. dtype: "float64", "float32" or "both"."""


@dataclass(frozen=True)
class Row:
    """All cases of one op. A number is the worst of its cases, or None if none has it."""

    op: str
    cases: int
    error: float | None
    ratio: float | None
    difference: float | None
    failures: tuple[Failure, ...]  # those with a hint come first

    @property
    def agrees(self) -> bool:
        """Whether no case fails."""
        return not self.failures

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {**asdict(self), "agrees": self.agrees}


def rows(outcomes: Iterable[Outcome]) -> tuple[Row, ...]:
    """Return a row for each op, in the order of their first cases."""
    by_op: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        by_op.setdefault(outcome.op, []).append(outcome)
    return tuple(
        Row(
            op,
            len(cases),
            larger(*(case.error for case in cases)),
            larger(*(case.ratio for case in cases)),
            larger(*(case.difference for case in cases)),
            tuple(sorted((f for case in cases for f in case.failures), key=lambda f: not f.hint)),
        )
        for op, cases in by_op.items()
    )


def form_in_words(gap: Gap) -> str:
    """Say what is wrong with our array before any value is; empty if nothing is."""
    return {
        "missing here": "ours is missing",
        "missing there": "ours is there, and PyTorch has none",
        "not finite": "one side is finite where the other is not",
    }.get(gap.form, gap.form)


def larger(*numbers: float | None) -> float | None:
    """Return the largest of the numbers that are there, or None."""
    return max((number for number in numbers if number is not None), default=None)
