"""Where the first NaN or infinity of a run was made: the op, and the module it was made in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from crosscheck.runs import Batch, run
from crosscheck.sides import Array
from crosscheck.tape.call import LOSS, ROOT, Places
from tinygrad_tf import Tensor, observe
from tinygrad_tf.machinery.forms import Op

NAMES = {ROOT: "the model itself", LOSS: "the loss"}


def first_not_finite(model: Any, batch: Batch) -> str | None:
    """Say in words where a NumPy model first computes NaN or infinity; None if it never does.

    Weights and inputs are looked at first; then, in float64 and in float32, every op of a forward
    pass, in order, and every gradient of the way back. (An op's -inf is not counted: masks put it
    into scores on purpose.)
    """
    for name, parameter in model.named_parameters():
        if not np.isfinite(parameter.data).all():
            return f"the weights are not finite: {name} {_where(parameter.data)}"
    if not np.isfinite(batch.inputs).all():
        return f"the input is not finite: it {_where(batch.inputs)}"
    for dtype in ("float64", "float32"):
        hunt = _Hunt()
        run(model, batch, dtype=dtype, loss=batch.loss, watch=hunt.watching)
        if hunt.found:
            return f"in {dtype}, {hunt.found}"
    return None


class _Hunt:
    """Listens to a run, and remembers the first thing that is not finite, as a sentence."""

    def __init__(self) -> None:
        self.found = ""  # the sentence; empty until there is one
        self._places = Places()  # which module is running
        self._users: dict[int, list[str]] = defaultdict(list)  # the ops that used a tensor
        self._alive: list[Tensor] = []  # so that no id is used twice

    @contextmanager
    def watching(self, model: Any, inputs: Any) -> Iterator[None]:
        """Listen, within this block, and know which module is running."""
        with self._places.following(model), observe(self.listen):
            yield

    def listen(
        self, op: Op, inputs: tuple[Any, ...], options: Mapping[str, Any], output: Tensor
    ) -> None:
        """Look at the output of an op, and arrange to look at the gradients of its inputs."""
        maker = f"{op.__name__} in {NAMES.get(self._places.current, self._places.current)}"
        bad = np.isnan(output.data) | np.isposinf(output.data)
        if not self.found and output.is_floating_point() and bad.any():
            place = f"its output {bad.shape} {_where(bad)}"
            self.found = f"the first NaN or infinity is made by {maker}: {place}"
        for x in inputs:
            if isinstance(x, Tensor) and x.requires_grad:
                if id(x) not in self._users:
                    self._alive.append(x)
                    x.register_hook(self._arriving(x))
                self._users[id(x)].append(maker)

    def _arriving(self, x: Tensor) -> Any:
        def look(gradient: Tensor) -> None:
            if not self.found and not np.isfinite(gradient.data).all():
                makers = " or ".join(sorted(set(self._users[id(x)])))
                self.found = (
                    "everything is finite forward; the first NaN or infinity is made going back "
                    f"through {makers}: the gradient of its input {x.shape} {_where(gradient.data)}"
                )

        return look


def _where(array: Array) -> str:
    bad = array if array.dtype == bool else ~np.isfinite(array)
    first = tuple(int(i) for i in np.argwhere(bad)[0])
    return f"has {int(bad.sum())} bad entries, the first at {first}"
