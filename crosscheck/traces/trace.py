"""What one run shows of itself: every array that its source lines made, forward and backward."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from crosscheck.sides import Array
from crosscheck.traces.signature import Signature

KEPT_BYTES = 256 * 2**20  # arrays beyond this are measured, and fetched again when they are wanted


@dataclass(frozen=True, order=True)
class Place:
    """A line of a source file."""

    file: str  # its path, as Python has it in co_filename
    line: int  # counted from 1


@dataclass(frozen=True)
class Record:
    """One array, as it was right after a line had made it, or changed it in place.

    A line that writes an array without changing a number (`dW += 0`) leaves a record too.
    """

    index: int  # its position in the trace
    name: str  # what the source calls it: "dp", "self.W.grad", "cache['q']"
    place: Place | None  # the line; None for what the run was given: input, parameters, dout
    callers: tuple[Place, ...]  # the lines that called the function of this line, innermost first
    backward: bool  # whether it appeared on the way back
    shape: tuple[int, ...]
    signature: Signature
    # The records that the line was given, by index: what the array can have been computed from.
    sources: tuple[int, ...] = ()
    # The function that made it, where that is known and is not a line of the user's: "matmul".
    op: str = ""
    # For a gradient whose value is known (`.grad` of an object beside `.data`, what arrived at a
    # tensor of PyTorch): the record of the value. None where nothing ties the two.
    value: int | None = None
    changed: bool = False  # whether an array that had been there before was changed in place
    # Whether no gradient comes back through it to its sources, which want one: it was detached, or
    # made under no_grad. False where the engine does not say.
    stops: bool = False


@dataclass(frozen=True)
class Trace:
    """The records of one run in float64, in order: first what the run was given, then the rest."""

    records: tuple[Record, ...]
    given: Mapping[str, int]  # the records of the input (under INPUT) and of each parameter
    dout: int | None  # the record of the gradient that was sent into the output; None if none was
    output: int | None  # the record of the output; None if the run ended before
    arrays: Mapping[int, Array]  # those that were kept, by index, as copies
    # Runs once more, and returns the arrays of these records.
    again: Callable[[Collection[int]], Mapping[int, Array]]
    # Lines that ran, in the order of their first run, whether or not they made an array.
    executed: tuple[Place, ...] = ()
    files: tuple[str, ...] = ()  # the source files that are the user's own
    notes: tuple[str, ...] = field(default=())  # sentences for the reader, such as on a debugger

    def array(self, index: int) -> Array:
        """Return the array of this record; a run is made if it was not kept."""
        if index in self.arrays:
            return self.arrays[index]
        return self.again([index])[index]
