"""Where two runs first differ. For each op it asks: was the error born here, or inherited?

A wrong array is *born here* if what the op was given agrees and what it made does not. Replay
confirms it: the rule alone, on the reference's own values, must be wrong again. So several bugs are
told apart in one run, however much each of them taints.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from crosscheck.amplification import Amplification
from crosscheck.distance import Gap, gap_between
from crosscheck.judge import ROUNDING
from crosscheck.runs import COTANGENT, Batch, Run
from crosscheck.sides import Array
from crosscheck.tape.accuse import Accuser
from crosscheck.tape.call import Call
from crosscheck.tape.finding import Finding, Localisation
from crosscheck.tape.fingerprints import Sizes
from crosscheck.tape.numpy_recorder import Pair
from crosscheck.tape.paired_tapes import paired_tapes
from crosscheck.tape.raised import of_exception
from crosscheck.tape.rounding import Rounding
from crosscheck.tape.search import Search
from crosscheck.tape.suspects import suspected


def localise(
    model: Any, reference: Any, batch: Any, *, loss: str = COTANGENT, seed: int = 0
) -> Localisation:
    """Find every op where the NumPy model itself departs from the PyTorch one, forward or backward.

    Weights and batch are as for `compare`; loss and seed are as for `run`. float64 decides; if
    nothing is wrong there, each op's float32 form is held against its float64 page. An exception in
    the NumPy model's run is a finding too. Raises TypeError for models of other engines.
    """
    tapes = paired_tapes(model, reference, batch, loss, seed)
    runs, ours, theirs, floor = tapes.runs, tapes.ours, tapes.theirs, tapes.floor
    instead = {} if runs.alignment is None else runs.alignment.instead
    accused = None if tapes.raised is None else of_exception(tapes.raised, tapes.recorder)
    tape, pairs = tapes.tape, tapes.recorder.pairs
    if accused is not None and tapes.recorder.going_back is None:  # the rest has not been reached
        tape = {key: call for key, call in tape.items() if key in pairs}
    rounding = Rounding(pairs, tape, runs.of_reference)
    accuser = Accuser(pairs, tape, _sizes(model, runs.batch), rounding)
    search = Search(pairs, tape, floor, instead, accuser, tapes.recorder.sums)
    findings = [
        *search.forward(),
        *search.backward(),
        *(search.sums(ours, theirs) if ours is not None else ()),
    ]
    if accused is not None and accused.key not in {finding.key for finding in findings}:
        findings.append(accused)
    if not findings:
        nearby = Amplification(reference, runs.batch, dtype="float64", loss=loss, seed=seed)
        differ = ours is not None and not _agree(ours, theirs, floor, nearby)
        findings = list(search.unlike() if differ else rounding.findings(accuser.hint_in_float32))
    findings = suspected(findings, runs, ours, theirs, floor)
    return _conclude(findings, pairs, tape, len(search.replays))


def localise_rounding(
    model: Any, reference: Any, batch: Batch, *, loss: str, seed: int
) -> Localisation:
    """Find every op whose float32 form is too inexact, where float64 is right everywhere."""
    tapes = paired_tapes(model, reference, batch, loss, seed, "float32")
    pairs, tape = tapes.recorder.pairs, tapes.tape
    rounding = Rounding(pairs, tape, tapes.runs.of_reference, tape)
    accuser = Accuser(pairs, tape, _sizes(model, batch), rounding)
    findings = tuple(rounding.findings(accuser.hint_in_float32))
    concluded = _conclude(list(findings), pairs, tape, len(pairs))
    return dataclasses.replace(concluded, inherited=0)  # what float32 spoils is not looked for


def _conclude(
    findings: list[Finding], pairs: Mapping[str, Pair], tape: Mapping[str, Call], paired: int
) -> Localisation:
    """The findings, and what else the tapes say. paired: how many ops stand on both."""
    born = {finding.key for finding in findings}
    tainted = [
        key
        for key, pair in pairs.items()
        if key not in born and not all(gap.agrees for gap in _gaps(pair))
    ]
    lonely = {key for key, pair in pairs.items() if pair.partner is None}
    unpaired = {
        "the model": tuple(key for key in pairs if key in lonely),
        "the reference": tuple(key for key in tape if key not in pairs or key in lonely),
    }
    ops = tuple(sorted({pair.call.op for pair in pairs.values()}))
    return Localisation(tuple(findings), len(tainted), paired, unpaired, ops)


def _agree(ours: Run, theirs: Run, floor: float, nearby: Amplification) -> bool:
    """Whether two runs agree, or differ by no more than rounding explains."""

    def is_right(pick: Callable[[Run], Array | None], floor: float) -> bool:
        right = pick(theirs)
        gap = gap_between(pick(ours), right, floor)
        if gap.agrees or right is None:
            return gap.agrees
        return gap.difference <= ROUNDING * nearby.effect(pick, right, gap.difference)

    def gradient_is_right(name: str) -> bool:
        return is_right(lambda run: run.gradients.get(name), floor)

    return is_right(lambda run: run.output, 0.0) and all(map(gradient_is_right, theirs.gradients))


def _sizes(model: Any, batch: Batch) -> Sizes:
    """The sizes of this run, as far as the model tells them."""
    attention = next((m for m in model.modules() if hasattr(m, "num_heads")), None)
    B, T, *_ = (*batch.inputs.shape, None, None)
    if attention is None:
        return Sizes(B, T)
    return Sizes(B, T, attention.num_heads * attention.head_size, attention.num_heads)


def _gaps(pair: Pair) -> list[Gap]:
    return [*pair.inputs, *pair.dinputs, *(g for g in (pair.output, pair.dout) if g is not None)]
