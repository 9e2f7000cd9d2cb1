"""The two models on the same batch, with a tape beside each run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from crosscheck.runs import Batch, Run, run
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

    def of_reference(self, dtype: str) -> tuple[Run, dict[str, Call]]:
        """Its run, and its tape."""
        tapes: list[dict[str, Call]] = []

        @contextmanager
        def watch(model: Any, inputs: Any) -> Iterator[None]:
            with record_torch(model, inputs) as tape:
                tapes.append(tape)
                yield

        made = run(
            self.reference, self.batch, dtype=dtype, loss=self.loss, seed=self.seed, watch=watch
        )
        return made, tapes[0]

    def of_ours(
        self, tape: Mapping[str, Call], floor: float
    ) -> tuple[Run | None, Recorder, Exception | None]:
        """The run, or the exception that ended it."""
        recorder = Recorder(tape, floor)
        try:
            made = run(
                self.model,
                self.batch,
                dtype="float64",
                loss=self.loss,
                seed=self.seed,
                watch=recorder.watching,
            )
        except Exception as error:  # whatever a wrong model may raise is a finding, not a crash
            return None, recorder, error
        return made, recorder, None
