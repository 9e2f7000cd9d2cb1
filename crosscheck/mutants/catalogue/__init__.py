"""The catalogue of planted bugs: mistakes that people make, as patches on our own sources."""

from importlib.util import find_spec

from crosscheck.mutants.catalogue import (
    activations,
    attention,
    engine,
    fast_forms,
    layers,
    norms,
    optimisers,
)
from crosscheck.mutants.mutant import Mutant

_MUTANTS = (
    *norms.MUTANTS,
    *activations.MUTANTS,
    *attention.MUTANTS,
    *layers.MUTANTS,
    *engine.MUTANTS,
    *optimisers.MUTANTS,
    *(fast_forms.MUTANTS if find_spec("tinygrad_tf.fast") else ()),  # the engine is whole without
)

_FAMILIES = list(dict.fromkeys(mutant.family for mutant in _MUTANTS))

# By family, in the order in which the families come first.
CATALOGUE: tuple[Mutant, ...] = tuple(
    sorted(_MUTANTS, key=lambda mutant: _FAMILIES.index(mutant.family))
)

__all__ = ["CATALOGUE"]
