"""Writes measured numbers into the pages that quote docs/results, in both languages.

A number stands between `<!--=FILE:PLACE-->` and `<!--/-->`, a table between `<!--table:FIELD-->`
and `<!--/table-->`. FILE is one of docs/results. PLACE is, of a study, its `depth`, limits/NAME,
how many of its deepest stacks are `apart`, said/N for the N-th number of its conclusion, or
INITIALISATION/NORM/RESIDUAL/FIELD of its summaries at the largest depth (RESIDUAL is `residual` or
`plain`); of a paper, the number of the claim. A format may follow after a semicolon: ;.3f, or ;%
for a percentage.

    python docs/fill.py
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from crosscheck.files import write_whole
from crosscheck.flow.labels import ENGLISH, PORTUGUESE, words
from crosscheck.flow.stacks import Wiring

DOCS = Path(__file__).parent
CHAPTERS = ("gradient-flow.md", "gradient-flow.pt-BR.md", "theory.md", "theory.pt-BR.md")
NUMBER = re.compile(r"(<!--=(\S+?)-->)(.*?)(<!--/-->)", re.S)
TABLE = re.compile(r"(<!--table:(\w+)-->\n).*?(<!--/table-->)", re.S)


def main() -> None:
    """Rewrite all chapters."""
    for name in CHAPTERS:
        path = DOCS / name
        write_whole(path, filled(path.read_text(encoding="utf-8"), language(name)).encode())


def language(name: str) -> str:
    """The language of a chapter, by its name."""
    return PORTUGUESE if PORTUGUESE in name else ENGLISH


def filled(text: str, spoken: str) -> str:
    """The text with every number and table as the results have them now."""
    text = NUMBER.sub(lambda found: found[1] + number(found[2], spoken) + found[4], text)
    return TABLE.sub(lambda found: found[1] + table(found[2], spoken) + found[3], text)


def number(place: str, spoken: str) -> str:
    """The number at a place, as it is printed in a language."""
    place, _, form = place.partition(";")
    return printed(value(place), form or ".2g", spoken)


def printed(found: float, form: str, spoken: str) -> str:
    """A number in words: 0.093, 2.8e-67 or 25 %; with a comma in Portuguese."""
    if form == "%":
        text = f"{100 * found:.2g} %"
    else:
        text = str(found) if isinstance(found, int) else f"{found:{form}}"
    text = re.sub(r"e([+-])0*(\d+)", lambda m: f"e{m[1].strip('+')}{m[2]}", text)
    return text.replace(".", ",") if spoken == PORTUGUESE else text


def value(place: str) -> float:
    """The number at FILE:PLACE."""
    file, _, where = place.partition(":")
    content = results(file)
    if where == "depth":
        return int(max(content["plan"]["depths"]))
    if where.startswith("said/"):
        found: float = [int(n) for n in re.findall(r"\d+", content["conclusion"])][int(where[5:])]
        return found
    if where.startswith("limits/"):
        limit: float = content["limits"][where[7:]]
        return limit
    if where == "apart":
        limit = content["limits"]["agreement"]
        return sum(s["difference"] > limit for s in study(file).values())
    if where == "unigram":
        claim = next(claim for claim in content["claims"] if ", no residual: val" in claim["what"])
        return float(claim["low"] + claim["high"]) / 2
    if "/" not in where:
        return float(content["claims"][int(where)]["measured"])
    initialisation, norm, residual, field = where.split("/")
    summary = study(file)[initialisation, norm, residual == "residual"]
    if field in ("low", "high"):
        factors = summary["factors"]
        return float(min(factors) if field == "low" else max(factors))
    measured: float = summary[field]
    return measured


def table(field: str, spoken: str) -> str:
    """One field of the study at the largest depth: wirings down, initialisations across."""
    say = words(spoken)
    rows = study("flow")
    initialisations = list(dict.fromkeys(name for name, _, _ in rows))
    lines = [[say("wiring"), *initialisations], ["---", *["---:"] * len(initialisations)]]
    for norm, connected in dict.fromkeys((norm, connected) for _, norm, connected in rows):
        cells = [rows[name, norm, connected][field] for name in initialisations]
        shown = [printed(cell, ".2g", spoken) for cell in cells]
        lines.append([say(Wiring(norm, connected).label), *shown])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def study(file: str) -> dict[tuple[str, str, bool], dict[str, Any]]:
    """The summaries of a study at its largest depth."""
    summaries = results(file)["summaries"]
    depth = max(summary["depth"] for summary in summaries)
    return {
        (s["initialisation"], s["wiring"]["norm"], s["wiring"]["residual"]): s
        for s in summaries
        if s["depth"] == depth
    }


@cache
def results(file: str) -> dict[str, Any]:
    """A result, as it was written."""
    content: dict[str, Any] = json.loads((DOCS / "results" / f"{file}.json").read_text("utf-8"))
    return content


if __name__ == "__main__":
    main()
