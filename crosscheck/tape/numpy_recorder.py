"""Our tape, compared as it is made: each op is held against its partner on the reference's tape.

The partner has the same key, for the sources are mirrors. Our arrays are measured when they appear
and not kept, so that only one tape, the reference's, is in memory; who wants to show them asks for
copies.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import tinygrad_tf
from crosscheck.distance import EXACT, RELATIVE, Gap, gap_between
from crosscheck.sides import Array
from crosscheck.tape.call import SAME_VALUES, Call, Places, Source, name_origins
from crosscheck.tape.kept import Kept
from crosscheck.tape.sums import Sums
from tinygrad_tf import Tensor, observe
from tinygrad_tf.machinery.forms import Op


@dataclass
class Pair:
    """Our call and the reference's call of the same key."""

    call: Call  # our call
    partner: Call | None  # the reference's call, if there is one
    rule: Op  # our op
    arguments: tuple[Any, ...]  # what it was called with, tensors as arrays
    options: Mapping[str, Any]  # the keywords that it was called with
    # For each argument its index among the distinct tensors, or None if it is no tensor.
    indices: list[int | None]
    inputs: list[Gap] = field(default_factory=list)  # one for each tensor that it was given
    output: Gap | None = None  # None until it is measured
    dout: Gap | None = None  # of the arriving gradient; None until it is measured
    dinputs: list[Gap] = field(default_factory=list)  # one for each tensor that it was given
    overwritten: str = ""  # dout, out or an input, if the backward wrote into that array
    changed: str = ""  # what was kept for the backward, and changed before it ran
    dout_hint: str = ""  # what a wrong dout is instead

    @property
    def positions(self) -> list[int]:
        """For each tensor, where it first stands among the arguments."""
        return [self.indices.index(i) for i in range(len({*self.indices} - {None}))]

    @property
    def same_count(self) -> bool:
        """Whether both calls are given equally many tensors."""
        return self.partner is not None and len(self.positions) == len(self.partner.inputs)

    def forget_partner(self) -> None:
        """Forget the partner: it was not the same call after all."""
        self.partner, self.output, self.dout = None, None, None
        self.inputs, self.dinputs, self.overwritten = [], [], ""


