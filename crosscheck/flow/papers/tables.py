"""A reproduction on the terminal: every claim, expected and measured side by side."""

from __future__ import annotations

import math

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from crosscheck.flow.agreement import AGREEMENT
from crosscheck.flow.papers.result import Claim, Paper
from crosscheck.flow.stacks import ENGINES
from crosscheck.flow.tables import number
from crosscheck.render import two_columns
from crosscheck.tables import plain_table, unwrapped

FEW = 6  # seeds below which a figure outside its range may be luck


def paper_parts(paper: Paper, console: Console, seeds: int = 0) -> list[RenderableType]:
    """What the command prints of a reproduction, part by part; seeds: how many, if known."""
    lines = {"paper": paper.source, "run": paper.setting}
    parts: list[RenderableType] = [two_columns(lines, "bold"), claim_table(paper, console)]
    parts += [Text(f"note: {note}") for note in paper.notes]
    if 0 < seeds < FEW and not all(claim.holds for claim in paper.claims):
        parts.append(Text("note: one seed proves nothing, and few prove little: give it more"))
    return [*parts, verdict(paper)]


def claim_table(paper: Paper, console: Console) -> Table:
    """One row for each claim."""
    table = plain_table(paper.title)
    table.add_column("figure", no_wrap=True)
    for head in ("expected", "measured"):
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for claim in paper.claims:
        said = Text("inside", "green") if claim.holds else Text("OUTSIDE", "bold red")
        table.add_row(Text(claim.what), expected(claim), f"{claim.measured:.3g}", said)
    if (needed := unwrapped(table, console)) > console.width:
        table.width = needed
    return table


def expected(claim: Claim) -> str:
    """The range of a claim, in words."""
    if claim.high == math.inf:
        return f"above {claim.low:.3g}"
    if claim.low == 0.0:
        return f"below {claim.high:.3g}"
    return f"{claim.low:.3g} to {claim.high:.3g}"


def verdict(paper: Paper) -> Text:
    """The last line: whether all is inside its range, and whether the engines agree."""
    outside = sum(not claim.holds for claim in paper.claims)
    if not paper.agrees:
        return Text("\nDISAGREE: the engines differ.", "bold red")
    if outside:
        return Text(f"\nOUTSIDE: {outside} of {len(paper.claims)} figures.", "bold red")
    compared = ""
    if paper.agreements:
        worst = max(agreement.difference for agreement in paper.agreements)
        first, second = (engine.name for engine in ENGINES.values())
        compared = f"; {first} and {second} differ by at most {number(worst)}"
        compared += ", as rounding does" if worst > AGREEMENT else ""
    return Text(
        f"\nREPRODUCED: {len(paper.claims)} of {len(paper.claims)} figures{compared}.", "bold green"
    )
