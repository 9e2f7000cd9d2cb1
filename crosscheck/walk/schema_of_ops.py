"""The part of the schema that is about arrays and ops; see `schema.py` for its conventions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Packed:
    """An array. Its entry [i, j] is number i * strides[0] + j * strides[1] of its buffer.

    A transposed array shares its buffer with the other one: so the file is smaller. Infinities and
    NaNs are there as such: a mask puts -inf into the scores.
    """

    shape: tuple[int, ...]
    strides: tuple[int, ...]  # counted in numbers
    buffer: int  # an index into `Walk.buffers`


@dataclass(frozen=True)
class Compared:
    """One array of an op on both sides."""

    name: str  # as in the rule: "x", "weight", "out", "dout", "dweight"
    shape: tuple[int, ...]
    axes: tuple[str, ...]  # a name for each axis, from B T S C H K F V N (N = B*T), or ""
    ours: int | None  # ref; null where our side has none
    # Ref; the same as `ours` where the two agree, as they then differ by rounding alone.
    reference: int | None
    norm: float | None
    norm_reference: float | None
    error: float | None  # |ours - reference| / |reference| in float64; null where not comparable
    rounding: float | None  # the relative error of our float32 form, run alone
    rounding_reference: float | None  # the same of PyTorch's own float32
    # "agree", "disagree", "missing" where a side has none or the form differs, or, of a user's
    # model, "unpaired": the reference has no such value, or only a piece of one.
    verdict: str
    said: str  # what is wrong with the form, in words; usually ""
    worst: tuple[int, ...] | None  # the index of the largest difference; null unless it disagrees
    worst_ours: float | None  # our entry there
    worst_reference: float | None  # the reference's entry there


@dataclass(frozen=True)
class FiniteDifference:
    """The third witness: the rule alone, on the run's own inputs and dout, along one direction."""

    rule: float  # <dinput, direction>, of our gradient
    difference: float | None  # the slope of <dout, out> along it; null where none was measured
    error: float | None  # relative; null where the witness has no say
    agrees: bool | None  # null where it has no say: at a kink, or where the rule raised


@dataclass(frozen=True)
class Input:
    """What went into an op, and what the op sends back to it."""

    argument: str  # its name in the rule; "x+y" if it was given twice
    kind: str  # "op", "parameter", "input" (the model's own) or "constant"
    source: str  # the id of the op that made it, the name of the parameter, or ""
    value: Compared
    gradient: Compared | None  # "d" + argument: of this op alone; null where none is wanted
    finite_difference: FiniteDifference | None  # null where there is no gradient


@dataclass(frozen=True)
class Place:
    """A line of source."""

    file: str
    line: int
    text: str  # the line itself, without the spaces around it


@dataclass(frozen=True)
class Op:
    """One op of the run."""

    id: str  # module/op, from the second such call on with a count: "blocks.0/add~2"
    index: int  # its place in the order of the forward pass, from 0
    op: str  # the name of its rule, a key of `Walk.rules`; of a user's line, what made the array
    # "blocks.0.self_attn", "" of the model itself, "loss" of the loss; of a user's line, the class
    # and function around it.
    module: str
    block: str  # "blocks.0" where it is inside of a block, else ""
    # One of embedding, linear, product (of matrices), norm, softmax, activation, sum, scale (a
    # product or quotient entry by entry), mask, move (reshape, transpose, getitem), loss, other.
    kind: str
    options: dict[str, str]  # its keywords and numbers, as in the source: {"dim": "-1"}
    caller: Place | None  # the line of the model that called it
    inputs: tuple[Input, ...]  # its distinct arrays, in the order of the arguments
    output: Compared
    dout: Compared | None  # the gradient that arrived at the output; null if none did
    # "agree"; "born": it was given what is right and made what is wrong; "inherited": it is wrong
    # because of what it was given; of a user's model, "unpaired": it is another spelling.
    verdict: str
    copies: bool  # whether it sends dout unchanged to several inputs: a sum copies the gradient
    # Of a user's model: "right", "wrong", "inherited" or "none", and what it makes, in words.
    mark: str
    mark_text: str


