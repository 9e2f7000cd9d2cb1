"""Two things that are drawn from one seed are never the same numbers."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import torch
from crosscheck import randomize
from crosscheck.draws import Stream, draws
from crosscheck.parity import SHAPE
from crosscheck.weights import get_weights

COUNT = 2_000


def drawn(generator: np.random.Generator) -> set[float]:
    return set(generator.random(COUNT).tolist())


@pytest.mark.parametrize("seed", [0, 1, 7, 2**32, 2**40 + 3])
def test_no_two_streams_of_a_seed_share_a_draw(seed: int) -> None:
    streams = {stream.name: drawn(draws(stream, seed)) for stream in Stream}
    streams["a plain generator"] = drawn(np.random.default_rng(seed))
    assert all(len(numbers) == COUNT for numbers in streams.values())
    for (a, ours), (b, others) in itertools.combinations(streams.items(), 2):
        assert not ours & others, f"{a} and {b}"


def test_seeds_of_a_stream_differ_and_repeat() -> None:
    weights = [drawn(draws(Stream.WEIGHTS, seed)) for seed in (0, 1, 2**32, 0)]
    assert weights[0] == weights[3]
    assert not weights[0] & weights[1]
    assert not weights[0] & weights[2]


@pytest.mark.parametrize("seed", [0, 3])
def test_randomize_shares_nothing_with_what_a_user_or_the_check_draws(seed: int) -> None:
    """The first weight used to be the input of the encoder-layer check, over 8."""
    layer = torch.nn.TransformerEncoderLayer(64, 4, 256)
    randomize(layer, seed)
    first = next(iter(get_weights(layer).values())).ravel() * 8.0
    plain = np.random.default_rng(seed).standard_normal(first.size)
    check = draws(Stream.INPUT, seed).standard_normal((*SHAPE, 64)).ravel()
    for other in (plain, check):
        shared = min(first.size, other.size)
        assert not np.isclose(first[:shared], other[:shared], rtol=1e-6).any()
        assert abs(np.corrcoef(first[:shared], other[:shared])[0, 1]) < 0.1
