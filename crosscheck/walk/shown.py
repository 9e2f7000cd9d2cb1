"""An array on both sides, as the page shows it."""

from __future__ import annotations

import linecache
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from crosscheck.distance import Gap, gap_between, norm
from crosscheck.sides import Array
from crosscheck.tape.finding import short_place
from crosscheck.walk.array_table import ArrayTable
from crosscheck.walk.axes import Sizes, axes_of
from crosscheck.walk.rule_page import ROOT
from crosscheck.walk.schema_of_ops import Compared, Place

Errors = tuple[float | None, float | None]  # relative, in float32: ours and the reference's own


@dataclass(frozen=True)
class Shown:
    """Puts arrays into the table, and says how far the two sides are apart."""

    sizes: Sizes  # of the run, for the names of axes
    table: ArrayTable = field(default_factory=ArrayTable)

    def compared(
        self,
        name: str,
        ours: Array | None,
        reference: Array | None,
        gap: Gap | None,
        errors: Callable[[], Errors] = lambda: (None, None),
    ) -> Compared:
        """Return both arrays. gap: as the tape has measured it; None where it has not."""
        gap = gap_between(ours, reference) if gap is None else gap
        array = ours if ours is not None else reference
        shape = () if array is None else np.shape(array)
        ref = None if ours is None else self.table.ref(ours)
        other = None if reference is None else self.table.ref(reference) if not gap.agrees else ref
        rounding, rounding_reference = errors()
        differs = not gap.agrees and not gap.form
        return Compared(
            name=name,
            shape=shape,
            axes=axes_of(shape, self.sizes),
            ours=ref,
            reference=other,
            norm=finite_norm(ours),
            norm_reference=finite_norm(reference),
            error=None if gap.form else gap.error,
            rounding=rounding,
            rounding_reference=rounding_reference,
            verdict="agree" if gap.agrees else "missing" if gap.form else "disagree",
            said=gap.form,
            worst=gap.worst if differs else None,
            worst_ours=gap.ours if differs else None,
            worst_reference=gap.reference if differs else None,
        )

    def same_entries(self, name: str, array: Array, reference: Array) -> Compared:
        """Return an array of our side that has the reference's entries, and in no order of axes."""
        found = self.compared(name, array, array, None)
        said = "the reference has these entries in another arrangement"
        return replace(found, norm_reference=finite_norm(reference), error=None, said=said)

    def alone(self, name: str, array: Array) -> Compared:
        """Return an array of our side beside which nothing is known."""
        found = self.compared(name, array, array, None)
        return replace(found, reference=None, norm_reference=None, error=None, verdict="unpaired")


def finite_norm(array: Array | None) -> float | None:
    """Return the norm of the finite entries: a mask puts -inf into the scores."""
    if array is None:
        return None
    wide = np.asarray(array, np.float64)
    return norm(np.where(np.isfinite(wide), wide, 0.0))


def place(file_and_line: str) -> Place | None:
    """Return a "file:line" with its text; None for the empty string."""
    file, _, line = file_and_line.rpartition(":")
    if not file:
        return None
    return Place(short(file), int(line), linecache.getline(file, int(line)).strip())


def short(file: str) -> str:
    """Return a path without the folders that are only this machine's."""
    path = Path(file)
    if path.is_relative_to(ROOT):
        return path.relative_to(ROOT).as_posix()
    near = Path(short_place(file))
    return near.name if near.is_absolute() else near.as_posix()
