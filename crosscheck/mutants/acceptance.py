"""The rules by which others accept a gradient, applied to the same planted bugs.

They run on models as they are initialised, as such checks usually do; a sum in float64, for in
float32 honest code would not pass it.
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


# What is shown for each, the loss and precision it is used with, and when it accepts.
OTHER_RULES: dict[str, tuple[str, str, Rule]] = {
    "allclose 1e-5, .sum()": ("sum", "float64", _close),
    "absolute 2e-2": ("cross-entropy", "float32", _within),
    "norms within 1 %": ("cross-entropy", "float32", _same_norm),
    "relative 1e-3": ("cross-entropy", "float32", _relative),
}


def caught_by_others(mutant: Mutant, seed: int) -> dict[str, bool]:
    """By rule, whether it notices the planted bug in any of the models of our trials.

    The models are as their constructors initialise them. An exception is noticed by all.
    """
    caught = dict.fromkeys(OTHER_RULES, False)
    for name, model, batch, loss, theirs in _cases(seed):
        _, dtype, rule = OTHER_RULES[name]
        try:
            with mutant.planted():
                ours = run(model, batch, dtype=dtype, loss=loss)
        except Exception:  # a planted bug may raise anything
            caught[name] = True
        else:
            caught[name] |= not _accepts(rule, ours, theirs)
    return caught


@functools.cache
def _cases(seed: int) -> list[tuple[str, Any, Batch, str, Run]]:
    """For every rule and model: the rule, our model, its batch and loss, the reference's run."""
    cases = []
    for trial in TRIALS:
        if isinstance(trial, Trial):
            model, reference, batch = trial.build(seed, initial=True)
            for name, (loss, dtype, _) in OTHER_RULES.items():
                if batch.targets is None and loss == "cross-entropy":
                    loss = "random cotangent"
                theirs = run(reference, batch, dtype=dtype, loss=loss)
                cases.append((name, model, batch, loss, theirs))
    return cases


def _accepts(rule: Rule, ours: Run, theirs: Run) -> bool:
    pairs = [(ours.output, theirs.output)]
    for name, right in theirs.gradients.items():
        wrong = ours.gradients.get(name)
        if wrong is None or right is None or wrong.shape != right.shape:
            return wrong is right
        pairs.append((wrong, right))
    return all(rule(a, b) for a, b in pairs)
