"""Models whose forward has `x += y`: judged as any other, on the tape and by traces."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from crosscheck import Batch, compare
from crosscheck.mutants.mutant import Mutant
from crosscheck.sides import NUMPY
from crosscheck.tape.localise import localise
from crosscheck.traces import trace_run

pytestmark = pytest.mark.usefixtures("no_other_tracer")

C = 6
X = np.random.default_rng(3).standard_normal((2, 5, C))


@pytest.fixture(params=["both sides", "ours alone"])
def blocks(request: Any, make_pair: Any) -> tuple[Any, Any]:
    """Blocks that add and scale in place: on both sides, or only on ours, for the same function.

    `h += attention(h)` is only on ours: PyTorch raises in the backward pass, since it kept h.
    """

    def build(engine: Any) -> Any:
        nn, models = engine.library.nn, engine.models
        alone = request.param == "ours alone"

        class Block(nn.Module):  # type: ignore[misc, name-defined]
            def __init__(self) -> None:
                super().__init__()
                self.attention = models.MultiheadSelfAttention(C, 2)
                self.norm1, self.norm2 = nn.LayerNorm(C), nn.LayerNorm(C)
                self.linear = nn.Linear(C, C)

            def forward(self, x: Any) -> Any:
                h = self.norm1(x)
                if not alone:
                    h, kept = self.attention(h), h
                    h += kept
                elif engine is NUMPY:
                    h += self.attention(h)
                else:
                    h = h + self.attention(h)
                name, beside = h, h + x  # it is used before it changes, and twice afterwards
                h *= self.linear(x)
                h = self.norm2(name) + beside - name
                total = x.detach() * 0.5  # it asks for no gradient before the line below
                total -= h
                total.div_(3.0)
                return total

        return Block()

    return make_pair(build)


def test_right_code_agrees_and_every_op_has_its_partner(blocks: Any) -> None:
    assert compare(*blocks, Batch(X)).agrees
    where = localise(*blocks, Batch(X))
    assert where.findings == ()
    assert where.paired == 26


RULES, WALK = "tinygrad_tf.ops.arithmetic", "tinygrad_tf.autograd"
WRONG = {
    "add in": (RULES, "sum_to(dout, y_shape)", "2 * sum_to(dout, y_shape)"),
    "mul in": (RULES, "sum_to(dout * x, y.shape)", "sum_to(dout * x * 1.01, y.shape)"),
    "sub in": (RULES, "sum_to(-dout, y_shape)", "sum_to(dout, y_shape)"),
    "div in": (RULES, "return sum_to(dout / y, x.shape)", "return sum_to(dout / (y + 1), x.shape)"),
    "sum of gradients in model: the 2 gradients that arrive at the output of model/mul": (
        WALK, "arrived[source] = np.asarray(total), True", "arrived[source] = dsource, False",
    ),
}  # fmt: skip


@pytest.mark.parametrize("born", WRONG)
def test_what_is_wrong_is_named_where_it_works_in_place(blocks: Any, born: str) -> None:
    module, old, new = WRONG[born]
    planted = Mutant(id="", family="", what="", module=module, old=old, new=new, found=())
    with planted.planted():
        report = compare(*blocks, Batch(X))
    assert not report.agrees
    assert f"born here: {born} " in str(report)


@pytest.mark.parametrize("blocks", ["ours alone"], indirect=True)
def test_the_traces_of_both_engines_hold_the_same_values(blocks: Any) -> None:
    ours, theirs = (trace_run(model, Batch(X), loss="random cotangent", seed=3) for model in blocks)
    values = [theirs.array(record.index) for record in theirs.records]
    for record in ours.records:
        mine = ours.array(record.index)
        found = any(v.shape == mine.shape and np.allclose(v, mine, 1e-9, 1e-12) for v in values)
        # PyTorch cuts into q, k and v in one step.
        assert found or record.op == "getitem backward", record
