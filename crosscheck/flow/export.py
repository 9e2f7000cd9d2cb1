"""A study as data: JSON of its summaries, and a table of every norm for a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from crosscheck.flow.agreement import AGREEMENT, CEILING, MARGIN, NUDGES
from crosscheck.flow.reading import conclusion, reading
from crosscheck.flow.study import Flow, Plan, Study
from crosscheck.flow.summary import summarise
from crosscheck.versions import versions

SCHEMA = 2
_SET_BY_THE_PLAN = ("norm", "residual", "layers", "mask")
LAYER = ("activation", "gradient", "variation", "gradient_variation")


def study_to_dict(study: Study) -> dict[str, Any]:
    """Return plain values for JSON: the plan, a summary of each group of seeds, and the reading."""
    summaries = summarise(study)
    return {
        "schema": SCHEMA,
        "agrees": study.agrees,
        "interrupted": study.interrupted,
        "versions": versions(),
        "plan": plan_to_dict(study.plan),
        "limits": {
            "agreement": AGREEMENT,
            "nudges": NUDGES,
            "margin": MARGIN,
            "ceiling": CEILING,
        },
        "summaries": [found.to_dict() for found in summaries],
        "reading": dict(reading(summaries)),
        "conclusion": conclusion(summaries),
    }


def plan_to_dict(plan: Plan) -> dict[str, Any]:
    """Return what was run; the corpus is given by its source and size, without its text."""
    corpus = None
    if plan.corpus is not None:
        corpus = {"source": plan.corpus.source, "characters": len(plan.corpus.text)}
    return {
        "model": {n: v for n, v in asdict(plan.model).items() if n not in _SET_BY_THE_PLAN},
        "depths": plan.depths,
        "wirings": [wiring._asdict() for wiring in plan.wirings],
        "initialisations": plan.initialisations,
        "seeds": plan.seeds,
        "engines": [side.key for side in plan.sides],
        "mask": "causal" if plan.causal else "full",
        "corpus": corpus,
    }


def study_to_csv(study: Study) -> str:
    """Return one line for each pass, engine and layer.

    The gradients of a block's parameters stand in the line of the block's input.
    """
    columns = ["initialisation", "norm", "residual", "depth", "seed", "engine", "layer", *LAYER]
    names = dict.fromkeys(name for flow in study.flows for name in flow.profile.parameters)
    text = io.StringIO()
    writer = csv.DictWriter(text, [*columns, *names], lineterminator="\n")
    writer.writeheader()
    for flow in study.flows:
        writer.writerows(_rows(flow))
    return text.getvalue()


def _rows(flow: Flow) -> Iterator[dict[str, Any]]:
    for side, found in flow.profiles.items():
        for layer in range(flow.depth + 1):
            row = {
                "initialisation": flow.initialisation,
                **flow.wiring._asdict(),
                "depth": flow.depth,
                "seed": flow.seed,
                "engine": side.key,
                "layer": layer,
                **{name: getattr(found, name)[layer] for name in LAYER},
            }
            if layer < flow.depth:
                row |= {name: values[layer] for name, values in found.parameters.items()}
            yield row
