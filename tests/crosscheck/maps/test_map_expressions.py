"""The language of a map: what an expression takes, what is wrong with it, and how it is found."""

from __future__ import annotations

import numpy as np
import pytest

from crosscheck.maps.describe import describe
from crosscheck.maps.expression import evaluate
from crosscheck.maps.weight_map import places_of

SHAPES = {
    "blocks.0.self_attn.in_proj_weight": (36, 12),
    "blocks.0.self_attn.in_proj_bias": (36,),
    "blocks.0.linear1.weight": (20, 12),
    "blocks.1.linear1.weight": (20, 12),
    "head.weight": (7, 12),
}
PLACES = places_of(SHAPES)
STACKED = PLACES["blocks.0.self_attn.in_proj_weight"]
WIDE = PLACES["blocks.1.linear1.weight"]
HEAD = PLACES["head.weight"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("head.weight", HEAD),
        ("in_proj_weight[q]", STACKED[:12]),
        ("blocks.0.self_attn.in_proj_weight[ k ].T", STACKED[12:24].T),
        ("in_proj_bias[v]", PLACES["blocks.0.self_attn.in_proj_bias"][24:]),
        ("blocks.1.linear1.weight.T", WIDE.T),
        ("head.weight[2:5]", HEAD[2:5]),
        ("head.weight[2:5, -1]", HEAD[2:5, -1]),
        ("head.weight[0][::2]", HEAD[0][::2]),
        ("head.weight[:, 3:]", HEAD[:, 3:]),
        ("head.weight.T[0].reshape(7, 1)", HEAD.T[0].reshape(7, 1)),
        ("in_proj_weight[q].reshape(3, 4, 12).permute(0, 2, 1)",
         STACKED[:12].reshape(3, 4, 12).transpose(0, 2, 1)),
        ("in_proj_weight.reshape(3, 12, 12).transpose(0, -1)",
         STACKED.reshape(3, 12, 12).swapaxes(0, 2)),
        ("stack(in_proj_weight[v], (in_proj_weight[k]))",
         np.stack([STACKED[24:], STACKED[12:24]])),
        ("cat(in_proj_weight[q].T, blocks.1.linear1.weight.T, dim=1)",
         np.concatenate([STACKED[:12].T, WIDE.T], axis=1)),
    ],
)  # fmt: skip
def test_an_expression_takes_what_numpy_takes(text: str, expected: np.ndarray) -> None:
    np.testing.assert_array_equal(evaluate(text, PLACES), expected)
    found = describe(expected, PLACES)
    if "::2" not in text:  # the language has it, but nobody has such a layout
        assert found is not None
        np.testing.assert_array_equal(evaluate(found, PLACES), expected)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "at its end: expected the name of a weight"),
        ("heads.weight.T", "no weight is called heads.weight (did you mean 'head.weight'?)"),
        ("linear1.weight", "may be blocks.0.linear1.weight or blocks.1.linear1.weight"),
        ("head.weight[q]", "only an in-projection has parts"),
        ("in_proj_weight[x]", "expected a whole number"),
        ("head.weight.S", "expected one of .T, .transpose, .reshape, .permute"),
        ("head.weight.reshape(5, 5)", ".reshape(5, 5) of (7, 12) does not fit"),
        ("head.weight[9]", "an index of (7, 12) does not fit"),
        ("head.weight[9:]", "nothing is left of the shape (7, 12)"),
        ("in_proj_weight.reshape(3, 12, 12).T", "more than two axes"),
        ("stack(head.weight, in_proj_bias)", "stack of (7, 12) and (36,) does not fit"),
        ("cat(head.weight", "at its end: expected ','"),
        ("cat()", "cat of nothing does not fit"),
        ("head.weight + 1", "this sign means nothing"),
        ("head.weight in_proj_bias", "at 'in_proj_bias': expected the end here"),
        ("head.weight.transpose(0)", ".transpose(0) of (7, 12) does not fit"),
    ],
)
def test_what_cannot_be_read_is_said(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=r"^weights: the expression ") as raised:
        evaluate(text, PLACES)
    assert words in str(raised.value)
    assert repr(text) in str(raised.value)


def test_every_order_of_heads_is_described() -> None:
    """A stacked projection in each of the 24 orders of its axes, with two of them joined."""
    apart = STACKED.reshape(3, 3, 4, 12)
    orders = [np.array(order) for order in np.ndindex(4, 4, 4, 4) if len({*order}) == 4]
    assert len(orders) == 24
    for order in orders:
        turned = apart.transpose(order)
        for shape in (turned.shape, (-1, turned.shape[-1]), (turned.shape[0], -1)):
            text = describe(turned.reshape(shape), PLACES)
            assert text is not None
            np.testing.assert_array_equal(evaluate(text, PLACES), turned.reshape(shape))


def test_what_has_no_expression_is_not_described() -> None:
    assert describe(np.random.default_rng(0).permutation(HEAD.ravel()), PLACES) is None
    assert describe(HEAD[[0, 0, 1]], PLACES) is None
