"""An exception that ended our run: whether the engine raised it, and which op is to blame."""

from __future__ import annotations

import itertools
import traceback
from pathlib import Path

import numpy as np

import tinygrad_tf
from crosscheck.tape.finding import Finding, Kind
from crosscheck.tape.numpy_recorder import Recorder
from tinygrad_tf import autograd
from tinygrad_tf.machinery import forms

ENGINE = str(Path(tinygrad_tf.__file__).parent)
MACHINERY = str(Path(forms.__file__).parent)
NUMPY_FOLDER = str(Path(np.__file__).parent)


def is_of_engine(error: Exception) -> bool:
    """Whether an op or the walk back raised this, and not the code of a model around them.

    Every rule is called by the machinery, those of other people too.
    """
    frames = _frames(error)
    last = frames[-1].filename.startswith(ENGINE)
    return last or any(frame.filename.startswith(MACHINERY) for frame in frames)


def of_exception(error: Exception, recorder: Recorder) -> Finding:
    """Return the exception as a finding.

    The engine's own errors say which op is to blame. Any other error is blamed going back on the op
    whose backward was called last, or on the walk if that failed by itself; and going forward on
    the rule that was running, or on the function.
    """
    what = f"it raised {type(error).__name__}: {error}"
    frames = _frames(error)
    frame = frames[-1]
    rule = place_of(error)
    pair, op = recorder.going_back, getattr(error, "op", "")
    in_walk = frame.filename.startswith((MACHINERY, autograd.__file__))
    if pair is not None and (op == pair.call.op or not (op or in_walk)):
        call = pair.call
        return Finding(Kind.RAISED, call.op, call.path, call.key, "", what, rule, call.caller)
    if not op and in_walk:
        op = "backward"
    elif not op:
        pairs = itertools.pairwise(frames)
        rules = [after for before, after in pairs if before.filename == forms.__file__]
        named = [f for f in frames if not f.name.startswith("_")]  # not a private helper
        op = (rules or named)[-1].name
    return Finding(
        Kind.RAISED, op, recorder.places.current, recorder.places.key(op), "", what, rule
    )


def place_of(error: Exception) -> str:
    """Return the file and line that raised, or the rule if the machinery refused what it made."""
    frame = _frames(error)[-1]
    if frame.filename.startswith(MACHINERY):
        for raising, _ in traceback.walk_tb(error.__traceback__):
            rule = raising.f_locals.get("rule")
            if raising.f_code.co_filename == forms.__file__ and rule is not None:
                return f"{rule.__code__.co_filename}:{rule.__code__.co_firstlineno}"
    return f"{frame.filename}:{frame.lineno}"


def _frames(error: Exception) -> list[traceback.FrameSummary]:
    """Return where the exception has come through, without NumPy's own frames, which come last."""
    trace = traceback.extract_tb(error.__traceback__)
    return [frame for frame in trace if NUMPY_FOLDER not in frame.filename]
