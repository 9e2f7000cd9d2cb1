"""One post-norm block, forward and backward, with all gradients: in every engine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.contenders import prepare as prepare_contender
from benchmarks.problem import SIZES, make_problem
from benchmarks.reference import check


def prepare(
    name: str, size: str, mask: str, reference: str = ""
) -> tuple[Callable[[], Any], float | None]:
    """The contender's step at this size; mask "full" or "causal"; no reference file, no proof."""
    step, collect = prepare_contender(name, make_problem(SIZES[size], mask == "causal"))
    measured = collect(step())
    return step, check(measured, Path(reference)) if reference and measured else None
