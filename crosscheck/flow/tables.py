"""A study on the terminal: what was run, a table, the reading, and every layer if one stack ran."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from crosscheck.flow.agreement import AGREEMENT, CEILING, MARGIN, NUDGES, SHARE
from crosscheck.flow.measure import Profile
from crosscheck.flow.reading import (
    APART,
    COLLAPSED,
    SILENT,
    SLOW,
    SMALL,
    at_largest_depth,
    conclusion,
    reading,
)
from crosscheck.flow.study import Flow, Plan, Study
from crosscheck.flow.summary import Summary, summarise
from crosscheck.in_projection import KEYS, QUERIES, VALUES
from crosscheck.printing import fitted, plain_table, two_columns, unwrapped

PARAMETERS = {  # the matrices of a block, under the heads of their columns
    "W_Q": QUERIES,
    "W_K": KEYS,
    "W_V": VALUES,
    "W_O": "self_attn.out_proj.weight",
    "W_1": "linear1.weight",
    "W_2": "linear2.weight",
}


def study_sections(study: Study, console: Console) -> list[RenderableType]:
    """Return what the command prints of a study, section by section."""
    summaries = summarise(study)
    sections: list[RenderableType] = [heading(study.plan)]
    if not summaries:
        return [*sections, Text("\nInterrupted before the first pass was done.")]
    columns = choose_columns(summaries, console)
    table = fitted(depth_table(summaries, columns), console)
    sections += [table, legend(study, columns), *_reading(summaries)]
    if len(study.plan.wirings) == len(study.plan.initialisations) == 1:
        deepest = max(study.flows, key=lambda flow: flow.depth)
        sections.append(fitted(layer_table(deepest), console))
    return [*sections, verdict(study)]


def heading(plan: Plan) -> Table:
    """Return what is run, in terms and words."""
    model = plan.model
    source = "Gaussian" if plan.corpus is None else f"text, {plan.corpus.source}"
    return two_columns(
        {
            "engines": " against ".join(side.name for side in plan.sides)
            + ", float64, the same weights",
            "stacks": f"{_list(plan.depths)} blocks of width {model.width}, {model.heads} heads, "
            f"feed-forward {model.feed_forward}, {model.activation}",
            "input": f"{source}, {model.context} tokens, {'causal' if plan.causal else 'no'} mask; "
            "the gradient starts from a random cotangent",
            "seeds": _list(plan.seeds),
        },
        "bold",
    )


class Columns(NamedTuple):
    """What `depth_table` has room for."""

    depths: tuple[int, ...]  # the depths whose gradients are shown
    gradients_vary: bool  # whether the variation of gradients is shown


def choose_columns(summaries: Sequence[Summary], console: Console) -> Columns:
    """Return as many columns as fit; the shallow depths are the first to go, one by one."""
    depths = sorted({found.depth for found in summaries})
    for gradients_vary in (True, False):
        for first in range(len(depths)):
            columns = Columns(tuple(depths[first:]), gradients_vary)
            if unwrapped(depth_table(summaries, columns), console) <= console.width:
                return columns
    return columns


def depth_table(summaries: Sequence[Summary], columns: Columns) -> Table:
    """Return every wiring and initialisation at the largest depth, and the gradient at others."""
    deepest = at_largest_depth(summaries)
    depth = deepest[0].depth
    ratios = {(f.initialisation, f.wiring, f.depth): f.ratio for f in summaries}
    table = plain_table(f"Gradients and tokens in stacks of {depth}, at initialisation")
    table.add_column("wiring", no_wrap=True)
    for head in [
        *(f"{'' if i else 'gradient'}\nL = {other}" for i, other in enumerate(columns.depths)),
        "factor\nper block",
        "tokens\nvary",
        *(["gradients\nvary"] if columns.gradients_vary else []),
        "dW_Q /\ndW_V",
        *(["engines\napart"] if deepest[0].difference is not None else []),
    ]:
        table.add_column(head, justify="right", no_wrap=True)
    initialisation = ""
    for found in deepest:
        if found.initialisation != initialisation:
            initialisation = found.initialisation
            table.add_row(Text(initialisation, style="bold"))
        key = (found.initialisation, found.wiring)
        cells = [number(ratios.get((*key, other))) for other in columns.depths]
        table.add_row(f"  {found.wiring.label}", *cells, *_cells(found, columns))
    return table


def layer_table(flow: Flow) -> Table:
    """Return every layer of one pass: its gradient and variations, and its matrices' gradients."""
    table = plain_table(
        f"Layer by layer: {flow.wiring.label}, {flow.initialisation}, seed {flow.seed}"
    )
    heads = [
        "layer",
        *(f"gradient\n{side.name}" for side in flow.profiles),
        "tokens\nvary",
        "gradients\nvary",
    ]
    for head in [*heads, *(f"d{letter}" for letter in PARAMETERS)]:
        table.add_column(head, justify="right", no_wrap=True)
    found = flow.profile
    for layer in range(flow.depth + 1):
        table.add_row(
            "output" if layer == flow.depth else str(layer),
            *(number(profile.gradient[layer]) for profile in flow.profiles.values()),
            number(found.variation[layer]),
            number(found.gradient_variation[layer]),
            *_parameters(found, layer),
        )
    return table


