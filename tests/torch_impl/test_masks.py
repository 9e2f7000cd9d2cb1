"""Every shape of input and mask that PyTorch's layer takes, and queries that may attend nowhere."""

import numpy as np
import pytest
from support.engines import padding_mask, random_mask
from support.parity import B, C, H, T, assert_parity, data


@pytest.mark.parametrize("shape", [(B, T, C), (1, T, C), (3, 1, C), (T, C), (1, C)], ids=str)
def test_leading_shapes(shape: tuple[int, ...]) -> None:
    assert_parity(*data("float64", shape=shape))


@pytest.mark.parametrize("shape", [(B, T, C), (T, C)], ids=["batch", "one sequence"])
@pytest.mark.parametrize("kinds", ["2-D", "3-D", "padding", "2-D padding", "3-D padding"])
@pytest.mark.parametrize("floating", [False, True], ids=["bool", "float"])
def test_masks_of_every_shape(shape: tuple[int, ...], kinds: str, floating: bool) -> None:
    """A mask for all, one for each sequence and head, padding; and two of them at once."""
    rng = np.random.default_rng(3)
    mask = {}
    if "2-D" in kinds:
        mask["src_mask"] = random_mask(rng, T, T)
    if "3-D" in kinds:
        mask["src_mask"] = random_mask(rng, (B * H if len(shape) == 3 else H), T, T)
    if "padding" in kinds:
        padding = padding_mask(B, T)
        mask["src_key_padding_mask"] = padding if len(shape) == 3 else padding[1]
    if floating:
        mask = {n: np.where(m, -np.inf, rng.standard_normal(m.shape)) for n, m in mask.items()}
    assert_parity(*data("float64", shape=shape), **mask)


@pytest.mark.parametrize("floating", [False, True], ids=["bool", "float"])
@pytest.mark.parametrize("kinds", ["row", "sequence", "both"])
def test_queries_that_may_attend_nowhere(kinds: str, floating: bool) -> None:
    """0 / 0 in a plain softmax: they get zeros, all is finite, and gradients agree as well."""
    mask = {"src_mask": random_mask(np.random.default_rng(4), T, T)}
    if kinds == "row":
        mask["src_mask"][3] = True
    else:
        mask["src_key_padding_mask"] = padding_mask(B, T)
    if kinds == "sequence":
        mask["src_key_padding_mask"][0] = True
    if kinds == "both":  # neither leaves a query without a key, together they do
        mask["src_mask"][5] = np.arange(T) < T - 1
    if floating:
        mask = {n: np.where(m, -np.inf, 0.5) for n, m in mask.items()}
    assert_parity(*data("float64"), **mask)
