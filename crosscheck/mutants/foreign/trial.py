"""What comes of one planted bug, and of one run of an example as it is."""

from __future__ import annotations

import ast
import linecache
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

from crosscheck.choices import DTYPES
from crosscheck.comparison import compare
from crosscheck.cuts import Cuts, find_cuts
from crosscheck.cuts.marks import Kind
from crosscheck.draws import Stream, draws
from crosscheck.maps.pairing import pair_weights
from crosscheck.mutants.foreign import subjects_jax, subjects_numpy, subjects_torch
from crosscheck.mutants.foreign.bug import EXAMPLES, Bug, planted
from crosscheck.mutants.foreign.catalogue import family_of, has_jax
from crosscheck.mutants.foreign.jax import FILE as JAX_FILE
from crosscheck.mutants.foreign.subject import Sizes, Subject
from crosscheck.report import Report

SUBJECTS: dict[str, Subject] = {
    subject.file: subject
    for subject in (*subjects_numpy.SUBJECTS, *subjects_torch.SUBJECTS, *subjects_jax.SUBJECTS)
}
TENSOR = "Tensor"  # the name of a tensor class in the examples
FIRST = 3  # how many lines of a segment a reader looks at


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
    report: Report | None = None
    error = ""
    try:
        model, reference, batch, weights = SUBJECTS[bug.file].build(source, Sizes(), seed)
        report = compare(model, reference, batch, weights=weights, seed=seed)
    except Exception as raised:  # a planted bug may raise anything
        error = f"{type(raised).__name__}: {raised}"
    finally:
        linecache.cache.pop(str(EXAMPLES / bug.file), None)  # the planted lines: see `module_of`
    first = None if report is None else report.first
    hits = {} if report is None else _hits(report, bug, to_blame, _ops_at(source, to_blame))
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
        op=getattr(first, "op", ""),
        operand=getattr(first, "operand", ""),
        error=error,
    )


def _hits(report: Report, bug: Bug, to_blame: frozenset[int], ops: set[str]) -> dict[int, bool]:
    """Return each line of the segment, the likeliest first, and whether it is rightly named."""
    hits: dict[int, bool] = {}
    for suspect in (report.first, *report.between):
        if suspect is not None and suspect.place.file == str(EXAMPLES / bug.file):
            line = suspect.place.line
            right = line in to_blame or getattr(suspect, "op", "").strip("_") in ops
            hits[line] = hits.get(line, False) or right
    return hits


def _ops_at(source: str, lines: frozenset[int]) -> set[str]:
    """Return the ops of a tensor class in which these lines stand, without underscores.

    An engine's finding names the op and its call site in the place of a line of the engine. A
    function outside of the class belongs to each op that calls it.
    """
    tree = ast.parse(source)
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    methods = [
        node
        for one in classes
        if one.name == TENSOR
        for node in one.body
        if isinstance(node, ast.FunctionDef)
    ]
    helpers = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    called = {helper.name for helper in helpers if _spans(helper, lines)}
    return {
        method.name.strip("_")
        for method in methods
        if _spans(method, lines) or called & {name.id for name in _names(method)}
    }


def _spans(node: ast.FunctionDef, lines: frozenset[int]) -> bool:
    return any(node.lineno <= line <= (node.end_lineno or 0) for line in lines)


def _names(node: ast.AST) -> Iterator[ast.Name]:
    return (child for child in ast.walk(node) if isinstance(child, ast.Name))


def honest_run(seed: int) -> list[str]:
    """Compare an example as it is, and return what is said against it, which should be nothing.

    The seed decides the example, the sizes, the mask, the precision and the weights. Localisation,
    which otherwise runs only when something disagrees, must find nothing to blame either. A warning
    or an exception is said too.
    """
    subject, choose = subject_of(seed), draws(Stream.OPTIONS, seed)
    sizes = subject.sizes[seed // len(SUBJECTS) % len(subject.sizes)]
    causal = subject.masks[int(choose.integers(len(subject.masks)))]
    dtype = DTYPES[int(choose.integers(len(DTYPES)))]
    who = f"seed {seed}, {subject.file}, {sizes}, causal {causal}, {dtype}"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            said = _said_against(subject, sizes, causal, dtype, seed)
    except Exception as error:  # whatever it is, whoever compares would see it
        said = [f"{type(error).__name__}: {error}"]
    return [f"{who}: {words}" for words in said]


def subject_of(seed: int) -> Subject:
    """Return the example of an honest run. Without JAX, its turns go to the first one."""
    subject = list(SUBJECTS.values())[seed % len(SUBJECTS)]
    return subject if has_jax() or subject.file != JAX_FILE else next(iter(SUBJECTS.values()))


def _said_against(subject: Subject, sizes: Sizes, causal: bool, dtype: str, seed: int) -> list[str]:
    model, reference, batch, weights = subject.build(subject.source(), sizes, seed, causal)
    report = compare(model, reference, batch, weights=weights, dtype=dtype, seed=seed)
    said = [str(report)] if report.disagrees else []
    paired = pair_weights(model, reference, batch, weights, seed=seed)
    return said + _accusations(find_cuts(paired, batch, loss=batch.loss, seed=seed))


def _accusations(cuts: Cuts | None) -> list[str]:
    """Return the crosses and tildes, in words."""
    if cuts is None:
        return ["it leaves no trace"]
    accused = [mark for mark in cuts.marks if mark.kind in (Kind.WRONG, Kind.INHERITED)]
    return [f"{mark.sign} in line {mark.place.line}: {mark.text}" for mark in accused]
