"""All bugs that are planted in the examples of others, and the example that each belongs to."""

from __future__ import annotations

import importlib.util

from crosscheck.mutants.foreign import engine, jax, numpy_by_hand, pytorch
from crosscheck.mutants.foreign.bug import Bug

FAMILIES: dict[str, tuple[Bug, ...]] = {
    "NumPy by hand": numpy_by_hand.BUGS,
    "PyTorch": pytorch.BUGS,
    "tensor engine": engine.BUGS,
    "JAX": jax.BUGS,
}
CATALOGUE: tuple[Bug, ...] = tuple(bug for bugs in FAMILIES.values() for bug in bugs)


def has_jax() -> bool:
    """Whether JAX is installed: without it, the bugs of its family cannot be planted."""
    return importlib.util.find_spec("jax") is not None


def family_of(bug: Bug) -> str:
    """Return the family that a bug belongs to."""
    return next(family for family, bugs in FAMILIES.items() if bug in bugs)


def bug_called(id: str) -> Bug:
    """Return the bug of this name. Raises ValueError if there is none."""
    for bug in CATALOGUE:
        if bug.id == id:
            return bug
    raise ValueError(f"no bug is called {id}; `crosscheck mutants --foreign` lists them all")
