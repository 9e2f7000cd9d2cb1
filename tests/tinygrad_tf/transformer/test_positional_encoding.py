"""Positional encodings in both engines: the waves by their definition, learned rows, lengths."""

import math
from typing import Any

import numpy as np
import pytest
from support.engines import ENGINES, Engine, each_engine, load, random_weights, run, worst

B, T, C, LENGTH = 2, 5, 6, 9
RNG = np.random.default_rng(0)
X, DOUT = RNG.standard_normal((B, T, C)), RNG.standard_normal((B, T, C))


def add_positions(engine: Engine, encoding: Any, x: np.ndarray) -> np.ndarray:
    return encoding(engine.tensor(x)).detach().numpy()


def waves(length: int, channels: int) -> np.ndarray:
    """Section 3.5 of Vaswani et al. (2017), one number at a time."""
    table = np.zeros((length, channels))
    for t in range(length):
        for c in range(channels):
            angle = t / 10000 ** (c // 2 * 2 / channels)
            table[t, c] = math.sin(angle) if c % 2 == 0 else math.cos(angle)
    return table


@each_engine
@pytest.mark.parametrize(("length", "channels"), [(9, 6), (9, 7), (1, 1), (300, 64)])
def test_sinusoidal_definition(engine: Engine, length: int, channels: int) -> None:
    encoding = engine.models.SinusoidalPositionalEncoding(channels, length)
    x = RNG.standard_normal((2, length, channels))
    added = add_positions(engine, encoding, x) - x
    np.testing.assert_allclose(added[0], waves(length, channels), rtol=0, atol=1e-13)
    np.testing.assert_allclose(added[1], added[0], rtol=0, atol=1e-15)


@each_engine
def test_sinusoidal_is_rounded_once(engine: Engine) -> None:
    """In float32, far from the start: angles in float32 would be off by 1e-4 there."""
    encoding = engine.models.SinusoidalPositionalEncoding(4, 10_001)
    added = add_positions(engine, encoding, np.zeros((10_001, 4), dtype=np.float32))
    assert added.dtype == np.float32
    np.testing.assert_array_max_ulp(added[10_000], waves(10_001, 4)[10_000].astype(np.float32))


@each_engine
def test_sinusoidal_has_no_weights_and_passes_the_gradient(engine: Engine) -> None:
    encoding = engine.models.SinusoidalPositionalEncoding(C, LENGTH)
    assert list(encoding.parameters()) == []
    assert list(encoding.state_dict()) == []
    x = engine.tensor(X, requires_grad=True)
    encoding(x).backward(engine.tensor(DOUT))
    assert (x.grad.numpy() == DOUT).all()


@each_engine
def test_learned(engine: Engine) -> None:
    """Adds the first T rows; each row's gradient is summed over the batch, unused rows get 0."""
    encoding = engine.models.LearnedPositionalEncoding(C, LENGTH)
    weights = random_weights(encoding)
    dweight = np.zeros((LENGTH, C))
    dweight[:T] = DOUT.sum(axis=0)
    expected = {"out": X + weights["weight"][:T], "dx": DOUT, "dweight": dweight}
    assert worst(run(engine, load(engine, encoding, weights), X, DOUT), expected) < 1e-15


@each_engine
def test_learned_starts_small(engine: Engine) -> None:
    weight = engine.models.LearnedPositionalEncoding(100, 100).weight.detach().numpy()
    assert weight.std() == pytest.approx(0.02, rel=0.1)
    assert abs(weight.mean()) < 0.002


@pytest.mark.parametrize("name", ["SinusoidalPositionalEncoding", "LearnedPositionalEncoding"])
@pytest.mark.parametrize("engine", ENGINES, ids=repr)
def test_lengths(name: str, engine: Engine) -> None:
    """Up to max_len tokens, in any number of sequences; one more is an error that says so."""
    encoding = getattr(engine.models, name)(C, T).to(engine.library.float64)
    rows = add_positions(engine, encoding, np.zeros((T, C)))
    assert rows.any(axis=1).all()
    for tokens in (0, 1, T):
        out = add_positions(engine, encoding, np.zeros((B, tokens, C)))
        assert (out == rows[:tokens]).all()
        assert out.shape == (B, tokens, C)
    message = r"x \(2, 6, 6\) has 6 tokens, but there are encodings for 5 only; raise the context"
    with pytest.raises(ValueError, match=message):
        encoding(engine.tensor(np.zeros((B, T + 1, C))))
