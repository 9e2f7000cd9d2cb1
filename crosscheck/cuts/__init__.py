"""Cuts by value: two runs of the same function hold the same values, whatever these are called.

`find_cuts` pairs a run of the user's with the reference's tape, value by value, and names the
lines between the last that agrees and the first that is lost.
"""

from crosscheck.cuts.annotated import annotated as annotated
from crosscheck.cuts.cuts import Cuts as Cuts
from crosscheck.cuts.cuts import Line as Line
from crosscheck.cuts.cuts import find as find
from crosscheck.cuts.cuts import paired_share as paired_share
from crosscheck.cuts.of_models import find_cuts as find_cuts
from crosscheck.cuts.of_models import share_of_values as share_of_values
