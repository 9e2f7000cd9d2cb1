"""Writes what `crosscheck compare` prints for planted bugs into README.md and docs/your-own.md.

Each walk takes a bug of crosscheck/mutants/foreign, plants it into a copy of an example under the
name of a reader's file, runs the command there, and puts what it prints between two markers, with
"..." for the lines that are left out.

    python docs/walks.py
"""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from crosscheck.cuts.marks import SIGNS, Kind
from crosscheck.files import replace_marked
from crosscheck.mutants.foreign.bug import EXAMPLES, planted
from crosscheck.mutants.foreign.catalogue import bug_called, has_jax

ROOT = Path(__file__).parents[1]
LEFT_OUT = "..."
AFTER = ("or ", "DISAGREE")  # how lines after the source begin
SHOWN_OF_MANY = 4  # lines of weights, and rows of gradients
JAX_FILE = "my_jax.py"
# What a reader writes beside a JAX function, since parameters and function are two things.
JAX_MODEL = """\
from jax_adapter import JaxModel
from my_jax import block, init


def model(width, heads, hidden):
    return JaxModel(block, init(0, width, heads, hidden))
"""


@dataclass(frozen=True)
class Walk:
    """One bug, from the command to the line."""

    name: str  # of its markers
    page: str
    bug: str  # its id in the catalogue
    file: str  # what the copy of the example is called
    target: str  # what the command names
    function: str = ""  # the lines of this function are shown
    near: tuple[int, int] = (0, 0)  # else so many lines before and after the line that is blamed
    is_screen: bool = False  # what stands before the source is shown
    is_short: bool = False  # in one block, without the other lines in which the bug may stand

    @property
    def command(self) -> str:
        """What is typed."""
        return f"crosscheck compare {self.target}"

    @property
    def is_of_engine(self) -> bool:
        """Whether the line that is named calls the engine's, which serve all models."""
        return self.bug.startswith("engine-")


YOUR_OWN = "docs/your-own.md"
FLAT = ("flat-norm-mean-of-everything", "my_block.py", "my_block.py:block")
WALKS = (
    Walk("walk-first", "README.md", *FLAT, near=(3, 2), is_short=True),
    Walk("walk-screen", YOUR_OWN, *FLAT, is_screen=True),
    Walk("walk-source", YOUR_OWN, *FLAT, near=(12, 6)),
    Walk(
        "walk-forward", YOUR_OWN, "gpt-scale-of-width", "my_gpt.py", "my_gpt.py:Block",
        "CausalSelfAttention.forward",
    ),
    Walk(
        "walk-hook", YOUR_OWN, "gpt-hook-normalises", "my_gpt.py", "my_gpt.py:Block",
        "MLP.forward",
    ),
    Walk(
        "walk-function", YOUR_OWN, "functions-norm-no-projection", "my_functions.py",
        "my_functions.py:FunctionBlock", "LayerNormFunction.backward",
    ),
    Walk(
        "walk-detach", YOUR_OWN, "einsum-total-detached", "my_einsum.py",
        "my_einsum.py:EinsumBlock", "HeadwiseAttention.forward",
    ),
    Walk(
        "walk-numpy", YOUR_OWN, "caches-softmax-over-queries", "my_numpy.py",
        "my_numpy.py:forward,backward", "softmax_backward",
    ),
    Walk(
        "walk-engine", YOUR_OWN, "engine-softmax-inner-unweighted", "my_engine.py",
        "my_engine.py:Block", "Block.attention",
    ),
    Walk(
        "walk-jax", YOUR_OWN, "jax-norm-no-mean", JAX_FILE, "my_model.py:model",
        "layer_norm_backward",
    ),
)  # fmt: skip


def main() -> None:
    """Rewrite all walks; those in JAX only where it is installed."""
    for walk in WALKS:
        if walk.file != JAX_FILE or has_jax():
            replace_marked(ROOT / walk.page, walk.name, content(walk, printed(walk)))


def content(walk: Walk, lines: list[str]) -> str:
    """Return what stands between the markers, given what the command prints."""
    shown = "\n".join(screen(walk, lines) if walk.is_screen else excerpt(walk, lines))
    if walk.is_short:
        return f"```text\n$ {walk.command}\n{LEFT_OUT}\n{shown}\n```\n"
    return f"```sh\n{walk.command}\n```\n\n```text\n{shown}\n```\n"


def source(walk: Walk) -> str:
    """Return the reader's file: the example with the bug in it."""
    return planted(bug_called(walk.bug))[0]


def write(walk: Walk, folder: Path) -> None:
    """Write the reader's files into a folder."""
    (folder / walk.file).write_text(source(walk), "utf-8")
    if walk.file == JAX_FILE:
        (folder / "my_model.py").write_text(JAX_MODEL, "utf-8")
        shutil.copy(EXAMPLES / "jax_adapter.py", folder)


def printed(walk: Walk) -> list[str]:
    """Run the command in a folder with the reader's files. Return the lines that it prints."""
    with tempfile.TemporaryDirectory() as folder:
        write(walk, Path(folder))
        done = subprocess.run(
            [sys.executable, "-m", *walk.command.split()],
            cwd=folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
    if done.returncode != 1:
        raise RuntimeError(f"{walk.command} with {walk.bug}: {done.stdout}{done.stderr}")
    return done.stdout.splitlines()


def screen(walk: Walk, lines: list[str]) -> list[str]:
    """Return what stands before the source, without most weights and rows, and the last line."""
    weights, output = (
        next(i for i, line in enumerate(lines) if line.startswith(term))
        for term in ("weights  ", "output  ")
    )
    attention, last_row = lines.index(" self_attn"), lines.index(" input")
    return [
        *lines[: weights + SHOWN_OF_MANY], LEFT_OUT,
        *lines[output : attention + 1 + SHOWN_OF_MANY], LEFT_OUT,
        *lines[last_row : last_row + 2], LEFT_OUT,
        lines[-1],
    ]  # fmt: skip


def excerpt(walk: Walk, lines: list[str]) -> list[str]:
    """Return some marked lines of the source, and what stands after the source."""
    marked = list(numbered(lines[lines.index(walk.file) + 1 :]))
    first, last = extent(walk, marked)
    shown = [walk.file]
    for number, line in marked:
        if first <= number <= last and line.strip() != LEFT_OUT:
            shown.append(line)
        elif number and shown[-1] != LEFT_OUT:
            shown.append(LEFT_OUT)
        elif not number and (not walk.is_short or line == lines[-1]):
            shown.append(line)
    return shown


def numbered(lines: list[str]) -> list[tuple[int, str]]:
    """Return each line with the number of the source line that it shows; 0 after the source."""
    found, number = [], 0
    for line in lines:
        if line.startswith(AFTER):
            number = 0
        elif start := re.match(r" *(\d+)(  |$)", line):
            number = int(start[1])
        found.append((number, line))
    return found


def extent(walk: Walk, marked: list[tuple[int, str]]) -> tuple[int, int]:
    """Return the first and the last line of the source that are shown."""
    if not walk.function:
        blamed = next(number for number, line in marked if f" {SIGNS[Kind.WRONG]} " in line)
        return blamed - walk.near[0], blamed + walk.near[1]
    nodes: list[ast.stmt] = ast.parse(source(walk)).body
    for name in walk.function.split("."):
        (node,) = (
            n for n in nodes if isinstance(n, ast.ClassDef | ast.FunctionDef) and n.name == name
        )
        nodes = node.body
    assert node.end_lineno is not None
    return node.lineno, node.end_lineno


if __name__ == "__main__":
    main()
