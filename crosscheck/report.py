"""The result of a comparison, as data and in words: what `compare` returns."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from crosscheck.cuts import Cuts, annotated
from crosscheck.cuts.cuts import Line
from crosscheck.judge import Verdict
from crosscheck.printing import plain_table, plural, printed
from crosscheck.row import Comparison, Row
from crosscheck.tape.finding import Localisation

LISTED = 12  # how many rows are spelled out in words
LISTED_FEW = 4  # of what is not proved; and once it is known where it comes from, few will do

Found = tuple[tuple[str, Row], ...]  # rows, each with the loss it was compared under


@dataclass(frozen=True)
class Report:
    """What `compare` found."""

    dtype: str  # "both", "float64" or "float32"
    seed: int  # of the cotangent
    comparisons: tuple[Comparison, ...]  # one for each loss; empty if our engine raised
    first_not_finite: str | None = None  # where the first NaN or infinity was made, in words
    localisation: Localisation | None = None  # where what disagrees was born, if that was searched
    fast: bool = False  # whether our float32 was computed by the fast forms, and not by the pages
    raised: str = ""  # the exception that ended our engine's run, in words; empty if there was none
    weights: str = "name"  # how the weights were paired, in words
    map: dict[str, str] | None = None  # for each weight of the model the reference's; None by name
    cuts: Cuts | None = (
        None  # in which lines of the model's source it was born, if that was searched
    )
    # The largest |difference| of an entry of the two outputs, by precision.
    differences: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()  # what else a reader should know, in sentences

    @property
    def agrees(self) -> bool:
        """Whether there is something to compare, and all of it passes."""
        rows = [row for comparison in self.comparisons for row in comparison.rows]
        return bool(rows) and all(row.verdict.good for row in rows)

    @property
    def disagrees(self) -> bool:
        """Whether something is wrong. What is only not proved is neither this nor agreement."""
        return bool(self.wrong or self.raised)

    @property
    def wrong(self) -> Found:
        """The rows in which the sides differ, and nothing excuses it."""
        return self._those(lambda verdict: verdict.wrong)

    @property
    def unproved(self) -> Found:
        """The rows that say nothing: too small to test, or explained by rounding."""
        return self._those(lambda verdict: verdict.unproved)

    @property
    def first(self) -> Line | None:
        """The line of the model's source that is blamed; None if none was searched or found."""
        return None if self.cuts is None else self.cuts.first

    @property
    def between(self) -> tuple[Line, ...]:
        """The lines among which the mistake stands, the likeliest first."""
        return () if self.cuts is None else self.cuts.between

    def annotated(self) -> str:
        """Return the model's own source, each line with what is known of it; or the empty string.

        A tick says that the line makes a value or gradient of the reference, a cross that it is
        blamed, and a tilde that it computes from what is wrong.
        """
        return "" if self.cuts is None else annotated(self.cuts).plain

    @property
    def failures(self) -> Found:
        """The rows that do not pass: first what is wrong, then what is not proved."""
        return self.wrong + self.unproved

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        where = None if self.localisation is None else self.localisation.to_dict()
        cuts = None if self.cuts is None else self.cuts.to_dict()
        plain = asdict(dataclasses.replace(self, localisation=None, cuts=None))
        return {**plain, "agrees": self.agrees, "localisation": where, "cuts": cuts}

    def __str__(self) -> str:
        count = sum(len(comparison.rows) for comparison in self.comparisons)
        if self.agrees:
            return "\n".join([self._table(), *self.notes, f"{count} rows, all agree"])
        lines = [f"the model raised {self.raised}" if self.raised else self._counts(count)]
        lines += filter(None, [self.first_not_finite])
        listed = LISTED
        if self.disagrees and self.localisation is not None and str(self.localisation):
            lines += str(self.localisation).split("\n")
            listed = LISTED_FEW
        if self.cuts is not None:
            lines += [*self.annotated().split("\n")]
            listed = LISTED_FEW
        lines += _in_words(self.wrong, listed)
        few = self.unproved[:LISTED_FEW]
        lines += [f"{row.name} (under {loss}): {row.said}" for loss, row in few]
        if (more := len(self.unproved) - len(few)) > 0:
            lines.append(f"... and {more} more that {plural(more, 'is', 'are')} not proved")
        lines += self.notes
        return "\n  ".join(lines)

    def _those(self, wanted: Callable[[Verdict], bool]) -> Found:
        return tuple(
            (comparison.loss, row)
            for comparison in self.comparisons
            for row in comparison.rows
            if wanted(row.verdict)
        )

    def _counts(self, count: int) -> str:
        wrong, unproved = len(self.wrong), len(self.unproved)
        if not wrong:
            return f"{unproved} of {count} rows {plural(unproved, 'is', 'are')} not proved"
        others = f"; {unproved} more {plural(unproved, 'is', 'are')} not proved" if unproved else ""
        return f"{wrong} of {count} rows {plural(wrong, 'fails', 'fail')}{others}"

    def _table(self) -> str:
        """Every row, with its norms and errors, in a table for each loss."""
        tables = []
        for comparison in self.comparisons:
            tables.append(plain_table(f"Under {comparison.loss}"))
            for name in ("row", "norm", "the reference's", "error", "in float32", "verdict"):
                tables[-1].add_column(name, no_wrap=True)
            for row in comparison.rows:
                numbers = (row.norm, row.norm_reference, row.error, row.rounding)
                # Beside a zero, an error says nothing.
                shown = numbers[:2] if row.verdict == Verdict.ZERO else numbers
                cells = ["" if number is None else f"{number:.3g}" for number in shown]
                tables[-1].add_row(row.name, *cells, *[""] * (4 - len(cells)), row.verdict.value)
        return "\n".join(map(printed, tables))


def _in_words(rows: Found, listed: int) -> list[str]:
    """Spell out the first of these rows. What all have in common is said once."""
    mixed = [row for _, row in rows if row.verdict == Verdict.DTYPE]
    if len(mixed) > 1:
        rows = tuple((loss, row) for loss, row in rows if row.verdict != Verdict.DTYPE)
    said = [f"{row.name} (under {loss}): {row}" for loss, row in rows[:listed]]
    lines = [line for words in said for line in words.split("\n")]
    if len(rows) > listed:
        lines.append(f"... and {len(rows) - listed} more")
    if len(mixed) > 1:
        lines.append(f"{len(mixed)} rows, {mixed[0].name} the first: {mixed[0]}")
    return lines
