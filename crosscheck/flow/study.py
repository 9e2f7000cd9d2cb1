"""The sweep: every initialisation, seed, depth and wiring, one pass each, on one side or both."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from crosscheck.choices import DEPTHS
from crosscheck.corpus import Corpus
from crosscheck.draws import Stream, draws
from crosscheck.flow.agreement import (
    Agreement,
    Nudge,
    judge,
    nudged_weights,
    overflow,
    trace_difference,
)
from crosscheck.flow.initial import INITIALISATIONS, draw_weights
from crosscheck.flow.measure import Profile, Trace, profile, trace
from crosscheck.flow.stacks import WIRINGS, Stacks, Wiring
from crosscheck.models import ModelOptions
from crosscheck.sides import DIALECTS, Array, Dialect
from crosscheck.text import CharacterTokenizer, sample_batch
from tinygrad_tf import Tensor
from tinygrad_tf.transformer import SinusoidalPositionalEncoding


@dataclass(frozen=True)
class Plan:
    """What to run."""

    # The sizes of a block, and its context: the tokens T of the input.
    model: ModelOptions = field(default_factory=lambda: ModelOptions(activation="relu"))
    depths: tuple[int, ...] = DEPTHS
    wirings: tuple[Wiring, ...] = WIRINGS
    initialisations: tuple[str, ...] = tuple(INITIALISATIONS)  # by name
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    sides: tuple[Dialect, ...] = tuple(DIALECTS.values())  # the first gives the numbers
    causal: bool = False  # whether attention has a causal mask
    corpus: Corpus | None = None  # the text of the input; None for Gaussian noise

    @property
    def blocks(self) -> int:
        """How many blocks are run in all: the measure of progress."""
        return sum(self.depths) * len(self.wirings) * len(self.initialisations) * len(self.seeds)


@dataclass(frozen=True)
class Flow:
    """One pass of the plan."""

    initialisation: str  # the name of the initialisation
    wiring: Wiring
    depth: int  # L, the number of blocks
    seed: int
    profiles: dict[Dialect, Profile]  # the numbers of each side
    agreement: Agreement | None  # None if only one side ran

    @property
    def profile(self) -> Profile:
        """The numbers of the first side."""
        return next(iter(self.profiles.values()))


@dataclass(frozen=True)
class Study:
    """What a plan came to."""

    plan: Plan
    flows: tuple[Flow, ...]  # in the order of the plan; all of them unless interrupted
    interrupted: bool = False

    @property
    def agrees(self) -> bool:
        """Whether the sides agree in every pass; a side that runs alone disagrees with nobody."""
        return all(flow.agreement is None or flow.agreement.good for flow in self.flows)


def run_study(plan: Plan, advance: Callable[[int], None] = lambda blocks: None) -> Study:
    """Make every pass of the plan; Ctrl-C ends it early and keeps what was done.

    advance: called after every pass with its number of blocks.
    """
    flows: list[Flow] = []
    try:
        for flow in _flows(plan):
            flows.append(flow)
            advance(flow.depth)
    except KeyboardInterrupt:
        return Study(plan, tuple(flows), interrupted=True)
    return Study(plan, tuple(flows))


def _flows(plan: Plan) -> Iterator[Flow]:
    stacks = Stacks(plan.model, plan.sides)
    for initialisation in plan.initialisations:
        for seed in plan.seeds:
            x, cotangent = draw_input(plan, seed), draw_cotangent(plan, seed)
            for depth in plan.depths:
                weights = draw_weights(initialisation, plan.model, depth, seed)
                for wiring in plan.wirings:
                    loaded = stacks.load(wiring, weights)
                    traces, agreement = passes(loaded, x, cotangent, wiring, causal=plan.causal)
                    profiles = {side: profile(found) for side, found in traces.items()}
                    yield Flow(initialisation, wiring, depth, seed, profiles, agreement)


def passes(
    stacks: dict[Dialect, object], x: Array, cotangent: Array, wiring: Wiring, *, causal: bool
) -> tuple[dict[Dialect, Trace], Agreement | None]:
    """Make a pass on each side, and compare them; pre-norm stacks end with a norm.

    Where the sides differ, the first one runs again to measure what rounding alone does: see
    `agreement`.
    """

    def run(side: Dialect, x: Array) -> Trace:
        norm = wiring.norm == "pre"
        return trace(side, stacks[side], x, cotangent, causal=causal, norm=norm)

    traces = {side: run(side, x) for side in stacks}
    if len(traces) < 2:
        return traces, None
    (first, one), (_, two) = traces.items()
    if overflow(one, two):
        return traces, Agreement(math.inf, overflow=True)

    def effect(nudge: Nudge) -> float:
        with nudged_weights(first, stacks[first], nudge):
            return trace_difference(run(first, nudge(x)), one)

    return traces, judge(trace_difference(one, two), effect)


def draw_input(plan: Plan, seed: int) -> Array:
    """Return the stack's input (1, T, C): standard normal, or embedded characters of the corpus.

    Each character of a text has a standard normal vector, as in `nn.Embedding`, to which the
    sinusoidal encoding of its position is added.
    """
    generator = draws(Stream.INPUT, seed)
    tokens, width = plan.model.context, plan.model.width
    if plan.corpus is None:
        return generator.standard_normal((1, tokens, width))
    tokenizer = CharacterTokenizer(plan.corpus.text)
    ids, _ = sample_batch(
        tokenizer.encode(plan.corpus.text), 1, tokens, draws(Stream.WINDOWS, seed)
    )
    embedded = generator.standard_normal((tokenizer.vocab_size, width))[ids]
    positioned: Array = SinusoidalPositionalEncoding(width, tokens)(Tensor(embedded)).numpy()
    return positioned


def draw_cotangent(plan: Plan, seed: int) -> Array:
    """Return where the gradient starts: standard normal (1, T, C).

    It is never a sum or a mean of the output, whose gradient can vanish whatever the rules say.
    """
    shape = (1, plan.model.context, plan.model.width)
    return draws(Stream.COTANGENT, seed).standard_normal(shape)
