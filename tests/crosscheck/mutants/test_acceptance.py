"""The rules of others are fairly applied: they pass honest code, and catch what is gross."""

from __future__ import annotations

import pytest

from crosscheck.mutants.acceptance import OTHER_RULES, caught_by_others
from crosscheck.mutants.catalogue import CATALOGUE
from crosscheck.mutants.mutant import Mutant
from crosscheck.mutants.score import Score

BY_ID = {mutant.id: mutant for mutant in CATALOGUE}


def harmless(module: str, old: str, new: str) -> Mutant:
    return Mutant(
        id="harmless", family="", what="",
        module=f"tinygrad_tf.{module}", old=old, new=new, found=(),
    )  # fmt: skip


HARMLESS = [
    harmless("ops.softmax", "dx = out * (dout - average)", "dx = (dout - average) * out"),
    harmless("ops.linear", "dx = dout @ weight ", "dx = (weight.T @ dout[..., None])[..., 0] "),
]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("same", HARMLESS, ids=["order", "transposes"])
def test_honest_code_is_accepted(same: Mutant, seed: int) -> None:
    assert caught_by_others(same, seed) == dict.fromkeys(OTHER_RULES, False)


@pytest.mark.parametrize("bug", ["sum-to-forgotten", "attention-qkv-order", "residual-dropped"])
def test_what_is_gross_is_caught_by_all(scored: Score, bug: str) -> None:
    result = next(result for result in scored.results if result.id == bug)
    assert result.others == dict.fromkeys(OTHER_RULES, True)


@pytest.mark.parametrize(
    ("bug", "rule"),
    [
        ("layer-norm-dx-without-weight", "absolute 2e-2"),  # an initial weight is 1
        ("layer-norm-no-eps", "norms within 1 %"),
        ("linear-dweight-transposed", "norms within 1 %"),
        ("gelu-tanh-for-erf", "relative 1e-3"),
    ],
)
def test_what_each_misses(scored: Score, bug: str, rule: str) -> None:
    result = next(result for result in scored.results if result.id == bug)
    assert result.caught
    assert not result.others[rule]


def test_a_sum_misses_what_a_random_cotangent_catches(scored: Score) -> None:
    name = "allclose 1e-5, .sum()"
    missed = {r.family for r in scored.results if r.others and not r.others[name]}
    assert missed & {"softmax", "layer norm", "attention"}, missed
