"""The result of a comparison, as data: what `compare` returns, and what goes into the JSON file."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from crosscheck.judge import Verdict
from crosscheck.tape.finding import Localisation

LISTED = 12  # how many failures are spelled out in words


@dataclass(frozen=True)
class Row:
    """One array, compared. A number is None where it was not measured; errors are relative."""

    name: str  # of a parameter or a part of it, or "input", "output" or "loss"
    shape: tuple[int, ...]  # of our array, or of the reference's if we have none
    norm: float | None  # Frobenius, of our array
    norm_reference: float | None  # Frobenius, of the reference's array
    error: float | None  # in float64, our array against the reference's
    rounding: float | None  # our float32 array against the reference's float64 one
    rounding_reference: float | None  # the reference's float32 array against its float64 one
    verdict: Verdict  # what the numbers came to
    reason: str  # why it is not plain agreement

    @property
    def rounding_ratio(self) -> float | None:
        """Our float32 rounding error over the reference's own."""
        if self.rounding is None or not self.rounding_reference:
            return None
        return self.rounding / self.rounding_reference


@dataclass(frozen=True)
class Comparison:
    """All rows under one loss."""

    loss: str  # its name
    value: float  # its value on our side
    value_reference: float  # its value on the reference's side
    outputs: tuple[Row, ...]  # the output, and under cross-entropy the loss
    gradients: tuple[Row, ...]  # in the order of the parameters

    @property
    def rows(self) -> tuple[Row, ...]:
        """Outputs and gradients."""
        return self.outputs + self.gradients


@dataclass(frozen=True)
class Report:
    """What `compare` found."""

    dtype: str  # "both", "float64" or "float32"
    seed: int  # of the cotangent
    comparisons: tuple[Comparison, ...]  # one for each loss
    first_not_finite: str | None = None  # where the first NaN or infinity was made, in words
    localisation: Localisation | None = None  # where what disagrees was born, if that was searched
    fast: bool = False  # whether our float32 was computed by the fast forms, and not by the pages

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
        # A row that is too small to test does not pass, but it does not disagree either.
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
