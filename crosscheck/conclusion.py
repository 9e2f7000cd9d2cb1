"""What all rows come to, in one line: AGREE, DISAGREE or NOT PROVED."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.text import Text

from crosscheck.judge import Verdict
from crosscheck.printing import plural
from crosscheck.row import Comparison
from crosscheck.tables import shown_error


def summary(comparison: Comparison, dtype: str) -> Text:
    """Say how many rows agree under a loss, and how far the farthest of them is off."""
    rows = comparison.rows
    good = sum(row.verdict.good for row in rows)
    worst = _worst((comparison,), dtype)
    error = "" if worst is None else f", largest error {worst:.1e}"
    return Text(f"Under {comparison.loss}: {good} of {len(rows)} rows agree{error}")


def conclusion(
    verdicts: Sequence[Verdict], comparisons: Sequence[Comparison], dtype: str, raised: str = ""
) -> Text:
    """Return the last line of a result.

    verdicts: of all rows, and of whatever else was judged. dtype: "float32" for a run in it alone.
    raised: the exception that ended our engine's run, in words.
    """
    rows = len(verdicts)
    wrong, unproved = sum(verdict.wrong for verdict in verdicts), _unproved(verdicts)
    if raised:
        return Text(f"DISAGREE: our engine raised {raised}", "bold red")
    if wrong:
        said = f"{wrong} of {rows} rows {plural(wrong, 'fails', 'fail')}"
        others = [f"{count} more {words}" for count, words in unproved]
        return Text(f"DISAGREE: {'; '.join([said, *others])}.", "bold red")
    if not unproved:
        worst = _worst(comparisons, dtype)
        precision = "float32" if dtype == "float32" else "float64"
        detail = f"; largest error in {precision} {worst:.1e}" if worst else ""
        compared = plural(rows, "1 row compared, and agrees", f"{rows} rows compared, all agree")
        return Text(f"AGREE: {compared}{detail}.", "bold green")
    (count, words), *rest = unproved
    good = sum(verdict.good for verdict in verdicts)
    parts = [
        f"{count} of {rows} rows {words}",
        *(f"{count} more {words}" for count, words in rest),
        f"the other {good} {plural(good, 'agrees', 'agree')}",
    ]
    return Text(f"NOT PROVED: {'; '.join(parts)}.", "bold yellow")


def _worst(comparisons: Sequence[Comparison], dtype: str) -> float | None:
    rows = (row for comparison in comparisons for row in comparison.rows if row.verdict.good)
    errors = (shown_error(row, dtype) for row in rows)
    return max((e for e in errors if e is not None and math.isfinite(e)), default=None)


def _unproved(verdicts: Sequence[Verdict]) -> list[tuple[int, str]]:
    """Say how many rows prove nothing, for each reason that there is."""
    small, amplified = verdicts.count(Verdict.VACUOUS), verdicts.count(Verdict.AMPLIFIED)
    one, many = (
        "is too small to test (its gradient vanishes)",
        "are too small to test (their gradients vanish)",
    )
    rounding = f"{plural(amplified, 'differs', 'differ')} by no more than rounding explains"
    unchecked = verdicts.count(Verdict.UNCHECKED)
    counted = [
        (small, plural(small, one, many)),
        (amplified, rounding),
        (unchecked, plural(unchecked, "is not checked", "are not checked")),
    ]
    return [(count, words) for count, words in counted if count]
