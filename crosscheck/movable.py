"""A copy of a model whose weights can be moved, whatever its engine."""

from __future__ import annotations

import copy
from typing import Any

from crosscheck.sides import Array, Dialect, in_precision, side_of


class Movable:
    """A copy of a model in one precision, and its weights: what is written there changes the copy.

    A `ForeignModel` without `load_state_dict` has no weights here: it can only be run as it is.
    """

    def __init__(self, model: Any, dtype: str) -> None:
        side = side_of(model)
        self._loads = not isinstance(side, Dialect) and hasattr(model, "load_state_dict")
        self.weights: dict[str, Array] = {}  # by name, a tied parameter once
        if isinstance(side, Dialect):
            self._model = side.copy(model, dtype)
            self.weights = side.memory(self._model)
        else:
            self._model = copy.deepcopy(model)
            if self._loads:
                given = side.weights(model).items()
                self.weights = {name: in_precision(array, dtype) for name, array in given}

    @property
    def model(self) -> Any:
        """The copy, with the weights as they are now."""
        if self._loads:
            self._model.load_state_dict({name: x.copy() for name, x in self.weights.items()})
        return self._model
