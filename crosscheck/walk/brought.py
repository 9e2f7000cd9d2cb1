"""The walk of any model that `compare` takes: its own lines, beside the reference's values."""

from __future__ import annotations

import linecache
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from crosscheck.brought.prepare import Prepared, Request, prepared
from crosscheck.comparison import compare_paired
from crosscheck.cuts import Cuts, find, share_of_values
from crosscheck.cuts.classes import values_of
from crosscheck.cuts.cuts import Line
from crosscheck.cuts.finder import Finder
from crosscheck.cuts.of_models import expected_of, taped
from crosscheck.cuts.pairing import pair
from crosscheck.distance import largest_gradient, relative_error
from crosscheck.judge import FLOOR
from crosscheck.maps.pairing import NAME, Pairing, pair_weights
from crosscheck.maps.trial import score_by
from crosscheck.report import Report
from crosscheck.runs import COTANGENT, Run, run
from crosscheck.sides import TORCH, Array, side_of
from crosscheck.traces.trace import Trace
from crosscheck.traces.tracing import trace_run
from crosscheck.versions import versions
from crosscheck.walk.bugs import bug_of
from crosscheck.walk.lines import Lines
from crosscheck.walk.outcome import loss_of, outcome_of
from crosscheck.walk.parameters import parameters_of, whole_gradients
from crosscheck.walk.schema import Bug, File, Finding, Loss, Model, Parameter, Walk
from crosscheck.walk.schema_of_ops import Op
from crosscheck.walk.shown import Shown, place, short
from crosscheck.walk.spine import columns_of, spine_of
from torch import nn
from torch_impl import MultiheadSelfAttention

AROUND = 5  # lines of a file that are shown before the first that ran, and after the last


def walk_of_brought(request: Request, language: str) -> Walk:
    """Compare the user's model with its reference, and return what the page gets.

    Raises ValueError for the user's mistakes and for a model that cannot be traced; UserCodeError
    for what the user's own code raises.
    """
    with prepared(request, share_of_values) as ready:
        batch, seed = ready.batch, request.seed
        score = score_by(share_of_values, batch, seed)
        paired = pair_weights(
            ready.mine, ready.reference, batch, ready.weights, seed=seed, score=score
        )
        by_name = ready.weights == NAME
        report = compare_paired(paired, batch, by_name=by_name, dtype=ready.dtype, seed=seed)
        if side_of(paired.reference) is not TORCH:
            raise ValueError("walk: only a reference in PyTorch shows what its values are")
        loss = loss_of(report, COTANGENT)
        trace = trace_run(paired.model, batch, loss=loss, seed=seed)
        if trace is None:
            raise ValueError(f"walk: there is no way to see into {request.mine} while it runs")
        theirs, tape = taped(paired.reference, batch, loss=loss, seed=seed)
        ours = run(paired.model, batch, dtype="float64", loss=loss, seed=seed)
        return _walk(
            request, ready, Seen(report, loss, paired, trace, ours, theirs, tape), language
        )


@dataclass(frozen=True)
class Seen:
    """What was seen of both sides."""

    report: Report
    loss: str  # from which the walk goes back
    paired: Pairing
    trace: Trace  # of the user's model
    ours: Run  # of the user's model, in float64
    theirs: Run
    tape: Any  # of the reference


@np.errstate(all="ignore")  # a mask may add numbers whose squares are infinite
def _walk(request: Request, ready: Prepared, seen: Seen, language: str) -> Walk:
    report, trace = seen.report, seen.trace
    expected = expected_of(seen.theirs, seen.paired)
    cuts = report.cuts or find(trace, seen.tape, expected=expected, actual=expected)
    values = values_of(seen.tape)
    sizes = _sizes(ready)
    shown = Shown(sizes)
    ops = tuple(Lines(trace, values, pair(values, Finder(trace)), cuts, shown).all())
    weights = TORCH.weights(seen.paired.reference)
    return Walk(
        language=language,
        kind="brought",
        model=_model(request, ready, sizes, sum(array.size for array in weights.values())),
        text=None,
        loss=_loss(seen),
        outcome=outcome_of(report, ready.notes),
        ops=ops,
        joins=(),
        attentions=(),
        parameters=tuple(_parameters(ready, seen, weights, shown)),
        facts=(),
        rules={},
        spine=spine_of(ops),
        columns=columns_of(ops),
        bug=None if report.agrees else _bug(report, cuts, ops),
        files=tuple(_files(trace, cuts)),
        arrays=shown.table.arrays,
        buffers=shown.table.buffers(),
    )


