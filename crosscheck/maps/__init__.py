"""Maps: which weight of a model is which weight, or part of a weight, of the reference."""
