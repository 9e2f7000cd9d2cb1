"""Whether two models can be compared: if not, the error names the mistake and says what to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from crosscheck.answers import did_you_mean
from crosscheck.sides import NUMPY, TORCH, Array, Dialect, side_of
from crosscheck.weights import get_weights, misfits, ties

SHOWN = 5  # names in a message


def require_sides(model: Any, reference: Any) -> None:
    """Raise TypeError if the two are one object: compared with itself, everything agrees."""
    if model is reference:
        raise TypeError(
            "compare: model and reference are one and the same object: compared with itself, it "
            "would prove nothing"
        )


def require_tapes(model: Any, reference: Any) -> None:
    """Raise TypeError unless both runs can be taped: the model is ours, the reference PyTorch's."""
    for what, given, side in (("model", model, NUMPY), ("reference", reference, TORCH)):
        found = side_of(given, f"localise: the {what}")
        if found is not side:
            raise TypeError(
                f"localise: the {what} is a {found.name} model, expected one of {side.name}: only "
                "the ops of these two engines can be watched"
            )


def require_equal_weights(model: Any, reference: Any) -> None:
    """Raise ValueError unless all weights that both have are equal, with the way to make them so.

    A name that only one of the two has is for the report to tell; but if each has such names, they
    are called differently, and that is an error.
    """
    ours, theirs = get_weights(model), get_weights(reference)
    _require_names(ours, theirs)
    _require_shapes(ours, theirs)
    differing = [
        name
        for name in ours
        if name in theirs and not np.array_equal(ours[name], theirs[name], equal_nan=True)
    ]
    if differing:
        raise ValueError(
            f"compare: the models' weights differ in {_listed(sorted(differing))}; "
            + _advice(model, reference, ours, theirs, differing)
        )


def tied_differently(model: Any, reference: Any) -> str:
    """Say which names are one parameter on one side alone; the empty string if none are."""
    both = (("model", model), ("reference", reference))
    for (this, tying), (other, untied) in (both, both[::-1]):
        elsewhere, known = ties(untied), get_weights(untied)
        for names in ties(tying):
            if known.keys() >= set(names) and not any(set(names) <= set(e) for e in elsewhere):
                return (
                    f"the {this} ties {' and '.join(names)} (one parameter under these names), and "
                    f"the {other} does not: tie them in both, or in neither"
                )
    return ""


def _require_names(ours: Mapping[str, Array], theirs: Mapping[str, Array]) -> None:
    only_ours = [name for name in ours if name not in theirs]
    only_theirs = [name for name in theirs if name not in ours]
    if only_ours and only_theirs:
        alone = [f"{name}{did_you_mean(name, only_theirs)}" for name in only_ours]
        raise ValueError(
            f"compare: only the model has {_listed(alone)}, and only the reference has "
            f"{_listed(only_theirs)}: weights are compared under equal names"
        )


def _require_shapes(ours: Mapping[str, Array], theirs: Mapping[str, Array]) -> None:
    unlike = [
        f"{name} {a.shape} in the model, {b.shape} in the reference"
        + (", which is transposed" if a.shape == b.shape[::-1] else "")
        for name, a in ours.items()
        if (b := theirs.get(name)) is not None and a.shape != b.shape
    ]
    if unlike:
        raise ValueError(
            f"compare: the shapes of the models' weights differ: {_listed(unlike, '; ')}"
            + (" (PyTorch's Linear holds (out, in))" if "transposed" in "".join(unlike) else "")
        )


def _advice(
    model: Any,
    reference: Any,
    ours: Mapping[str, Array],
    theirs: Mapping[str, Array],
    differing: list[str],
) -> str:
    """Return what to do about weights that differ."""
    if all(ours[n].ndim == 2 and np.array_equal(ours[n], theirs[n].T) for n in differing):
        return "they are transposed: PyTorch's Linear holds (out, in)"
    tied = tied_differently(model, reference)
    if tied and any(name in tied.split() for name in differing):
        return tied
    side = side_of(model)
    if not isinstance(side, Dialect):
        return f"give the {side.name} model the values of the reference's state_dict"
    faults = misfits(model, theirs)
    if faults:
        return f"copy_weights(reference, model) cannot mend it: {_listed(faults, '; ')}"
    return "call copy_weights(reference, model) first"


def _listed(words: list[str], mark: str = ", ") -> str:
    more = len(words) - SHOWN
    return mark.join(words[:SHOWN]) + (f"{mark}and {more} more" if more > 0 else "")
