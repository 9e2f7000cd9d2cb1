"""Random numbers: every stream has a name, and no two streams of one seed share a draw.

Two things that are drawn from one seed must never be the same numbers: an input that equals a
weight, or a cotangent that equals an input, can hide a bug. So whoever draws names the stream.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

import numpy as np


class Stream(IntEnum):
    """What is drawn. The value is the stream's place: a new stream takes the next one."""

    WEIGHTS = 1  # every parameter, by `randomize`
    INITIAL = 2  # the initial weights of a deep stack
    INPUT = 3  # a floating input of a model
    COTANGENT = 4  # dL/d(output), where a gradient starts
    WINDOWS = 5  # which windows of a text make a batch
    VALIDATION = 6  # the windows that a validation loss is the mean of
    TOKENS = 7  # token ids and targets that come from no text
    DROPOUT = 8  # which entries are dropped
    OPTIONS = 9  # the wiring of a model that is chosen at random
    NUDGES = 10  # which way an entry is moved by one unit in the last place
    COMMON = 11  # the vector that tokens which are almost alike have in common
    PADDING = 12  # how long the sequences of a padded batch are
    BIASES = 13  # what a float mask adds to the scores
    MOVES = 14  # where a parameter is moved to, to see whether anything depends on it
    DIRECTIONS = 15  # along which a finite difference is taken


def draws(stream: Stream, seed: int | Sequence[int]) -> np.random.Generator:
    """Return the generator of a stream. No stream is the one of a plain `default_rng(seed)`."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(stream,)))
