"""The tape: every op of a run, on both sides, and where the two first part.

`call.py` is what is recorded of an op, `torch_recorder.py` and `numpy_recorder.py` record it,
`gap.py` measures how far two arrays are apart, `replay.py` runs one rule alone on the reference's
values, `search.py` asks of each op whether it was born wrong, `localise.py` puts it all together.
`fingerprints.py`, `arrangement.py` and `other_forms.py` recognise common mistakes.
"""

from crosscheck.tape.finding import Finding, Localisation
from crosscheck.tape.localise import localise

__all__ = ["Finding", "Localisation", "localise"]
