"""The rules by which others accept a gradient, applied to the same planted bugs.

They run on models as they are initialised, as such checks usually do, in float64 and in float32.
The rule for a plain sum runs in float64 alone: in float32 honest code would not pass it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from crosscheck.engines import Array
from crosscheck.judge import frobenius, relative_error
from crosscheck.mutants.mutant import Mutant
from crosscheck.mutants.trials import TRIALS, Trial
from crosscheck.runs import Batch, Run, run

Rule = Callable[[Array, Array], bool]


def _close(a: Array, b: Array) -> bool:
    return bool(np.allclose(a, b, rtol=1e-5, atol=1e-5))


def _within(a: Array, b: Array) -> bool:
    return bool(np.abs(a - b).max() <= 2e-2)


def _same_norm(a: Array, b: Array) -> bool:
    return abs(frobenius(a) - frobenius(b)) <= 0.01 * frobenius(b) + 1e-8


def _relative(a: Array, b: Array) -> bool:
    return relative_error(a, b) <= 1e-3 or frobenius(b) < 1e-8


BOTH = ("float64", "float32")

# What is shown for each, the loss it is used with, and when it accepts.
OTHER_RULES: dict[str, tuple[str, Rule]] = {
    "allclose 1e-5, .sum()": ("sum", _close),
    "absolute 2e-2": ("cross-entropy", _within),
    "norms within 1 %": ("cross-entropy", _same_norm),
    "relative 1e-3": ("cross-entropy", _relative),
}


def caught_by_others(mutant: Mutant, seed: int) -> dict[str, bool]:
    """By rule, whether it notices the planted bug in any of the models of our trials.

    The models are as their constructors initialise them. An exception is noticed by all.
    """
    caught = dict.fromkeys(OTHER_RULES, False)
    for names, model, batch, dtype, loss, theirs in _cases(seed):
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
    """For every model, loss and precision: the rules that use it, our model, its batch, and the
    reference's run.
    """
    cases = []
    for trial in TRIALS:
        if isinstance(trial, Trial):
            model, reference, batch = trial.build(seed, initial=True)
            for loss, dtype in (("sum", "float64"), *(("cross-entropy", dtype) for dtype in BOTH)):
                names = [n for n, (used, _) in OTHER_RULES.items() if used == loss]
                if batch.targets is None and loss == "cross-entropy":
                    loss = "random cotangent"
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
