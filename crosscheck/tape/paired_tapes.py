"""Both runs with their tapes, each of our ops beside the reference's."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from crosscheck.called_rightly import require_tapes
from crosscheck.distance import largest_gradient
from crosscheck.judge import FLOOR
from crosscheck.runs import Batch, Run
from crosscheck.tape.align import align
from crosscheck.tape.call import Call
from crosscheck.tape.numpy_recorder import Pair, Recorder
from crosscheck.tape.taped_runs import TapedRuns


class PairedTapes(NamedTuple):
    """Both runs with their tapes, each of our ops beside the reference's."""

    runs: TapedRuns
    theirs: Run
    tape: dict[str, Call]  # the reference's, under the keys of our calls
    ours: Run | None  # None if it raised
    recorder: Recorder  # has our tape
    raised: Exception | None  # what ended our run
    floor: float  # what a gradient may differ by, whatever its size


def paired_tapes(
    model: Any,
    reference: Any,
    batch: Any,
    loss: str,
    seed: int,
    dtype: str = "float64",
    keep: bool = False,
) -> PairedTapes:
    """Make the runs: ours in float64, the reference in this dtype.

    keep: whether our tape has its arrays too. Raises TypeError for models of other engines.
    """
    require_tapes(model, reference)
    runs = TapedRuns(model, reference, Batch.of(batch), loss, seed)
    theirs, tape = runs.of_reference(dtype)
    floor = FLOOR * largest_gradient(theirs.gradients.values())
    ours, recorder, raised = runs.of_ours(tape, floor, keep)
    if not recorder.pairs.keys() <= tape.keys() or (
        raised is None and len(recorder.pairs) < len(tape)
    ):
        runs.alignment = align((pair.call for pair in recorder.pairs.values()), tape.values())
        tape = runs.alignment.rename(tape)
        ours, recorder, raised = runs.of_ours(tape, floor, keep)
        _forget_strangers(recorder.pairs, tape, runs.alignment.unlike)
    return PairedTapes(runs, theirs, tape, ours, recorder, raised, floor)


def _forget_strangers(
    pairs: Mapping[str, Pair], tape: Mapping[str, Call], unlike: Collection[str]
) -> None:
    """Forget pairs that were aligned by chance: calls of one op that are given other shapes.

    This happens in modules that are written differently. An op that is left out before such a call
    makes a difference too, but then the pair is right.
    """
    for pair in pairs.values():
        partner = pair.partner
        if partner is None or pair.call.path not in unlike:
            continue
        strange = not pair.same_count
        for gap, ours, theirs in zip(pair.inputs, pair.call.inputs, partner.inputs, strict=False):
            before = tape.get(theirs.origin)
            left_out = before is not None and ours.origin in [s.origin for s in before.inputs]
            strange |= "shape" in gap.form and not left_out
        if strange:
            pair.forget_partner()
