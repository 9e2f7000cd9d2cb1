"""`compare`: run two models with the same weights on the same batch, and judge every array."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crosscheck.brought import as_model
from crosscheck.brought.examined import examined
from crosscheck.called_rightly import require_sides
from crosscheck.choices import DTYPES
from crosscheck.cuts import share_of_values
from crosscheck.forms import are_fast_forms_on
from crosscheck.located import located, located_exception
from crosscheck.maps.pairing import NAME, Pairing, pair_weights
from crosscheck.maps.trial import score_by
from crosscheck.paired_runs import OursRaisedError, PairedRuns
from crosscheck.report import Report
from crosscheck.runs import COTANGENT, CROSS_ENTROPY, Batch
from crosscheck.sides import NUMPY, side_of
from crosscheck.zeros import Zeros

PROMOTES = (
    "the model gives float64 when it is given float32 (NumPy 2 promotes by a float64 number among "
    "the operands, such as np.sqrt(2)): it is judged in float64"
)
FORWARD_ONLY = "the model has no way back: its output was compared, and no gradient"


def compare(
    model: Any,
    reference: Any,
    batch: Any,
    *,
    weights: str | Path | Mapping[str, str] = "name",
    dtype: str = "both",
    seed: int = 0,
) -> Report:
    """Compare outputs and all gradients of any two models of the same function.

    model, reference: a `torch.nn.Module`, a `tinygrad_tf.nn.Module`, NumPy by hand or a tensor
    class of one's own (see `crosscheck.brought.as_model`), or a `ForeignModel`. The reference is
    the one that is believed. batch: a `Batch`, or the bare inputs: an array, a tensor or nested
    lists. The output is one tensor; of (logits, loss) it is the logits.

    weights: how the weights of the two belong together. "name": they have equal names and equal
    values, and are left as they are. A mapping from each of the model's names to an expression over
    the reference's, such as `{"q_proj.weight": "in_proj_weight[q]"}`, or the path of such a mapping
    in JSON; "auto": such a mapping is found. Then all weights are drawn anew, and cross from the
    reference to the model. "value": both hold the same numbers already, under any names.

    The models are copied, never changed, and run in evaluation mode (two engines cannot draw the
    same dropout), under a random cotangent drawn from the seed and, if the batch has targets, under
    cross-entropy. dtype: "float64" for the verdict, "float32" for the rounding errors, "both".
    Where something disagrees, another run says where it was born: in which op, or in which line of
    the model's source. So it is where our engine raises and the reference does not. What else a
    reader should know, such as a model on another device, or one that computes in float32 whatever
    it is given, is in the report's notes.

    Raises ValueError when the weights cannot be paired, when two runs of one model differ, and for
    an unknown dtype; TypeError for an object compared with itself, which would prove nothing, for
    inputs of the wrong kind, and for an output that is not floats in one tensor. These messages
    begin with "compare:". What else the reference or the model raises is not caught.
    """
    if dtype not in DTYPES:
        raise ValueError(f"compare: dtype is {dtype!r}, expected one of {', '.join(DTYPES)}")
    require_sides(model, reference)
    model, reference = _brought(model, "the model"), _brought(reference, "the reference")
    batch = Batch.of(batch)
    model, reference, dtype, notes = examined(model, reference, batch, dtype)
    return compare_examined(
        model, reference, batch, weights=weights, dtype=dtype, seed=seed, notes=notes
    )


def compare_examined(
    model: Any,
    reference: Any,
    batch: Batch,
    *,
    weights: str | Path | Mapping[str, str],
    dtype: str,
    seed: int,
    notes: tuple[str, ...] = (),
) -> Report:
    """Compare models that have been examined; see `compare`. notes: what was found then."""
    score = score_by(share_of_values, batch, seed)
    paired = pair_weights(model, reference, batch, weights, seed=seed, score=score)
    return compare_paired(
        paired, batch, by_name=weights == NAME, dtype=dtype, seed=seed, notes=notes
    )


def compare_paired(
    paired: Pairing,
    batch: Batch,
    *,
    by_name: bool,
    dtype: str,
    seed: int,
    notes: tuple[str, ...] = (),
) -> Report:
    """Compare models whose weights are paired; by_name: whether both call them alike."""
    losses = [COTANGENT] if batch.targets is None else [CROSS_ENTROPY, COTANGENT]
    report = Report(
        dtype,
        seed,
        (),
        fast=side_of(paired.model) is NUMPY and are_fast_forms_on(),
        weights=paired.how,
        map=paired.map.to_dict(),
        notes=(*notes, *paired.notes),
    )
    runs = PairedRuns(paired, batch, dtype, seed, by_name=by_name)
    try:
        zeros = Zeros(paired.reference, batch, seed)
        comparisons = tuple(runs.compared(loss, zeros) for loss in losses)
    except OursRaisedError as raised:
        report = dataclasses.replace(report, raised=str(raised))
        return located_exception(report, paired, batch, losses[0])
    said = ((runs.forward_only, FORWARD_ONLY), (runs.dtype != dtype, PROMOTES))
    report = dataclasses.replace(
        report,
        dtype=runs.dtype,
        comparisons=comparisons,
        differences=runs.differences,
        notes=(*report.notes, *(words for is_so, words in said if is_so)),
    )
    if report.wrong and paired.doubt:
        raise ValueError(paired.doubt)
    return located(report, paired, batch) if report.wrong else report


def _brought(thing: Any, what: str) -> Any:
    try:
        return as_model(thing)
    except (TypeError, ValueError) as error:
        said = str(error).removeprefix("compare: ")
        raise type(error)(f"compare: {what}: {said}") from None
