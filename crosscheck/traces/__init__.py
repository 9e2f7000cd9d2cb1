"""Traces: a *trace* is what one run shows of itself, array by array, in the order of their birth.

`trace_run` makes the trace of a run, whatever the model is of. `trace.py` says what a record is,
`signature.py` how arrays are recognised by their content, and `book.py` is what a trace is written
into.
"""

from crosscheck.traces.tracing import trace_run as trace_run
