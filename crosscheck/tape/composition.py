"""Whether a run in float32 is made of exact ops and of nothing else.

Each op is called again on the same arrays, and has to make the same; a second form has to be as
exact as its page. What an op is given has to be what was made for it, to the last bit; what it
keeps for the way back has to stay as it is; and the gradients that are sent to a tensor have to be
added up. If all of that holds, what the run differs by, it has amplified.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from crosscheck.arrays import checksum
from crosscheck.distance import gap_between, norm
from crosscheck.judge import ROUNDING
from crosscheck.runs import Batch, run
from crosscheck.sides import INPUT, Array, in_precision
from crosscheck.tape.call import THE_INPUT
from crosscheck.tape.numpy_recorder import Recorder, arrays_for_tensors
from crosscheck.tape.replay import constant
from tinygrad_tf import Tensor
from tinygrad_tf.machinery.forms import Op, compute, second_forms

REPEATED = 1e-6  # what one op may make of the same arrays a second time, relative
# What a second form may always differ by from its page in float64, relative to dout or to what it
# makes. Beyond, it may differ by BESIDE times as much as the page does in float32, which is a
# single sample of the page's rounding.
EXACT32, BESIDE = 1e-5, 8 * ROUNDING
LARGE32, SMALL32 = 1e34, 1e-30  # beyond these, float32 has no numbers for what sums are made of


def is_composed(model: Any, batch: Batch, *, loss: str, seed: int) -> bool:
    """Whether a run of a NumPy model in float32 is made of exact ops and of nothing else."""
    exact, repeater = _Repeater("float64"), _Repeater("float32")
    run(model, batch, dtype="float64", loss=loss, seed=seed, watch=exact.watching)
    made = run(model, batch, dtype="float32", loss=loss, seed=seed, watch=repeater.watching)
    arrived = {THE_INPUT if n == INPUT else n: g for n, g in made.gradients.items()}
    return (
        repeater.repeats
        and repeater.has_constants_of(exact)
        and not any(pair.changed for pair in repeater.pairs.values())
        and not any(map(repeater.sums.are_wrong, repeater.pairs))
        and all(g is None or repeater.sums.is_of_leaf(n, g) for n, g in arrived.items())
    )


class _Repeater(Recorder):
    """Calls every op, and every backward, a second time."""

    def __init__(self, dtype: str) -> None:
        super().__init__({}, floor=0.0, relative=REPEATED)
        self.repeats = True  # whether each of them made the same again, of what was made for it
        self._dtype = np.dtype(dtype)
        self._made: dict[int, int] = {}  # the checksum of a tensor at first, by its identity
        self._constants: list[Array] = []  # what comes neither from an op nor from the model

    def has_constants_of(self, exact: _Repeater) -> bool:
        """Whether what is made beside the ops is in float32 what it is in float64."""
        return len(self._constants) == len(exact._constants) and all(
            gap_between(a.astype(np.float64), b, relative=REPEATED).agrees
            for a, b in zip(self._constants, exact._constants, strict=True)
        )

    def listen(
        self, op: Op, inputs: tuple[Any, ...], options: Mapping[str, Any], output: Tensor
    ) -> None:
        """An op has been called."""
        super().listen(op, inputs, options, output)
        for x in inputs:
            if isinstance(x, Tensor):
                if id(x) not in self._made and id(x) not in self._origins and x.is_floating_point():
                    self._constants.append(x.data.copy())
                if self._made.setdefault(id(x), checksum(x.data)) != checksum(x.data):
                    self.repeats = False
            elif isinstance(x, np.ndarray):
                self._constants.append(x.copy())
        self._made[id(output)] = checksum(output.data)
        if output.node is None or self._dtype == np.float64:
            return
        arrays = [x.data if isinstance(x, Tensor) else constant(x, self._dtype) for x in inputs]
        plain = arrays_for_tensors(options)
        out, again = compute(op.rule, arrays, dict(plain), self._dtype)
        wide = [in_precision(a, np.float64) if isinstance(a, np.ndarray) else a for a in arrays]
        # A page is the same in both precisions. A second form is beside its page.
        pages = [op.rule(*given, **plain) for given in (wide, arrays) if op.rule in second_forms]
        self._compare([output.data], [out], [[made] for made, _ in pages])
        self._call_again(output.node, again, [backward for _, backward in pages])

    def _call_again(self, node: Any, again: Any, pages: list[Any]) -> None:
        first = node.backward

        def backward(dout: Array) -> Any:
            same = dout.copy()
            dinputs = first(dout)
            is_finite = bool(np.isfinite(same).all())  # what is not says nothing of any form
            given = zip(
                pages if is_finite else (), (in_precision(same, np.float64), same), strict=False
            )
            self._compare(dinputs, again(same.copy()), [p(d) for p, d in given], norm(same))
            return dinputs

        node.backward = backward

    def _compare(self, made: Any, again: Any, pages: list[Any], scale: float = 0.0) -> None:
        """Note whether results are repeated, and as exact as those of the page.

        pages: what the page makes in float64 and in float32; empty if it has made these. scale: the
        norm of dout, beside which a sum of it may be small.
        """
        for i, (a, b) in enumerate(zip(made, again, strict=True)):
            if a is None or b is None:
                self.repeats = self.repeats and a is b
                continue
            array = np.asarray(a)
            fits = gap_between(array, np.asarray(b), relative=REPEATED).agrees
            if pages and pages[0][i] is not None:
                exact, page = pages[0][i], np.asarray(pages[1][i])
                allowed = max(BESIDE * _distance(page, exact), EXACT32 * max(norm(page), scale))
                fits = fits and _distance(array, exact) <= allowed + SMALL32
            self.repeats = self.repeats and fits


def _distance(array: Any, exact: Any) -> float:
    """Return |array - exact|, without entries so large that sums leave float32's range."""
    if array is None or exact is None or exact.dtype.kind != "f":
        return 0.0
    within = np.abs(exact) < LARGE32
    return norm(np.where(within, array - np.where(within, exact, 0.0), 0.0))
