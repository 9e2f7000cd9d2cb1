"""The catalogue of planted bugs: mistakes that people make, as patches on our own sources."""

from crosscheck.forms import has_fast_forms
from crosscheck.mutants.catalogue import (
    activations,
    attention,
    broadcasting,
    engine,
    fast_forms,
    layers,
    models,
    norms,
    optimisers,
)
from crosscheck.mutants.mutant import Mutant

_MUTANTS = (
    *norms.MUTANTS,
    *activations.MUTANTS,
    *attention.MUTANTS,
    *layers.MUTANTS,
    *models.MUTANTS,
    *broadcasting.MUTANTS,
    *engine.MUTANTS,
    *optimisers.MUTANTS,
    *(fast_forms.MUTANTS if has_fast_forms() else ()),
)

_FAMILIES = list(dict.fromkeys(mutant.family for mutant in _MUTANTS))

# The bugs of a family stand together. The families are in the order of their first bugs.
CATALOGUE: tuple[Mutant, ...] = tuple(
    sorted(_MUTANTS, key=lambda mutant: _FAMILIES.index(mutant.family))
)


def mutant_called(id: str) -> Mutant:
    """Return the bug of this name. Raises ValueError if there is none."""
    for mutant in CATALOGUE:
        if mutant.id == id:
            return mutant
    raise ValueError(f"no bug is called {id}; `crosscheck mutants` lists them all")
