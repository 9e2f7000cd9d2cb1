"""The rows of the report, each with the arrays of its parameter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from crosscheck.distance import gap_between
from crosscheck.in_projection import LETTERS, is_part, whole
from crosscheck.row import Row
from crosscheck.sides import Array, Gradients
from crosscheck.walk.axes import axes_of
from crosscheck.walk.schema import Parameter
from crosscheck.walk.schema_of_ops import Compared
from crosscheck.walk.shown import Shown


def parameters_of(
    rows: tuple[Row, ...],
    values: Mapping[str, Array],
    gradients: Mapping[str, Compared],
    shown: Shown,
) -> Iterator[Parameter]:
    """Yield a parameter for each row of the gradients.

    values: the weights, by name. gradients: of whole parameters, by name.
    """
    for row in rows:
        name = whole(row.name)
        gradient, value = gradients.get(name), values.get(name)
        yield Parameter(
            name=row.name,
            parameter=name,
            rows=_rows(row),
            shape=row.shape,
            axes=axes_of(row.shape, shown.sizes),
            value=None if value is None else shown.table.ref(value),
            gradient=None if gradient is None else gradient.ours,
            gradient_reference=None if gradient is None else gradient.reference,
            norm=row.norm,
            norm_reference=row.norm_reference,
            error=row.error,
            rounding=row.rounding,
            rounding_reference=row.rounding_reference,
            verdict=row.verdict.value,
            good=row.verdict.good,
            reason=row.reason,
            worst=row.worst,
            worst_ours=row.ours,
            worst_reference=row.reference,
        )


def whole_gradients(
    ours: Gradients, theirs: Gradients, floor: float, shown: Shown
) -> dict[str, Compared]:
    """Return the gradient of every parameter on both sides, by name."""
    return {
        name: shown.compared(
            f"d{name}", ours.get(name), expected, gap_between(ours.get(name), expected, floor)
        )
        for name, expected in theirs.items()
    }


def _rows(row: Row) -> tuple[int, int] | None:
    """Return which rows of its parameter a part is: q, k and v stand in this order."""
    if not is_part(row.name) or not row.shape:
        return None
    first = LETTERS.index(row.name[-2]) * row.shape[0]
    return first, first + row.shape[0]
