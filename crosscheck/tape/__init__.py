"""The tape: every op of a run, on both sides, and where the two first part.

`call.py` is what is recorded of an op, `torch_recorder.py` and `numpy_recorder.py` record it,
`gap.py` measures how far two arrays are apart, `replay.py` runs one rule alone on the reference's
values, and `localise.py` concludes where a bug was born. `fingerprints.py` recognises common ones.
"""

from crosscheck.tape.finding import Finding, Localisation
from crosscheck.tape.localise import localise

__all__ = ["Finding", "Localisation", "localise"]
