"""Results on disk: how they are saved, and what differs between two of them."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crosscheck.judge import Verdict
from crosscheck.weights import write_whole

GROWN = 10.0  # times the error before
NOTICED = 1e-13  # below this an error is rounding, however much it has grown


@dataclass(frozen=True)
class Change:
    """A row that differs. before, after: its verdict and error in words."""

    name: str
    loss: str
    before: str
    after: str
    worse: bool


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


def write_json(content: dict[str, Any], path: Path) -> None:
    """Write the file, whole or not at all."""
    text = json.dumps(_without_nan(content), indent=2, allow_nan=False)
    write_whole(path, f"{text}\n".encode())


def _without_nan(value: Any) -> Any:
    """JSON has no NaN and no infinity: they become the strings "nan" and "inf"."""
    if isinstance(value, dict):
        return {name: _without_nan(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
