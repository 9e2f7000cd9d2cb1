"""Which form an op was confused with: each that is known is tried on the reference's values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

import torch
from crosscheck.distance import RELATIVE, explains, same
from crosscheck.sides import Array
from crosscheck.tape import attention_forms
from crosscheck.tape.forms_of_gradients import GRADIENTS
from crosscheck.tape.forms_of_outputs import OUTPUTS
from crosscheck.tape.terms import wrong_term


def other_form(
    op: str, argument: str, wrong: Array | None, right: Array | None, given: Mapping[str, Any]
) -> str:
    """Say which of the forms above explains a wrong output or gradient; empty if none does.

    given has by name what the op had: its tensors in their order, then dout, its constants and its
    options.
    """
    if wrong is None or right is None or wrong.shape != right.shape or same(wrong, right):
        return ""
    for words, made in _made(op, argument, given):
        if made.shape == wrong.shape and np.isfinite(made).all() and explains(made, wrong, right):
            return f"{argument} fits this: {words}"
    if argument == "out":
        return _probabilities(op, wrong, right)
    try:
        return wrong_term(op, argument, wrong, right, _arguments(given, is_output=False))
    except (TypeError, RuntimeError):
        return ""  # not called in the way that these terms are for


def _made(op: str, argument: str, given: Mapping[str, Any]) -> Iterator[tuple[str, Array]]:
    """What each form makes of the op's arguments, with its words."""
    if op == attention_forms.OP:
        yield from attention_forms.made(argument, given)
        return
    is_output = argument == "out"
    forms = OUTPUTS.get(op, {}) if is_output else GRADIENTS.get((op, argument), {})
    for words, form in forms.items():
        try:
            yield words, form(*_arguments(given, is_output)).numpy()
        except (TypeError, RuntimeError, IndexError):
            continue  # not called in the way that this form is for, without a bias for instance


def _arguments(given: Mapping[str, Any], is_output: bool) -> list[Any]:
    tensors = [torch.tensor(a) for a in attention_forms.tensors_of(given).values()]
    arrived = [] if is_output else [torch.tensor(given["dout"])]
    return [*arrived, *tensors, *given.get("constants", ())]


def _probabilities(op: str, wrong: Array, right: Array) -> str:
    """Say what is wrong with a softmax that sums along another axis, or that is of other scores."""
    if op not in ("softmax", "log_softmax"):
        return ""
    if op == "log_softmax":
        wrong, right = np.exp(wrong), np.exp(right)
    ours, theirs = _axes_of_sum_1(wrong), _axes_of_sum_1(right)
    if theirs and not ours:
        return f"out does not sum to 1 along axis {theirs[0]}: is it divided by its total?"
    if not theirs or ours == theirs:
        return _of_scaled_scores(wrong, right)
    return f"out sums to 1 along axis {ours[0]}, not along axis {theirs[0]}: is its dim another?"


def _of_scaled_scores(wrong: Array, right: Array) -> str:
    """Say by which factor the scores of a softmax along the last axis are too large."""
    seen = (wrong > 0) & (right > 0)
    logs = [np.log(np.where(seen, a, a.max(axis=-1, keepdims=True))) for a in (wrong, right)]
    ours, theirs = (a - a.max(axis=-1, keepdims=True) for a in logs)
    factor = float((ours * theirs).sum() / (theirs * theirs).sum()) if theirs.any() else 0.0
    if not factor or not explains(factor * theirs, ours, theirs):
        return ""
    return f"out fits this: the softmax of {factor:.6g} times the scores"


def _axes_of_sum_1(array: Array) -> list[int]:
    return [
        axis for axis in range(array.ndim) if np.abs(array.sum(axis=axis) - 1).max() <= RELATIVE
    ]
