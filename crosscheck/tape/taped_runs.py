"""The two models on the same batch, with a tape beside each run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from crosscheck.answers import is_wrong_call
from crosscheck.runs import Batch, Run, run
from crosscheck.sides import Watch
from crosscheck.tape.align import Alignment
from crosscheck.tape.call import Call
from crosscheck.tape.numpy_recorder import Recorder
from crosscheck.tape.torch_recorder import record_torch
from crosscheck.tape.written_out import written_out


@dataclass
class TapedRuns:
    """The two models on the same batch, under the same loss."""

    model: Any  # ours
    reference: Any  # the PyTorch model
    batch: Batch  # what both are run on
    loss: str  # its name, as for `run`
    seed: int  # of the cotangent
    # Which of the reference's calls is which of ours; None while both tapes have the same keys.
    alignment: Alignment | None = None

    @property
    def are_unlike(self) -> bool:
        """Whether the two are no mirrors, which have the same ops in the same modules."""
        mirrored = type(self.model).__name__ == type(self.reference).__name__
        return self.alignment is not None or not mirrored

    def of_reference(self, dtype: str) -> tuple[Run, dict[str, Call]]:
        """Return the reference's run and tape. After an alignment, it has the keys of our calls."""
        tapes: list[dict[str, Call]] = []

        @contextmanager
        def watch(model: Any, inputs: Any) -> Iterator[None]:
            with record_torch(model, inputs) as tape:
                tapes.append(tape)
                yield

        made = self._run(written_out(self.reference), dtype, watch)
        return made, tapes[0] if self.alignment is None else self.alignment.rename(tapes[0])

    def of_ours(
        self, tape: Mapping[str, Call], floor: float, keep: bool = False
    ) -> tuple[Run | None, Recorder, Exception | None]:
        """The run, or the exception that ended it. keep: whether our tape has arrays too."""
        recorder = Recorder(tape, floor, keep=keep)
        try:
            made = self._run(self.model, "float64", recorder.watching)
        except Exception as error:  # whatever a wrong model may raise is a finding, not a crash
            if is_wrong_call(error):
                raise
            return None, recorder, error
        return made, recorder, None

    def _run(self, model: Any, dtype: str, watch: Watch) -> Run:
        return run(model, self.batch, dtype=dtype, loss=self.loss, seed=self.seed, watch=watch)
