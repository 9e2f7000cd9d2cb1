"""Honest runs: nothing is planted, so whoever is accused is accused wrongly.

Every run has options of its own, drawn from its seed: norms, residuals, masks, activations, forms
of attention, fast forms, widths from 1 to 64, up to 64 blocks; both precisions run. Every fifth has
no norm and 8 blocks or more, where rounding is amplified most; the others have a norm, or at most 7
blocks. A run agrees, or is not proved because gradients
vanish or because rounding explains the difference; a run that disagrees, or names an op, is a false
alarm.
"""

from __future__ import annotations

import functools
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest import mock

import click
import numpy as np

from benchmarks.machine import describe_machine
from benchmarks.results import FOLDER
from crosscheck import located, parity
from crosscheck.amplification import Amplification
from crosscheck.check import Check, run_check
from crosscheck.corpus import Corpus, load_corpus
from crosscheck.draws import Stream, draws
from crosscheck.files import write_json
from crosscheck.forms import fast_forms, has_fast_forms
from crosscheck.judge import Verdict
from crosscheck.models import ModelOptions
from crosscheck.threads import few_threads

ALARMS = ("DISAGREE", "an op is named")


@dataclass
class Honest:
    """What came of one run."""

    seed: int
    options: dict[str, Any]  # of the model, with its batch size and whether the fast forms were on
    outcome: str  # "agree", "vanishing", "amplified", "DISAGREE" or "an op is named"
    said: list[str]  # what is said against it, or why rows are not proved for their rounding
    seconds: float  # of the whole check
    seconds_plain: float  # without what is measured only because a row fails
    # Of the rows that are too small to test, how many there are, and the reference's norms.
    vanishing: dict[str, float] = field(default_factory=dict)


def options_of(seed: int) -> dict[str, Any]:
    """Draw the options of a run."""
    generator = draws(Stream.OPTIONS, [seed, 1])

    def one_of(*options: Any) -> Any:
        return options[generator.integers(len(options))]

    def up_to(most: int) -> int:
        return int(np.exp(generator.uniform(0.0, np.log(most + 1))))  # small ones are as frequent

    deep = seed % 5 == 0
    heads = one_of(1, 1, 2, 4)
    attention = one_of("written", "written", "fused", "packed" if has_fast_forms() else "fused")
    masks = (
        ("none", "causal")
        if attention == "packed"
        else ("none", "causal", "padding", "both", "float")
    )
    norm = "none" if deep else one_of("post", "pre", "none")
    return {
        "layers": 7 + up_to(57) if deep else up_to(7 if norm == "none" else 64),
        "width": heads * up_to(64 // heads),
        "heads": heads,
        "feed_forward": up_to(256),
        "context": one_of(3, 4, 8, 17, 32),
        "norm": norm,
        "residual": bool(generator.random() < 0.75),
        "mask": one_of(*masks),
        "attention": attention,
        "activation": one_of("gelu", "relu", "gelu-tanh"),
        "position": one_of("sinusoidal", "learned"),
        "bias": bool(generator.random() < 0.75),
        "tie_weights": bool(generator.random() < 0.25),
        "batch_size": one_of(1, 2, 3),
        "fast": bool(generator.random() < 0.5),
    }


def honest_run(seed: int, corpus: Corpus) -> Honest:
    """Run one check."""
    options = options_of(seed)
    model = ModelOptions(**{n: x for n, x in options.items() if n not in ("batch_size", "fast")})
    with _watch() as extra, fast_forms(options["fast"] and has_fast_forms()):
        start = time.perf_counter()
        check = run_check(model, corpus, batch_size=options["batch_size"], seed=seed)
        seconds = time.perf_counter() - start
    rows = [(c.loss, row) for c in check.report.comparisons for row in c.rows]
    norms = [row.norm_reference or 0.0 for _, row in rows if row.verdict == Verdict.VACUOUS]
    small = {"rows": len(norms), "least": min(norms), "largest": max(norms)} if norms else {}
    amplified = [row for _, row in rows if row.verdict == Verdict.AMPLIFIED]
    outcome = _outcome(check)
    said = [f"{row.name}: {row.reason}" for row in amplified]
    if outcome in ALARMS:
        said = str(check.report).split("\n")
    return Honest(seed, options, outcome, said, seconds, seconds - extra[0], small)


def _outcome(check: Check) -> str:
    if check.disagrees:
        return "DISAGREE"
    places = (check.report.localisation, check.parity_localisation)
    if any(place is not None and place.findings for place in places):
        return "an op is named"
    if Verdict.AMPLIFIED in check.verdicts:
        return "amplified"
    return "agree" if check.agrees else "vanishing"


@contextmanager
def _watch() -> Iterator[list[float]]:
    """Within this block, add up the time of what is measured only because a row fails."""
    spent, depth = [0.0], [0]

    def timed(function: Any) -> Any:
        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            depth[0] += 1
            start = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                depth[0] -= 1
                if not depth[0]:
                    spent[0] += time.perf_counter() - start

        return wrapper

    with (
        mock.patch.object(Amplification, "_run", timed(Amplification._run)),
        mock.patch.object(located, "localise", timed(located.localise)),
        mock.patch.object(located, "localise_rounding", timed(located.localise_rounding)),
        mock.patch.object(located, "excused", timed(located.excused)),
        mock.patch.object(parity, "localise", timed(parity.localise)),
    ):
        yield spent


@click.command()
@click.option("--runs", default=500)
@click.option("--seed", default=0, help="Of the first run; those after it count up.")
@click.option("--corpus", type=click.Path(path_type=Path))
@click.option("--keep/--no-keep", default=True, help="Write results/honest.json.")
def main(runs: int, seed: int, corpus: Path | None, keep: bool) -> None:
    """Make honest runs, and say which of them were accused."""
    import_module("torch._dynamo")  # what a first measurement loads is no part of its time
    text, found = load_corpus(corpus), []
    with few_threads(1):
        for i in range(seed, seed + runs):
            found.append(honest_run(i, text))
            if found[-1].outcome in ALARMS:
                click.echo("\n".join([f"{i}: {found[-1].options}", *found[-1].said]))
    counts = Counter(one.outcome for one in found)
    deep = sum(one.options["norm"] == "none" and one.options["layers"] >= 8 for one in found)
    times = sorted(one.seconds / one.seconds_plain for one in found)
    click.echo(f"{runs} runs, {deep} of them 8 or more blocks without norm: {dict(counts)}")
    click.echo(
        f"time over the plain check: median {times[len(times) // 2]:.2f}, most {times[-1]:.2f}"
    )
    if keep:
        runs_kept = [asdict(one) for one in found]
        write_json(FOLDER / "honest.json", {"machine": describe_machine(), "runs": runs_kept})


if __name__ == "__main__":
    main()
