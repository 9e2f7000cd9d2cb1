"""The ops of a run of our own model, from both tapes."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from crosscheck.distance import AGREES
from crosscheck.draws import Stream, draws
from crosscheck.slope import along, widths
from crosscheck.tape.call import ROOT, THE_INPUT
from crosscheck.tape.numpy_recorder import Pair
from crosscheck.tape.paired_tapes import PairedTapes
from crosscheck.tape.replay import argument_name, gradient_name
from crosscheck.tape.rounding import Rounding
from crosscheck.tape.witness import slope_along
from crosscheck.walk.schema_of_ops import FiniteDifference, Input, Op
from crosscheck.walk.shown import Shown, place

KINDS = {
    "embedding": ("embedding",),
    "linear": ("linear",),
    "product": ("matmul",),
    "norm": ("layer_norm",),
    "softmax": ("softmax", "log_softmax", "scaled_dot_product_attention", "multi_head_attention"),
    "activation": ("relu", "gelu", "gelu_tanh", "tanh", "sigmoid"),
    "sum": ("add", "sub", "sum", "mean"),
    "scale": ("mul", "div", "neg"),
    "mask": ("masked_fill", "where", "tril", "triu", "dropout"),
    "move": ("reshape", "permute", "transpose", "expand", "clone", "cat", "getitem", "cast"),
    "loss": ("cross_entropy",),
}
KIND_OF = {op: kind for kind, ops in KINDS.items() for op in ops}
_BLOCK = re.compile(r"(?:^|.*?\.)\d+(?=\.|$)")  # the path of a numbered module, the outermost


@dataclass
class Ops:
    """Makes an `Op` of each pair of calls."""

    tapes: PairedTapes  # ours has kept its arrays
    born: Collection[str]  # the keys of the ops that the check names
    shown: Shown
    seed: int  # of the directions

    def all(self) -> Iterator[Op]:
        """Yield the ops of our run, in the order of the forward pass."""
        pairs = self.tapes.recorder.pairs
        rounding = Rounding(pairs, self.tapes.tape, self.tapes.runs.of_reference)
        directions = draws(Stream.DIRECTIONS, self.seed)
        for index, pair in enumerate(pairs.values()):
            yield self._op(index, pair, rounding, directions)

    def _op(
        self, index: int, pair: Pair, rounding: Rounding, directions: np.random.Generator
    ) -> Op:
        call, partner = pair.call, pair.partner
        inputs = tuple(
            self._input(pair, i, rounding, directions) for i in range(len(pair.positions))
        )
        path = "" if call.path == ROOT else call.path
        block = _BLOCK.match(path)
        dout = None
        if call.dout is not None or (partner is not None and partner.dout is not None):
            theirs = None if partner is None else partner.dout
            dout = self.shown.compared("dout", call.dout, theirs, pair.dout)
        output = self.shown.compared(
            "out", call.output, None if partner is None else partner.output, pair.output,
            lambda: rounding.errors(call.key, "out"),
        )  # fmt: skip
        return Op(
            id=op_id(call.key),
            index=index,
            op=call.op,
            module=path,
            block=block[0] if block else "",
            kind=KIND_OF.get(call.op, "other"),
            options=_options(pair),
            caller=place(call.caller),
            inputs=inputs,
            output=output,
            dout=dout,
            verdict=self._verdict(pair),
            copies=_copies(pair),
            mark="",
            mark_text="",
        )

    def _input(
        self, pair: Pair, i: int, rounding: Rounding, directions: np.random.Generator
    ) -> Input:
        call, partner = pair.call, pair.partner
        source, name = call.inputs[i], argument_name(pair, i)
        theirs = partner if pair.same_count else None
        value = self.shown.compared(
            name, source.array, None if theirs is None else theirs.inputs[i].array,
            _nth(pair.inputs, i),
        )  # fmt: skip
        sent = _nth(call.dinputs, i)
        expected = None if theirs is None else _nth(theirs.dinputs, i)
        gradient = witness = None
        if sent is not None or expected is not None:
            gradient = self.shown.compared(
                gradient_name(pair, i), sent, expected, _nth(pair.dinputs, i),
                lambda: rounding.errors(call.key, gradient_name(pair, i)),
            )  # fmt: skip
        if sent is not None:
            witness = _witness(pair, i, directions)
        kind, origin = self._origin(source.origin)
        return Input(name, kind, origin, value, gradient, witness)

    def _origin(self, origin: str) -> tuple[str, str]:
        if origin in self.tapes.recorder.pairs:
            return "op", op_id(origin)
        if origin == THE_INPUT:
            return "input", ""
        return ("parameter", origin) if origin in self.tapes.theirs.gradients else ("constant", "")

    def _verdict(self, pair: Pair) -> str:
        if pair.call.key in self.born:
            return "born"
        gaps = [*pair.inputs, *pair.dinputs, pair.output or AGREES, pair.dout or AGREES]
        return "agree" if all(gap.agrees for gap in gaps) else "inherited"


def op_id(key: str) -> str:
    """Return the id of the call of this key; it can stand in an address."""
    return key.replace("#", "~")


def _witness(pair: Pair, i: int, directions: np.random.Generator) -> FiniteDifference:
    """Ask a finite difference of the rule alone, on the inputs and the dout of our own run."""
    x: Any = pair.call.inputs[i].array
    direction = directions.standard_normal(x.shape) * widths(x)
    measured = slope_along(pair, pair.call, i, direction)
    tested = along(pair.call.dinputs[i], direction, measured)  # type: ignore[arg-type]
    return FiniteDifference(
        rule=tested.gradient,
        difference=None if measured is None else measured.value,
        error=tested.difference,
        agrees=tested.agrees,
    )


def _copies(pair: Pair) -> bool:
    """Whether our call sent dout as it is to two inputs or more."""
    dout = pair.call.dout
    if dout is None:
        return False
    same = [dx for dx in pair.call.dinputs if dx is not None and np.array_equal(dx, dout)]
    return len(same) > 1


def _options(pair: Pair) -> dict[str, str]:
    """Return the keywords of a call, and its arguments that are no arrays, as in the source."""
    given = {
        argument: value
        for argument, value, index in zip(
            pair.rule.rule.__code__.co_varnames, pair.arguments, pair.indices, strict=False
        )
        if index is None and value is not None
    }
    options = {**given, **pair.options}
    return {name: _source(value) for name, value in options.items() if not hasattr(value, "random")}


def _source(value: Any) -> str:
    """Return a value as one writes it, also an index such as `:, 0, ...`."""
    if isinstance(value, tuple) and any(isinstance(v, slice | type(...)) for v in value):
        return ", ".join(map(_source, value))
    if isinstance(value, slice):
        ends = ["" if end is None else str(end) for end in (value.start, value.stop)]
        return ":".join(ends if value.step is None else [*ends, str(value.step)])
    if value is ...:
        return "..."
    return f"array {value.shape}" if isinstance(value, np.ndarray) and value.ndim else repr(value)


def _nth(found: list[Any], i: int) -> Any:
    return found[i] if i < len(found) else None