def legend(study: Study, columns: Columns) -> Table:
    """Return what the columns of `depth_table` mean."""
    lines = {
        "gradient": "norm at the stack's input over norm at its output: below 1 it shrank",
        "tokens vary": "|X - mean over tokens| / |X| at the output: 0 where all tokens are alike",
        **(
            {"gradients vary": "the same of the gradient at the input"}
            if columns.gradients_vary
            else {}
        ),
        "factor": "fitted over all layers, the mean of the seeds ± half their range",
        "in words": f"slow: by less than {1 - SLOW:.0%} a block, or {1 / SMALL:.0f} times in all; "
        f"apart: above {APART:g}; alike: below {COLLAPSED:g}; queries learn nothing: below "
        f"{SILENT:g}",
        "dW_Q / dW_V": "of the last block, the largest of the seeds: 0 where queries learn nothing",
    }
    if len(study.plan.sides) > 1:
        lines["engines apart"] = (
            f"largest relative difference of any array, at most {AGREEMENT:g}; a parameter's small "
            f"gradient is measured against {SHARE:g} of the largest in its block"
        )
        if any(flow.agreement and flow.agreement.rounding for flow in study.flows):
            lines["~"] = (
                f"more than {AGREEMENT:g}, but within {MARGIN:g} times what nudging input and "
                f"weights by {NUDGES[0]} to {NUDGES[-1]} units in the last place does, and at most "
                f"{CEILING:g}"
            )
        if any(flow.agreement and not flow.agreement.comparable for flow in study.flows):
            lines["lost"] = (
                "not comparable: both engines leave the range of float64, or rounding alone "
                f"explains more than {CEILING:g}"
            )
    return two_columns(lines, style="dim")


def verdict(study: Study) -> Text:
    """Return the last line: how many passes there were, and whether the engines agree."""
    done = f"{len(study.flows)} passes"
    if study.interrupted:
        done = f"INTERRUPTED after {done}"
    compared = [flow.agreement for flow in study.flows if flow.agreement is not None]
    lost = sum(not agreement.comparable for agreement in compared)
    if not compared:
        return Text(f"\n{done}, in one engine: nothing was compared.", "bold")
    if not study.agrees:
        bad = sum(not agreement.good for agreement in compared)
        return Text(f"\nDISAGREE: {done}; in {bad} of them the engines differ.", "bold red")
    beyond = "overflow or rounding leaves nothing to compare"
    if lost == len(compared):
        return Text(f"\n{done}: {beyond}.", "bold yellow")
    compared = [agreement for agreement in compared if agreement.comparable]
    close = [agreement.difference for agreement in compared if agreement.difference <= AGREEMENT]
    rounded = len(compared) - len(close)
    words = []
    if close:
        words.append(f"in {len(close)} of them the engines differ by at most {max(close):.1e}")
    if rounded:
        words.append(f"in {rounded} by no more than rounding explains")
    if lost:
        words.append(f"in {lost} {beyond}")
    return Text(f"\nAGREE: {done}; {'; '.join(words)}.", "bold green")


def number(value: float | None) -> str:
    """Return two digits of a number, in no more than eight characters; nothing for None."""
    if value is None:
        return ""
    if value == 0.0 or not math.isfinite(value):
        return "0" if value == 0.0 else str(value)
    if 100 <= abs(value) < 1000:
        return f"{value:.0f}"
    return f"{value:.2g}" if 0.001 <= abs(value) < 100 else f"{value:.0e}"


def _cells(found: Summary, columns: Columns) -> list[str]:
    factor = f"{found.factor:.3g} ±{_spread(found.factors):.1g}" if found.factor else "lost"
    cells = [factor, number(found.variation)]
    if columns.gradients_vary:
        cells.append(number(found.gradient_variation))
    cells.append(number(found.queries))
    if found.lost and found.agrees:
        cells.append("lost")
    elif found.difference is not None:
        mark = "~" if found.agrees and found.difference > AGREEMENT else ""
        cells.append(f"{mark}{found.difference:.0e}{'' if found.agrees else ' DIFFER'}")
    return cells


def _spread(factors: Sequence[float]) -> float:
    """Return how far the seeds lie from their middle."""
    return (max(factors) - min(factors)) / 2


def _reading(summaries: Sequence[Summary]) -> list[RenderableType]:
    said: list[RenderableType] = [Text("\nWhat these numbers say\n", style="bold")]
    for label, lines in reading(summaries):
        said.append(Text(label))
        said += [Padding(two_columns({"-": line}, gap=1), (0, 0, 0, 2)) for line in lines]
    return [*said, Text(f"\n{conclusion(summaries)}")]


def _parameters(found: Profile, layer: int) -> list[str]:
    if layer == found.depth:
        return []
    return [number(found.parameters[name][layer]) for name in PARAMETERS.values()]


def _list(values: Sequence[int]) -> str:
    return ", ".join(map(str, values))
