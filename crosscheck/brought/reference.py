"""Choosing a reference where the user names none: PyTorch's own layer, or the language model.

The candidates differ in where layer norm stands, in the activation, and in whether a token sees the
future. The one whose outputs are the model's, under the same weights, is the reference. Where none
is, because the model has a bug, it is the one that shares most values with it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

import torch
from crosscheck.brought.behaviour import output_of, shortened
from crosscheck.brought.candidates import ACTIVATIONS, EPSILONS, Candidate, candidates
from crosscheck.brought.sizes import Sizes
from crosscheck.distance import RELATIVE, relative_error
from crosscheck.maps import pairing as pairings
from crosscheck.maps.trial import Score, Shared, score_by
from crosscheck.runs import COTANGENT, Batch
from crosscheck.traces.trace import Trace
from crosscheck.traces.tracing import trace_run

CLOSE = {"float64": RELATIVE, "float32": 1e-5}  # outputs that are equal but for rounding
NEARLY = 1e-2  # outputs that may differ by nothing but the eps of their norms
LAYER, LANGUAGE_MODEL = "torch.nn.TransformerEncoderLayer", "the language model"


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
) -> Choice:
    """Return the reference that fits a model best.

    batch: what the model runs on. sizes: those that it has. mask: one of MASKS, or None, and then
    it is found whether the model is causal. weights: as for `pair_weights`. dtype: in which the
    outputs are held against each other. shared: chooses where none has the model's outputs. who:
    the model in sentences. Raises ValueError if the model's weights are those of no candidate, and
    if none has the model's outputs where names leave open which weight is which.
    """
    name = LANGUAGE_MODEL if batch.inputs.dtype.kind in "iu" else LAYER
    short = Batch(shortened(model, batch.inputs))
    trials = _Trials(model, short, sizes.seed, dtype, name)
    score = None if shared is None else score_by(shared, short, sizes.seed)
    forms = list(candidates(model, short.inputs, sizes, mask))
    _try_each(trials, forms, weights, score)
    _try_other_epsilons(trials, sizes, mask, weights)
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
        if all(choice.pairing.doubt for choice in trials.tried):  # any form will do to ask
            choice = min(trials.tried, key=lambda choice: choice.apart)
        else:
            choice = _nearest(trials.tried, short, sizes.seed, shared, who)
        if choice.pairing.doubt:
            raise ValueError(choice.pairing.doubt)
    return replace(choice, reference=choice.candidate.make(batch.inputs.shape))


def _try_each(trials: _Trials, forms: list[Candidate], weights: Any, score: Score | None) -> None:
    """Try the forms until one has the model's outputs.

    First under the one map that was found first, which is quick and may be wrong; then the likely
    ones, each under a map of its own.
    """
    if any(trials.fits(form, trials.known or weights) for form in forms):
        return
    if trials.known is not None and weights == pairings.AUTO:
        trials.tried = [choice for choice in trials.tried if not choice.candidate.is_likely]
        for form in forms:
            if form.is_likely and trials.fits(form, weights, score):
                return


def _try_other_epsilons(trials: _Trials, sizes: Sizes, mask: str | None, weights: Any) -> None:
    """Try the nearest form with other eps of its norms, if it is so near that this may be all."""
    best = min(trials.tried, key=lambda choice: choice.apart, default=None)
    if best is None or not CLOSE[trials.dtype] < best.apart < NEARLY:
        return
    same = {**best.candidate.form, "layer_norm_eps": None}
    for epsilon in EPSILONS:
        for candidate in candidates(trials.model, trials.batch.inputs, sizes, mask, epsilon):
            is_other = candidate.is_likely != best.candidate.is_likely
            if is_other or {**candidate.form, "layer_norm_eps": None} != same:
                continue
            before = list(trials.tried)
            if trials.fits(candidate, trials.known or weights):
                return
            trials.tried = before  # it explains nothing


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
    how: str = ""  # how it was found
    doubt: str = ""  # why it is a guess

    def fits(self, candidate: Candidate, weights: Any, score: Score | None = None) -> bool:
        """Whether this candidate has the model's outputs. One that cannot be paired is left out."""
        reference = candidate.make(self.batch.inputs.shape)
        try:
            pair = pairings.pair_weights(
                self.model, reference, self.batch, weights, seed=self.seed, score=score
            )
            _require_matrices(pair)
        except ValueError as error:
            self.refused = self.refused or f" ({str(error).removeprefix('weights: ')})"
            return False
        if pair.redrawn and self.known is None:
            self.known, self.how, self.doubt = pair.map.to_dict(), pair.how, pair.doubt
        if weights is self.known:
            pair = replace(pair, how=self.how, doubt=self.doubt)
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
            shares.append(shared(trace, pair.reference, batch, seed))
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
