"""What a user's code may change around itself: it is noticed, and put back."""

from __future__ import annotations

import os
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

import torch


class _Noticing:
    """A stream that passes everything on, and remembers whether anything was written."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.written = False

    def write(self, text: str) -> Any:
        self.written = self.written or bool(text.strip())
        return self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def noticing(who: str) -> Iterator[list[str]]:
    """Run the user's code in this block; yields notes that are filled when the block ends.

    They say whether it printed, started threads that still run, or set a trace function of its own,
    which is taken back.
    """
    notes: list[str] = []
    tracer, profiler, threads = sys.gettrace(), sys.getprofile(), set(threading.enumerate())
    kept, out = sys.stdout, _Noticing(sys.stdout)
    sys.stdout = out
    try:
        yield notes
    finally:
        if sys.stdout is out:
            sys.stdout = kept
        if out.written:
            notes.append(f"{who} prints when it runs: that stands above, as it came")
        if sys.gettrace() is not tracer or sys.getprofile() is not profiler:
            sys.settrace(tracer)
            sys.setprofile(profiler)
            notes.append(
                f"{who} sets a trace function of its own (sys.settrace, a debugger, coverage): "
                "the one that was there before is restored"
            )
        if started := [t for t in threading.enumerate() if t not in threads and t.is_alive()]:
            notes.append(
                f"{who} has started {len(started)} threads that still run: what they compute is "
                "not traced"
            )


@contextmanager
def settings_kept() -> Iterator[None]:
    """Run the user's code in this block; what it sets for all code is put back at the end.

    That is the folder, the filters of warnings, what NumPy does about overflow, and PyTorch's
    default type, whether it records gradients, and its generator, from which modules draw.
    """
    folder, errors = Path.cwd(), np.geterr()
    dtype, records = torch.get_default_dtype(), torch.is_grad_enabled()
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        try:
            yield
        finally:
            os.chdir(folder)
            np.seterr(**errors)
            torch.set_default_dtype(dtype)
            torch.set_grad_enabled(records)
