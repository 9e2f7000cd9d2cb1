"""The language of a map: what a weight of the model is, in the names of the reference's weights.

    self_attn.in_proj_weight[q]             queries of an in-projection; also [k] and [v]
    position.weight[0:8]    norm.weight[0]  slices and indices, as in NumPy: [0:8, 3]
    linear1.weight.T                        also .transpose(0, 1), .permute(0, 2, 1), .reshape(3, 4)
    stack(a, b)    cat(a, b, dim=1)         several in one, along axis 0 if dim is not given

Each of these takes entries and rearranges them, and computes nothing. So an expression that is
evaluated on the positions of entries says where each entry of the model's weight comes from.
A name may be shortened from the left where that leaves one weight only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from crosscheck.answers import did_you_mean
from crosscheck.in_projection import LETTERS, is_stacked, split
from crosscheck.sides import Array

_TOKEN = re.compile(
    r"\s*(?:(?P<name>(?:\d+\.)*[A-Za-z_]\w*(?:\.\w+)*)|(?P<number>-?\d+)|(?P<sign>[\[\]():,=.]))"
)
_METHODS: dict[str, Callable[..., Array]] = {
    "transpose": lambda array, first, second: np.swapaxes(array, first, second),
    "reshape": lambda array, *shape: array.reshape(shape),
    "permute": lambda array, *axes: np.transpose(array, axes),
}
_JOINS: dict[str, Callable[..., Array]] = {"stack": np.stack, "cat": np.concatenate}
_SUFFIXES = ("T", *_METHODS)


def evaluate(text: str, arrays: Mapping[str, Array]) -> Array:
    """Return what the expression makes of these arrays.

    Raises ValueError in words, with the expression and the place in it, if it cannot be read, names
    no array, or does not fit their shapes.
    """
    return _Reader(text, arrays).read()


class _Reader:
    """Reads an expression from left to right and computes as it goes."""

    def __init__(self, text: str, arrays: Mapping[str, Array]) -> None:
        self.text = text
        self.arrays = arrays
        self.at = 0  # where the next token is looked for
        self.begin = 0  # where the last token begins

    def read(self) -> Array:
        array = self._expression()
        if self._rest():
            self._next()
            raise self._error("expected the end here")
        return array

    def _expression(self) -> Array:
        kind, word = self._next()
        if word == "(":
            array = self._expression()
            self._expect(")")
        elif kind == "name" and word in _JOINS and self._rest().startswith("("):
            array = self._joined(word)
        elif kind == "name":
            array = self._named(word)
        else:
            raise self._error("expected the name of a weight")
        while self._rest()[:1] in ("[", "."):
            array = self._indexed(array) if self._rest()[0] == "[" else self._method(array)
        return array

    def _named(self, chain: str) -> Array:
        """Read a name. What follows it after a dot, such as T, is in the same token."""
        begin, parts = self.begin, chain.split(".")
        for count in range(len(parts), 0, -1):
            name = self._full(".".join(parts[:count]))
            if name:
                break
        else:
            while len(parts) > 1 and parts[-1] in _SUFFIXES:
                parts.pop()
            wanted = ".".join(parts)
            raise self._error(f"no weight is called {wanted}{did_you_mean(wanted, self.arrays)}")
        self.at = begin + len(".".join(parts[:count]))
        array = self.arrays[name]
        part = re.match(rf"\[\s*([{LETTERS}])\s*\]", self._rest())
        if part and is_stacked(name):
            self.at = len(self.text) - len(self._rest()) + part.end()
            return split(array)[part[1]]
        return array

    def _full(self, name: str) -> str:
        """Return the name of the array that is meant; the empty string if there is none."""
        if name in self.arrays:
            return name
        longer = [other for other in self.arrays if other.endswith(f".{name}")]
        if len(longer) > 1:
            raise self._error(f"{name} may be {' or '.join(longer[:4])}: write the whole name")
        return longer[0] if longer else ""

    def _joined(self, word: str) -> Array:
        begin = self.begin
        self._expect("(")
        parts, axis = [], 0
        while not self._rest().startswith(")"):
            if re.match(r"dim\s*=", self._rest()):
                self._next()
                self._expect("=")
                axis = self._number()
            else:
                parts.append(self._expression())
            if not self._rest().startswith(")"):
                self._expect(",")
        self._expect(")")
        shapes = " and ".join(str(part.shape) for part in parts) or "nothing"
        return self._tried(f"{word} of {shapes}", begin, lambda: _JOINS[word](parts, axis=axis))

    def _indexed(self, array: Array) -> Array:
        self._expect("[")
        begin, index = self.begin, []
        if re.match(rf"[{LETTERS}]\s*\]", self._rest()):
            raise self._error("only an in-projection has parts [q], [k] and [v]")
        while True:
            index.append(self._slice())
            if self._rest().startswith("]"):
                break
            self._expect(",")
        self._expect("]")
        made = self._tried(f"an index of {array.shape}", begin, lambda: array[tuple(index)])
        if not made.size:
            raise self._error(f"nothing is left of the shape {array.shape}", begin)
        return np.asarray(made)

    def _slice(self) -> int | slice:
        ends: list[int | None] = [None]
        while self._rest()[:1] not in (",", "]"):
            if self._rest()[:1] == ":" and len(ends) < 3:
                self._expect(":")
                ends.append(None)
            else:
                ends[-1] = self._number()
        return slice(*ends) if len(ends) > 1 else ends[0] if ends[0] is not None else slice(None)

    def _method(self, array: Array) -> Array:
        self._expect(".")
        begin = self.begin
        _, word = self._next()
        if word.startswith("T.") or word == "T":  # the token may hold what follows the T as well
            self.at = self.begin + 1
            if array.ndim > 2:
                raise self._error(f"{array.shape} has more than two axes: write .transpose(0, 1)")
            return array.T
        if word not in _METHODS:
            raise self._error(f"expected one of .{', .'.join(_SUFFIXES)}")
        self._expect("(")
        numbers = []
        while not self._rest().startswith(")"):
            numbers.append(self._number())
            if not self._rest().startswith(")"):
                self._expect(",")
        self._expect(")")
        what = f".{word}({', '.join(map(str, numbers))}) of {array.shape}"
        return self._tried(what, begin, lambda: _METHODS[word](array, *numbers))

    def _tried(self, what: str, begin: int, make: Callable[[], Array]) -> Array:
        try:
            return make()
        except (ValueError, IndexError, TypeError) as error:
            raise self._error(f"{what} does not fit", begin) from error

    def _number(self) -> int:
        kind, word = self._next()
        if kind != "number":
            raise self._error("expected a whole number")
        return int(word)

    def _expect(self, sign: str) -> None:
        if self._next()[1] != sign:
            raise self._error(f"expected {sign!r}")

    def _rest(self) -> str:
        return self.text[self.at :].lstrip()

    def _next(self) -> tuple[str, str]:
        """Return the next token and what it is; at the end, two empty strings."""
        self.begin = len(self.text) - len(self._rest())
        found = _TOKEN.match(self.text, self.at)
        if not found:
            if self._rest():
                raise self._error("this sign means nothing in a map")
            return "", ""
        self.at = found.end()
        kind: Any = found.lastgroup
        return kind, found[kind]

    def _error(self, why: str, begin: int | None = None) -> ValueError:
        rest = self.text[self.begin if begin is None else begin :]
        where = f"at {rest!r}" if rest else "at its end"
        return ValueError(f"weights: the expression {self.text!r}, {where}: {why}")
