"""The rules of others are fairly applied: they pass honest code, and catch what is gross."""

from __future__ import annotations

import pytest

from crosscheck.mutants.acceptance import OTHER_RULES, caught_by_others
from crosscheck.mutants.mutant import Mutant


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
