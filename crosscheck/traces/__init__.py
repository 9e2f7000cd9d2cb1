"""Traces: a *trace* is what one run shows of itself, array by array, in the order of their birth.

`trace.py` says what a record is, and `signature.py` how arrays are recognised by their content.
"""
