"""float32: our error against the float64 truth, beside PyTorch's own, over more than one draw."""

from __future__ import annotations

import numpy as np

from crosscheck.amplification import moved
from crosscheck.distance import norm, relative_error
from crosscheck.judge import FLOOR32, ROUNDING, ROUNDING_FLOOR
from crosscheck.ops.memory import MemoryWatch
from crosscheck.ops.run_case import CaseRun, Given, run_ours, run_reference
from crosscheck.sides import Array

NUDGES = 8  # how often float32 is tried again, where one draw fails

Errors = tuple[float, float, str]  # ours, the reference's, and what is wrong before any value is


def ratio_of(ours: float, theirs: float) -> float:
    """Return our error over the reference's; at most ROUNDING just if `judge_rounding` agrees."""
    return ours / max(theirs, ROUNDING_FLOOR / ROUNDING)


def rounding_errors(given: Given, ours: CaseRun) -> dict[str, Errors]:
    """Return the float32 errors of the result and of each gradient, by name.

    Where the reference's error on these inputs would make ours fail, both errors are root mean
    squares over inputs moved by one unit in the last place: one draw of the reference's is luck.
    """
    theirs = run_reference(given.case, given.arrays, "float32", given.seed)
    errors = _errors(given, ours, theirs)
    if not any(ratio_of(a, b) > ROUNDING for a, b, _ in errors.values()):
        return errors
    squares = {name: [(a * a, b * b)] for name, (a, b, _) in errors.items()}
    for draw in range(NUDGES):
        near = (moved(array.astype(np.float32), draw) for array in given.arrays)
        there = given.at([array.astype(np.float64) for array in near])
        theirs = run_reference(given.case, there.arrays, "float32", given.seed)
        again = run_ours(given.case, there.arrays, "float32", given.seed, MemoryWatch())
        for name, (a, b, _) in _errors(there, again, theirs).items():
            squares[name].append((a * a, b * b))
    means = {name: np.sqrt(np.mean(pairs, axis=0)) for name, pairs in squares.items()}
    return {name: (float(a), float(b), errors[name][2]) for name, (a, b) in means.items()}


def _errors(given: Given, ours: CaseRun, theirs: CaseRun) -> dict[str, Errors]:
    return {
        name: _error(given, name, ours.arrays[name], theirs.arrays[name]) for name in theirs.arrays
    }


def _error(given: Given, name: str, a: Array | None, b: Array | None) -> Errors:
    truth = given.truth.arrays[name]
    if a is None or b is None or truth is None:
        missing = "ours is missing" if a is None else "PyTorch has none"
        return 0.0, 0.0, "" if a is b else missing
    if a.shape != b.shape or a.dtype != b.dtype:
        return 0.0, 0.0, f"it is {a.dtype} {a.shape}, PyTorch's is {b.dtype} {b.shape}"
    wrong = ~np.isfinite(a) & np.isfinite(b) & np.isfinite(truth)
    if wrong.any():
        return 0.0, 0.0, f"{wrong.sum()} of {a.size} entries are not finite, and should be"
    finite = np.isfinite(a) & np.isfinite(b) & np.isfinite(truth)
    found, rival, right = (np.where(finite, x, 0.0).astype(np.float64) for x in (a, b, truth))
    if given.vanishes(name):  # both sides are all rounding, and their ratio says nothing
        allowed = max(FLOOR32 * given.scale, ROUNDING * norm(rival))
        is_zero = name == "out" or norm(found) <= allowed
        return 0.0, 0.0, "" if is_zero else f"its norm is {norm(found):.1e}, and zero is right"
    if given.case.cancels and norm(found - right) <= FLOOR32 * given.scale:
        return 0.0, 0.0, ""
    return relative_error(found, right), relative_error(rival, right), ""
