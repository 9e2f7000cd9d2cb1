"""How a use of an op is judged: by PyTorch in both precisions, and by a finite difference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from crosscheck.distance import RELATIVE, Gap, gap_between, norm
from crosscheck.draws import Stream
from crosscheck.judge import FLOOR, ROUNDING
from crosscheck.ops.memory import MemoryWatch
from crosscheck.ops.outcome import Outcome, form_in_words, larger
from crosscheck.ops.rounding import ratio_of, rounding_errors
from crosscheck.ops.run_case import CaseRun, Given, forward_of_reference, run_ours
from crosscheck.sides import TORCH, Array
from crosscheck.slope import UNCERTAIN, WITNESSED, Slope, slope, who_is_wrong, widths
from crosscheck.tape.finding import short_place
from crosscheck.tape.fingerprints import hint
from crosscheck.tape.raised import place_of
from crosscheck.tape.replay import line_of
from tinygrad_tf.machinery.forms import second_forms

if TYPE_CHECKING:
    from crosscheck.ops.case import OpCase


def examine_op(case: OpCase, seed: int, dtype: str) -> Outcome:
    """Run both sides and judge. dtype: "float64", "float32" or "both".

    PyTorch's attention is computed by its math kernel: on the CPU the other ones are wrong where a
    mask is huge and finite.
    """
    with TORCH.careful():
        return _examine(case, seed, dtype)


def _examine(case: OpCase, seed: int, dtype: str) -> Outcome:
    outcome = Outcome(case.op, case.name)
    for precision in ("float64", "float32") if dtype == "both" else (dtype,):
        given = Given.drawn(case, seed, precision)
        watch = MemoryWatch()
        try:
            ours = run_ours(case, given.arrays, precision, seed, watch)
        except Exception as error:  # a wrong rule may raise anything, and the other cases still run
            what = f"in {precision}, it raised {type(error).__name__}: {error}"
            outcome.fail("", what, place=short_place(place_of(error)))
        else:
            judge = _judge_double if precision == "float64" else _judge_single
            judge(given, ours, watch, outcome)
        for fault in dict.fromkeys(watch.faults):
            place = _place(case, watch, precision) if case.op in fault else ""
            outcome.fail("", f"in {precision}, {fault}", place=place)
    if not (outcome.tested or outcome.failures or case.may_vanish):
        outcome.fail("", "every gradient is too small to be tested")
    return outcome


def _judge_double(given: Given, ours: CaseRun, watch: MemoryWatch, outcome: Outcome) -> None:
    """The verdict in float64, on the result and on each gradient."""
    for name, right in given.truth.arrays.items():
        floor = 0.0 if name == "out" else FLOOR * given.scale
        gap = gap_between(ours.arrays[name], right, floor)
        if not gap.agrees:
            _accuse(name, gap, given, ours, watch, outcome)
        if gap.form or given.vanishes(name):
            continue
        outcome.error = larger(outcome.error, gap.error)
        if name != "out":
            outcome.tested = True
            _ask_witness(name, given, ours, outcome, gap.agrees)


def _judge_single(given: Given, ours: CaseRun, watch: MemoryWatch, outcome: Outcome) -> None:
    """The verdict in float32: our error against the truth, beside the reference's own."""
    for name, (our_error, their_error, form) in rounding_errors(given, ours).items():
        ratio = ratio_of(our_error, their_error)
        if not form:
            outcome.ratio = larger(outcome.ratio, ratio)
            outcome.tested |= name != "out" and not given.vanishes(name)
        if form or ratio > ROUNDING:
            what = form or f"float32 error {our_error:.1e}, PyTorch's own is {their_error:.1e}"
            place = _place(given.case, watch, "float32", name)
            outcome.fail(name, f"in float32, {what}" if form else what, place=place)


def _ask_witness(
    name: str, given: Given, ours: CaseRun, outcome: Outcome, both_agree: bool
) -> None:
    """Hold our gradient against a finite difference; it must agree where both sides do."""
    gradient = ours.arrays[name]
    if not given.case.smooth or gradient is None or not np.isfinite(gradient).all():
        return
    drawn = given.case.stream(Stream.DIRECTIONS, given.seed).standard_normal(gradient.shape)
    wide = widths(given.input(name))
    direction = drawn * wide
    measured, size = _slope(name, given, direction), norm(gradient * wide)
    if measured is None or measured.uncertainty > UNCERTAIN * size:
        return
    along = float((gradient * direction).sum())
    off = abs(measured.value - along)
    outcome.difference = larger(outcome.difference, off / size)
    if both_agree and off > WITNESSED * size + measured.uncertainty:
        what = (
            f"both sides agree, and the finite difference does not: along a random direction "
            f"ours is {along:.10g}, the finite difference {measured.value:.10g}"
        )
        outcome.fail(name, what)


def _accuse(
    name: str, gap: Gap, given: Given, ours: CaseRun, watch: MemoryWatch, outcome: Outcome
) -> None:
    """Our array differs from the reference's: say which of the two is wrong, and look for a hint.

    Only where the op was all that ran, the array is the rule's own and can be recognised.
    """
    what, witness = form_in_words(gap), None
    if not gap.form:
        who, witness = _who_is_wrong(name, gap, given)
        what = f"{who}: relative error {gap.error:.1e}, at most {RELATIVE:g} is right"
    looks_like = ""
    if watch.calls == 1:
        at_hand = {**dict(zip(given.case.inputs, given.arrays, strict=True)), "dout": ours.dout}
        at_hand |= {} if name == "out" else {"out": ours.out}
        truth = given.truth.arrays[name]
        looks_like = hint(name, ours.arrays[name], truth, given.case.sizes, at_hand)
    place = _place(given.case, watch, "float64", name)
    outcome.fail(name, what, gap=gap, witness=witness, place=place, hint=looks_like)


def _who_is_wrong(name: str, gap: Gap, given: Given) -> tuple[str, float | None]:
    """Return who is wrong at the worst entry, in words, and the finite difference there.

    A finite difference knows slopes. It has no say about a result, or at a kink.
    """
    undecided = "ours differs from PyTorch's"
    if name == "out" or not given.case.smooth:
        return undecided, None
    direction = np.zeros(given.input(name).shape)
    direction[gap.worst] = 1.0
    measured = _slope(name, given, direction)
    said = who_is_wrong(gap.ours, gap.reference, measured)
    return (said, measured.value) if said and measured is not None else (undecided, None)


def _slope(name: str, given: Given, direction: Array) -> Slope | None:
    i = given.case.inputs.index(name.removeprefix("d"))
    forward = forward_of_reference(given.case, given.arrays, i)
    return slope(forward, given.arrays[i], direction, given.truth.dout)


def _place(case: OpCase, watch: MemoryWatch, dtype: str, name: str = "out") -> str:
    """Return the file and line of the rule, or of its backward; empty if it did not run."""
    if (op := watch.rules.get(case.op)) is None:
        return ""
    code: Any = op.rule.__code__
    if dtype == "float32":
        code = getattr(second_forms.get(op.rule, op.rule), "__code__", code)
    return short_place(f"{code.co_filename}:{line_of(code, name)}")
