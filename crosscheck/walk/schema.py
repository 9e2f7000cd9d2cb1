"""What the page of `crosscheck walk` gets: one JSON object, a `Walk`.

Its fields are below; those of arrays and ops are in `schema_of_ops.py`.

Conventions. Every field is there, under its name here; what there is none of is null, "" or [].
A *ref* is an index into `Walk.arrays`. An *id* is that of an op, and is the address's hash too.
"ours" is the side that is checked (NumPy, or the user's model), "reference" is PyTorch. Norms are
Frobenius norms in float64, over the finite entries. A number that is not finite is the string
"nan", "inf" or "-inf". Paths are relative, and lines are counted from 1. Sentences that come from
Python (docstrings, findings, hints) are English.

Ops stand in the order of the forward pass; the reader walks from the last to the first.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from crosscheck.walk.schema_of_ops import (
    Attention,
    Fact,
    Join,
    Op,
    Packed,
    Place,
    Rule,
)

VERSION = 1


@dataclass(frozen=True)
class Parameter:
    """A row of the report: the gradient of a parameter or of a part of it. As in `--json`."""

    name: str  # "blocks.0.self_attn.in_proj_weight[q]"
    parameter: str  # the whole parameter
    rows: tuple[int, int] | None  # the part is these rows of it, the end not included
    shape: tuple[int, ...]
    axes: tuple[str, ...]
    value: int | None  # ref of the whole parameter
    gradient: int | None  # ref of the gradient of the whole parameter, ours
    gradient_reference: int | None  # the same ref where the row agrees
    norm: float | None
    norm_reference: float | None
    error: float | None
    rounding: float | None
    rounding_reference: float | None
    verdict: str  # one of judge.Verdict: "agree", "agree, zero", "disagree", "vacuous", ...
    good: bool  # whether the row passes
    reason: str
    worst: tuple[int, ...] | None
    worst_ours: float | None
    worst_reference: float | None


@dataclass(frozen=True)
class Branch:
    """A loop beside the residual stream: it leaves at one op and comes back at another."""

    name: str  # "attention", "feed-forward", or the module's path
    leaves: str  # the id of the op on the stream whose output the branch reads
    joins: str  # the id of the op on the stream where it comes back
    ops: tuple[str, ...]  # in forward order
    lanes: tuple[int, ...]  # of each of these ops: 0, or 1, 2 ... where q, k and v run side by side


@dataclass(frozen=True)
class Spine:
    """The map of a model with a residual stream."""

    stream: tuple[
        str, ...
    ]  # the ops that every path from input to loss goes through, forward order
    branches: tuple[Branch, ...]


@dataclass(frozen=True)
class Column:
    """The map of any other model: the ops of one module, in trace order."""

    module: str
    ops: tuple[str, ...]


@dataclass(frozen=True)
class Text:
    """What the model reads and what it should have said. One window: B = 1."""

    tokens: tuple[str, ...]  # T of them, one character each
    targets: tuple[str, ...]  # the character that comes next
    counts: tuple[bool, ...]  # whether the loss counts the position: padding is left out
    vocabulary: tuple[str, ...]  # V characters, in the order of the logits
    ids: tuple[int, ...]  # of tokens, in the vocabulary
    target_ids: tuple[int, ...]
    losses: tuple[float, ...]  # -log p(target) at each position, in float64
    logits: int  # ref (T, V)
    probs: int  # ref (T, V): softmax of the logits, made in float64
    # Ref (T, V): dL/dlogits = (probs - onehot) / positions that count; null if not under this loss.
    dlogits: int | None


@dataclass(frozen=True)
class Loss:
    """Where the walk begins."""

    name: str  # "cross-entropy" or "random cotangent"
    ours: float | None  # null if our run raised
    reference: float
    error: float | None


@dataclass(frozen=True)
class Model:
    """What was run."""

    title: str  # "2 blocks, width 64, 4 heads, feed-forward 256, post-norm, ..."
    engines: dict[str, str]  # versions, by package
    ours: str  # "NumPy", or the user's file and name
    reference: str  # "PyTorch"
    options: dict[str, Any]  # of our own language model, as in `--json`; {} of a user's model
    sizes: dict[str, int]  # B T C H K F V, as far as they are known
    heads: int | None  # H
    parameters: int  # how many numbers it learns
    seed: int
    corpus: str  # where the text is from


@dataclass(frozen=True)
class Outcome:
    """The verdict of the plain run, as in the report."""

    agrees: bool
    disagrees: bool  # false, and not agrees: something is not proved
    rows: int
    failing: int
    largest_error: float | None
    said: str  # the last line of the check, in words
    notes: tuple[str, ...]  # what else a reader should know, in sentences without a full stop


@dataclass(frozen=True)
class Finding:
    """A bug where it was born, in the words of the check."""

    op: str  # id of the op in the walk, or "" where it has none
    rule: str  # the name of the rule
    argument: str  # the array that is wrong: "dx", "out", "dout"
    kind: str  # forward, backward, wiring, ...: tape.finding.Kind
    what: str
    hint: str
    place: Place | None  # of the rule
    worst: tuple[int, ...] | None  # where what was made of right inputs is most wrong
    ours: float | None  # there
    expected: float | None  # there
    finite_difference: float | None  # there
    words: str  # all of it, as the command prints it


@dataclass(frozen=True)
class Bug:
    """What is wrong, where something is."""

    id: str  # of the planted bug; "" where the fault is real
    findings: tuple[Finding, ...]  # first the one to open at
    inherited: tuple[str, ...]  # ids
    raised: str  # the exception that ended our run, in words
    answers: tuple[str, ...]  # the ops that may rightly be named; [] where none is planted
    what: str  # the mistake in one line; shown with the patch
    patch: str  # base64 of the unified diff in UTF-8, so that nobody reads it by accident; or ""


@dataclass(frozen=True)
class File:
    """A source file of the user's, with what is known of its lines."""

    file: str
    first: int  # the number of the first line
    lines: tuple[str, ...]
    # By line number: mark ("right", "wrong", "inherited", "none") and text.
    marks: dict[str, tuple[str, str]]


@dataclass(frozen=True)
class Walk:
    """All that the page gets."""

    language: str  # "en" or "pt-BR", of the page
    kind: str  # "language model" (ours) or "brought" (a user's model)
    model: Model
    text: Text | None  # null where the input is not text
    loss: Loss
    outcome: Outcome
    ops: tuple[Op, ...]
    joins: tuple[Join, ...]
    attentions: tuple[Attention, ...]  # [] where attention is one op, and of a user's model
    parameters: tuple[Parameter, ...]
    facts: tuple[Fact, ...]
    rules: dict[str, Rule]  # by the name of the op
    spine: Spine | None  # null of a user's model without one
    columns: tuple[Column, ...]
    bug: Bug | None  # null where all agrees
    files: tuple[File, ...]  # of a user's model; [] of ours
    arrays: tuple[Packed, ...]
    # Numbers: float32, little endian, "deflate-raw" of DecompressionStream, base64.
    buffers: tuple[str, ...]
    version: int = field(default=VERSION)
