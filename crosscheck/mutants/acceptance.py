"""The rules by which others accept a gradient, applied to the same planted bugs.

As such checks usually do, they run on models as they are initialised, in float64 and in float32.
The rule for a plain sum runs in float64 alone, since honest code does not pass it in float32.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from crosscheck.distance import norm, relative_error
from crosscheck.mutants.mutant import Mutant
from crosscheck.mutants.trials import TRIALS, Trial
from crosscheck.runs import CROSS_ENTROPY, SUM, Batch, Run, run
from crosscheck.sides import Array

Rule = Callable[[Array, Array], bool]


def _close(a: Array, b: Array) -> bool:
    return bool(np.allclose(a, b, rtol=1e-5, atol=1e-5))


def _within(a: Array, b: Array) -> bool:
    return bool(np.abs(a - b).max() <= 2e-2)


def _same_norm(a: Array, b: Array) -> bool:
    return abs(norm(a) - norm(b)) <= 0.01 * norm(b) + 1e-8


def _relative(a: Array, b: Array) -> bool:
    return relative_error(a, b) <= 1e-3 or norm(b) < 1e-8


# By the name that is shown: the loss that the rule is used with, and when it accepts.
OTHER_RULES: dict[str, tuple[str, Rule]] = {
    "allclose 1e-5, .sum()": (SUM, _close),
    "absolute 2e-2": (CROSS_ENTROPY, _within),
    "norms within 1 %": (CROSS_ENTROPY, _same_norm),
    "relative 1e-3": (CROSS_ENTROPY, _relative),
}
CASES = ((SUM, "float64"), (CROSS_ENTROPY, "float64"), (CROSS_ENTROPY, "float32"))


def caught_by_others(mutant: Mutant, seed: int) -> dict[str, bool]:
    """Return for each rule whether it notices the planted bug in any model of our trials.

    The models are as their constructors initialise them. Every rule notices an exception.
    """
    caught = dict.fromkeys(OTHER_RULES, False)
    for asked, model, batch, dtype, loss, theirs in _cases(seed):
        names = [name for name in asked if not caught[name]]
        if not names:
            continue
        try:
            with mutant.planted():
                ours = run(model, batch, dtype=dtype, loss=loss)
        except Exception:  # a planted bug may raise anything
            caught |= dict.fromkeys(names, True)
        else:
            for name in names:
                caught[name] |= not _accepts(OTHER_RULES[name][-1], ours, theirs)
    return caught


@functools.cache
def _cases(seed: int) -> list[tuple[list[str], Any, Batch, str, str, Run]]:
    """Return, for every trial, loss and precision, the names of the rules that look at this case,
    our model, its batch, the precision, the loss, and the reference's run.
    """
    cases = []
    for trial in TRIALS:
        if isinstance(trial, Trial):
            model, reference, batch = trial.build(seed, initial=True)
            for asked, dtype in CASES:
                names = [name for name, (used, _) in OTHER_RULES.items() if used == asked]
                loss = SUM if asked == SUM else batch.loss  # without targets, a random cotangent
                theirs = run(reference, batch, dtype=dtype, loss=loss)
                cases.append((names, model, batch, dtype, loss, theirs))
    return cases


def _accepts(rule: Rule, ours: Run, theirs: Run) -> bool:
    pairs = [(ours.output, theirs.output)]
    for name, right in theirs.gradients.items():
        wrong = ours.gradients.get(name)
        if wrong is None or right is None or wrong.shape != right.shape:
            return wrong is right
        pairs.append((wrong, right))
    return all(rule(a, b) for a, b in pairs)
