"""What differs between two saved results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from crosscheck.judge import Verdict

GROWN = 10.0  # times the error before
NOTICED = 1e-13  # below this an error is rounding, however much it has grown


@dataclass(frozen=True)
class Change:
    """A row that differs between two saved results."""

    name: str  # the name of the row
    loss: str  # the loss that it stands under, or "parity"
    before: str  # its verdict and error in the first result, in words
    after: str  # its verdict and error in the second result, in words
    worse: bool  # whether the row got worse, and not better


def changes(before: dict[str, Any], after: dict[str, Any]) -> list[Change]:
    """The rows that got worse or better, the worse ones first. A row that is gone got worse, and
    so did one that is new and does not pass.
    """
    old, new = _rows(before), _rows(after)
    found = []
    for key in [*old, *(key for key in new if key not in old)]:
        a, b = old.get(key), new.get(key)
        worse, better = _is_worse(a, b), _is_worse(b, a)
        if worse or better:
            loss, name = key
            found.append(Change(name, loss, _words(a), _words(b), worse))
    return sorted(found, key=lambda change: not change.worse)


def _rows(result: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    rows = {
        (comparison["loss"], row["name"]): row
        for comparison in result["report"]["comparisons"]
        for row in (*comparison["outputs"], *comparison["gradients"])
    }
    for row in result.get("parity", ()):  # float32's errors differ tenfold by luck: no error
        name = f"block of {row['side']}, {row['dtype']}"
        rows["parity", name] = {"verdict": row["verdict"], "error": None}
    return rows


def _is_worse(a: dict[str, Any] | None, b: dict[str, Any] | None) -> bool:
    """Whether b is worse than a."""
    if a is None or b is None:
        return b is None or not Verdict(b["verdict"]).good
    was_good, is_good = Verdict(a["verdict"]).good, Verdict(b["verdict"]).good
    if was_good != is_good:
        return was_good
    was, now = _error(a), _error(b)
    return was is not None and now is not None and now > max(GROWN * was, NOTICED)


def _error(row: dict[str, Any]) -> float | None:
    """JSON holds no NaN and no infinity: they are strings there."""
    return None if row["error"] is None else float(row["error"])


def _words(row: dict[str, Any] | None) -> str:
    if row is None:
        return "not there"
    error = _error(row)
    return row["verdict"] if error is None else f"{row['verdict']}, {error:.1e}"
