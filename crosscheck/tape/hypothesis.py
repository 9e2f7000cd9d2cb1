"""A setting that may explain why two models differ, and how it is said."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from crosscheck.tape.finding import Finding, Kind
from crosscheck.tape.settings import Change
from crosscheck.tape.taped_runs import TapedRuns

LISTED = 3  # at most so many gradients are named


@dataclass(frozen=True)
class Hypothesis:
    """The two would agree if one of them were changed."""

    change: Change  # what is changed
    of_reference: bool  # whether it is changed in the reference, and not in the model

    @property
    def who(self) -> str:
        """Who is changed, in words."""
        return "the reference" if self.of_reference else "the model"

    @property
    def model_does(self) -> str:
        """What the model does as it is. What is changed becomes like the other."""
        return self.change.after if self.of_reference else self.change.before

    @property
    def reference_does(self) -> str:
        """What the reference does as it is."""
        return self.change.before if self.of_reference else self.change.after


def hint_of(seen: Sequence[Hypothesis]) -> str:
    """Say which settings are seen to differ, though making them alike is not enough."""
    return (
        f"the model {_listed([one.model_does for one in seen])}, the reference "
        f"{_listed([one.reference_does for one in seen])}: this does not explain all of it, but "
        "set them alike first, and run again"
    )


def finding_of(
    trial: Sequence[Hypothesis], runs: TapedRuns, left: Sequence[str], is_known: bool
) -> Finding:
    """Return confirmed hypotheses as one finding.

    left: the gradients that still do not agree. is_known: whether other findings say why not.
    """
    settings = " and ".join(
        f"{who} is run with {_listed([one.change.setting for one in trial if one.who == who])}"
        for who in dict.fromkeys(one.who for one in trial)
    )
    model = _listed([one.model_does for one in trial])
    reference = _listed([one.reference_does for one in trial])
    agree = "the outputs agree" if left else "the two agree"
    hints = [_where(one.change, runs) for one in trial]
    if left and not is_known:
        hints.append(_rest(left))
    return Finding(
        kind=Kind.SETTING,
        op=Kind.SETTING.value,
        path="",
        key=settings,
        argument=", ".join(one.change.setting for one in trial),
        what=f"{agree} if {settings}: the model {model}, the reference {reference}",
        hint="; ".join(filter(None, hints)),
    )


def _listed(words: Sequence[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


def _where(change: Change, runs: TapedRuns) -> str:
    """Say where the setting is made. If both are set alike, it is the code that differs."""
    value = change.read(runs.model)
    if value is not None and value == change.read(runs.reference):
        setting = f"{change.arguments[0]}={value!r}"
        return f"both are set to {setting}, and the model does not do what that says"
    places = [
        f"{place} in {who}"
        for who, model in (("the model", runs.model), ("the reference", runs.reference))
        if (place := _argument_of(model, change.arguments))
    ]
    return f"see {_listed(places)}" if places else ""


def _argument_of(model: Any, arguments: Collection[str]) -> str:
    """Return the first of the model's constructors, or else forwards, that takes one of these."""
    classes = [type(module) for module in model.modules()]
    for method in ("__init__", "forward"):
        for cls in classes:
            taken = inspect.signature(getattr(cls, method)).parameters
            for name in arguments:
                if name in taken:
                    where = cls.__name__ if method == "__init__" else f"{cls.__name__}.{method}"
                    return f"{name} of {where}"
    return ""


def _rest(left: Sequence[str]) -> str:
    more = [f"{len(left) - LISTED} more"] if len(left) > LISTED else []
    return (
        f"the gradients of {_listed([*left[:LISTED], *more])} differ even then: "
        "mend this first, and run again"
    )
