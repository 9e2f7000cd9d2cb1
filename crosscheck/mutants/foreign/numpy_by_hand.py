"""All mistakes in backwards that are written by hand in NumPy."""

from crosscheck.mutants.foreign import numpy_caches, numpy_flat, numpy_layers

BUGS = (*numpy_caches.BUGS, *numpy_layers.BUGS, *numpy_flat.BUGS)
