"""A reproduction on the terminal: every claim, expected and measured side by side."""

from __future__ import annotations

import math

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from crosscheck.flow.agreement import AGREEMENT
from crosscheck.flow.papers.result import ERRORS, Claim, Paper
from crosscheck.flow.tables import number
from crosscheck.printing import fitted, plain_table, two_columns
from crosscheck.sides import DIALECTS

FEW = 6  # seeds below which a figure outside its range may be luck


def paper_sections(paper: Paper, console: Console, seeds: int) -> list[RenderableType]:
    """Return what the command prints of a reproduction of so many seeds, section by section."""
    lines = {"paper": paper.source, "run": paper.setting}
    sections: list[RenderableType] = [two_columns(lines, "bold"), claim_table(paper, console)]
    if any(claim.error is not None for claim in paper.claims):
        sections.append(
            Text(
                "±: the standard error of a mean over seeds; a figure may lie outside of its range "
                f"by {ERRORS:g} of them",
                "dim",
            )
        )
    sections += [Text(f"note: {note}") for note in paper.notes]
    if seeds < FEW and not all(claim.holds for claim in paper.claims):
        sections.append(Text("note: one seed proves nothing, and few prove little: give it more"))
    return [*sections, verdict(paper)]


def claim_table(paper: Paper, console: Console) -> Table:
    """Return a table of the claims, one in each row."""
    table = plain_table(paper.title)
    table.add_column("figure", no_wrap=True)
    for head in ("expected", "measured"):
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for claim in paper.claims:
        said = Text("inside", "green") if claim.holds else Text("OUTSIDE", "bold red")
        table.add_row(Text(claim.what), expected(claim), measured(claim), said)
    return fitted(table, console)


def expected(claim: Claim) -> str:
    """Return the range of a claim, in words."""
    if claim.high == math.inf:
        return f"above {claim.low:.3g}"
    if claim.low == 0.0:
        return f"below {claim.high:.3g}"
    return f"{claim.low:.3g} to {claim.high:.3g}"


def measured(claim: Claim) -> str:
    """Return our figure, with its standard error where there is one."""
    error = "" if claim.error is None else f" ± {claim.error:.1g}"
    return f"{claim.measured:.3g}{error}"


def verdict(paper: Paper) -> Text:
    """Return the last line: whether all is inside its range, and whether the engines agree."""
    outside = sum(not claim.holds for claim in paper.claims)
    if not paper.agrees:
        return Text("\nDISAGREE: the engines differ.", "bold red")
    if outside:
        return Text(f"\nOUTSIDE: {outside} of {len(paper.claims)} figures.", "bold red")
    compared = ""
    if paper.agreements:
        worst = max(agreement.difference for agreement in paper.agreements)
        first, second = (side.name for side in DIALECTS.values())
        compared = f"; {first} and {second} differ by at most {number(worst)}"
        compared += ", as rounding does" if worst > AGREEMENT else ""
    return Text(
        f"\nREPRODUCED: {len(paper.claims)} of {len(paper.claims)} figures{compared}.", "bold green"
    )
