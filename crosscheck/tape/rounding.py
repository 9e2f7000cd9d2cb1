"""float32, op by op: each form alone on the same float32 values, held against the float64 page."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any

import numpy as np

from crosscheck.distance import gap_between, relative_error
from crosscheck.judge import ROUNDING, ROUNDING_FLOOR
from crosscheck.sides import Array, in_precision
from crosscheck.tape.call import Call, Made, Source
from crosscheck.tape.finding import Finding, Kind
from crosscheck.tape.nearby import made_nearby
from crosscheck.tape.numpy_recorder import Pair
from crosscheck.tape.replay import gradient_name, line_of, run_alone
from tinygrad_tf.machinery.forms import FLOAT32, compute, second_forms

WRONG = 1e-3  # a relative error in float32 that no rounding makes

Hint = Callable[[Pair, str, Array, Array], str]  # (pair, name, wrong, right) -> what it looks like


class Rounding:
    """The float32 errors of both sides, for each op of a run. Nothing is run before it is asked."""

    def __init__(
        self,
        pairs: Mapping[str, Pair],
        tape64: Mapping[str, Call],
        of_reference: Callable[[str], tuple[Any, dict[str, Call]]],
        tape32: dict[str, Call] | None = None,
    ) -> None:
        self._pairs = pairs  # our calls, each with the reference's call of the same key
        self._tape64 = tape64  # the reference's tape in float64
        self._of_reference = of_reference  # its argument is a dtype; returns the run and the tape
        self._made = tape32  # the reference's tape in float32, if it has been made

    @cached_property
    def _tape32(self) -> dict[str, Call]:
        return self._of_reference("float32")[1] if self._made is None else self._made

    def errors(self, key: str, argument: str) -> tuple[float | None, float | None]:
        """Return the relative float32 errors of one array of an op: ours, and the reference's own.

        Both start from the reference's float32 inputs; the truth is its float64 result. None where
        it cannot be measured.
        """
        pair, single, double = self._pairs[key], self._tape32.get(key), self._tape64.get(key)
        if single is None or double is None or not pair.same_count:
            return None, None
        try:
            alone = run_alone(pair, single, _form(pair))
        except Exception:  # a wrong rule may raise anything; it is reported elsewhere
            return None, None
        named = _named(pair, alone).get(argument)
        theirs = _named(pair, single).get(argument)
        truth = _named(pair, double).get(argument)
        return _error(named, truth), _error(theirs, truth)

    def findings(self, hint: Hint) -> Iterator[Finding]:
        """Yield a finding for each op whose float32 form is too inexact, with its hint.

        The truth is our float64 page. PyTorch's own error says how much is allowed.
        """
        for key, single in self._tape32.items():
            pair = self._pairs.get(key)
            if pair is None or not pair.same_count:
                continue
            try:
                ours = run_alone(pair, single, _form(pair))
            except Exception as error:  # whatever it is, it is a finding
                what = f"in float32 it raised {type(error).__name__}: {error}"
                yield _finding(pair, "", what, None, None, None)
                continue
            truth = run_alone(pair, _doubled(single), pair.rule.rule)
            yield from _too_inexact(pair, ours, single, truth, hint)


def _too_inexact(
    pair: Pair, ours: Made, single: Call, truth: Made, hint: Hint
) -> Iterator[Finding]:
    exact = _named(pair, truth)
    theirs = _named(pair, single)
    near: list[dict[str, Array | None]] | None = None  # drawn where one sample does not suffice
    for name, array in _named(pair, ours).items():
        right = exact.get(name)
        if array is None or right is None or not _is_in_range(theirs.get(name), right):
            continue
        gap = gap_between(array, right.astype(np.float32))
        own, their = _error(array, right), _error(theirs.get(name), right)
        # A single number may be what is left of many that cancel, on one side more than the other.
        floor = WRONG if right.size == 1 else ROUNDING_FLOOR
        if own is not None and not own <= max(ROUNDING * (their or 0.0), floor):
            if near is None:
                near = [_named(pair, made) for made in made_nearby(single)]
            nearby = (_error(made.get(name), right) for made in near)
            their = max([their or 0.0, *(error for error in nearby if error is not None)])
        if gap.form or (own is not None and not own <= max(ROUNDING * (their or 0.0), floor)):
            how = "wrong" if own is None or own > WRONG else "too inexact"
            what = f"its {name} is right in float64, and {how} in float32"
            if gap.form:
                what = f"its {name} is right in float64, and of the wrong form in float32"
            found = _finding(pair, name, what, gap, own, their)
            yield dataclasses.replace(found, hint=hint(pair, name, array, right))


def _finding(
    pair: Pair, name: str, what: str, gap: Any, ours: float | None, theirs: float | None
) -> Finding:
    call, rule = pair.call, pair.rule.rule
    code: Any = second_forms.get(rule, rule).__code__
    return Finding(
        Kind.ROUNDING, call.op, call.path, call.key, name, what,
        f"{code.co_filename}:{line_of(code, name)}", call.caller, gap, ours, theirs,
    )  # fmt: skip


def _form(pair: Pair) -> Callable[..., Any]:
    """Return what computes the op in float32: its rule, or the second form if it is on."""
    rule = pair.rule.rule
    return lambda *arrays, **options: compute(rule, list(arrays), options, FLOAT32)


def _doubled(call: Call) -> Call:
    """The same call in float64."""

    def double(array: Array | None) -> Array | None:
        return None if array is None else in_precision(array, np.float64)

    return dataclasses.replace(
        call,
        inputs=[Source(source.origin, double(source.array)) for source in call.inputs],
        dout=double(call.dout),
        dinputs=[double(dx) for dx in call.dinputs],
    )


def _named(pair: Pair, made: Made | Call) -> dict[str, Array | None]:
    gradients = {gradient_name(pair, i): dx for i, dx in enumerate(made.dinputs)}
    return {"out": made.output, **gradients}


def _is_in_range(theirs: Array | None, truth: Array) -> bool:
    """Whether the reference's array is finite in float32 where the truth is: nobody can do more."""
    return theirs is None or bool((np.isfinite(theirs) | ~np.isfinite(truth)).all())


def _error(array: Array | None, truth: Array | None) -> float | None:
    if array is None or truth is None or array.shape != truth.shape:
        return None
    finite = np.isfinite(truth)  # a mask puts -inf into both
    return relative_error(array[finite], truth[finite])
