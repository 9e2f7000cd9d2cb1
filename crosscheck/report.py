"""The result of a comparison, as data: what `compare` returns, and what goes into the JSON file."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from crosscheck.judge import Verdict
from crosscheck.tape.finding import Localisation

LISTED = 12  # how many failures are spelled out in words


@dataclass(frozen=True)
class Row:
    """One array, compared. Norms are Frobenius; an error is None where it was not measured.

    error: float64, the model against the reference, relative. rounding, rounding_reference: each
    side's float32 result against the reference's float64 one, relative. reason: why it is not plain
    agreement.
    """

    name: str
    shape: tuple[int, ...]
    norm: float | None
    norm_reference: float | None
    error: float | None
    rounding: float | None
    rounding_reference: float | None
    verdict: Verdict
    reason: str

    @property
    def rounding_ratio(self) -> float | None:
        """Our float32 rounding error over the reference's own."""
        if self.rounding is None or not self.rounding_reference:
            return None
        return self.rounding / self.rounding_reference


@dataclass(frozen=True)
class Comparison:
    """All rows under one loss: the outputs, then the gradients in the order of the parameters."""

    loss: str
    value: float
    value_reference: float
    outputs: tuple[Row, ...]
    gradients: tuple[Row, ...]

    @property
    def rows(self) -> tuple[Row, ...]:
        """Outputs and gradients."""
        return self.outputs + self.gradients

    @property
    def worst_error(self) -> float | None:
        """The largest relative error in float64 among the rows that have one."""
        return max((row.error for row in self.rows if row.error is not None), default=None)


@dataclass(frozen=True)
class Report:
    """What `compare` found. agrees: whether every row of every comparison passes.

    localisation: where what disagrees was born; None if nothing does, or there is no tape of the
    engine. fast: whether our float32 was computed by the fast forms, and not by the pages.
    """

    dtype: str
    seed: int
    comparisons: tuple[Comparison, ...]
    first_not_finite: str | None = None
    localisation: Localisation | None = None
    fast: bool = False

    @property
    def agrees(self) -> bool:
        """Whether there is something to compare, and all of it passes."""
        rows = [row for comparison in self.comparisons for row in comparison.rows]
        return bool(rows) and all(row.verdict.good for row in rows)

    @property
    def failures(self) -> tuple[tuple[str, Row], ...]:
        """The rows that do not pass, each with the loss it was compared under."""
        return tuple(
            (comparison.loss, row)
            for comparison in self.comparisons
            for row in comparison.rows
            if not row.verdict.good
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        where = None if self.localisation is None else self.localisation.to_dict()
        return {**asdict(self), "agrees": self.agrees, "localisation": where}

    def __str__(self) -> str:
        count = sum(len(comparison.rows) for comparison in self.comparisons)
        if self.agrees:
            return f"{count} rows, all agree"
        # What is too small to test does not pass, but nor does it disagree.
        vacuous = all(row.verdict == Verdict.VACUOUS for _, row in self.failures)
        what = "are too small to test" if vacuous else "fail"
        lines = [
            f"{len(self.failures)} of {count} rows {what}",
            *filter(None, [self.first_not_finite]),
        ]
        listed = LISTED
        if self.localisation is not None and self.localisation.findings:
            lines += str(self.localisation).split("\n")
            listed = LISTED // 3  # once it is known where it comes from, few will do
        for loss, row in self.failures[:listed]:
            lines.append(f"{row.name} (under {loss}): {row.verdict}: {row.reason}")
        if len(self.failures) > listed:
            lines.append(f"... and {len(self.failures) - listed} more")
        return "\n  ".join(lines)
