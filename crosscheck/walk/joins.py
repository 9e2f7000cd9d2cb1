"""Where a tensor is used more than once, and what its uses send back is added up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from crosscheck.walk.schema_of_ops import Compared, Contribution, Join, Op


def joins_of(ops: Sequence[Op], gradients: dict[str, Compared]) -> Iterator[Join]:
    """Yield a join for each tensor that two ops or more send a gradient to.

    ops: in the order of the forward pass. gradients: of the parameters, whole, by name.
    """
    sums = {("op", op.id): op.dout for op in ops}
    sums |= {("parameter", name): gradient for name, gradient in gradients.items()}
    sent: dict[tuple[str, str], list[Contribution]] = defaultdict(list)
    for op in ops:
        for given in op.inputs:
            if given.gradient is not None and given.kind in ("op", "parameter"):
                one = given.gradient
                sent[given.kind, given.source].append(
                    Contribution(op.id, given.argument, one.norm, one.norm_reference)
                )
    for (kind, source), contributions in sent.items():
        total = sums.get((kind, source))
        if len(contributions) > 1 and total is not None:
            yield Join(
                kind, source, tuple(contributions),
                total.norm, total.norm_reference, total.verdict,
            )  # fmt: skip
