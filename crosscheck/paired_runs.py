"""Both models run in both precisions, and every array that they made, judged in a row."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from crosscheck.amplification import SUMMED, Amplification
from crosscheck.answers import is_wrong_call
from crosscheck.brought.on_numpy import OnNumPy
from crosscheck.distance import largest_difference, largest_gradient, norm
from crosscheck.four_runs import SUMS, Quartet, Rows, gradient_names
from crosscheck.judge import FLOOR, Verdict
from crosscheck.maps.pairing import Pairing
from crosscheck.row import Comparison, Row
from crosscheck.runs import CROSS_ENTROPY, Batch, Run, run
from crosscheck.sides import NUMPY, Array, Gradients, side_of
from crosscheck.tape import is_of_engine
from crosscheck.zeros import Zeros

_MEASURES = (
    "norm_reference", "cosine", "worst", "ours", "reference", "error", "rounding",
    "rounding_reference",
)  # fmt: skip
CONSTANT = "all entries of the weight are equal, and nothing was redrawn"


class OursRaisedError(Exception):
    """Our engine's run ended with this exception, where the reference's did not."""

    def __init__(self, error: Exception) -> None:
        super().__init__(f"{type(error).__name__}: {error}")


@dataclass
class PairedRuns:
    """Runs both models, and judges what they made."""

    paired: Pairing  # the models, and which weight is which
    batch: Batch
    dtype: str  # "both", "float64" or "float32"
    seed: int  # of the cotangent
    by_name: bool  # whether both models call their weights alike
    forward_only: bool = False  # whether the model turned out to have no way back
    # The largest |difference| of an entry of the two outputs, by precision.
    differences: dict[str, float] = dataclasses.field(default_factory=dict)
    # The gradients of the model's weights that the reference does not have.
    alone: dict[str, Array] = dataclasses.field(default_factory=dict)
    # Why the gradient of a row has another shape than the model's own weight.
    misshapen: dict[str, str] = dataclasses.field(default_factory=dict)

    def compared(self, loss: str, zeros: Zeros) -> Comparison:
        """Compare the two models under one loss."""
        runs = self._four(loss)
        theirs = runs.theirs64.by_part
        largest = largest_gradient(theirs.values())
        draws = {"float64": ("float64", 1), "float32": ("float32", 1)}
        if side_of(self.paired.model) is not NUMPY:  # the ops of our engine are asked one by one
            draws[SUMS] = ("float32", SUMMED)
        nearby = {
            name: Amplification(
                self.paired.reference,
                self.batch,
                dtype=precision,
                loss=loss,
                seed=self.seed,
                units=units,
            )
            for name, (precision, units) in draws.items()
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
            (*(self._known(rows.gradient(name)) for name in names), *self._alone()),
        )

    def _alone(self) -> list[Row]:
        """Return a row for each gradient of a weight that the reference does not have."""
        return [
            Row(
                name=name,
                shape=gradient.shape,
                norm=norm(gradient),
                verdict=Verdict.UNCHECKED,
                reason="the reference has no such weight: nothing was compared with its gradient",
                **dict.fromkeys(_MEASURES),
            )
            for name, gradient in self.alone.items()
        ]

    def _known(self, row: Row) -> Row:
        """Return the row with what is known of its weight, whatever the numbers are.

        It proves nothing if the weight may be used anywhere, and has another shape if the weight
        has.
        """
        if row.name in self.misshapen:
            reason = self.misshapen[row.name]
            return dataclasses.replace(row, verdict=Verdict.SHAPE, reason=reason)
        if row.name not in self.paired.unproved or not row.verdict.good:
            return row
        return dataclasses.replace(row, verdict=Verdict.UNCHECKED, reason=CONSTANT)

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

        Raises OursRaisedError if an op of ours raises, and the reference does not: a wrong rule
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
            raise OursRaisedError(error) from error
        if self.by_name or not made.gradients:
            return made
        unmapped = {name: made.gradients.get(name) for name in self.paired.map.unmapped}
        self.alone = {name: g for name, g in unmapped.items() if g is not None}
        gradients = self._of_right_shape(made.gradients)
        return dataclasses.replace(made, gradients=self.paired.map.to_reference(gradients))

    def _of_right_shape(self, gradients: Gradients) -> Gradients:
        """Return the gradients without those of another shape than their weight's.

        Under the reference's names a transposed one might look right.
        """
        found = dict(gradients)
        for name, index in self.paired.map.indices.items():
            gradient = gradients.get(name)
            if gradient is None or gradient.shape == index.shape:
                continue
            found[name] = None
            said = f"the gradient of {name} is {gradient.shape}, and {name} is {index.shape}"
            rows = [row for row, holders in self.paired.map.labels.items() if name in holders]
            self.misshapen.update(dict.fromkeys(rows, said))
        return found

    def _one(self, model: Any, dtype: str, loss: str) -> Run:
        return run(model, self.batch, dtype=dtype, loss=loss, seed=self.seed)