@dataclass(frozen=True)
class Contribution:
    """What one use of a tensor sends back to it."""

    op: str  # id
    argument: str
    norm: float | None
    norm_reference: float | None


@dataclass(frozen=True)
class Join:
    """A tensor that is used more than once: what its uses send back is added up there."""

    kind: str  # "op" or "parameter"
    source: str  # the id of the op that made it, or the name of the parameter
    contributions: tuple[Contribution, ...]  # in the order of the forward pass
    norm: float | None  # of the sum, as it arrived
    norm_reference: float | None
    verdict: str  # of the sum, as in `Compared`


@dataclass(frozen=True)
class SourceLine:
    """A line of a rule."""

    number: int
    text: str
    steps: tuple[int, ...]  # the numbered steps of the rule that it does, or undoes
    backward: bool  # whether it stands in the backward


@dataclass(frozen=True)
class Rule:
    """The page of an op, from its source and docstring."""

    op: str
    summary: str  # the first sentence, or "" where it is the formula itself
    forward: tuple[str, ...]  # formulas, such as "out = exp(x) / sum(exp(x)), the sum along dim"
    backward: tuple[str, ...]  # one for each gradient where there are such; else a sentence
    derivation: str  # the paragraph that begins with "Backward.", with its line breaks
    fact: str  # what a test checks, or ""
    source: str  # the citation, or ""
    mirrors: str  # PyTorch's function
    file: str  # "tinygrad_tf/ops/softmax.py"
    lines: tuple[SourceLine, ...]  # the rule without its docstring


@dataclass(frozen=True)
class Fact:
    """What was computed in float64 and is recorded. Lists are nested as the shape says.

    kind      numbers, and arrays by ref
    row_sums  of softmax and cross_entropy. sums: of dx along dim (cross_entropy: of each row);
              sizes: the sum of the magnitudes beside it; largest: the largest |sum|. softmax also
              has average: what is subtracted from dout in each row, sum(dout * out); and scales:
              the magnitudes of what is subtracted from what, on which rounding depends.
    parts     of layer_norm, for each token. dx_hat, along_ones, along_x_hat, rest: the norms of
              dx_hat, of its two parts, and of what is left (dx = inv_std * rest); inv_std; mean;
              dot_ones, dot_x_hat: the inner products of rest with the two unit vectors.
    under_sum of softmax and layer_norm: the same rule under ".sum() as the loss", which is a dout
              of ones (layer_norm: with a weight of ones). softmax: dx, the norms of each row.
              layer_norm: as in parts, without mean and dot_*.
    slope     of an activation: the array slope, d out / d x at each entry.
    """

    op: str  # id
    kind: str
    numbers: dict[str, Any]
    arrays: dict[str, int]


@dataclass(frozen=True)
class Attention:
    """One attention that is written out in ops, ours. Each array is a ref; its first axis is B."""

    module: str  # "blocks.0.self_attn"
    # The ids of q @ k^T, of the op whose output is softmax's input, of softmax, of probs @ v, and
    # of the ops that make q, k and v.
    product: str
    masked: str
    softmax: str
    scale: float  # what q @ k^T is multiplied by: 1 / sqrt(K)
    q: int  # (B, H, T, K)
    k: int  # (B, H, S, K)
    v: int  # (B, H, S, K)
    scores: int  # (B, H, T, S), with -inf where the mask hides a key
    probs: int  # (B, H, T, S)
    context: int  # (B, H, T, K)
    dcontext: int
    dprobs: int  # dcontext @ v^T
    dscores: int  # probs * (dprobs - average), before the scale
    dq: int  # scale * dscores @ k
    dk: int  # scale * dscores^T @ q
    dv: int  # probs^T @ dcontext
