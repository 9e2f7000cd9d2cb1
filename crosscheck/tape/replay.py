"""Local replay: one rule alone, on the reference's own inputs and incoming gradient.

In a run, a wrong value taints whatever comes after it. Alone, a rule can only be wrong by itself.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from crosscheck.engines import Array
from crosscheck.tape.call import Call
from crosscheck.tape.gap import Gap, gap_between
from crosscheck.tape.numpy_recorder import Pair, summed_gradients
from tinygrad_tf import Tensor


@dataclass(frozen=True)
class Alone:
    """What a rule made on the reference's values. dinputs: by distinct tensor, as on the tape."""

    output: Array
    dinputs: list[Array | None]


@dataclass(frozen=True)
class Replay:
    """The gaps of a rule alone. output, dinputs: as in a Pair. error: what it raised, if it did."""

    output: Gap
    dinputs: list[Gap]
    alone: Alone | None = None
    error: str = ""


def replay(pair: Pair, partner: Call, floor: float) -> Replay:
    """Run our rule on what the reference had, and hold what comes out against its results."""
    try:
        alone = run_alone(pair, partner, pair.rule.rule)
    except Exception as error:  # whatever a wrong rule may raise is a finding, not a crash
        return Replay(
            Gap(False, np.inf, form="raised"), [], None, f"{type(error).__name__}: {error}"
        )
    output = gap_between(alone.output, partner.output)
    dinputs = [
        gap_between(ours, theirs, floor)
        for ours, theirs in zip(alone.dinputs, partner.dinputs, strict=False)
    ]
    return Replay(output, dinputs, alone)


def run_alone(pair: Pair, reference: Call, rule: Callable[..., Any]) -> Alone:
    """The rule's output and gradients on the inputs and the incoming gradient of the reference.

    Arguments that are no tensors, and options, are our own call's. Gradients that the reference
    does not have (of constants) are left out.
    """
    sources = [source.array for source in reference.inputs]
    stand_ins = [np.array(array) for array in sources]
    dtype = next(a.dtype for a in sources if a is not None and a.dtype.kind == "f")
    arguments = tuple(
        _constant(a, dtype) if number is None else stand_ins[number]
        for a, number in zip(pair.arguments, pair.numbers, strict=True)
    )
    with np.errstate(all="ignore"):
        out, backward = rule(*arguments, **_own_randomness(pair.options))
        if reference.dout is None:
            return Alone(out, [])
        out = out.copy()  # a wrong backward may write into it
        dinputs = backward(reference.dout.copy())
    wanted = [
        None if theirs is None else ours
        for ours, theirs in zip(summed_gradients(pair, dinputs), reference.dinputs, strict=False)
    ]
    return Alone(out, wanted)


def _constant(a: Any, dtype: Any) -> Any:
    return np.asarray(a, dtype) if type(a) in (int, float) else a


def _own_randomness(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options, tensors among them as arrays."""
    return {name: x.data if isinstance(x, Tensor) else x for name, x in options.items()}


def argument_name(pair: Pair, i: int) -> str:
    """The name of the rule's argument that the i-th tensor of a call stands for; all its names, if
    it is given more than once: a+b.
    """
    parameters = list(inspect.signature(pair.rule.rule).parameters.values())
    positions = [position for position, number in enumerate(pair.numbers) if number == i]
    if parameters[0].kind is inspect.Parameter.VAR_POSITIONAL:
        return "+".join(f"{parameters[0].name}[{position}]" for position in positions)
    return "+".join(parameters[position].name for position in positions)


def gradient_name(pair: Pair, i: int) -> str:
    """The name of the gradient of that argument: da+db, if it is given more than once."""
    return "+".join(f"d{name}" for name in argument_name(pair, i).split("+"))


def line_of(code: Any, argument: str) -> int:
    """The line where a rule's backward begins if a gradient is meant, else where the rule does."""
    nested = [c for c in code.co_consts if getattr(c, "co_name", "") == "backward"]
    is_gradient = argument.startswith("d") and argument != "dout" and nested
    return int(nested[0].co_firstlineno if is_gradient else code.co_firstlineno)
