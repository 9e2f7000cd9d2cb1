"""Trains the GPT of examples/one_page.py, and fails if it has learned too little.

    python docs/one_page.py [--write]

The text is the one that CROSSCHECK_CORPUS names, or else the one that `make run` has left in data/.
With --write, the README shows what was printed.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from crosscheck.corpus import CORPUS_VARIABLE
from crosscheck.files import replace_marked

ROOT = Path(__file__).parents[1]
COMMAND = ".venv/bin/python examples/one_page.py"  # after `make run`
LIMIT = 2.0  # nats: the loss on the held-out tenth has to be less
MARKER = "one-page"


def main() -> None:
    """Train, and exit with 1 if the loss is too large at the end."""
    printed = trained()
    if "--write" in sys.argv[1:]:
        replace_marked(ROOT / "README.md", MARKER, content(printed))
    held_out = held_out_losses(printed)[-1]
    if not held_out < LIMIT:
        sys.exit(f"The loss on the held-out tenth is {held_out}, expected less than {LIMIT}.")


def trained() -> str:
    """Run the page, show what it prints as it comes, and return it."""
    named = os.environ.get(CORPUS_VARIABLE)
    command = [sys.executable, "-u", *COMMAND.split()[1:], *([named] if named else [])]
    lines = []
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, encoding="utf-8") as training:
        assert training.stdout is not None
        for line in training.stdout:
            print(line, end="", flush=True)
            lines.append(line)
    if training.returncode:
        sys.exit(training.returncode)
    return "".join(lines)


def held_out_losses(printed: str) -> list[float]:
    """Return the losses on the held-out tenth, in the order in which they were printed."""
    return [float(loss) for loss in re.findall(r"held out (\d+\.\d+)$", printed, re.M)]


def content(printed: str) -> str:
    """Return what stands between the markers."""
    return f"```text\n$ {COMMAND}\n{printed.rstrip()}\n```\n"


if __name__ == "__main__":
    main()
