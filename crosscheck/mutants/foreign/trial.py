"""What comes of one planted bug, and of one run of an example as it is."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from crosscheck.choices import DTYPES
from crosscheck.comparison import compare
from crosscheck.cuts import Cuts, find_cuts
from crosscheck.cuts.marks import Sign
from crosscheck.draws import Stream, draws
from crosscheck.maps import pair_weights
from crosscheck.mutants.foreign import subjects_numpy, subjects_torch
from crosscheck.mutants.foreign.bug import EXAMPLES, Bug, planted
from crosscheck.mutants.foreign.catalogue import family_of
from crosscheck.mutants.foreign.subject import Sizes, Subject
from crosscheck.report import Report

SUBJECTS: dict[str, Subject] = {
    subject.file: subject for subject in (*subjects_numpy.SUBJECTS, *subjects_torch.SUBJECTS)
}
FIRST = 3  # how many lines of a segment a reader looks at

# Of the honest runs. Whatever is special about sizes is here.
SIZES = (
    Sizes(),
    Sizes(B=1),
    Sizes(T=1),
    Sizes(T=2, C=10, H=2, F=7),
    Sizes(C=6, H=6, F=9),  # heads of size 1
    Sizes(B=3, T=4, C=8, H=1, F=16),
    Sizes(4, 4, 4, 2, 4),
    Sizes(1, 1, 4, 4, 4),
    Sizes(2, 9, 16, 4, 24),
)


@dataclass(frozen=True)
class Result:
    """What came of one planted bug."""

    id: str  # the bug's name
    family: str  # what kind of example it is in
    file: str  # the example
    why: str  # why people write that
    caught: bool  # whether the plain run disagreed
    first: bool  # whether the line that is named is to blame
    among: bool  # whether a line to blame is among the first FIRST
    inside: bool  # whether a line to blame is in the segment
    lines: int  # how many lines the segment has
    to_blame: tuple[int, ...]  # the lines that are to blame
    named: tuple[int, ...]  # the lines of the segment, the likeliest first
    op: str = ""  # the op that is named beside the line
    operand: str = ""  # the array that is named beside the line
    error: str = ""  # the exception that ended the comparison; empty if there was none


def judge_bug(bug: Bug, seed: int = 0) -> Result:
    """Plant one bug, compare, and hold the lines that are named against the lines to blame."""
    source, to_blame = planted(bug)
    subject = SUBJECTS[bug.file]
    ops = _functions_at(source, to_blame)
    report: Report | None = None
    error = ""
    try:
        model, reference, batch, weights = subject.build(source, Sizes(), seed)
        report = compare(model, reference, batch, weights=weights, seed=seed)
    except Exception as raised:  # a planted bug may raise anything
        error = f"{type(raised).__name__}: {raised}"
    path = str(EXAMPLES / bug.file)
    suspects = [] if report is None else [report.first, *report.between]
    hits: dict[int, bool] = {}  # by line, the likeliest first: whether it is to blame
    for suspect in suspects:
        if suspect is not None and suspect.place is not None and suspect.place.file == path:
            right = suspect.place.line in to_blame or suspect.op.strip("_") in ops
            hits[suspect.place.line] = hits.get(suspect.place.line, False) or right
    first = next((suspect for suspect in suspects if suspect is not None), None)
    ranked = list(hits.values())
    return Result(
        id=bug.id,
        family=family_of(bug),
        file=bug.file,
        why=bug.why,
        caught=report is not None and report.disagrees,
        first=any(ranked[:1]),
        among=any(ranked[:FIRST]),
        inside=any(ranked),
        lines=len(ranked),
        to_blame=tuple(sorted(to_blame)),
        named=tuple(hits),
        op=first.op if first is not None else "",
        operand=first.operand if first is not None else "",
        error=error,
    )


def honest_run(seed: int) -> list[str]:
    """Compare an example as it is, and return what is said against it, which should be nothing.

    The seed decides the example, the sizes, the mask, the precision and the weights. Localisation,
    which otherwise runs only when something disagrees, must find nothing to blame either.
    """
    subjects = tuple(SUBJECTS.values())
    subject = subjects[seed % len(subjects)]
    choose = draws(Stream.OPTIONS, seed)
    sizes = SIZES[seed // len(subjects) % len(SIZES)]
    causal = subject.masks[int(choose.integers(len(subject.masks)))]
    dtype = DTYPES[int(choose.integers(len(DTYPES)))]
    who = f"seed {seed}, {subject.file}, {sizes}, causal {causal}, {dtype}"
    model, reference, batch, weights = subject.build(subject.source(), sizes, seed, causal)
    report = compare(model, reference, batch, weights=weights, dtype=dtype, seed=seed)
    said = [f"{who}: {report}"] if report.disagrees else []
    paired = pair_weights(model, reference, batch, weights, seed=seed)
    cuts = find_cuts(paired, batch, loss=batch.loss, seed=seed)
    return said + [f"{who}: {mark}" for mark in _accusations(cuts)]


def _accusations(cuts: Cuts) -> list[str]:
    """Return the crosses and tildes."""
    return [str(mark) for mark in cuts.marks if mark.sign in (Sign.BORN, Sign.FOLLOWS)]


def _functions_at(source: str, lines: frozenset[int]) -> set[str]:
    """Return the methods of a tensor class in which these lines stand, without underscores.

    An engine's finding may name the op in the place of its line. What all ops share, such as the
    walk back, has no op of its own.
    """
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef) and node.name == "Tensor":
            for method in node.body:
                if isinstance(method, ast.FunctionDef) and any(
                    method.lineno <= line <= (method.end_lineno or 0) for line in lines
                ):
                    found.add(method.name.strip("_"))
    return found
