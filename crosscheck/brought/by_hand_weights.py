"""The parameters of a user's object, by the user's own names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from crosscheck.answers import did_you_mean
from crosscheck.arrays import Array
from crosscheck.brought.by_hand_tree import Path, get, put


class Weights:
    """What models of code in NumPy and on a tensor engine share: arrays in an object, by name.

    tree: the object, which is ours to change. paths: where each parameter is, by its name. who: the
    object in sentences.
    """

    def __init__(self, tree: Any, paths: Mapping[str, Path], who: str) -> None:
        self.tree = tree
        self.paths = paths
        self.who = who

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.who})"

    def state_dict(self) -> dict[str, Array]:
        """Return the parameters by the user's own names: those of containers joined by dots."""
        return self.parameters(self.tree)

    def load_state_dict(self, weights: Mapping[str, Array]) -> None:
        """Take these values, by the user's own names, for all parameters.

        Raises ValueError for names and shapes that are not the model's.
        """
        own = self.state_dict()
        for name in weights:
            if name not in own:
                raise ValueError(
                    f"compare: {self.who} has no parameter {name!r}{did_you_mean(name, own)}"
                )
        for name, array in own.items():
            if name not in weights:
                raise ValueError(f"compare: the weights for {self.who} lack {name!r}")
            given = np.asarray(weights[name])
            if given.shape != array.shape:
                raise ValueError(
                    f"compare: the weights for {self.who} have {name!r} of shape {given.shape}, "
                    f"expected {array.shape}"
                )
        for name, path in self.paths.items():
            put(self.tree, path, np.array(weights[name], own[name].dtype, order="C"))

    def parameters(self, tree: Any) -> dict[str, Array]:
        """Return the parameters in a copy of the object."""
        return {name: get(tree, path) for name, path in self.paths.items()}
