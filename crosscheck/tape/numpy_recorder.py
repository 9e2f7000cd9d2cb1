"""Our tape, compared as it is made: each op is held against its partner on the reference's tape.

The partner has the same key, for the sources are mirrors. Our arrays are measured when they appear
and not kept, so that only one tape, the reference's, is in memory.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import tinygrad_tf
from crosscheck.engines import Array
from crosscheck.tape.call import Call, Places, Source, name_origins
from crosscheck.tape.gap import Gap, gap_between
from tinygrad_tf import Tensor, observe
from tinygrad_tf.machinery.forms import Op


@dataclass
class Pair:
    """Our call and the reference's of the same key; gaps are None until (unless) measured.

    rule: our op, with what it was called with. numbers: for each argument, the number of the tensor
    that it is, None if it is no tensor: one that is given twice has one number. overwritten: dout,
    out or an input, if the backward wrote into that array, which others hold too. dout_hint: what a
    wrong dout is instead.
    """

    call: Call
    partner: Call | None
    rule: Op
    arguments: tuple[Any, ...]
    options: Mapping[str, Any]
    numbers: list[int | None]
    inputs: list[Gap] = field(default_factory=list)
    output: Gap | None = None
    dout: Gap | None = None
    dinputs: list[Gap] = field(default_factory=list)
    overwritten: str = ""
    dout_hint: str = ""

    @property
    def positions(self) -> list[int]:
        """For each tensor, where it first stands among the arguments."""
        return [self.numbers.index(i) for i in range(len({*self.numbers} - {None}))]

    @property
    def same_count(self) -> bool:
        """Whether both are given as many tensors."""
        return self.partner is not None and len(self.positions) == len(self.partner.inputs)

    def part(self) -> None:
        """Forget the partner: it was not the same call after all."""
        self.partner, self.output, self.dout = None, None, None
        self.inputs, self.dinputs, self.overwritten = [], [], ""


class Recorder:
    """Listens to the engine, and on the way back stands between each rule and its caller.

    reference: the other tape. floor: what a gradient may differ by, whatever its size.
    """

    def __init__(self, reference: Mapping[str, Call], floor: float) -> None:
        self.pairs: dict[str, Pair] = {}
        self.going_back: Pair | None = None  # the last whose backward was called
        self.places = Places()
        self._origins: dict[int, str] = {}
        self._reference = reference
        self._floor = floor
        self._alive: list[Tensor] = []  # so that no id is used twice

    @contextmanager
    def watching(self, model: Any, inputs: Any) -> Iterator[None]:
        """Pair, within this block, every op that a gradient flows through."""
        self._origins = name_origins(model, inputs)
        with self.places.following(model), observe(self.listen):
            yield

    def listen(
        self, op: Op, inputs: tuple[Any, ...], options: Mapping[str, Any], output: Tensor
    ) -> None:
        """An op has been called."""
        self._alive += [x for x in (*inputs, output) if isinstance(x, Tensor)]
        if output.node is None:
            return
        key = self.places.key(op.__name__)
        numbers = _number_tensors(inputs)
        positions = [numbers.index(i) for i in range(len({*numbers} - {None}))]
        sources = [Source(self._origins.get(id(inputs[i]), "a constant"), None) for i in positions]
        call = Call(
            self.places.current, op.__name__, key, _caller(), _numbers(inputs, options), sources,
            None,
        )  # fmt: skip
        arguments = tuple(x.data if isinstance(x, Tensor) else x for x in inputs)
        partner = self._reference.get(key)
        pair = Pair(call, partner, op, arguments, options, numbers)
        self.pairs[key] = pair
        self._origins[id(output)] = key
        if partner is not None:
            pair.inputs = [
                gap_between(arguments[i], source.array)
                for i, source in zip(positions, partner.inputs, strict=False)
            ]
            pair.output = gap_between(output.data, partner.output)
        self._stand_between(pair, inputs, output)

    def _stand_between(self, pair: Pair, inputs: tuple[Any, ...], output: Tensor) -> None:
        node: Any = output.node
        rule_backward = node.backward
        partner = pair.partner

        def backward(dout: Array) -> Any:
            self.going_back = pair
            if partner is None:
                return rule_backward(dout)
            pair.dout = gap_between(dout, partner.dout, self._floor)
            if not pair.dout.agrees:
                pair.dout_hint = self._one_of_several(pair.call.key, dout)
            held = {"dout": dout, "out": output.data}
            held |= {f"input {i}": pair.arguments[i] for i in pair.positions}
            before = {name: array.copy() for name, array in held.items()}
            dinputs = rule_backward(dout)
            changed = (
                n for n, a in held.items() if not np.array_equal(a, before[n], equal_nan=True)
            )
            pair.overwritten = next(changed, "")
            ours = summed_gradients(pair, dinputs)
            pair.dinputs = [
                gap_between(_wanted(inputs[i], dx), theirs, self._floor)
                for i, dx, theirs in zip(pair.positions, ours, partner.dinputs, strict=False)
            ]
            return dinputs

        node.backward = backward

    def _one_of_several(self, key: str, dout: Array) -> str:
        """Whether what has arrived is what only one of the ops that used an output sends back."""
        for user in self._reference.values():
            for source, dx in zip(user.inputs, user.dinputs, strict=True):
                if source.origin == key and gap_between(dout, dx, self._floor).agrees:
                    return (
                        f"it is what {user.key} alone sends back: "
                        "is = written for +=, or does it come too late?"
                    )
        return ""


def _number_tensors(inputs: tuple[Any, ...]) -> list[int | None]:
    """Tensors and arrays among the inputs, numbered as they come; the same one has one number."""
    numbers: dict[int, int] = {}
    return [
        numbers.setdefault(id(x), len(numbers))
        if isinstance(x, Tensor) or (isinstance(x, np.ndarray) and x.ndim)
        else None
        for x in inputs
    ]


def summed_gradients(pair: Pair, dinputs: tuple[Any, ...]) -> list[Array | None]:
    """What a rule returned, by tensor: of one that is given twice, the sum."""
    summed: list[Array | None] = [None] * len(pair.positions)
    for number, gradient in zip(pair.numbers, dinputs, strict=False):
        if number is not None and gradient is not None:
            dx, held = np.asarray(gradient), summed[number]
            summed[number] = dx if held is None else held + dx
    return summed


def _wanted(x: Any, gradient: Any) -> Any:
    return gradient if isinstance(x, Tensor) and x.requires_grad else None


def _numbers(inputs: tuple[Any, ...], options: Mapping[str, Any]) -> tuple[float, ...]:
    return tuple(x for x in (*inputs, *options.values()) if type(x) is float)


_ENGINE = str(Path(tinygrad_tf.__file__).parent)
_MODELS = str(Path(tinygrad_tf.__file__).parent / "transformer")


def _caller() -> str:
    """The file and line, outside of the engine and of this file, that called."""
    frame = sys._getframe(1)
    while frame.f_back is not None:
        name = frame.f_code.co_filename
        if name != __file__ and (not name.startswith(_ENGINE) or name.startswith(_MODELS)):
            break
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"
