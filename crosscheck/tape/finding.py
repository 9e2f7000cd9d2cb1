"""What localisation found, as data and in words."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from crosscheck.distance import Gap


class Kind(StrEnum):
    """What sort of thing is wrong at a place."""

    FORWARD = "forward"  # the rule alone computes another output
    BACKWARD = "backward"  # the rule alone computes another gradient
    WIRING = "wiring"  # the rule is given something else, though nothing before it is wrong
    CONSTANT = "constant"  # the rule is called with another number
    MISSING = "missing"  # an op is there on one side only
    SUM = "sum of gradients"  # what several ops send back is right, and their sum is not
    STATE = "state"  # right alone, wrong in the run: something it keeps was changed
    ROUNDING = "rounding"  # right in float64, too inexact in float32
    RAISED = "raised"  # it ended with an exception
    REFERENCE = "reference"  # a third witness says that the reference's gradient is wrong
    SETTING = "setting"  # every op is right, and the two models are set up differently


@dataclass(frozen=True)
class Finding:
    """One bug, where it was *born*: an op was given what is right and made what is wrong."""

    kind: Kind
    op: str  # the name of its rule
    path: str  # the module in which it ran
    key: str  # path and op, with a count from the second such call on
    argument: str  # the array that is wrong, such as dweight or out
    what: str  # the bug in words
    rule: str = ""  # the file and line of the rule
    caller: str = ""  # the file and line of the call
    gap: Gap | None = None  # how far the array is off
    rounding: float | None = None  # our float32 error against the reference's float64, relative
    rounding_reference: float | None = None  # the reference's own float32 error
    hint: str = ""  # which mistake it looks like
    # What a finite difference says at the worst entry; None where none was taken.
    finite_difference: float | None = None

    @property
    def tolerance(self) -> float | None:
        """The smallest relative tolerance that would pass."""
        return None if self.gap is None else self.gap.error

    @property
    def place(self) -> str:
        """The module, and if the op is not the first of its kind there, its count."""
        _, _, count = self.key.partition("#")
        return f"{self.path}#{count}" if count else self.path

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {**asdict(self), "tolerance": self.tolerance}

    def __str__(self) -> str:
        born = "not born here" if self.kind == Kind.REFERENCE else "born here"
        lines = [f"{born}: {self.op} in {self.place}: {self.what}"]
        if self.kind == Kind.SETTING:
            lines = [self.what]
        gap = self.gap
        if gap is not None and gap.form:
            lines.append(f"{self.argument}: {gap.form}")
        elif gap is not None:
            lines.append(f"worst at {list(gap.worst)}: {self._witnesses(gap)}; {_tolerance(gap)}")
        if self.rounding is not None and self.rounding_reference is not None:
            lines.append(
                f"in float32: error {self.rounding:.1e}, the reference's own "
                f"{self.rounding_reference:.1e}"
            )
        if self.rule:
            called = f", called from {short_place(self.caller)}" if self.caller else ""
            lines.append(f"rule at {short_place(self.rule)}{called}")
        if self.hint:
            lines.append(f"hint: {self.hint}")
        return "\n  ".join(lines)

    def _witnesses(self, gap: Gap) -> str:
        """Say what each side has at the worst entry, and what a finite difference says."""
        if self.kind == Kind.REFERENCE:
            said = f"ours {gap.ours:.10g}, the reference's {gap.reference:.10g}"
        else:
            said = f"{gap.ours:.10g}, expected {gap.reference:.10g}"
        slope = self.finite_difference
        return said if slope is None else f"{said}, by a finite difference {slope:.7g}"


def _tolerance(gap: Gap) -> str:
    return f"relative error {gap.error:.1e}, so a tolerance of {gap.error:.1e} would pass it"


@dataclass(frozen=True)
class Localisation:
    """All findings of a run, and what else its tapes say."""

    # The findings of the forward in its order, then the findings of the backward.
    findings: tuple[Finding, ...]
    inherited: int  # how many ops are wrong only because of what they were given
    paired: int  # how many ops stand on both tapes
    unpaired: dict[str, tuple[str, ...]]  # the keys of the ops that stand on one tape, by side
    ops: tuple[str, ...] = ()  # the names of all ops that ran

    @property
    def first(self) -> Finding | None:
        """The finding that comes first."""
        return self.findings[0] if self.findings else None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {**asdict(self), "findings": [finding.to_dict() for finding in self.findings]}

    def __str__(self) -> str:
        lines = []
        for first, *others in self._alike():
            lines.append(str(first))
            if others:
                places = ", ".join(other.place for other in others)
                count = f"{len(others)} places" if len(others) > 1 else "one place"
                lines.append(f"  and so born in {count} more: {places}")
        if any(finding.kind == Kind.SETTING for finding in self.findings):
            return "\n".join(lines)  # it explains whatever else differs between the tapes
        if self.findings and self.inherited:
            lines.append(f"inherited from there: {self.inherited} of {self.paired} ops are wrong")
        lines += [
            f"on {side}'s tape only: {', '.join(keys)}"
            for side, keys in self.unpaired.items()
            if keys
        ]
        return "\n".join(lines)

    def _alike(self) -> list[list[Finding]]:
        """Return the findings in groups. One mistake in a rule makes all findings of a group."""
        groups: dict[tuple[str, ...], list[Finding]] = {}
        for finding in self.findings:
            alike = (finding.kind, finding.op, finding.argument, finding.rule)
            groups.setdefault(alike, []).append(finding)
        return list(groups.values())


def short_place(place: str) -> str:
    """Return a file and line as seen from here, if it is below the current folder."""
    path = Path(place)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else place
