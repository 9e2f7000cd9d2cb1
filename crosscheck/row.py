"""One array of a comparison, and all of them under one loss: what was measured, as data."""

from __future__ import annotations

from dataclasses import dataclass

from crosscheck.judge import Verdict


@dataclass(frozen=True)
class Row:
    """One array, compared. A number is None where it was not measured; errors are relative."""

    name: str  # of a parameter or a part of it, or "input", "output" or "loss"
    shape: tuple[int, ...]  # of our array, or of the reference's if we have none
    norm: float | None  # Frobenius, of our array
    norm_reference: float | None  # Frobenius, of the reference's array
    cosine: float | None  # of the angle between the two; None also where one of them is zero
    worst: tuple[int, ...] | None  # the index of the entries that differ most
    ours: float | None  # our entry there
    reference: float | None  # the reference's entry there
    error: float | None  # in float64, our array against the reference's
    rounding: float | None  # our float32 array against the reference's float64 one
    # The reference's float32 array against its float64 one. If ours is large beside it, this is the
    # largest of several: the reference is drawn again nearby.
    rounding_reference: float | None
    verdict: Verdict  # what the numbers came to
    reason: str  # why it is not plain agreement

    @property
    def ratio(self) -> float | None:
        """The norm of our array over the norm of the reference's."""
        if self.norm is None or not self.norm_reference:
            return None
        return self.norm / self.norm_reference

    @property
    def rounding_ratio(self) -> float | None:
        """Our float32 rounding error over the reference's own."""
        if self.rounding is None or not self.rounding_reference:
            return None
        return self.rounding / self.rounding_reference

    @property
    def said(self) -> str:
        """The verdict and its reason."""
        return f"{self.verdict}: {self.reason}" if self.reason else str(self.verdict)

    def __str__(self) -> str:
        said = self.said
        if self.norm is None or self.norm_reference is None:
            return said
        sizes = [f"norm {self.norm:.6g}, the reference's {self.norm_reference:.6g}"]
        if self.ratio is not None:
            sizes.append(f"ratio {self.ratio:.6g}")
        if self.cosine is not None:
            sizes.append(f"cosine {self.cosine:.6f}")
        if self.worst is None:
            return f"{said}\n    {', '.join(sizes)}"
        place = f"worst at {list(self.worst)}: {self.ours:.10g}, expected {self.reference:.10g}"
        return f"{said}\n    {', '.join(sizes)}; {place}"


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
