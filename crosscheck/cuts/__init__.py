"""Cuts: values that two runs have in common, found by their content and by no name."""
