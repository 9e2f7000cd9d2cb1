"""`compare`: run two models with the same weights on the same batch, and judge every array."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from crosscheck.amplification import Amplification
from crosscheck.answers import is_wrong_call
from crosscheck.brought import as_model
from crosscheck.brought.by_hand_weights import Weights as OnNumPy
from crosscheck.brought.examined import examined
from crosscheck.called_rightly import require_sides
from crosscheck.choices import DTYPES
from crosscheck.distance import largest_difference, largest_gradient
from crosscheck.forms import are_fast_forms_on
from crosscheck.four_runs import Quartet, Rows, gradient_names
from crosscheck.judge import FLOOR, Verdict
from crosscheck.located import located, located_exception
from crosscheck.maps.pairing import NAME, Pairing, pair_weights
from crosscheck.report import Report
from crosscheck.row import Comparison, Row
from crosscheck.runs import COTANGENT, CROSS_ENTROPY, Batch, Run, run
from crosscheck.sides import NUMPY, side_of
from crosscheck.tape import is_of_engine
from crosscheck.zeros import Zeros

CONSTANT = (
    "all entries of the weight are equal, and nothing was redrawn: it does not show whether the "
    "weight is used where it belongs"
)
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
    paired = pair_weights(model, reference, batch, weights, seed=seed)
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
    runs = _Runs(paired, batch, dtype, seed, by_name=weights == NAME)
    try:
        zeros = Zeros(paired.reference, batch, seed)
        comparisons = tuple(runs.compared(loss, zeros) for loss in losses)
    except _OursRaisedError as raised:
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


class _OursRaisedError(Exception):
    """Our engine's run ended with this exception, where the reference's did not."""

    def __init__(self, error: Exception) -> None:
        super().__init__(f"{type(error).__name__}: {error}")


@dataclass
class _Runs:
    """Runs both models, and judges what they made."""

    paired: Pairing  # the models, and which weight is which
    batch: Batch
    dtype: str  # "both", "float64" or "float32"
    seed: int  # of the cotangent
    by_name: bool  # whether both models call their weights alike
    forward_only: bool = False  # whether the model turned out to have no way back
    # The largest |difference| of an entry of the two outputs, by precision.
    differences: dict[str, float] = dataclasses.field(default_factory=dict)

    def compared(self, loss: str, zeros: Zeros) -> Comparison:
        """Compare the two models under one loss."""
        runs = self._four(loss)
        theirs = runs.theirs64.by_part
        largest = largest_gradient(theirs.values())
        nearby = {
            precision: Amplification(
                self.paired.reference, self.batch, dtype=precision, loss=loss, seed=self.seed
            )
            for precision in ("float64", "float32")
        }
        zero = zeros.among(theirs, FLOOR * largest, loss)
        rows = Rows(runs, self.dtype, nearby, zero, largest)  # after the runs, which may change it
        outputs = [rows.output("output", lambda run: run.output)]
        if loss == CROSS_ENTROPY:
            outputs.append(rows.output("loss", lambda run: run.loss))
        ours = runs.ours64 or runs.ours32
        self.forward_only = not ours.gradients and bool(theirs)
        names = [] if self.forward_only else gradient_names(runs)
        names = [name for name in names if name not in self.paired.neutral]
        return Comparison(
            loss,
            ours.loss.item(),
            runs.theirs64.loss.item(),
            tuple(outputs),
            tuple(self._proved(rows.gradient(name)) for name in names),
        )

    def _proved(self, row: Row) -> Row:
        """Return the row; as one that proves nothing, if the weight may be used anywhere."""
        if row.name not in self.paired.unproved or not row.verdict.good:
            return row
        return dataclasses.replace(row, verdict=Verdict.CONSTANT, reason=CONSTANT)

    def _four(self, loss: str) -> Quartet:
        """Run both sides in the precisions that are asked for."""
        double, single = self.dtype != "float32", self.dtype != "float64"
        four = Quartet(
            self._ours("float64", loss) if double else None,
            self._one(self.paired.reference, "float64", loss),
            self._ours("float32", loss) if single else None,
            self._one(self.paired.reference, "float32", loss) if single else None,
        )
        for precision, a, b in (
            ("float64", four.ours64, four.theirs64),
            ("float32", four.ours32, four.theirs32),
        ):
            if a is not None and b is not None and a.output.shape == b.output.shape:
                self.differences[precision] = largest_difference(a.output, b.output)
        if double and single and self._promotes(four.ours32):
            self.dtype = "float64"  # from here on: what it computes is not float32
            return dataclasses.replace(four, ours32=None, theirs32=None)
        return four

    def _promotes(self, made: Run) -> bool:
        """Whether NumPy by hand, or a tensor class on it, made float64 of float32 somewhere.

        NumPy does that wherever somebody writes np.sqrt(d), and the numbers are right.
        """
        arrays = (made.output, *made.gradients.values())
        return isinstance(self.paired.model, OnNumPy) and any(
            array is not None and array.dtype == np.float64 for array in arrays
        )

    def _ours(self, dtype: str, loss: str) -> Run:
        """Run the model. Its gradients come under the reference's names.

        Raises _OursRaisedError if an op of ours raises, and the reference does not: a wrong rule
        may raise whatever it likes. What the code of a model raises is not caught.
        """
        model = self.paired.model
        try:
            made = self._one(model, dtype, loss)
        except Exception as error:
            if side_of(model) is not NUMPY or is_wrong_call(error) or not is_of_engine(error):
                raise
            # What the reference cannot run either is no fault of ours.
            self._one(self.paired.reference, dtype, loss)
            raise _OursRaisedError(error) from error
        if self.by_name or not made.gradients:
            return made
        return dataclasses.replace(made, gradients=self.paired.map.to_reference(made.gradients))

    def _one(self, model: Any, dtype: str, loss: str) -> Run:
        return run(model, self.batch, dtype=dtype, loss=loss, seed=self.seed)
