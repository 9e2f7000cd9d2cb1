"""The book that a trace is written into."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import torch
from crosscheck.traces import book as of_book
from crosscheck.traces.book import Book
from crosscheck.traces.trace import Place

HERE = Place("a.py", 3)
X = np.arange(6.0).reshape(2, 3)


def nothing(wanted: Any) -> Any:
    raise AssertionError(wanted)


def test_an_array_is_known_by_identity_and_else_by_content() -> None:
    book = Book()
    x, y = X.copy(), X.copy()
    first, second = book.give("input", x), book.add("y", y, place=HERE)
    assert (book.sources_of(x), book.sources_of(y)) == ((first,), (second,))
    assert not book.is_known(X)
    assert book.sources_of(X) == (second,)
    assert book.sources_of(X.T) == ()
    del y  # another array may get its identity, and is not taken for it
    assert not any(book.is_known(X.copy()) for _ in range(50))


def test_what_shares_memory_is_seen_to_change() -> None:
    book = Book()
    x, other = X.copy(), X.copy()
    row = x[0]
    for name, array in (("x", x), ("row", row), ("other", other)):
        book.add(name, array, place=HERE)
    x[0, 0] = 7
    other[0, 0] = 8
    assert book.is_changed(row)
    assert [name for _, name in book.changed_arrays(near=x)] == ["row"]
    assert [name for _, name in book.changed_arrays()] == ["x", "row", "other"]


def test_the_way_back_begins_with_dout_or_is_known_by_its_sources() -> None:
    book = Book()
    x = book.give("input", X)
    dout = book.send_in(X + 1)
    assert book.records[book.add("dx", X + 2, place=HERE)].backward
    book.backward = None
    late = book.add("out", X + 3, place=HERE, sources=[x])
    dx = book.add("dx", X + 4, place=HERE, sources=[dout, x, dout])
    assert not book.records[late].backward
    assert book.records[dx].backward
    assert book.records[dx].sources == (x, dout)


def test_an_array_without_a_record_stands_for_its_sources() -> None:
    book = Book()
    x, mask = X.copy(), X > 2
    index = book.give("input", x)
    book.know(mask, [index], "mask")
    assert book.sources_of(mask) == (index,)
    mask[0, 0] = True
    assert book.is_changed(mask)


def test_arrays_are_kept_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(of_book, "KEPT_BYTES", X.nbytes)
    for wanted, kept in ((None, [0]), ([1], [1]), ([], [])):
        book, x = Book(wanted=wanted), X.copy()
        book.give("input", x)
        book.add("y", X.T, place=HERE)
        x[:] = 0
        trace = book.trace(1, nothing)
        assert list(trace.arrays) == kept
        if wanted is None:
            assert np.array_equal(trace.array(0), X)
        assert trace.records[1].signature.is_like(trace.records[0].signature)


def test_tensors_of_pytorch_are_arrays_where_the_book_is_told_so() -> None:
    book = Book(view=lambda x: x.detach().numpy() if isinstance(x, torch.Tensor) else None)
    x = torch.tensor(X, requires_grad=True)
    index = book.give("weight", x)
    gradient = torch.ones(2, 3)
    book.add("weight.grad", gradient, place=None, backward=True)
    book.tie(gradient, index)
    assert book.sources_of(x) == (index,)
    assert book.records[1].value == index


def test_views_of_tensors_share_memory_too() -> None:
    book = Book(view=lambda x: x.detach().numpy() if isinstance(x, torch.Tensor) else None)
    x = torch.tensor(X)
    row = x.T[1]
    book.add("x", x, place=HERE)
    book.add("row", row, place=HERE)
    x += 1
    assert [name for _, name in book.changed_arrays(near=x)] == ["row"]
