"""The sweep: every initialisation, seed, depth and wiring, one pass each, in one engine or both."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from crosscheck.corpus import Corpus
from crosscheck.engines import Array
from crosscheck.flow.agreement import AGREEMENT, Agreement, difference, moved, overflow
from crosscheck.flow.initial import INITIALISATIONS, draw_weights
from crosscheck.flow.measure import Profile, Trace, profile, trace
from crosscheck.flow.stacks import ENGINES, WIRINGS, Stacks, Wiring
from crosscheck.models import ModelOptions
from crosscheck.text import CharacterTokenizer, sample_batch
from tinygrad_tf import Tensor
from tinygrad_tf.transformer import SinusoidalPositionalEncoding

DEPTHS = (1, 4, 16, 64)


@dataclass(frozen=True)
class Plan:
    """What to run. model gives the sizes of a block and its context, the tokens T of the input.

    corpus: where the input comes from; None for Gaussian noise.
    """

    model: ModelOptions = field(default_factory=lambda: ModelOptions(activation="relu"))
    depths: tuple[int, ...] = DEPTHS
    wirings: tuple[Wiring, ...] = WIRINGS
    initialisations: tuple[str, ...] = tuple(INITIALISATIONS)
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    engines: tuple[str, ...] = tuple(ENGINES)
    causal: bool = False
    corpus: Corpus | None = None

    @property
    def blocks(self) -> int:
        """How many blocks are run in all: the measure of progress."""
        return sum(self.depths) * len(self.wirings) * len(self.initialisations) * len(self.seeds)


@dataclass(frozen=True)
class Flow:
    """One pass: what was run, its numbers by engine, and whether the engines agree."""

    initialisation: str
    wiring: Wiring
    depth: int
    seed: int
    profiles: dict[str, Profile]
    agreement: Agreement | None

    @property
    def profile(self) -> Profile:
        """The numbers of the first engine."""
        return next(iter(self.profiles.values()))


@dataclass(frozen=True)
class Study:
    """The passes that were made, in the order of the plan; all of them unless interrupted."""

    plan: Plan
    flows: tuple[Flow, ...]
    interrupted: bool = False

    @property
    def agrees(self) -> bool:
        """Whether the engines agree in every pass; nothing disagrees where there is only one."""
        return all(flow.agreement is None or flow.agreement.good for flow in self.flows)


def run_study(plan: Plan, advance: Callable[[int], None] = lambda blocks: None) -> Study:
    """Make every pass of the plan; Ctrl-C ends it early and keeps what was done.

    advance is told the number of blocks after every pass.
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
    stacks = Stacks(plan.model, plan.engines)
    for initialisation in plan.initialisations:
        for seed in plan.seeds:
            x, cotangent = draw_input(plan, seed), draw_cotangent(plan, seed)
            for depth in plan.depths:
                weights = draw_weights(initialisation, plan.model, depth, seed)
                for wiring in plan.wirings:
                    loaded = stacks.load(wiring, weights)
                    traces, agreement = passes(loaded, x, cotangent, wiring, causal=plan.causal)
                    profiles = {engine: profile(found) for engine, found in traces.items()}
                    yield Flow(initialisation, wiring, depth, seed, profiles, agreement)


def passes(
    stacks: dict[str, object], x: Array, cotangent: Array, wiring: Wiring, *, causal: bool
) -> tuple[dict[str, Trace], Agreement | None]:
    """A pass in each engine, and whether they agree; pre-norm stacks end with a norm.

    Where they are apart, the first engine tells what rounding alone does: see `agreement`.
    """

    def run(engine: str, x: Array) -> Trace:
        norm = wiring.norm == "pre"
        return trace(engine, stacks[engine], x, cotangent, causal=causal, norm=norm)

    traces = {engine: run(engine, x) for engine in stacks}
    if len(traces) < 2:
        return traces, None
    (first, one), (_, two) = traces.items()
    if overflow(one, two):
        return traces, Agreement(math.inf, overflow=True)
    if (apart := difference(one, two)) <= AGREEMENT:
        return traces, Agreement(apart)
    return traces, Agreement(apart, max(difference(run(first, near), one) for near in moved(x)))


def draw_input(plan: Plan, seed: int) -> Array:
    """The stack's input (1, T, C): standard normal, or embedded characters of the corpus.

    Of text, each character has a standard normal vector, as in `nn.Embedding`, and to it the
    sinusoidal encoding of its position is added.
    """
    generator = np.random.default_rng((seed, 1))
    tokens, width = plan.model.context, plan.model.width
    if plan.corpus is None:
        return generator.standard_normal((1, tokens, width))
    tokenizer = CharacterTokenizer(plan.corpus.text)
    ids, _ = sample_batch(tokenizer.encode(plan.corpus.text), 1, tokens, generator)
    embedded = generator.standard_normal((tokenizer.vocab_size, width))[ids]
    positioned: Array = SinusoidalPositionalEncoding(width, tokens)(Tensor(embedded)).numpy()
    return positioned


def draw_cotangent(plan: Plan, seed: int) -> Array:
    """Where the gradient starts: standard normal (1, T, C), never a sum or a mean of the output."""
    generator = np.random.default_rng((seed, 2))
    return generator.standard_normal((1, plan.model.context, plan.model.width))
