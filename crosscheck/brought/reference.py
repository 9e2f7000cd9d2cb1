"""Choosing a reference where the user names none: PyTorch's own layer, or the language model.

The candidates differ in where layer norm stands, in the activation, and in whether a token sees the
future. The one whose outputs are the model's, under the same weights, is the reference. Where none
is, because the model has a bug, it is the one that shares most values with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import numpy as np

import torch
from crosscheck.brought.adapted import adapted
from crosscheck.brought.asis import as_built
from crosscheck.brought.behaviour import output_of
from crosscheck.brought.masked import hidden_keys
from crosscheck.brought.sizes import Sizes
from crosscheck.distance import RELATIVE, relative_error
from crosscheck.maps import pairing as pairings
from crosscheck.masks import CAUSAL, layer_masks, model_masks
from crosscheck.runs import Batch
from crosscheck.sides import TORCH, Array
from crosscheck.weights import get_weights, ties
from torch.nn import functional as F

ACTIVATIONS: dict[str, Callable[..., Any]] = {
    "gelu": F.gelu,
    "relu": F.relu,
    "gelu-tanh": partial(F.gelu, approximate="tanh"),
}
CLOSE = {"float64": RELATIVE, "float32": 1e-4}  # outputs that are equal but for rounding
# How many of a reference's values a run of the model shows, as a share of 1; None if unknown.
Shared = Callable[[Any, Any, Batch], float | None]


@dataclass(frozen=True)
class Candidate:
    """One form that the reference can have."""

    make: Callable[[], Any]
    words: str  # "pre-norm, gelu, causal"


@dataclass(frozen=True)
class Choice:
    """The reference that was chosen, paired with the model."""

    reference: Any
    pairing: pairings.Pairing
    said: str  # which it is, and why


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
    tokens = batch.inputs.dtype.kind in "iu"
    name = "the language model" if tokens else "torch.nn.TransformerEncoderLayer"
    tried: list[tuple[float, int, Choice]] = []
    refused: ValueError | None = None
    for candidate in _candidates(model, batch.inputs, sizes, mask):
        reference = candidate.make()
        try:
            pair = pairings.pair_weights(model, reference, batch, weights, seed=sizes.seed)
        except ValueError as error:
            refused = refused or error
            continue
        choice = Choice(reference, pair, f"{name}, {candidate.words}")
        tried.append((_apart(pair, batch, dtype), len(tried), choice))
        if tried[-1][0] <= CLOSE[dtype]:
            said = f"{choice.said}: under the same weights its outputs are those of {who}"
            return Choice(reference, pair, said)
    if not tried:
        raise ValueError(
            f"compare: no reference is named, and {name} does not fit {who}"
            + (f" ({str(refused).removeprefix('weights: ')})" if refused else "")
            + ": name a reference, such as torch.nn:MultiheadAttention or a file of your own"
        )
    return _nearest(tried, batch, shared, who)


def _nearest(
    tried: list[tuple[float, int, Choice]], batch: Batch, shared: Shared | None, who: str
) -> Choice:
    """Choose among references of which none gives the model's outputs."""
    shares = [
        (shared(c.pairing.model, c.pairing.reference, batch) if shared else None, -apart, -i, c)
        for apart, i, c in tried
    ]
    known = all(share is not None for share, *_ in shares)
    ranked = sorted(shares, key=lambda s: (s[0] if known else 0, s[1], s[2]), reverse=True)
    best = ranked[0][-1]
    others = [s for s in ranked[1:] if known]
    if not known:
        said = f"{best.said}: its outputs come nearest to those of {who}, and none gives the same"
    else:
        first = ranked[0][0] or 0.0
        second = f", the next {others[0][0]:.0%} ({_form(others[0][-1])})" if others else ""
        said = (
            f"{best.said}: no form gives the outputs of {who}; this one shares {first:.0%} of its "
            f"values with it{second}"
        )
    return Choice(best.reference, best.pairing, said)


def _form(choice: Choice) -> str:
    return choice.said.partition(", ")[2]


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
    causal = [mask in CAUSAL] if mask is not None else _likely_causal(model, inputs)
    tokens = inputs.dtype.kind in "iu"
    if not tokens and (inputs.ndim != 3 or inputs.shape[-1] != sizes.width):
        return
    options = product(causal, (True, False), ACTIVATIONS)
    for hides_future, norm_first, activation in options:
        words = ", ".join(
            [
                "pre-norm" if norm_first else "post-norm",
                activation,
                "causal" if hides_future else "not causal",
            ]
        )
        form = {"norm_first": norm_first, "activation": activation, "causal": hides_future}
        if tokens:
            for more, said in _language_forms(model, sizes, inputs):
                make = partial(_language_model, sizes, inputs, mask, {**form, **more})
                yield Candidate(make, ", ".join([words, *said]))
        else:
            yield Candidate(partial(_layer, sizes, inputs, mask, form), words)
    if not tokens and inputs.shape[0] != inputs.shape[1]:
        for hides_future, norm_first, activation in product(causal, (True, False), ACTIVATIONS):
            form = {"norm_first": norm_first, "activation": activation, "causal": hides_future}
            words = "pre-norm" if norm_first else "post-norm"
            make = partial(_layer, sizes, inputs, mask, {**form, "batch_first": False})
            yield Candidate(
                make, f"{words}, {activation}, with the tokens on the first axis: (T, B, C)"
            )


def _likely_causal(model: Any, inputs: Array) -> list[bool]:
    """Both answers, the likely one first: whether an output depends on a later token."""
    from crosscheck.brought.masked import is_causal

    likely = is_causal(model, inputs, {})
    return [likely, not likely]


def _layer(sizes: Sizes, inputs: Array, mask: str | None, form: dict[str, Any]) -> Any:
    """Make PyTorch's layer, which is given its mask by itself."""
    batch_first = form.get("batch_first", True)
    layer = torch.nn.TransformerEncoderLayer(
        sizes.width,
        sizes.heads,
        sizes.feed_forward,
        dropout=0.0,
        activation=ACTIVATIONS[form["activation"]],
        norm_first=form["norm_first"],
        batch_first=batch_first,
    )
    shape = inputs.shape[:2] if batch_first else inputs.shape[1::-1]
    options = layer_masks(mask, shape, sizes.seed) if mask is not None else {}
    if form["causal"] and "src_mask" not in options:
        options = {**options, "src_mask": hidden_keys("causal", shape, 0)[0]}
    return adapted(layer, options=options) if options else layer


def _language_model(sizes: Sizes, inputs: Array, mask: str | None, form: dict[str, Any]) -> Any:
    known = {k: v for k, v in form.items() if k != "causal"}
    model = TORCH.models.TransformerLanguageModel(
        d_model=sizes.width,
        nhead=sizes.heads,
        dim_feedforward=sizes.feed_forward,
        dropout=0.0,
        **known,
    )
    masks = model_masks(mask, inputs.shape[:2], sizes.seed) if mask is not None else {}
    return adapted(model, options={**masks, "is_causal": form["causal"]})


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
        "context": min(learned, default=inputs.shape[1]),
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
