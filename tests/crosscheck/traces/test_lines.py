"""The line tracer: which records a line makes, where, and from what."""

from __future__ import annotations

import sys
import threading
from typing import Any

import numpy as np
import pytest

from crosscheck.traces import lines_records
from crosscheck.traces.book import Book
from crosscheck.traces.lines import ANOTHER, FAILED, REPLACED, LineTracer
from crosscheck.traces.trace import Record

pytestmark = pytest.mark.usefixtures("no_other_tracer")

RNG = np.random.default_rng(0)
CONSTANT = RNG.standard_normal((2, 3))


class Traced:
    """A run of a function on arrays, which are given under the names of its arguments."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.book = Book()
        code = function.__code__
        for name, value in zip(code.co_varnames, arguments, strict=False):
            if isinstance(value, np.ndarray):
                self.book.give(name, value)
        self.given = len(self.book.records)
        tracer = LineTracer(self.book, {code.co_filename})
        with tracer:
            self.returned = function(*arguments)
        tracer.read_all_again()
        self.notes = tuple(tracer.notes)
        self.first = code.co_firstlineno

    @property
    def made(self) -> list[Record]:
        return self.book.records[self.given :]

    def lines(self) -> list[tuple[int, str, list[str]]]:
        """Return of each record its line in the function, its name, and those of its sources."""
        return [
            (
                (record.place.line - self.first) if record.place else 0,
                record.name,
                [self.book.records[source].name for source in record.sources],
            )
            for record in self.made
        ]


def x() -> np.ndarray:
    return RNG.standard_normal((2, 3))


def straight(a: Any, b: Any) -> Any:
    c = a + b
    d = c
    a = (
        d * 2
        + b
    )  # fmt: skip
    return a - 1, d


def test_a_line_makes_what_it_assigns_from_what_it_reads() -> None:
    assert Traced(straight, x(), x()).lines() == [
        (1, "c", ["a", "b"]),
        (2, "d", ["c"]),
        (3, "a", ["b", "d"]),
        (7, "a - 1", ["a"]),
    ]


def written_in_place(a: Any, out: Any) -> Any:
    row = out[0]
    out += 0
    out[1] = a[0]
    row *= 2
    np.exp(a, out=a)
    return None


def test_what_is_written_in_place_has_a_record_and_so_has_what_shares_its_memory() -> None:
    run = Traced(written_in_place, x(), x())
    assert run.lines() == [
        (1, "row", ["out"]),
        (2, "out", ["out"]),
        (3, "out", ["a", "out"]),
        (4, "row", ["row"]),
        (4, "out", ["out", "row"]),
        (5, "a", ["a"]),
    ]
    assert [record.changed for record in run.made] == [False, False, True, True, True, True]


class Layer:
    def __init__(self) -> None:
        self.W = RNG.standard_normal((3, 3))
        self.grads = {"W1": np.zeros((3, 3))}
        self.cache: list[Any] = []

    def forward(self, a: Any) -> Any:
        self.cache.append((a, a @ self.W))
        return self.cache[0][1]


def containers(a: Any) -> Any:
    layer = Layer()
    out = layer.forward(a * 2)
    for i in range(1, 2):
        layer.grads[f"W{i}"] += a.T @ out
    return layer


def test_attributes_and_items_have_the_names_of_the_source() -> None:
    run = Traced(containers, x())
    named = {name: (line, sources) for line, name, sources in run.lines()}
    assert named["layer.grads['W1']"] == (4, ["a", "self.grads['W1']", "out"])
    assert named["self.cache[0][1]"][1] == ["self.W", "a"]
    assert named["out"] == (2, ["self.cache[0][1]"])
    a = next(record for record in run.made if record.name == "a")
    assert a.place is not None
    assert a.place.line == run.first + 2  # the line that made the argument
    inner = next(record for record in run.made if record.name == "self.cache[0][1]")
    assert [caller.line - run.first for caller in inner.callers] == [2]


def in_comprehensions(a: Any, b: Any) -> Any:
    double = lambda y: y * 2  # noqa: E731
    parts = [double(row) for row in a]
    return np.stack(parts) + b


def test_comprehensions_belong_to_their_line_and_lambdas_are_functions() -> None:
    run = Traced(in_comprehensions, x(), x())
    assert [(line, name) for line, name, _ in run.lines()] == [
        (2, "y"), (1, "y * 2"), (2, "y"), (1, "y * 2"), (3, "np.stack(parts) + b"),
    ]  # fmt: skip
    assert run.lines()[-1][2] == ["b", "y * 2", "y * 2"]


def through_numbers(a: Any, b: Any, eps: float = 1e-5) -> Any:
    mask = a > 0
    total = float(a.sum())
    count = a.shape[0] + eps
    c = b * mask
    d = b / total
    return c, d, b / count + CONSTANT


def test_numbers_and_masks_stand_for_what_they_were_made_of_and_shapes_do_not() -> None:
    assert Traced(through_numbers, x(), x()).lines() == [
        (4, "c", ["a", "b"]),
        (5, "d", ["a", "b"]),
        (6, "CONSTANT", []),
        (6, "b / count + CONSTANT", ["b", "CONSTANT"]),
    ]


def hides_a_change(a: Any) -> Any:
    def run() -> None:
        a[0] = 5

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return None


def test_threads_are_not_followed_but_what_they_change_is_seen_at_the_end() -> None:
    lines = Traced(hides_a_change, x()).lines()
    assert [(name, sources) for _, name, sources in lines] == [("a", ["a"])]


def raises(a: Any) -> Any:
    b = a + 1
    raise KeyError(b.shape)


def test_another_trace_function_comes_back_and_is_told() -> None:
    def other(frame: Any, event: str, argument: Any) -> Any:
        return None

    before = sys.gettrace()
    sys.settrace(other)
    try:
        run = Traced(straight, x(), x())
        assert sys.gettrace() is other
        with pytest.raises(KeyError):
            Traced(raises, x())
        assert sys.gettrace() is other
    finally:
        sys.settrace(before)
    assert run.notes == (ANOTHER,)
    assert len(run.made) == 4


def sets_its_own(a: Any) -> Any:
    b = a + 1
    sys.settrace(None)
    return b * 2


def test_a_trace_function_of_the_users_is_told() -> None:
    before = sys.gettrace()
    run = Traced(sets_its_own, x())
    assert sys.gettrace() is before
    assert REPLACED in run.notes
    assert [name for _, name, _ in run.lines()] == ["b"]


def test_an_error_of_the_tracer_is_no_error_of_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*given: Any) -> Any:
        raise AssertionError("the tracer")

    def careful(a: Any) -> Any:
        try:
            return a + 1
        except AssertionError:
            return None

    monkeypatch.setattr(lines_records.Writer, "settle", broken)
    run = Traced(careful, x())
    assert run.returned is not None
    assert run.notes == (f"{FAILED} AssertionError: the tracer",)


def swaps(a: Any, b: Any) -> Any:
    def both() -> Any:
        return b, a

    first, second = both()
    for name in (first, second):
        name[0] += 1
    return second * 2


def test_a_known_array_has_a_record_where_a_loop_names_it() -> None:
    assert Traced(swaps, x(), x()).lines() == [
        (4, "first", ["b"]),
        (4, "second", ["a"]),
        (5, "name", ["first"]),
        (6, "name", ["name"]),
        (5, "name", ["second"]),
        (6, "name", ["name"]),
        (7, "second * 2", ["name"]),
    ]
