"""Tapes: a *tape* is the list of all ops of a run. Two tapes show where the runs differ first.

`call.py` is what is recorded of an op. `torch_recorder.py` and `numpy_recorder.py` record it.
`replay.py` runs one rule alone on the reference's values. `search.py` asks of each op whether it
was born wrong, and `localise.py` puts it all together. `not_finite.py` finds where the first NaN
was made, and `raised.py` who has raised an exception.

Common mistakes are recognised in two ways. `fingerprints.py`, with `factors.py`, `arrangement.py`
and `at_hand.py`, compares a wrong array with the right one. `other_forms.py`, with
`forms_of_outputs.py`, `forms_of_gradients.py`, `attention_forms.py` and `terms.py`, computes what a
mistake would have made.

So that nobody is accused wrongly, `suspects.py` asks whether the two models are only set up
differently, with `settings.py`, `rerouted.py` and `hypothesis.py`. `nearby.py` measures what
rounding does to one op. `sums.py` and `kept.py` see what happens between the ops, `witness.py` asks
a finite difference, and `composition.py` whether a run is made of its ops and of nothing else.
"""

from crosscheck.tape.composition import is_composed
from crosscheck.tape.finding import Finding, Localisation
from crosscheck.tape.localise import localise, localise_rounding
from crosscheck.tape.not_finite import first_not_finite
from crosscheck.tape.raised import is_of_engine

__all__ = [
    "Finding", "Localisation", "first_not_finite", "is_composed", "is_of_engine", "localise",
    "localise_rounding",
]  # fmt: skip
