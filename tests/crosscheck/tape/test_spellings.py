"""However a model spells an op, it has its partner on the other tape, and nobody is accused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from crosscheck import Batch, localise
from crosscheck.ops.cases import OP_RUNGS

SPELLINGS: dict[str, Any] = {
    "2 * x": lambda e, x: 2 * x,
    "1 + x": lambda e, x: 1 + x,
    "1 - x": lambda e, x: 1 - x,
    "1 / x": lambda e, x: 1 / (x * x + 1),
    "2 ** x": lambda e, x: 2**x,
    "x ** y": lambda e, x: (x * x + 1) ** x,
    "0-d times x": lambda e, x: x.mean() * x,
    "x times 0-d": lambda e, x: x * x.mean(),
    "x times its own data": lambda e, x: x * x.detach(),
    "its own data times x": lambda e, x: x.detach() * x,
    "the same three times": lambda e, x: e.functional.scaled_dot_product_attention(x, x, x),
    "T": lambda e, x: x[0].T @ x[1],
    "chunk": lambda e, x: e.library.cat(x.chunk(2, dim=-1), dim=1),
    "split": lambda e, x: e.library.cat(x.split(3, dim=-1), dim=1),
    "unbind": lambda e, x: x.unbind(0)[1] * x.unbind(0)[0],
    "squeeze": lambda e, x: x.unsqueeze(1).squeeze(1),
    "view": lambda e, x: x.view(-1, 6),
    "masked by itself": lambda e, x: x.masked_fill(x > 0, 0.5),
    "last": lambda e, x: x[..., -1],
    "gelu_tanh": lambda e, x: e.functional.gelu(x, approximate="tanh"),
}


UNSEEN = ("cast", "clone")  # in one precision nothing is cast; a copy is seen through
NO_TWIN = ("dropout", "multi_head_attention")  # PyTorch's side of the rung is other ops


@pytest.mark.parametrize("name", [*SPELLINGS, *(op for op in OP_RUNGS if op not in NO_TWIN)])
def test_however_an_op_is_spelt_it_is_paired_and_not_accused(
    on_both_sides: Any, x: np.ndarray, name: str
) -> None:
    expression = SPELLINGS.get(name) or OP_RUNGS[name]
    where = localise(*on_both_sides(lambda e, self, x: expression(e, x)), Batch(x))
    assert where.unpaired == {"the model": (), "the reference": ()}
    assert where.findings == ()
    assert where.inherited == 0
    assert where.paired >= (2 if name in UNSEEN else 3)  # with the loss
    if name in OP_RUNGS and name not in UNSEEN:
        assert name in where.ops


def test_what_has_the_same_values_is_seen_through(on_both_sides: Any, x: np.ndarray) -> None:
    def theirs(engine: Any, self: Any, x: Any) -> Any:
        return x.transpose(0, 1).contiguous().clone().exp()

    where = localise(*on_both_sides(theirs, lambda e, self, x: x.transpose(0, 1).exp()), Batch(x))
    assert where.unpaired == {"the model": (), "the reference": ()}
    assert where.findings == ()
