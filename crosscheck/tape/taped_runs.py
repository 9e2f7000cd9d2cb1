"""The two models on the same batch, with a tape beside each run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from crosscheck.runs import Batch, Run, Watch, run
from crosscheck.tape.align import Alignment
from crosscheck.tape.call import Call
from crosscheck.tape.numpy_recorder import Recorder
from crosscheck.tape.torch_recorder import record_torch


@dataclass
class TapedRuns:
    """The two models on the same batch, under the same loss."""

    model: Any
    reference: Any
    batch: Batch
    loss: str
    seed: int
    alignment: Alignment | None = None

    def of_reference(self, dtype: str) -> tuple[Run, dict[str, Call]]:
        """Its run, and its tape; once there is an alignment, under the names of our calls."""
        tapes: list[dict[str, Call]] = []

        @contextmanager
        def watch(model: Any, inputs: Any) -> Iterator[None]:
            with record_torch(model, inputs) as tape:
                tapes.append(tape)
                yield

        made = self._run(self.reference, dtype, watch)
        tape = tapes[0]
        return made, tape if self.alignment is None else self.alignment.rename(tape)

    def of_ours(
        self, tape: Mapping[str, Call], floor: float
    ) -> tuple[Run | None, Recorder, Exception | None]:
        """The run, or the exception that ended it."""
        recorder = Recorder(tape, floor)
        try:
            made = self._run(self.model, "float64", recorder.watching)
        except Exception as error:  # whatever a wrong model may raise is a finding, not a crash
            return None, recorder, error
        return made, recorder, None

    def _run(self, model: Any, dtype: str, watch: Watch) -> Run:
        return run(model, self.batch, dtype=dtype, loss=self.loss, seed=self.seed, watch=watch)
