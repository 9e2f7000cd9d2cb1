"""Planting: the running code changes, wherever it is held, and changes back whatever happens."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_tf as tg
from crosscheck.mutants.mutant import Mutant
from tinygrad_tf import nn
from tinygrad_tf.ops import softmax as rules
from tinygrad_tf.ops.elementwise import exp


def mutant(module: str, old: str, new: str) -> Mutant:
    return Mutant(
        id="made-here", family="a family", what="a mistake",
        module=f"tinygrad_tf.{module}", old=old, new=new, found=(),
    )  # fmt: skip


WRONG_EXP = mutant("ops.elementwise", "    out = np.exp(x)\n", "    out = np.exp(x) + 1\n")


def test_a_rule_is_changed_where_others_hold_it() -> None:
    held, x = exp, tg.Tensor(np.array([0.0]))
    with WRONG_EXP.planted():
        assert held(x).data == [2.0]
        assert x.exp().data == [2.0]
        assert held.rule(np.array([0.0]))[0] == [2.0]
    assert held(x).data == x.exp().data == [1.0]


def test_a_backward_is_changed_with_its_rule() -> None:
    minus = mutant("ops.softmax", "out * (dout - average)", "out * (dout + average)")
    scores = np.array([0.5, 2.0])
    _, honest = rules.softmax.rule(scores, dim=-1)
    with minus.planted():
        probs, wrong = rules.softmax.rule(scores, dim=-1)
    assert honest(np.array([1.0, 1.0]))[0] == pytest.approx([0.0, 0.0], abs=1e-15)
    assert wrong(np.array([1.0, 1.0]))[0] == pytest.approx(2 * probs, abs=1e-15)
    assert [function.__name__ for function in minus.touched()] == ["softmax"]


def test_a_method_is_changed_for_objects_that_exist() -> None:
    layer = nn.Linear(2, 2)
    x = tg.Tensor(np.ones((1, 2), np.float32))
    expected = layer(x).data
    doubled = mutant(
        "nn.layers",
        "F.linear(input, self.weight, self.bias)",
        "F.linear(input + input, self.weight, self.bias)",
    )
    with doubled.planted():
        assert not np.array_equal(layer(x).data, expected)
    np.testing.assert_array_equal(layer(x).data, expected)
    assert doubled.touched()[0].__qualname__ == "Linear.forward"


def test_an_exception_takes_it_out_too() -> None:
    with pytest.raises(KeyError), WRONG_EXP.planted():  # noqa: PT012
        assert exp.rule(np.zeros(1))[0] == [2.0]
        raise KeyError("whatever")
    assert exp.rule(np.zeros(1))[0] == [1.0]


def test_one_may_be_planted_again_and_within_another() -> None:
    other = mutant("ops.elementwise", "    out = np.log(x)\n", "    out = np.log(x) + 1\n")
    for _ in range(2):
        with WRONG_EXP.planted(), other.planted():
            x = tg.Tensor(np.array([1.0]))
            assert x.log().exp().data == pytest.approx([np.e + 1])
    assert x.log().exp().data == pytest.approx([1.0])


@pytest.mark.parametrize(("text", "count"), [("np.flip(x)", 0), ("np.exp(", 2)])
def test_a_text_that_does_not_occur_once_is_an_error(text: str, count: int) -> None:
    unclear = mutant("ops.elementwise", text, "np.log(")
    said = f"mutant made-here: its text occurs {count} times in tinygrad_tf.ops.elementwise"
    for use in (unclear.patch, unclear.touched, lambda: unclear.planted().__enter__()):
        with pytest.raises(ValueError, match=said):
            use()
    assert exp.rule(np.zeros(1))[0] == [1.0]


def test_the_patch_shows_the_lines_around() -> None:
    header, _, place, *lines = WRONG_EXP.patch().split("\n")
    assert header == "--- tinygrad_tf/ops/elementwise.py"
    assert place.startswith("@@ ")
    assert lines == [
        "     Backward. Its own slope: dx = dout * out.   Mirrors: torch.exp.",
        '     """',
        "-    out = np.exp(x)",
        "+    out = np.exp(x) + 1",
        " ",
        "     def backward(dout: Array) -> Gradients:",
    ]
