"""Trials of maps: two copies are given the same weights through a map, and run forward."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

import numpy as np

from crosscheck.arrays import array_of, is_tensor
from crosscheck.distance import relative_error
from crosscheck.in_projection import named_view
from crosscheck.maps.copies import give, neutral_values
from crosscheck.maps.partners import listed, require_partners
from crosscheck.maps.proposals import Proposals
from crosscheck.maps.weight_map import WeightMap
from crosscheck.runs import Batch
from crosscheck.sides import Array, side_of
from crosscheck.traces.trace import Trace
from crosscheck.traces.tracing import trace_run
from crosscheck.weights import get_weights

EXACT = 1e-10  # relative distance of outputs that are equal beyond doubt
EQUAL = 1e-5  # outputs that are nearer are equal: a model may round to float32 inside
TOKENS = 16  # how many tokens of a long sequence are enough for a trial
MARGIN = 0.02  # by how much the best score must be better than the second
RIVALS = 8  # so many maps are told apart by their scores

# How well a map explains two models, the more the better: of the model, the reference and the map.
Score = Callable[[Any, Any, WeightMap], float]
# How many of a reference's values a run shows, as a share of 1: of its trace, the reference, the
# batch and the seed. It is `share_of_values`, which knows the tape.
Shared = Callable[[Trace | None, Any, Batch, int], float]


class Trials:
    """Tries maps on two copies, whose reference has the weights that all trials begin with."""

    def __init__(self, model: Any, reference: Any, batch: Batch, *, is_fixed: bool = False) -> None:
        """is_fixed: whether the model keeps its weights, and the reference takes them over."""
        self.model = model
        self.reference = reference
        self.batch = _shortened(model, reference, batch)
        self.is_fixed = is_fixed
        self.drawn = get_weights(reference)
        self.shapes = {name: array.shape for name, array in get_weights(model).items()}
        self.outputs: dict[tuple[str, ...], Array] = {}  # the reference's, by the neutral rows

    def give(self, weight_map: WeightMap) -> tuple[str, ...]:
        """Give both copies the same weights; return the reference's rows that are neutral now.

        These are vectors that the model does not have: biases become 0, weights of norms 1. So do
        vectors that only the model has.
        """
        weights = {name: array.copy() for name, array in self.drawn.items()}
        own = get_weights(self.model)
        if self.is_fixed:
            taken = weight_map.taken_from(own)
            weights = {n: np.where(np.isnan(taken[n]), x, taken[n]) for n, x in weights.items()}
        neutral = []
        for row in weight_map.left_out:
            view = named_view(weights, row)
            if view.ndim == 1:
                view[...] = neutral_values(row, view)
                neutral.append(row)
        give(self.reference, weights)
        if not self.is_fixed:
            alone = {n: neutral_values(n, own[n]) for n in weight_map.unmapped if own[n].ndim == 1}
            give(self.model, {**alone, **weight_map.to_model(weights)})
        return tuple(neutral)

    def distance(self, weight_map: WeightMap) -> float:
        """Return how far the outputs are apart, relative; infinite if the model cannot be run."""
        neutral = self.give(weight_map)
        if self.is_fixed or neutral not in self.outputs:
            self.outputs[neutral] = _output(self.reference, self.batch, None)
        expected = self.outputs[neutral]
        try:
            output = _output(self.model, self.batch, expected.shape)
        except Exception:  # the comparison will say what it is
            return np.inf
        apart = relative_error(output, expected) if output.shape == expected.shape else np.inf
        return apart if np.isfinite(apart) else np.inf

    def best(self, maps: Sequence[WeightMap], score: Score) -> WeightMap | None:
        """Return the map whose score is better than all others by MARGIN; None if there is none."""
        scores = []
        for weight_map in maps:
            self.give(weight_map)
            scores.append(score(self.model, self.reference, weight_map))
        second, best = np.argsort(scores, kind="stable")[-2:]
        return maps[best] if scores[best] > scores[second] + MARGIN else None


@dataclass(frozen=True)
class Chosen:
    """The map that was chosen among proposals."""

    map: WeightMap
    notes: tuple[str, ...] = ()  # sentences for the reader
    # Why nobody may be blamed where the outputs differ: the map is a guess. Else empty.
    doubt: str = ""


def score_by(shared: Shared, batch: Batch, seed: int) -> Score:
    """Return the score that is the share of the reference's values."""

    def score(model: Any, reference: Any, _: WeightMap) -> float:
        trace = trace_run(model, batch, loss=batch.loss, seed=seed)
        return shared(trace, reference, batch, seed)

    return score


