"""The catalogue of planted bugs: mistakes that people make, as patches on our own sources."""

from crosscheck.mutants.catalogue import activations, attention, engine, layers, norms, optimisers
from crosscheck.mutants.mutant import Mutant

CATALOGUE: tuple[Mutant, ...] = (
    *norms.MUTANTS,
    *activations.MUTANTS,
    *attention.MUTANTS,
    *layers.MUTANTS,
    *engine.MUTANTS,
    *optimisers.MUTANTS,
)

__all__ = ["CATALOGUE"]
