"""The ops of a user's run: each array that a line of the user's has made on the way forward."""

from __future__ import annotations

import ast
import functools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from crosscheck.cuts import Cuts
from crosscheck.cuts.classes import Value
from crosscheck.cuts.counterpart import aligned
from crosscheck.cuts.marks import Kind, Mark
from crosscheck.cuts.pairing import Pairing
from crosscheck.distance import gap_between
from crosscheck.sides import INPUT
from crosscheck.tape.torch_recorder import RULES
from crosscheck.traces.trace import Place as Line
from crosscheck.traces.trace import Record, Trace
from crosscheck.walk.ops import KIND_OF
from crosscheck.walk.schema_of_ops import Compared, Input, Op
from crosscheck.walk.shown import Shown, place


@dataclass
class Lines:
    """Makes an `Op` of each record on the way from the input to the output."""

    trace: Trace
    values: Sequence[Value]  # of the reference
    pairing: Pairing  # which record holds which of them
    cuts: Cuts
    shown: Shown
    _ids: dict[int, str] = field(default_factory=dict)  # by record

    def all(self) -> Iterator[Op]:
        """Yield the ops in the order of the forward pass."""
        last = len(self.trace.records) if self.trace.output is None else self.trace.output + 1
        records = [r for r in self.trace.records[:last] if r.place is not None and not r.backward]
        counts: Counter[str] = Counter()
        for record in records:
            name = f"{self._module(record)}/{record.name}"
            counts[name] += 1
            self._ids[record.index] = name if counts[name] == 1 else f"{name}~{counts[name]}"
        marks = {mark.place: mark for mark in self.cuts.marks}
        for index, record in enumerate(records):
            yield self._op(index, record, marks)

    def _op(self, index: int, record: Record, marks: dict[Line, Mark]) -> Op:
        assert record.place is not None
        op = RULES.get(record.op, record.op)
        mark = marks.get(record.place)
        output = self._compared(record, "out", self._expected(record))
        dout = self._dout(record)
        return Op(
            id=self._ids[record.index],
            index=index,
            op=op or record.name,
            module=self._module(record),
            block="",
            kind=KIND_OF.get(op, "other"),
            options={},
            caller=place(f"{record.place.file}:{record.place.line}"),
            inputs=tuple(self._inputs(record)),
            output=output,
            dout=dout,
            verdict=self._verdict(record, output, dout, mark),
            copies=False,
            mark=mark.kind.value if mark is not None else "none",
            mark_text=mark.text if mark is not None else "",
        )

    def _inputs(self, record: Record) -> Iterator[Input]:
        names = {index: name for name, index in self.trace.given.items()}
        for source in record.sources:
            made, kind, origin = self.trace.records[source], "constant", ""
            if source in self._ids:
                kind, origin = "op", self._ids[source]
            elif (name := names.get(source)) is not None:
                kind, origin = ("input", "") if name == INPUT else ("parameter", name)
            yield Input(made.name, kind, origin, self._compared(made, made.name), None, None)

    def _compared(self, record: Record, name: str, expected: Value | None = None) -> Compared:
        """Return the array of a record beside the value of the reference that it holds.

        expected: the value that it should hold, where it holds none.
        """
        array = self.trace.array(record.index)
        is_right = record.index in self.pairing.right and record.index not in self.pairing.blocks
        value = self.values[self.pairing.right[record.index]] if is_right else expected
        if value is None or value.size != array.size:
            return self.shown.alone(name, array)
        orders = [aligned(theirs, array) for theirs in value.arrays]
        gaps = [gap_between(array, order, relative=FOUND) for order in orders]
        best = min(range(len(gaps)), key=lambda i: gaps[i].difference)
        called = value.name if name == "out" else name
        if is_right and not gaps[best].agrees:
            return self.shown.same_entries(called, array, value.array)
        return self.shown.compared(called, array, orders[best], gaps[best])

    def _expected(self, record: Record) -> Value | None:
        """Return the lost value in whose place a record at the blamed line stands."""
        lost = self._lost
        if lost is None or lost.backward != record.backward or not self._blamed(record):
            return None
        return lost if lost.size == record.signature.size else None

    def _dout(self, record: Record) -> Compared | None:
        """Return the gradient at a record, beside the reference's."""
        records = self.trace.records
        tied = [r for r in records if r.backward and r.value == record.index]
        gradients = self._gradients(record)
        stand_ins = [r for r in records if gradients and self._expected(r) in gradients]
        found = [
            records[i]
            for value in gradients
            for i in self.pairing.found.get(value.index, ())
            if i in self.pairing.right and i not in self.pairing.blocks
        ]
        best = [*tied[-1:], *stand_ins[-1:], *found]
        wanted = gradients[-1] if gradients else None
        return self._compared(best[0], "dout", wanted) if best else None

    def _verdict(
        self, record: Record, output: Compared, dout: Compared | None, mark: Mark | None
    ) -> str:
        right, gradients = record.index in self.pairing.right, self._gradients(record)
        if self._lost in gradients or (self._blamed(record) and not right):
            return "born"
        lost = self.cuts.first is not None and any(
            not self.pairing.is_found(value) for value in gradients
        )
        differs = any(c is not None and c.verdict == "disagree" for c in (output, dout))
        inherits = mark is not None and mark.kind in (Kind.INHERITED, Kind.WRONG) and not right
        if lost or differs or inherits:
            return "inherited"
        return "agree" if right else "unpaired"

    @property
    def _lost(self) -> Value | None:
        """The value at which the bug was born, if there is one."""
        wanted = (value for value in self.values if value.name == self.cuts.value)
        return None if self.cuts.first is None else next(wanted, None)

    def _blamed(self, record: Record) -> bool:
        return self.cuts.first is not None and record.place == self.cuts.first.place

    def _gradients(self, record: Record) -> list[Value]:
        """Return the reference's gradients at the value that a record holds."""
        held = self.pairing.right.get(record.index)
        return [v for v in self.values if held is not None and v.backward and v.forward == held]

    def _module(self, record: Record) -> str:
        assert record.place is not None
        scopes = _scopes(record.place.file)
        around = [scope for scope in scopes if scope[0] <= record.place.line <= scope[1]]
        return around[-1][2] if around else Path(record.place.file).name


FOUND = 1e-8  # the nine digits to which a value is found, with a last one that may differ


@functools.cache
def _scopes(file: str) -> tuple[tuple[int, int, str], ...]:
    """Return the first and last line of each class and function of a file, the outer ones first."""
    try:
        tree = ast.parse(Path(file).read_text("utf-8"))
    except (OSError, SyntaxError, ValueError):  # a notebook's cell, for one, is in no file
        return ()
    found: list[tuple[int, int, str]] = []

    def walk(node: ast.AST, path: str) -> None:
        for child in ast.iter_child_nodes(node):
            name = path
            if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                name = f"{path}.{child.name}".lstrip(".")
                found.append((child.lineno, child.end_lineno or child.lineno, name))
            walk(child, name)

    walk(tree, "")
    return tuple(found)
