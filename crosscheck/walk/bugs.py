"""What the check found, for a page that opens where a bug was born."""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence

from crosscheck.mutants.mutant import Mutant
from crosscheck.tape.finding import Finding as Found
from crosscheck.tape.finding import Kind, Localisation
from crosscheck.walk.ops import op_id
from crosscheck.walk.rule_page import ROOT
from crosscheck.walk.schema import Bug, Finding
from crosscheck.walk.schema_of_ops import Op
from crosscheck.walk.shown import place


def bug_of(
    where: Localisation | None, raised: str, ops: Sequence[Op], mutant: Mutant | None
) -> Bug:
    """Return what is wrong in a run of our own model. mutant: the planted bug, if there is one."""
    known = {op.id for op in ops}
    found = () if where is None else where.findings
    return Bug(
        id="" if mutant is None else mutant.id,
        findings=tuple(_finding(one, known) for one in found),
        inherited=tuple(op.id for op in ops if op.verdict == "inherited"),
        raised=raised,
        answers=() if mutant is None else mutant.found,
        what="" if mutant is None else mutant.what,
        patch="" if mutant is None else base64.b64encode(mutant.patch().encode()).decode("ascii"),
    )


def born_in(where: Localisation | None) -> set[str]:
    """Return the keys of the ops at which something of ours went wrong."""
    found = () if where is None else where.findings
    return {one.key for one in found if one.kind not in (Kind.REFERENCE, Kind.SETTING)}


def _finding(found: Found, known: set[str]) -> Finding:
    id, gap = op_id(found.key), found.gap
    if gap is not None and gap.form:  # then there is no entry to name
        gap = None
    return Finding(
        op=id if id in known else "",
        rule=found.op,
        argument=found.argument,
        kind=found.kind.value,
        what=found.what,
        hint=found.hint,
        place=place(found.rule),
        worst=None if gap is None else gap.worst,
        ours=None if gap is None else gap.ours,
        expected=None if gap is None else gap.reference,
        finite_difference=found.finite_difference,
        words=str(found).replace(f"{ROOT}{os.sep}", ""),  # paths are this machine's
    )