def chosen(trials: Trials, found: Proposals, score: Score | None) -> Chosen:
    """Return the map that makes the outputs equal, or else the best; say if none does.

    The only map is not tried. Where none makes the outputs equal, and names leave open which is
    right, score decides, if it is given and few maps are left; otherwise the map is in doubt.
    Raises ValueError if several make them equal, where names do not tell them apart; and if none
    does, and both models have matrices without a partner.
    """
    others = list(islice(found.others, 1)) if found.certain else []
    if found.certain and not others:
        require_partners(found.first, trials.shapes)
        return Chosen(found.first)  # there is no choice
    tried: list[tuple[float, WeightMap, bool]] = []
    for weight_map, is_usual in chain([(found.first, True)], others, found.others):
        tried.append((trials.distance(weight_map), weight_map, is_usual))
        if found.certain and tried[-1][0] <= EXACT:
            break
    equal = [(made, usual) for distance, made, usual in tried if distance <= EXACT]
    equal = equal or [(made, usual) for distance, made, usual in tried if distance <= EQUAL]
    fewest = min((_lacking(weight_map) for weight_map, _ in equal), default=0)
    equal = [(made, usual) for made, usual in equal if _lacking(made) == fewest]
    if len(equal) > 1 and not found.certain:
        raise ValueError(_undecided([weight_map for weight_map, _ in equal]))
    if equal:
        weight_map, is_usual = equal[0]
        return Chosen(weight_map, () if is_usual else (_unusual(weight_map, found.first),))
    require_partners(found.first, trials.shapes)
    none = f"none of {len(tried)} maps that were tried makes the outputs equal"
    usual = [(distance, weight_map) for distance, weight_map, is_usual in tried if is_usual]
    if len(usual) == 1 and found.certain:
        return Chosen(found.first, (f"{none}; this is the usual one",))
    if score is not None and found.complete and len(usual) <= RIVALS:
        best = trials.best([weight_map for _, weight_map in usual], score)
        if best is not None:
            return Chosen(best, (f"{none}; under this one most values on the way agree",))
    nearest = min(usual, key=lambda pair: pair[0])[1]
    said = f"{none}; this one is the nearest of the usual ones"
    return Chosen(nearest, (said,), _doubt(nearest, found, none))


def _lacking(weight_map: WeightMap) -> int:
    """Count the weights of both models without partner: of these, equal outputs say nothing."""
    return len(weight_map.unmapped) + len(weight_map.left_out)


def _doubt(guess: WeightMap, found: Proposals, none: str) -> str:
    """Return the sentences that ask for a map, and the best guess as the lines of a JSON file."""
    what = (
        f"no name says which weight of the reference {listed(found.by_order)} is"
        if found.by_order
        else "neither names nor shapes say whether the matrices lie as (in, out) or (out, in)"
    )
    lacking = f" It leaves out {listed(guess.unmapped)}." if guess.unmapped else ""
    return (
        f"weights: {what}, and {none}. So nobody can tell a wrong map from a wrong model. This is "
        f"the best guess.{lacking} Write it to a file, correct it, and give it with "
        f"--weights map.json:\n{json.dumps(guess.to_dict(), indent=1)}"
    )


def _unusual(weight_map: WeightMap, usual: WeightMap) -> str:
    texts = weight_map.expressions
    words = [f"{n} is {text}" for n, text in texts.items() if text != usual.expressions.get(n)]
    return f"the outputs are equal only where the entries lie unusually: {listed(words, '; ')}"


def _undecided(equal: list[WeightMap]) -> str:
    names = [
        name
        for name in equal[0].expressions
        if len({weight_map.expressions.get(name) for weight_map in equal}) > 1
    ]
    words = [
        f"{name} is {' or '.join(dict.fromkeys(str(m.expressions.get(name)) for m in equal))}"
        for name in names
    ]
    return (
        f"weights: {len(equal)} maps make the outputs equal, and nothing tells them apart: "
        f"{listed(words, '; ')}. Give a dictionary that says which is meant"
    )


def _shortened(model: Any, reference: Any, batch: Batch) -> Batch:
    """Return the begin of one sequence, if both models run on that: a trial is quicker then."""
    if batch.options or batch.inputs.ndim < 2 or batch.inputs.shape[1] <= TOKENS:
        return batch
    short = Batch(batch.inputs[:1, :TOKENS])
    try:
        outputs = [_output(one, short, None).shape for one in (model, reference)]
    except Exception:  # it wants the whole
        return batch
    return short if outputs[0] == outputs[1] else batch


def _output(model: Any, batch: Batch, shape: tuple[int, ...] | None) -> Array:
    """Run a model forward in float64; of several outputs, return the first of this shape.

    A model that does not run in float64 is run in float32.
    """
    given = (model, batch.inputs, batch.options)
    with np.errstate(all="ignore"):
        try:
            answer = side_of(model).forward(*given, "float64")
        except Exception:
            answer = side_of(model).forward(*given, "float32")
    while isinstance(answer, tuple | list):
        parts = [part for part in answer if is_tensor(part) or isinstance(part, np.ndarray)]
        fitting = [part for part in parts if shape is None or tuple(part.shape) == shape]
        answer = (fitting or parts or [None])[0]
    return array_of(answer).astype(np.float64)
