"""Choosing a reference where the user names none: PyTorch's own layer, or the language model.

The candidates differ in where layer norm stands, in the activation, and in whether a token sees the
future. The one whose outputs are the model's, under the same weights, is the reference. Where none
is, because the model has a bug, it is the one that shares most values with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import product
from typing import Any

import numpy as np

import torch
from crosscheck.brought.adapted import adapted
from crosscheck.brought.asis import as_built
from crosscheck.brought.behaviour import output_of, shortened
from crosscheck.brought.masked import hidden_keys, is_causal, mixes_sequences
from crosscheck.brought.sizes import Sizes
from crosscheck.distance import RELATIVE, relative_error
from crosscheck.maps import pairing as pairings
from crosscheck.masks import CAUSAL, layer_masks, model_masks
from crosscheck.runs import COTANGENT, Batch
from crosscheck.sides import TORCH, Array
from crosscheck.traces.trace import Trace
from crosscheck.traces.tracing import trace_run
from crosscheck.weights import get_weights, ties
from torch.nn import functional as F

ACTIVATIONS: dict[str, Callable[..., Any]] = {
    "gelu": F.gelu,
    "relu": F.relu,
    "gelu-tanh": partial(F.gelu, approximate="tanh"),
}
CLOSE = {"float64": RELATIVE, "float32": 1e-4}  # outputs that are equal but for rounding
LAYER, LANGUAGE_MODEL = "torch.nn.TransformerEncoderLayer", "the language model"
# How many of the reference's values the model's run shows, as a share of 1.
Shared = Callable[[Trace, pairings.Pairing, Batch], float]


@dataclass(frozen=True)
class Candidate:
    """One form that the reference can have."""

    make: Callable[[tuple[int, ...]], Any]  # from the shape of the input
    words: str  # "pre-norm, gelu, causal"
    activation: str  # one of ACTIVATIONS
    is_likely: bool  # whether the model hides the future just as this form does


@dataclass(frozen=True)
class Choice:
    """A reference, paired with the model."""

    reference: Any
    pairing: pairings.Pairing
    said: str  # which it is, and why
    candidate: Candidate
    apart: float  # how far its output is from the model's, relative


def choose_reference(
    model: Any,
    batch: Batch,
    sizes: Sizes,
    *,
    mask: str | None,
    weights: Any = pairings.AUTO,
    dtype: str = "float64",
    shared: Shared | None = None,
    who: str = "the model",
    given: frozenset[str] = frozenset(),
) -> Choice:
    """Return the reference that fits a model best.

    batch: what the model runs on. mask: one of MASKS, or None, and then it is found whether the
    model is causal. weights: as for `pair_weights`. given: the fields of sizes that the user gave.
    Raises ValueError if the model's weights are those of no candidate.
    """
    sizes = as_built(model, sizes, given)
    name = LANGUAGE_MODEL if batch.inputs.dtype.kind in "iu" else LAYER
    short = Batch(shortened(model, batch.inputs))
    trials = _Trials(model, short, sizes.seed, dtype, name)
    candidates = list(_candidates(model, short.inputs, sizes, mask))
    for candidate in candidates:  # under one map, which is quick; it may be the wrong one
        if trials.fits(candidate, trials.known or weights):
            break
    else:
        if trials.known is not None and weights == pairings.AUTO:
            trials.tried.clear()
            any(trials.fits(candidate, weights) for candidate in candidates)
    if not trials.tried:
        raise ValueError(
            f"compare: no reference is named, and {name} does not fit {who}{trials.refused}: name "
            "a reference, such as torch.nn:MultiheadAttention or a file of your own"
        )
    choice = trials.tried[-1]
    if choice.apart <= CLOSE[dtype]:
        said = f"{choice.said}: under the same weights its outputs are those of {who}"
        choice = replace(choice, said=said)
    else:
        choice = _nearest(trials.tried, short, sizes.seed, shared, who)
    return replace(choice, reference=choice.candidate.make(batch.inputs.shape))


@dataclass
class _Trials:
    """Pairs candidates with a model, and keeps how far their outputs are apart."""

    model: Any
    batch: Batch
    seed: int
    dtype: str
    name: str
    tried: list[Choice] = field(default_factory=list)
    refused: str = ""  # why the first candidate that does not fit does not, in brackets
    known: dict[str, str] | None = None  # the first map that was found, for the other candidates

    def fits(self, candidate: Candidate, weights: Any) -> bool:
        """Whether this candidate has the model's outputs. One that cannot be paired is left out."""
        reference = candidate.make(self.batch.inputs.shape)
        try:
            pair = pairings.pair_weights(self.model, reference, self.batch, weights, seed=self.seed)
            _require_matrices(pair)
        except ValueError as error:
            self.refused = self.refused or f" ({str(error).removeprefix('weights: ')})"
            return False
        if pair.redrawn and self.known is None:
            self.known = pair.map.to_dict()
        apart = _apart(pair, self.batch, self.dtype)
        said = f"{self.name}, {candidate.words}"
        self.tried.append(Choice(reference, pair, said, candidate, apart))
        return apart <= CLOSE[self.dtype]


