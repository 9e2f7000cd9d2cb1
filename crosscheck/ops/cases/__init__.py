"""The one list of cases. A new op gets its lines in the file of its kind."""

from crosscheck.ops.case import OpCase, Use
from crosscheck.ops.cases import arithmetic, attention, layers, pointwise, shapes
from crosscheck.ops.initial import INITIAL_CASES
from crosscheck.ops.outcome import Case
from crosscheck.ops.training import TRAINING_CASES

OP_CASES: tuple[OpCase, ...] = (
    *arithmetic.CASES,
    *pointwise.CASES,
    *shapes.CASES,
    *layers.CASES,
    *attention.CASES,
)
CASES: tuple[Case, ...] = (*OP_CASES, *TRAINING_CASES, *INITIAL_CASES)

# One expression for each op, of a single input (B, T, C): that of the op's first case.
OP_RUNGS: dict[str, Use] = {case.op: case.use for case in reversed(OP_CASES)}
