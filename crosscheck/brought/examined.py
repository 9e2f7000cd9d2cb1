"""Both models of a comparison, examined before they are judged."""

from __future__ import annotations

from typing import Any

from crosscheck.answers import is_wrong_call
from crosscheck.brought.behaviour import Behaviour, examine, shortened
from crosscheck.runs import Batch
from crosscheck.sides import NUMPY, side_of


def examined(
    model: Any, reference: Any, batch: Batch, dtype: str
) -> tuple[Any, Any, str, tuple[str, ...]]:
    """Return both models as they can be compared, the precisions to judge them in, and notes.

    A module of tinygrad_tf is examined by its own tests, and its comparison goes without this: so
    both are returned as they are. Raises ValueError for what `behaviour.examine` refuses.
    """
    if side_of(model) is NUMPY:
        return model, reference, dtype, ()
    mine = _examined(model, batch, dtype, "the model")
    theirs = _examined(reference, batch, mine.dtype, "the reference")
    return mine.model, theirs.model, theirs.dtype, (*mine.notes, *theirs.notes)


def _examined(model: Any, batch: Batch, dtype: str, who: str) -> Behaviour:
    if side_of(model) is NUMPY:
        return Behaviour(model, dtype)
    few = batch if batch.options else Batch(shortened(model, batch.inputs))
    try:
        return examine(model, few, dtype, who)
    except Exception as error:
        if is_wrong_call(error):
            raise
        return Behaviour(model, dtype)  # the runs will raise it too, and say what it is