def _loss(seen: Seen) -> Loss:
    ours, theirs = seen.ours.loss, seen.theirs.loss
    return Loss(seen.loss, float(ours), float(theirs), relative_error(ours, theirs))


def _parameters(
    ready: Prepared, seen: Seen, weights: dict[str, Array], shown: Shown
) -> Iterator[Parameter]:
    """Yield the rows of the gradients under the loss, with the arrays of both sides."""
    expected = seen.theirs.gradients
    gradients = _under_names_of_reference(seen.ours.gradients, ready, seen.paired)
    floor = FLOOR * largest_gradient(expected.values())
    rows = next((c.gradients for c in seen.report.comparisons if c.loss == seen.loss), ())
    yield from parameters_of(
        rows, weights, whole_gradients(gradients, expected, floor, shown), shown
    )


def _model(request: Request, ready: Prepared, sizes: dict[str, int], parameters: int) -> Model:
    mine = Path(request.mine).name  # folders are this machine's
    return Model(
        title=f"{mine} beside {ready.reference_said}",
        engines=versions(),
        ours=mine,
        reference=ready.reference_said,
        options={},
        sizes=sizes,
        heads=sizes.get("H"),
        parameters=parameters,
        seed=request.seed,
        corpus="",
    )


def _under_names_of_reference(
    gradients: dict[str, Any], ready: Prepared, paired: Pairing
) -> dict[str, Any]:
    """Return the gradients under the names, and in the layout, of the reference's weights."""
    if ready.weights == NAME:
        return gradients
    return paired.map.to_reference({n: g for n, g in gradients.items() if _fits(n, g, paired)})


def _fits(name: str, gradient: Any, paired: Pairing) -> bool:
    """Whether a gradient has the shape of its weight; the report says so if it has not."""
    index = paired.map.indices.get(name)
    return gradient is None or index is None or gradient.shape == index.shape


def _sizes(ready: Prepared) -> dict[str, int]:
    """Return the sizes of the run, as far as the batch and the reference tell them."""
    inputs = ready.batch.inputs
    axes = "BT" if inputs.ndim > 2 or inputs.dtype.kind == "i" else "B"  # (B, T, C), (B, T), (B, C)
    sizes = dict(zip(axes, inputs.shape, strict=False))
    for module in ready.reference.modules():
        if isinstance(module, nn.MultiheadAttention):
            sizes |= {"C": module.embed_dim, "H": module.num_heads, "K": module.head_dim}
        if isinstance(module, MultiheadSelfAttention):
            H, K = module.num_heads, module.head_size
            sizes |= {"C": H * K, "H": H, "K": K}
        if isinstance(module, nn.Embedding):
            sizes.setdefault("V", module.num_embeddings)
        wide = getattr(module, "linear1", None)
        if isinstance(wide, nn.Linear):
            sizes["F"] = wide.out_features
    return sizes


def _bug(report: Report, cuts: Cuts, ops: tuple[Op, ...]) -> Bug:
    """Return what is wrong, at the line that is blamed."""
    bug = bug_of(report.localisation, report.raised, ops, None)
    if cuts.first is None:
        return bug
    born = next((op.id for op in ops if op.verdict == "born"), "")
    return Bug(
        id="",
        findings=(_finding(cuts, cuts.first, born), *bug.findings),
        inherited=bug.inherited,
        raised=report.raised,
        answers=(),
        what="",
        patch="",
    )


def _finding(cuts: Cuts, first: Line, born: str) -> Finding:
    where = place(f"{first.place.file}:{first.place.line}")
    what, _, hint = (cuts.expected or first.why).partition(": ")
    return Finding(
        op=born,
        rule=first.op,
        argument=cuts.value,
        kind="line",
        what=what,
        hint=hint,
        place=where,
        worst=None,
        ours=None,
        expected=None,
        finite_difference=None,
        words="\n".join(
            f"{short(line.place.file)}:{line.place.line}, which {line.why}" for line in cuts.between
        ),
    )


def _files(trace: Trace, cuts: Cuts) -> Iterator[File]:
    for file in trace.files:
        marks = {mark.place.line: mark for mark in cuts.marks if mark.place.file == file}
        if marks:
            lines = linecache.getlines(file)
            first = max(1, min(marks) - AROUND)
            last = min(len(lines), max(marks) + AROUND)
            yield File(
                file=short(file),
                first=first,
                lines=tuple(line.rstrip("\n") for line in lines[first - 1 : last]),
                marks={str(n): (mark.kind.value, mark.text) for n, mark in marks.items()},
            )