class Recorder:
    """Listens to the engine, and on the way back stands between each rule and its caller."""

    def __init__(
        self,
        reference: Mapping[str, Call],
        floor: float,
        relative: float = RELATIVE,
        keep: bool = False,
    ) -> None:
        self.pairs: dict[str, Pair] = {}  # by key, in the order of the calls
        self.going_back: Pair | None = None  # the last whose backward was called
        self._uses: Counter[str] = Counter()  # how many ops use a tensor, by its origin
        self.sums = Sums(
            self._uses, relative
        )  # what is sent back to each tensor, added up beside the engine
        self.places = Places()  # which module is running
        self._origins: dict[int, str] = {}  # where what has a node, or is a leaf, comes from
        self._reference = reference  # the reference's tape
        self._floor = floor  # what a gradient may differ by, whatever its size
        self._keep = keep  # whether our calls get copies of their arrays
        self._alive: list[Any] = []  # so that no id is used twice

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
        self._alive.append(output.node)
        if op.__name__ in SAME_VALUES:
            self._origins[id(output.node)] = self._origin(inputs[0])
            return
        key = self.places.key(op.__name__)
        indices = _tensor_indices(inputs)
        call = Call(
            self.places.current, op.__name__, key, _caller(), _constants(inputs, options), [], None
        )
        arguments = tuple(x.data if isinstance(x, Tensor) else x for x in inputs)
        partner = self._reference.get(key)
        pair = Pair(call, partner, op, arguments, options, indices)
        for i in pair.positions:
            held = np.array(arguments[i]) if self._keep else None
            call.inputs.append(Source(self._origin(inputs[i]), held))
        self._uses.update(source.origin for source in call.inputs)
        if self._keep:
            call.output = np.array(output.data)
        self.pairs[key] = pair
        self._origins[id(output.node)] = key
        if partner is not None:
            pair.inputs = [
                gap_between(arguments[i], source.array)
                for i, source in zip(pair.positions, partner.inputs, strict=False)
            ]
            pair.output = gap_between(output.data, partner.output)
        self._stand_between(pair, output)

    def _origin(self, x: Any) -> str:
        return self._origins.get(id(_place(x)), "a constant")

    def _stand_between(self, pair: Pair, output: Tensor) -> None:
        node: Any = output.node
        # Whether a gradient is wanted. An input that is changed in place may want one later.
        wanted = [source is not None for source in node.inputs]
        rule_backward = node.backward
        partner = pair.partner
        kept = Kept(rule_backward)

        def backward(dout: Array) -> Any:
            self.going_back = pair
            pair.changed = kept.changed()
            self.sums.taken(pair.call.key, dout)
            if self._keep:
                pair.call.dout = np.array(dout)
            if partner is None:
                return self._sent(pair, wanted, rule_backward(dout))
            pair.dout = gap_between(dout, partner.dout, self._floor)
            if not pair.dout.agrees:
                pair.dout_hint = self._one_of_several(pair.call.key, dout)
            held = {"dout": dout, "out": output.data}
            held |= {f"input {i}": pair.arguments[i] for i in pair.positions}
            before = {name: array.copy() for name, array in held.items()}
            dinputs = self._sent(pair, wanted, rule_backward(dout))
            changed = (
                n for n, a in held.items() if not np.array_equal(a, before[n], equal_nan=True)
            )
            pair.overwritten = next(changed, "")
            ours = summed_gradients(pair, dinputs)
            pair.dinputs = [
                gap_between(dx if wanted[i] else None, theirs, self._floor)
                for i, dx, theirs in zip(pair.positions, ours, partner.dinputs, strict=False)
            ]
            right_so_far = pair.dout.agrees and not pair.changed
            if right_so_far and not all(gap.agrees for gap in pair.dinputs):
                pair.changed = _changed_elsewhere(pair, before["dout"], ours)
            return dinputs

        node.backward = backward

    def _sent(self, pair: Pair, wanted: list[bool], dinputs: Any) -> Any:
        """Note what an op sends back, and return it."""
        gradients = summed_gradients(pair, dinputs)
        for i, source, dx in zip(pair.positions, pair.call.inputs, gradients, strict=False):
            sent = dx if wanted[i] else None
            if sent is not None:
                self.sums.add(source.origin, sent)
            if self._keep:
                pair.call.dinputs.append(None if sent is None else np.array(sent))
        return dinputs

    def _one_of_several(self, key: str, dout: Array) -> str:
        """Say so if dout is what only one of the ops that used the output sends back; else ""."""
        for user in self._reference.values():
            for source, dx in zip(user.inputs, user.dinputs, strict=True):
                if source.origin == key and gap_between(dout, dx, self._floor).agrees:
                    return (
                        f"it is what {user.key} alone sends back: "
                        "is = written for +=, or does it come too late?"
                    )
        return ""


def _tensor_indices(inputs: tuple[Any, ...]) -> list[int | None]:
    """Count the distinct tensors and arrays among the inputs as they come; None for all else."""
    indices: dict[int, int] = {}
    return [
        indices.setdefault(id(x), len(indices))
        if isinstance(x, Tensor) or (isinstance(x, np.ndarray) and x.ndim)
        else None
        for x in inputs
    ]


def summed_gradients(pair: Pair, dinputs: tuple[Any, ...]) -> list[Array | None]:
    """Return a gradient for each tensor.

    If a tensor was given twice, add up its two gradients.
    """
    summed: list[Array | None] = [None] * len(pair.positions)
    for index, gradient in zip(pair.indices, dinputs, strict=False):
        if index is not None and gradient is not None:
            dx, held = np.asarray(gradient), summed[index]
            summed[index] = dx if held is None else held + dx
    return summed


def _changed_elsewhere(pair: Pair, dout: Array, made: list[Array | None]) -> str:
    """Say so if the rule makes something else of the same arrays, when it is called once more."""
    try:
        _, backward = pair.rule.rule(*pair.arguments, **arrays_for_tensors(pair.options))
        again = summed_gradients(pair, backward(dout.copy()))
    except Exception:  # it did not raise in the run, so this is something else too
        return "something"
    same = all(gap_between(a, b, relative=EXACT).agrees for a, b in zip(made, again, strict=True))
    return "" if same else "something"


def arrays_for_tensors(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a call. Tensors among them become arrays."""
    return {name: x.data if isinstance(x, Tensor) else x for name, x in options.items()}


def _place(x: Any) -> Any:
    """Where gradients arrive: the node of a result. A tensor itself may have another one later."""
    return x if getattr(x, "node", None) is None else x.node


def _constants(inputs: tuple[Any, ...], options: Mapping[str, Any]) -> tuple[float, ...]:
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
