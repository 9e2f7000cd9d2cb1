"""One function makes the trace of a run, whatever the model is of."""

from __future__ import annotations

import linecache
from collections.abc import Collection
from typing import Any

import numpy as np

import tinygrad_tf
import torch
from crosscheck.runs import Batch, ending, free_circles
from crosscheck.traces.of_ours import trace_ours
from crosscheck.traces.of_torch import trace_torch
from crosscheck.traces.trace import Trace


def trace_run(
    model: Any, batch: Batch, *, loss: str, seed: int, wanted: Collection[int] | None = None
) -> Trace | None:
    """Return the trace of a run in float64 of this model, or None if there is no way to trace it.

    loss, seed: as for `run`. wanted: the records whose arrays are kept; if None, the first ones.
    """
    linecache.checkcache()  # a notebook, for one, may have loaded a file again that was edited
    made = _traced(model, batch, loss, seed, wanted)
    if made is not None and made.output is not None:
        free_circles(made.records[made.output].signature.size * 8)
    return made


def _traced(
    model: Any, batch: Batch, loss: str, seed: int, wanted: Collection[int] | None
) -> Trace | None:
    with np.errstate(all="ignore"):
        end = ending(batch, loss, seed)
        if isinstance(model, torch.nn.Module):
            return trace_torch(model, batch, end, wanted)
        if isinstance(model, tinygrad_tf.nn.Module):
            return trace_ours(model, batch, end, wanted)
        trace = getattr(model, "trace", None)
        if callable(trace):
            made: Trace = trace(batch.inputs, end, wanted, **batch.options)
            return made
    return None
