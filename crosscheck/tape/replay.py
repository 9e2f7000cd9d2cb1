"""Local replay: one rule alone, on the reference's own inputs and incoming gradient.

In a run, a wrong value taints whatever comes after it. Made, a rule can only be wrong by itself.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from crosscheck.distance import Gap, gap_between
from crosscheck.judge import ROUNDING
from crosscheck.sides import Array
from crosscheck.tape.call import Call, Made
from crosscheck.tape.nearby import effect, made_nearby
from crosscheck.tape.numpy_recorder import Pair, arrays_for_tensors, summed_gradients
from crosscheck.tape.raised import place_of


@dataclass(frozen=True)
class Replay:
    """The gaps of a rule that was run alone, on the reference's values."""

    output: Gap  # of its output
    dinputs: list[Gap]  # of its gradients, one for each distinct tensor
    alone: Made | None = None  # its arrays, unless it raised
    error: str = ""  # what it raised, if it did
    place: str = ""  # the file and line that raised


def replay(pair: Pair, partner: Call, floor: float) -> Replay:
    """Run our rule on what the reference had, and hold what comes out against its results."""
    try:
        alone = run_alone(pair, partner, pair.rule.rule)
    except Exception as error:  # whatever a wrong rule may raise is a finding, not a crash
        said = f"{type(error).__name__}: {error}"
        return Replay(Gap(False, np.inf, form="raised"), [], None, said, place_of(error))
    output = gap_between(alone.output, partner.output)
    dinputs = [
        gap_between(ours, theirs, floor)
        for ours, theirs in zip(alone.dinputs, partner.dinputs, strict=False)
    ]
    if not all(gap.agrees for gap in (output, *dinputs)):
        near = made_nearby(partner)
        output = _excused(output, [made.output for made in near], partner.output)
        dinputs = [
            _excused(gap, [made.dinputs[i] for made in near], partner.dinputs[i])
            for i, gap in enumerate(dinputs)
        ]
    return Replay(output, dinputs, alone)


def _excused(gap: Gap, near: Sequence[Array | None], truth: Array | None) -> Gap:
    """Return the gap; it agrees if rounding explains it."""
    explained = gap.agrees or gap.difference <= ROUNDING * effect(near, truth)
    return dataclasses.replace(gap, agrees=explained)


def run_alone(pair: Pair, reference: Call, rule: Callable[..., Any]) -> Made:
    """Return what a rule makes of the inputs and the incoming gradient of the reference.

    Arguments that are no tensors, and options, are our own call's. Gradients that the reference
    does not have, such as gradients of constants, are left out.
    """
    with np.errstate(all="ignore"):
        arguments = arguments_of(pair, reference)
        out, backward = rule(*arguments, **arrays_for_tensors(pair.options))
        if reference.dout is None:
            return Made(out, [])
        out = out.copy()  # a wrong backward may write into it
        dinputs = backward(reference.dout.copy())
    wanted = [
        None if theirs is None else ours
        for ours, theirs in zip(summed_gradients(pair, dinputs), reference.dinputs, strict=False)
    ]
    return Made(out, wanted)


def arguments_of(pair: Pair, reference: Call) -> tuple[Any, ...]:
    """Return what our rule is called with, copies of the reference's tensors in place of ours."""
    sources = [source.array for source in reference.inputs]
    stand_ins = [np.array(array) for array in sources]
    dtype = next(a.dtype for a in sources if a is not None and a.dtype.kind == "f")
    return tuple(
        constant(a, dtype) if index is None else stand_ins[index]
        for a, index in zip(pair.arguments, pair.indices, strict=True)
    )


def constant(a: Any, dtype: Any) -> Any:
    """Return a number as an array of this precision, and anything else as it is."""
    return np.asarray(a, dtype) if type(a) in (int, float) else a


def argument_name(pair: Pair, i: int) -> str:
    """Return the name of the rule's argument that the i-th tensor of a call stands for.

    If the tensor is given more than once, the name joins all its arguments: a+b.
    """
    parameters = list(inspect.signature(pair.rule.rule).parameters.values())
    positions = [position for position, index in enumerate(pair.indices) if index == i]
    if parameters[0].kind is inspect.Parameter.VAR_POSITIONAL:
        return "+".join(f"{parameters[0].name}[{position}]" for position in positions)
    return "+".join(parameters[position].name for position in positions)


def gradient_name(pair: Pair, i: int) -> str:
    """Return the name of that argument's gradient; da+db if the tensor is given twice."""
    return "+".join(f"d{name}" for name in argument_name(pair, i).split("+"))


def line_of(code: Any, argument: str) -> int:
    """Return the line where a rule begins, or its backward if the argument is a gradient."""
    nested = [c for c in code.co_consts if getattr(c, "co_name", "") == "backward"]
    is_gradient = argument.startswith("d") and argument != "dout" and nested
    return int(nested[0].co_firstlineno if is_gradient else code.co_firstlineno)
