"""Local replay: one rule alone, on the reference's own inputs and incoming gradient.

In a run, a wrong value taints whatever comes after it. Alone, a rule can only be wrong by itself.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from crosscheck.distance import Gap, gap_between
from crosscheck.sides import Array
from crosscheck.tape.call import Call
from crosscheck.tape.numpy_recorder import Pair, summed_gradients
from tinygrad_tf import Tensor


@dataclass(frozen=True)
class Alone:
    """What a rule made on the reference's values."""

    output: Array  # what it returned
    # A gradient for each distinct tensor, as on the tape; None where none is wanted.
    dinputs: list[Array | None]


@dataclass(frozen=True)
class Replay:
    """The gaps of a rule that was run alone, on the reference's values."""

    output: Gap  # of its output
    dinputs: list[Gap]  # of its gradients, one for each distinct tensor
    alone: Alone | None = None  # its arrays, unless it raised
    error: str = ""  # what it raised, if it did


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
    """Return what a rule makes of the inputs and the incoming gradient of the reference.

    Arguments that are no tensors, and options, are our own call's. Gradients that the reference
    does not have, such as gradients of constants, are left out.
    """
    sources = [source.array for source in reference.inputs]
    stand_ins = [np.array(array) for array in sources]
    dtype = next(a.dtype for a in sources if a is not None and a.dtype.kind == "f")
    arguments = tuple(
        _constant(a, dtype) if index is None else stand_ins[index]
        for a, index in zip(pair.arguments, pair.indices, strict=True)
    )
    with np.errstate(all="ignore"):
        out, backward = rule(*arguments, **_arrays_for_tensors(pair.options))
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


def _arrays_for_tensors(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options. Tensors among them become arrays."""
    return {name: x.data if isinstance(x, Tensor) else x for name, x in options.items()}


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
