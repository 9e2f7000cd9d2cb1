"""Sizes read off a model, and inputs of the kind that it takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import torch
import torch_impl
from crosscheck.brought.asis import as_built
from crosscheck.brought.inputs import choose_input, read_input
from crosscheck.brought.sizes import Sizes


def block(width: int, heads: int, feed_forward: int) -> Any:
    return torch_impl.TransformerBlock(width, heads, feed_forward)


@pytest.mark.parametrize("feed_forward", [12, 24, 36, 50])
def test_a_block_shows_its_sizes(feed_forward: int) -> None:
    sizes = as_built(block(12, 6, feed_forward), Sizes())
    assert (sizes.width, sizes.heads, sizes.feed_forward) == (12, 6, feed_forward)


def test_what_the_user_gave_stays() -> None:
    sizes = as_built(block(12, 6, 50), Sizes(heads=3), frozenset(["heads"]))
    assert (sizes.width, sizes.heads) == (12, 3)


def test_a_language_model_is_no_wider_than_its_blocks() -> None:
    model = torch_impl.TransformerLanguageModel(17, 5, 12, 3, 2, 20)
    sizes = as_built(model, Sizes())
    assert (sizes.width, sizes.heads, sizes.feed_forward) == (12, 3, 20)


class Floats(torch.nn.Linear):
    def __init__(self) -> None:
        super().__init__(12, 12)


class OnlyPositions(torch.nn.Module):
    """It has an embedding, and takes floats."""

    def __init__(self) -> None:
        super().__init__()
        self.positions = torch.nn.Embedding(5, 12)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * 1.0 + self.positions(torch.arange(x.shape[1]))


class Tokens(torch.nn.Module):
    """Its table of positions has more rows than its table of tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.positions = torch.nn.Embedding(7, 12), torch.nn.Embedding(50, 12)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.tokens(ids) + self.positions(torch.arange(ids.shape[1]))


class OneHot(torch.nn.Module):
    """It takes tokens, and has no embedding."""

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.one_hot(ids, 65).double()


@pytest.mark.parametrize(
    ("model", "kind", "shape"),
    [
        (Floats(), "f", (2, 5, 12)),
        (OnlyPositions(), "f", (2, 5, 12)),
        (Tokens(), "i", (2, 5)),
        (OneHot(), "i", (2, 5)),
    ],
)
def test_an_input_of_the_kind_that_a_model_takes(model: Any, kind: str, shape: Any) -> None:
    inputs = choose_input(model, Sizes(batch=2, tokens=5, width=12))
    assert (inputs.dtype.kind, inputs.shape) == (kind, shape)


def test_a_model_that_takes_neither_raises_what_it_raises() -> None:
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        choose_input(torch.nn.Linear(99, 1), Sizes())


def test_an_input_that_is_no_array_of_numbers_is_told(tmp_path: Path) -> None:
    text, archive, strange = (tmp_path / name for name in ("a.txt", "b.npz", "c.npy"))
    text.write_text("1 2 3")
    np.savez(archive, a=np.ones(2))
    np.save(strange, np.array([1.0, np.nan]))
    for path, message in (
        (text, "is not an array saved by numpy.save"),
        (archive, "holds an archive of several arrays"),
        (strange, "holds NaN or infinity"),
    ):
        with pytest.raises(ValueError, match=message):
            read_input(path)
