"""Text as integers: one token per character, a split by position, and random windows."""

from typing import Any

import numpy as np
import numpy.typing as npt

Tokens = npt.NDArray[np.int64]


class CharacterTokenizer:
    """One token per character; ids follow the sorted distinct characters of a text.

    `characters` is that vocabulary in order, so `characters[i]` is what id `i` stands for.
    """

    def __init__(self, text: str) -> None:
        if not text:
            raise ValueError("CharacterTokenizer: the text is empty, there is no vocabulary in it")
        self.characters = "".join(sorted(set(text)))
        self._code_points = _code_points(self.characters)

    @property
    def vocab_size(self) -> int:
        """V, the number of distinct characters."""
        return len(self.characters)

    def encode(self, text: str) -> Tokens:
        """Map each character to its id: len N -> (N,) int64.

        Raises ValueError naming the first character that is not in the vocabulary.
        """
        code_points = _code_points(text)
        ids = np.searchsorted(self._code_points, code_points)
        nearest = self._code_points[np.minimum(ids, self.vocab_size - 1)]
        unknown = np.flatnonzero(nearest != code_points)
        if unknown.size:
            position = int(unknown[0])
            raise ValueError(
                f"encode: character {text[position]!r} at position {position} is not among the "
                f"{self.vocab_size} characters of the vocabulary"
            )
        return ids.astype(np.int64)

    def decode(self, tokens: npt.ArrayLike) -> str:
        """Map ids back to characters: (N,) integers -> len N.

        Raises ValueError naming the first id out of range or a shape that is not (N,), and
        TypeError when the ids are not integers.
        """
        ids = np.asarray(tokens)
        if ids.ndim != 1:
            raise ValueError(f"decode: ids have shape {ids.shape}, expected one axis (N,)")
        if not ids.size:  # an empty list has no integer type to speak of
            return ""
        _require_integers("decode", ids)
        outside = np.flatnonzero((ids < 0) | (ids >= self.vocab_size))
        if outside.size:
            position = int(outside[0])
            raise ValueError(
                f"decode: id {ids[position]} at position {position} is out of range, "
                f"expected 0 to {self.vocab_size - 1}"
            )
        code_points: npt.NDArray[np.uint32] = self._code_points[ids]
        return code_points.tobytes().decode("utf-32-le", "surrogatepass")


def split(tokens: Tokens, validation_fraction: float = 0.1) -> tuple[Tokens, Tokens]:
    """Cut by position: train on the first tokens, validate on the last `validation_fraction`.

    tokens (N,) -> train (M,), validation (N - M,), two views, with M = int(N * (1 - fraction)):
    the boundary that nanoGPT and char-rnn use. Raises ValueError unless 0 < fraction < 1.
    """
    if not 0.0 < validation_fraction < 1.0:
        raise ValueError(
            f"split: validation_fraction is {validation_fraction}, expected between 0 and 1"
        )
    boundary = int(len(tokens) * (1.0 - validation_fraction))
    return tokens[:boundary], tokens[boundary:]


def sample_batch(
    tokens: Tokens, batch_size: int, context: int, generator: np.random.Generator
) -> tuple[Tokens, Tokens]:
    """Draw B windows of T tokens, each with the same window one token further on.

    tokens (N,) -> inputs (B, T), targets (B, T), both int64 and neither a view, with
    targets[b, t] the token after inputs[b, t]. Every one of the N - T windows is equally likely.
    Raises ValueError when B or T is below 1 or the tokens are too few, TypeError when the
    tokens are not integers.
    """
    if batch_size < 1 or context < 1:
        raise ValueError(
            f"sample_batch: batch_size is {batch_size}, context is {context}, "
            "expected both at least 1"
        )
    if tokens.ndim != 1:
        raise ValueError(f"sample_batch: tokens have shape {tokens.shape}, expected one axis (N,)")
    _require_integers("sample_batch", tokens)
    if len(tokens) < context + 1:
        raise ValueError(
            f"sample_batch: the corpus has {len(tokens)} tokens, but context {context} needs at "
            f"least {context + 1} (the last target is one further on): use a longer text, a "
            "shorter context or another validation_fraction"
        )
    starts = generator.integers(0, len(tokens) - context, size=(batch_size, 1))
    positions = starts + np.arange(context)
    return tokens[positions].astype(np.int64), tokens[positions + 1].astype(np.int64)


def _code_points(text: str) -> npt.NDArray[np.uint32]:
    """One number per character; even half a surrogate pair, which a str may hold, has its own."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


def _require_integers(where: str, tokens: npt.NDArray[Any]) -> None:
    if not np.issubdtype(tokens.dtype, np.integer):
        raise TypeError(f"{where}: token ids have type {tokens.dtype}, expected integers")