def _nearest(
    choices: list[Choice], batch: Batch, seed: int, shared: Shared | None, who: str
) -> Choice:
    """Choose among references of which none has the model's outputs."""
    shares: list[float] = []
    seen: set[str] = set()
    traces: dict[Any, Trace | None] = {}
    for choice in choices:
        pair = choice.pairing
        same = (tuple(pair.map.to_dict().items()), tuple(pair.map.places))  # so are the weights
        if same not in traces:
            traces[same] = trace_run(pair.model, batch, loss=COTANGENT, seed=seed)
            seen |= _activations_in(traces[same])
        trace = traces[same]
        if shared is not None and trace is not None:
            shares.append(shared(trace, pair, batch))
    known = len(shares) == len(choices)

    def rank(number: int) -> tuple[Any, ...]:
        choice = choices[number]
        form = choice.candidate
        share = -round(shares[number], 2) if known else 0
        return share, not form.is_likely, form.activation not in seen, choice.apart

    first, *others = sorted(range(len(choices)), key=rank)
    said = f"{choices[first].said}: no form has the outputs of {who}"
    if known:
        said += f"; this one shares {shares[first]:.0%} of its values with it"
    if known and others:
        form = choices[others[0]].candidate.words
        said += f", the next ({form}) {shares[others[0]]:.0%}"
    return replace(choices[first], said=said)


def _activations_in(trace: Trace | None) -> set[str]:
    """The activations by which one array of a run was made of another."""
    if trace is None:
        return set()
    pairs = [(trace.records[i], made) for made in trace.records for i in made.sources]
    found = set()
    for x, y in pairs:
        if y.backward or x.shape != y.shape or len(x.shape) < 3:
            continue
        if x.index not in trace.arrays or y.index not in trace.arrays:
            continue  # to fetch them would be another run
        given, made = torch.from_numpy(trace.arrays[x.index]), trace.arrays[y.index]
        if not given.is_floating_point():
            continue
        names = [
            name
            for name, function in ACTIVATIONS.items()
            if relative_error(function(given).numpy(), made) < RELATIVE
        ]
        found |= set(names) if len(names) == 1 else set()  # all of them make zeros of zeros
    return found


def _require_matrices(pair: pairings.Pairing) -> None:
    """Raise ValueError if the model has no partner for half of the reference's matrices."""
    matrices = [row for row, places in pair.map.rows.items() if places.ndim > 1]
    lacking = [row for row in matrices if row in pair.map.left_out]
    if 2 * len(lacking) >= len(matrices):
        raise ValueError(f"weights: it has no {', '.join(lacking[:2])}")


def _apart(pair: pairings.Pairing, batch: Batch, dtype: str) -> float:
    """How far the outputs of a pair are apart; infinity if a side does not run."""
    try:
        ours = output_of(pair.model, batch.inputs, batch.options, dtype)
        theirs = output_of(pair.reference, batch.inputs, {}, dtype)
    except Exception:
        return np.inf
    if ours.shape != theirs.shape:
        return np.inf
    apart = relative_error(ours, theirs)
    return apart if np.isfinite(apart) else np.inf


