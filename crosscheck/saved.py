"""What differs between two saved results."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crosscheck.judge import Verdict

GROWN = 10.0  # times the error before
NOTICED = 1e-13  # below this an error is rounding, however much it has grown
LARGEST = 64 * 2**20  # bytes of a file; a result of 100 layers has less than one of them
LARGEST_NUMBER = sys.float_info.max
NOT_FINITE = ("nan", "inf", "-inf")  # JSON has no such numbers, so a result has them as strings
SHOWN = 80  # characters of a file's value that a message repeats
# What a result says of its run, beside the model's options.
RUN = ("batch_size", "seed", "vocab_size", "mine", "reference", "called", "input")


@dataclass(frozen=True)
class Change:
    """A row that differs between two saved results."""

    name: str  # the name of the row
    loss: str  # the loss that it stands under, or "parity"
    before: str  # its verdict and error in the first result, in words
    after: str  # its verdict and error in the second result, in words
    worse: bool  # whether the row got worse, and not better


def read_result(path: Path, schema: int) -> dict[str, Any]:
    """Read a result that `crosscheck --json` has written with this schema.

    Raises ValueError that names the file for what is no such result, and OSError for what cannot be
    read.
    """
    with path.open("rb") as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise ValueError(f"{path} is larger than {LARGEST:,} bytes: no result is so large")
    return result_in(content, path, schema)


def result_in(content: bytes, path: Path, schema: int) -> dict[str, Any]:
    """Return the result that a file's bytes hold. Raises ValueError as `read_result`."""
    try:
        result = json.loads(
            content.decode(), object_pairs_hook=_without_repeats, parse_constant=_no_constant
        )
    except RecursionError as error:
        raise ValueError(f"{path} is not a result: its lists are nested too deeply") from error
    except ValueError as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    said = result.get("schema") if isinstance(result, dict) else None
    if type(said) is not int or said != schema or "report" not in result:
        raise ValueError(
            f"{path} is not a result of `crosscheck --json` of schema {schema} (it says "
            f"{_shown(said)}): save it anew with this version"
        )
    found: dict[str, Any] = result
    try:
        _rows(found)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is damaged: {_shown(error)}") from error
    return found


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the name {_shown(twice)} stands twice in one object")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON: a result has it as a string")


def _shown(value: Any) -> str:
    """Return what a file holds as one short line, whatever characters are in it."""
    text = ascii(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]} and so on"


def unlike(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Return what was run otherwise for the second result: "layers: 2, then 3"."""
    old, new = _setting(before), _setting(after)
    return [
        f"{_shown(name)[1:-1]}: {_shown(old.get(name))}, then {_shown(new.get(name))}"
        for name in [*old, *(name for name in new if name not in old)]
        if old.get(name) != new.get(name)
    ]


def _setting(result: dict[str, Any]) -> dict[str, Any]:
    """Return what decides which rows a result has, and of which numbers they are."""
    options = result.get("options")
    own = {name: result[name] for name in RUN if name in result}
    report = {name: result["report"].get(name) for name in ("dtype", "fast", "seed")}
    return {**report, **own, **(options if isinstance(options, dict) else {})}


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
            loss, _, name = key
            found.append(Change(name, loss, _words(a), _words(b), worse))
    return sorted(found, key=lambda change: not change.worse)


def _rows(result: dict[str, Any]) -> dict[tuple[str, str, str], dict[str, Any]]:
    """Return the rows by loss, kind and name. Raises ValueError for one that stands there twice."""
    rows: dict[tuple[str, str, str], dict[str, Any]] = {}
    for comparison in _listed(result["report"], "comparisons"):
        for kind in ("outputs", "gradients"):
            for row in _listed(comparison, kind):
                _add(rows, (comparison["loss"], kind, row["name"]), row)
    parity = _listed(result, "parity") if "parity" in result else []
    for row in parity:  # float32's errors differ tenfold by luck: no error
        name = f"block of {_named(row['side'])}, {_named(row['dtype'])}"
        _add(rows, ("parity", "", name), {"verdict": row["verdict"], "error": None})
    return rows


def _listed(holder: dict[str, Any], name: str) -> list[Any]:
    if not isinstance(holder[name], list):
        raise TypeError(f"{name} is {_shown(holder[name])}, and no list")
    found: list[Any] = holder[name]
    return found


def _named(name: Any) -> str:
    if not isinstance(name, str) or not name.isprintable():
        raise TypeError(f"{_shown(name)} is no name of a row or of a loss")
    return name


def _add(
    rows: dict[tuple[str, str, str], dict[str, Any]],
    key: tuple[str, str, str],
    row: dict[str, Any],
) -> None:
    for name in key:
        _named(name)
    if key in rows:
        raise ValueError(f"the row {key[2]} is listed twice under {key[0]}")
    Verdict(row["verdict"])
    error = row["error"]
    if isinstance(error, bool) or not (
        error is None or isinstance(error, int | float) or error in NOT_FINITE
    ):
        raise TypeError(f"the error of {key[2]} is {_shown(error)}, and no number")
    if isinstance(error, int) and abs(error) > LARGEST_NUMBER:
        raise ValueError(f"the error of {key[2]} is larger than any float64")
    if error is not None and float(error) < 0:
        raise ValueError(f"the error of {key[2]} is {_shown(error)}, and below 0")
    rows[key] = row


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
