"""Tapes: a *tape* is the list of all ops of a run. Two tapes show where the runs differ first.

`call.py` is what is recorded of an op. `torch_recorder.py` and `numpy_recorder.py` record it.
`replay.py` runs one rule alone on the reference's values. `search.py` asks of each op whether it
was born wrong, and `localise.py` puts it all together. `not_finite.py` finds where the first NaN
was made. Common mistakes are recognised in two ways. `fingerprints.py`, with `factors.py`,
`arrangement.py` and `at_hand.py`, compares a wrong array with the right one. `other_forms.py`, with
`forms_of_outputs.py`, `forms_of_gradients.py`, `attention_forms.py` and `terms.py`, computes what a
mistake would have made. `suspects.py` asks whether the two models are only set up
differently: `settings.py` and `rerouted.py` have the changes that it tries, and `hypothesis.py` the
words. `composition.py` asks whether a run is made of its ops and of nothing else.
"""

from crosscheck.tape.composition import is_composed
from crosscheck.tape.finding import Finding, Localisation
from crosscheck.tape.localise import localise
from crosscheck.tape.not_finite import first_not_finite

__all__ = ["Finding", "Localisation", "first_not_finite", "is_composed", "localise"]