def _candidates(model: Any, inputs: Array, sizes: Sizes, mask: str | None) -> Iterator[Candidate]:
    """Yield the forms that a reference can have, the likely ones first."""
    tokens = inputs.dtype.kind in "iu"
    if not tokens and (inputs.ndim != 3 or inputs.shape[-1] != sizes.width):
        return
    tokens_first = not tokens and mixes_sequences(model, inputs)
    likely = is_causal(model, inputs, {})
    causal = [mask in CAUSAL] if mask is not None else [likely, not likely]
    for hides_future, norm_first, activation in product(causal, (True, False), ACTIVATIONS):
        form: dict[str, Any] = {"norm_first": norm_first, "activation": activation}
        said = ["pre-norm" if norm_first else "post-norm", activation]
        said.append("causal" if hides_future else "not causal")
        if tokens_first:
            said.append("with the tokens on the first axis: (T, B, C)")
        if not tokens:
            layer = partial(_layer, sizes, mask, hides_future, tokens_first, form)
            yield Candidate(layer, ", ".join(said), activation, hides_future == likely)
            continue
        for more, words in _language_forms(model, sizes, inputs):
            make = partial(_language_model, sizes, mask, hides_future, {**form, **more})
            said_of_it = ", ".join([*said, *words])
            yield Candidate(make, said_of_it, activation, hides_future == likely)


def _layer(
    sizes: Sizes,
    mask: str | None,
    causal: bool,
    tokens_first: bool,
    form: dict[str, Any],
    shape: tuple[int, ...],
) -> Any:
    """Make PyTorch's layer, which is given its mask by itself."""
    layer = torch.nn.TransformerEncoderLayer(
        sizes.width,
        sizes.heads,
        sizes.feed_forward,
        dropout=0.0,
        activation=ACTIVATIONS[form["activation"]],
        norm_first=form["norm_first"],
        batch_first=True,
    )
    sequences = (shape[1], shape[0]) if tokens_first else (shape[0], shape[1])  # (B, T)
    options = layer_masks(mask, sequences, sizes.seed) if mask is not None else {}
    if causal and "src_mask" not in options:
        options = {**options, "src_mask": hidden_keys("causal", sequences, 0)[0]}
    if not options and not tokens_first:
        return layer
    return adapted(layer, options=options, tokens_first=tokens_first)


def _language_model(
    sizes: Sizes, mask: str | None, causal: bool, form: dict[str, Any], shape: tuple[int, ...]
) -> Any:
    """Make the language model, which is given its mask by itself."""
    model = TORCH.models.TransformerLanguageModel(
        d_model=sizes.width,
        nhead=sizes.heads,
        dim_feedforward=sizes.feed_forward,
        dropout=0.0,
        **{**form, "context": form["context"] or shape[1]},
    )
    masks = model_masks(mask, (shape[0], shape[1]), sizes.seed) if mask is not None else {}
    return adapted(model, options={**masks, "is_causal": causal})


def _language_forms(
    model: Any, sizes: Sizes, inputs: Array
) -> Iterator[tuple[dict[str, Any], list[str]]]:
    """Yield the options of a language model that its weights do not settle."""
    shapes = [array.shape for array in get_weights(model).values()]
    width = sizes.width
    vocabulary = output_of(model, inputs, {}, "float32").shape[-1]
    known = (vocabulary, sizes.feed_forward, width, 3 * width)
    rows = [s[0] for s in shapes if len(s) == 2 and s[1] == width and s[0] not in known]
    learned = [row for row in rows if row >= inputs.shape[1]]
    settled: dict[str, Any] = {
        "vocab_size": vocabulary,
        "context": min(learned) if learned else None,
        "num_layers": _blocks(shapes, sizes),
        "tie_weights": bool(ties(model)),
        "position": "learned" if learned else "sinusoidal",
        "head_bias": (vocabulary,) in shapes,
    }
    for scale in (True, False):
        words = [f"{settled['position']} positions", "embeddings scaled by sqrt(C)"]
        yield {**settled, "scale_embedding": scale}, words if scale else words[:1]


def _blocks(shapes: list[tuple[int, ...]], sizes: Sizes) -> int:
    """The number of blocks: each has two matrices with an axis of F."""
    ends = {(sizes.width, sizes.feed_forward), (sizes.feed_forward, sizes.width)}
    return max(sum(shape in ends for shape in shapes) // 2, 1)
