"""Cases of initialisation: what both sides draw, over many seeds, has one distribution.

Two samples of one distribution differ. Each limit is what sampling makes them differ by, at odds of
about one in a thousand million, so an honest run does not fail.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import torch
from crosscheck.ops.outcome import Outcome
from crosscheck.sides import NUMPY, TORCH, Array, Dialect
from crosscheck.tape.finding import short_place
from crosscheck.tape.raised import place_of

SEEDS = 20
SIGMAS = 6.0  # how many standard errors a mean or a standard deviation may be off
# Of two samples of one size and distribution, the k largest entries are all in the same one with
# probability 2^(1 - k).
BEYOND = 30

Build = Callable[[Dialect], Any]  # makes a module on a side


@dataclass(frozen=True)
class InitialCase:
    """A module, whose parameters are held against those of the reference, name by name."""

    op: str  # the layer, model, or function of nn.init
    name: str  # what is special in this case
    build: Build

    def examine(self, seed: int, dtype: str) -> Outcome:
        """Make the module on both sides, with 20 seeds, and judge each parameter.

        Modules are made in float32, whatever dtype says. Our own generators are seeded by the
        operating system, and so they do not depend on the seed.
        """
        outcome = Outcome(self.op, self.name, tested=True)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            theirs = _drawn(TORCH, self.build)
        try:
            ours = _drawn(NUMPY, self.build)
        except Exception as error:  # a wrong initialisation may raise anything
            outcome.fail(
                "", f"it raised {type(error).__name__}: {error}", place=short_place(place_of(error))
            )
            return outcome
        for name in {**theirs, **ours}:
            for fault in _faults(ours.get(name), theirs.get(name)):
                outcome.fail(name, fault)
        return outcome


def _drawn(side: Dialect, build: Build) -> dict[str, Array]:
    """Return each parameter of SEEDS modules, (SEEDS, ...), by name."""
    modules = [side.weights(build(side)) for _ in range(SEEDS)]
    return {name: np.stack([weights[name] for weights in modules]) for name in modules[0]}


def _faults(ours: Array | None, theirs: Array | None) -> list[str]:
    """Say in words in which respects one parameter is drawn otherwise than the reference's."""
    if ours is None or theirs is None:
        return ["ours has no such parameter" if ours is None else "PyTorch's has no such parameter"]
    if ours.shape != theirs.shape or ours.dtype != theirs.dtype:
        form = f"{ours.dtype} {ours.shape[1:]}, PyTorch's is {theirs.dtype} {theirs.shape[1:]}"
        return [f"ours is {form}"]
    a, b = (_Sample.of(array.astype(np.float64)) for array in (ours, theirs))
    faults = [
        f"{what} is {found:.6g}, PyTorch's is {right:.6g}; sampling explains {limit:.1g}"
        for what, found, right, limit in (
            ("the mean", a.mean, b.mean, SIGMAS * math.hypot(a.mean_error, b.mean_error)),
            ("the standard deviation", a.std, b.std, SIGMAS * math.hypot(a.std_error, b.std_error)),
        )
        if not abs(found - right) <= limit
    ]
    faults += _beyond("largest", ours, theirs) + _beyond("smallest", -ours, -theirs)
    if ours.std() > 0 and (ours[0] == ours[1]).all():
        faults.append("two modules are given the same draws")
    return faults


def _beyond(end: str, ours: Array, theirs: Array) -> list[str]:
    """Say in words if too many entries of one side are larger than all of the other side's."""
    count = max(int((ours > theirs.max()).sum()), int((theirs > ours.max()).sum()))
    if count <= BEYOND:
        return []
    sign = 1 if end == "largest" else -1
    return [
        f"the {end} entry is {sign * ours.max():.6g}, PyTorch's is {sign * theirs.max():.6g}: "
        f"{count} of {ours.size} entries lie between, and sampling explains {BEYOND}"
    ]


@dataclass(frozen=True)
class _Sample:
    """What is known of a distribution from one sample."""

    mean: float
    mean_error: float  # its standard error
    std: float
    std_error: float  # its standard error

    @classmethod
    def of(cls, drawn: Array) -> _Sample:
        mean, std, count = float(drawn.mean()), float(drawn.std()), drawn.size
        fourth = float(((drawn - mean) ** 4).mean())
        of_variance = math.sqrt(max(fourth - std**4, 0.0) / count)
        return cls(
            mean,
            std / math.sqrt(count),
            std,
            of_variance / (2 * std) if std else 0.0,
        )


def _layer(name: str, *sizes: int, **options: Any) -> Build:
    return lambda side: getattr(side.library.nn, name)(*sizes, **options)


def _model(name: str, *sizes: int, **options: Any) -> Build:
    return lambda side: getattr(side.models, name)(*sizes, **options)


def _filled(name: str, **options: Any) -> Build:
    """A layer of which one function of nn.init has filled the weight (12, 20)."""

    def build(side: Dialect) -> Any:
        layer = side.library.nn.Linear(20, 12, bias=False)
        with side.library.no_grad():
            getattr(side.library.nn.init, name)(layer.weight, **options)
        return layer

    return build


_MODEL = {"vocab_size": 11, "context": 5, "d_model": 12, "nhead": 3, "dim_feedforward": 20}
_FILLED: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("uniform_", "as it comes", {}),
    ("uniform_", "bounds", {"a": -3.0, "b": 1.0}),
    ("normal_", "as it comes", {}),
    ("normal_", "mean and spread", {"mean": 5.0, "std": 0.02}),
    ("constant_", "2.5", {"val": 2.5}),
    ("zeros_", "as it comes", {}),
    ("ones_", "as it comes", {}),
    ("xavier_uniform_", "as it comes", {}),
    ("xavier_uniform_", "a gain", {"gain": 3.0}),
    ("xavier_normal_", "as it comes", {}),
    ("xavier_normal_", "a gain", {"gain": 0.5}),
    ("kaiming_uniform_", "as it comes", {}),
    ("kaiming_uniform_", "a slope", {"a": math.sqrt(5)}),
    ("kaiming_uniform_", "fan out, tanh", {"mode": "fan_out", "nonlinearity": "tanh"}),
    ("kaiming_normal_", "as it comes", {}),
    ("kaiming_normal_", "fan out, linear", {"mode": "fan_out", "nonlinearity": "linear"}),
    ("kaiming_normal_", "ReLU", {"nonlinearity": "relu"}),
)

INITIAL_CASES = (
    InitialCase("Linear", "a wide one", _layer("Linear", 20, 60)),
    InitialCase("Linear", "no bias", _layer("Linear", 60, 20, bias=False)),
    InitialCase("Embedding", "a table", _layer("Embedding", 40, 32)),
    InitialCase("LayerNorm", "as it comes", _layer("LayerNorm", 12)),
    InitialCase("LayerNorm", "no bias", _layer("LayerNorm", 12, bias=False)),
    InitialCase("MultiheadSelfAttention", "as it comes", _model("MultiheadSelfAttention", 12, 3)),
    InitialCase("TransformerBlock", "as it comes", _model("TransformerBlock", 12, 3, 20)),
    InitialCase(
        "TransformerLanguageModel", "post-norm", _model("TransformerLanguageModel", **_MODEL)
    ),
    InitialCase(
        "TransformerLanguageModel",
        "pre-norm, learned positions, tied",
        _model(
            "TransformerLanguageModel",
            **_MODEL,
            norm_first=True,
            position="learned",
            tie_weights=True,
        ),
    ),
    *(InitialCase(name, case, _filled(name, **options)) for name, case, options in _FILLED),
)
