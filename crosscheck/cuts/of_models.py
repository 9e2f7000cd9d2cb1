"""The cuts of two models that hold the same weights: both are run once more, and watched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from crosscheck.cuts.cuts import Cuts, find, paired_share
from crosscheck.cuts.handed_back import OUTPUT
from crosscheck.maps.pairing import Pairing
from crosscheck.runs import Batch, Run, run
from crosscheck.sides import INPUT, TORCH, Array, side_of
from crosscheck.tape.call import Call
from crosscheck.tape.torch_recorder import record_torch
from crosscheck.tape.written_out import written_out
from crosscheck.traces.trace import Trace
from crosscheck.traces.tracing import trace_run


@np.errstate(all="ignore")  # a mask may add numbers whose squares are infinite
def find_cuts(pairing: Pairing, batch: Batch, *, loss: str, seed: int) -> Cuts | None:
    """Return where the model parts from the reference; None if there is no way to trace it.

    pairing: two models with the same weights. loss, seed: as for `run`.
    """
    trace = trace_run(pairing.model, batch, loss=loss, seed=seed)
    if trace is None:
        return None
    actual: dict[str, Array | None] = {}
    try:
        ours = run(pairing.model, batch, dtype="float64", loss=loss, seed=seed)
        actual = {**ours.gradients, OUTPUT: ours.output}
    except Exception:  # the plain run has said so already; the trace ends where it was raised
        pass
    theirs, tape = taped(pairing.reference, batch, loss=loss, seed=seed)  # last: it is large
    return find(trace, tape, expected=expected_of(theirs, pairing), actual=actual)


@np.errstate(all="ignore")
def share_of_values(trace: Trace | None, reference: Any, batch: Batch, seed: int) -> float:
    """Return the share of the reference's values that a run of a model shows, from 0 to 1.

    It is 0 where there is no trace, or no tape. batch, seed: as for the run.
    """
    if trace is None or side_of(reference) is not TORCH:
        return 0.0
    return paired_share(trace, taped(reference, batch, loss=batch.loss, seed=seed)[1])


def expected_of(theirs: Run, pairing: Pairing) -> dict[str, Array | None]:
    """The reference's gradients and output in the layout of the model, and by its names."""
    whole: dict[str, Array] = {}
    for name, places in pairing.map.places.items():
        gradient = theirs.gradients.get(name)
        whole[name] = np.zeros(places.shape) if gradient is None else gradient
    expected: dict[str, Array | None] = {**pairing.map.to_model(whole), OUTPUT: theirs.output}
    if INPUT in theirs.gradients:
        expected[INPUT] = theirs.gradients[INPUT]
    return expected


def taped(reference: Any, batch: Batch, *, loss: str, seed: int) -> tuple[Run, Mapping[str, Call]]:
    """Run the reference in float64 with a tape. PyTorch's fused layer is written out for it."""
    tapes: list[Mapping[str, Call]] = []

    @contextmanager
    def watch(model: Any, inputs: Any) -> Iterator[None]:
        with record_torch(model, inputs) as tape:
            tapes.append(tape)
            yield

    plain = written_out(reference)
    made = run(plain, batch, dtype="float64", loss=loss, seed=seed, watch=watch)
    return made, tapes[0]
