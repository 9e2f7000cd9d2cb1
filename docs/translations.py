"""Says which sections of the Portuguese pages lag behind the English ones.

A page NAME.pt-BR.md translates NAME.md section by section. Under each heading stands the hash of
the section that is translated: <!--translates:bcdklmaa-->. Outputs, and numbers that are filled in
from results, do not count: they change without a change of the words.

    python docs/translations.py             # says which sections lag, and ends with 1 if any does
    python docs/translations.py --accept    # after translating: writes the hashes as they are now

The second also copies what stands between <!-- NAME --> and <!-- /NAME --> from the English page:
it is what a command prints.
"""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

from crosscheck.files import write_whole

ROOT = Path(__file__).parents[1]
SUFFIX = ".pt-BR.md"
HEADING = re.compile(r"##? \S")
HASH = re.compile(r"<!--translates:(\w*)-->\n")
LETTERS = str.maketrans("0123456789", "ghijklmnop")  # so that no hash looks like a number
# What does not count: <!--=PLACE-->3<!--/-->, <!--table:NAME-->...<!--/table-->,
# <!-- NAME -->...<!-- /NAME -->, and what is printed.
FILLED = re.compile(
    r"<!--=[^>]*-->.*?<!--/-->"
    r"|<!--(?P<kind>[\w-]+):[^>]*-->.*?<!--/(?P=kind)-->"
    r"|<!-- (?P<name>[\w-]+) -->.*?<!-- /(?P=name) -->"
    r"|^```text\n.*?^```",
    re.S | re.M,
)
OUTPUT = re.compile(r"<!-- ([\w-]+) -->\n.*?<!-- /\1 -->", re.S)


class Section(NamedTuple):
    """A heading, and what stands under it."""

    heading: str  # its whole line
    text: str  # up to the next heading

    @property
    def hash(self) -> str:
        """Eight letters that change with the words."""
        words = " ".join(FILLED.sub("", self.heading + "\n" + self.text).split())
        return hashlib.sha256(words.encode()).hexdigest()[:8].translate(LETTERS)

    @property
    def translates(self) -> str:
        """The hash of the section that this one translates; "" if there is none."""
        found = HASH.search(self.text)
        return found[1] if found else ""


def main() -> int:
    """Print which sections lag behind, or write the hashes of all."""
    if sys.argv[1:] == ["--accept"]:
        for page in translations():
            text, english = (p.read_text(encoding="utf-8") for p in (page, original(page)))
            text = accepted(text, [*split(english)])
            write_whole(page, with_outputs(text, english).encode())
        return 0
    lag = [line for page in translations() for line in lagging(page)]
    print("\n".join(lag) or "Every translation is up to date.")
    return bool(lag)


def translations() -> list[Path]:
    """All Portuguese pages that have an English page beside them."""
    found = [*ROOT.glob("*" + SUFFIX), *(ROOT / "docs").glob("*" + SUFFIX)]
    return sorted(page for page in found if original(page).exists())


def original(page: Path) -> Path:
    """The English page that a page translates."""
    return page.with_name(page.name.removesuffix(SUFFIX) + ".md")


def sections(page: Path) -> list[Section]:
    """The sections of a page, the first of which begins with its title."""
    return [*split(page.read_text(encoding="utf-8"))]


def split(text: str) -> Iterator[Section]:
    """Cut a text at its headings of the first two levels; what is fenced has none.

    What stands before the first heading, where a page leads to the other language, is left out.
    """
    heading, lines, fenced = "", list[str](), False
    for line in text.splitlines(keepends=True):
        fenced ^= line.startswith("```")
        if HEADING.match(line) and not fenced:
            if heading:
                yield Section(heading, "".join(lines))
            heading, lines = line.rstrip(), []
        else:
            lines.append(line)
    yield Section(heading, "".join(lines))


def lagging(page: Path) -> list[str]:
    """A line for each section that translates other words than those that stand there now."""
    found = []
    for ours, theirs in zip_longest(sections(page), sections(original(page))):
        if theirs is None:
            found.append(f"{page.name}: '{ours.heading}' translates no section")
        elif ours is None:
            found.append(f"{page.name}: '{theirs.heading}' is not translated")
        elif ours.translates != theirs.hash:
            found.append(f"{page.name}: '{ours.heading}' lags behind '{theirs.heading}'")
    text, english = (p.read_text(encoding="utf-8") for p in (page, original(page)))
    if text != with_outputs(text, english):
        found.append(f"{page.name}: an output is not that of {original(page).name}")
    return found


def accepted(text: str, theirs: list[Section]) -> str:
    """The text of a translation with the hashes of the sections that it translates."""
    for own, other in zip(split(text), theirs, strict=True):
        body = HASH.sub("", own.text).removeprefix("\n")
        kept = f"{own.heading}\n<!--translates:{other.hash}-->\n{body}"
        text = text.replace(f"{own.heading}\n{own.text}", kept)
    return text


def with_outputs(text: str, english: str) -> str:
    """The text of a translation with what commands print as it stands in the English one."""
    outputs = {found[1]: found[0] for found in OUTPUT.finditer(english)}
    return OUTPUT.sub(lambda found: outputs.get(found[1], found[0]), text)


if __name__ == "__main__":
    sys.exit(main())
