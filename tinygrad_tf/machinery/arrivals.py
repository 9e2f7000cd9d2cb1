"""Where gradients come to rest: hooks see them, and a `.grad` collects them until cleared."""

from __future__ import annotations

import os
import threading
from typing import Any

import numpy as np

from tinygrad_tf.graph import Array, Variable
from tinygrad_tf.machinery.hooks import Hooks, replaced_by_hooks

_adding = threading.RLock()  # held while something is added to a `.grad`: threads may share leaves
if hasattr(os, "register_at_fork"):  # no fork while another thread adds: the child could never add
    os.register_at_fork(
        before=_adding.acquire, after_in_parent=_adding.release, after_in_child=_adding.release
    )


def seen_by_hooks(root: Variable, hooks: Hooks, gradient: Array, retain_graph: bool) -> Array:
    """Return dL/d(result) of a node as its hooks leave it, and keep it where that is asked for."""
    gradient = replaced_by_hooks(root, hooks, gradient)
    if hooks.keeper is not None:
        add_to_grad(hooks.keeper, gradient, is_fresh=False)
        if not retain_graph:
            hooks.keeper = None  # the tensor holds the node, and the node holds the hooks
    return gradient


def add_to_grad(variable: Any, gradient: Array, is_fresh: bool) -> None:
    """Call the leaf's hooks on the gradient, and add the result to `.grad`.

    The first gradient is copied, unless nobody else holds the array.
    """
    if variable.hooks is not None:
        gradient, is_fresh = replaced_by_hooks(variable, variable.hooks, gradient), False
    with _adding:
        if variable.grad is not None:
            gradient = variable.grad.data + gradient
        elif not is_fresh:
            gradient = np.array(gradient)
        variable.grad = variable.new_tensor(gradient)


def clear_grad(variable: Any, set_to_none: bool) -> None:
    """Forget the `.grad` of a leaf, or fill it with zeros."""
    if set_to_none or variable.grad is None:
        variable.grad = None
    else:
        variable.grad.data[...] = 0.0
