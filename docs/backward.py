"""Walks back through one block, and writes what it sees into docs/backward.md, in both languages.

The block runs on our engine, in float64, on the first characters of the excerpt that travels with
the package. A tape beside it keeps what arrives at each op, and what the op sends back. On a page,

* `<!--forward:WALK-->` and `<!--/forward-->` enclose the forward; of pre-norm, what differs in it;
* `<!--step:NAME-->` and `<!--/step-->` enclose one step of the post-norm walk: its formulas with
  shapes and norms, what arrives and what is sent on, and the lines of the rules;
* `<!--steps:pre-->` and `<!--/steps-->` enclose all steps of the pre-norm walk;
* `<!--walk:WALK/NAME-->` and `<!--/walk-->` enclose the norm of one gradient of a walk, or of
  `identity`, what the way around both branches alone brings to x.

The steps themselves are in docs/backward_steps.py. The numbers of docs/results are put in as they
are in the chapter on gradient flow, by docs/fill.py.

    python docs/backward.py
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import fill
import numpy as np
from backward_steps import FORWARD, LEAF, WALKS, Formula, Step

from crosscheck import randomize
from crosscheck.draws import Stream, draws
from crosscheck.files import write_whole
from crosscheck.sides import NUMPY, Array
from crosscheck.tape.call import Places
from crosscheck.text import CharacterTokenizer
from tinygrad_tf import Tensor, observe
from tinygrad_tf.transformer import TransformerLanguageModel

DOCS = Path(__file__).parent
PAGES = ("backward.md", "backward.pt-BR.md")
SIZES = {"B": 2, "T": 32, "S": 32, "C": 64, "H": 4, "K": 16, "F": 256, "3C": 192}
SEED = 0
FORM = "#.3g"  # of every norm
HEADINGS = {
    "en": ("step", "what arrives", "what is sent on"),
    "pt-BR": ("passo", "o que chega", "o que segue"),
}
FORWARDS = re.compile(r"(<!--forward:(\w+)-->\n).*?(<!--/forward-->)", re.S)
STEP = re.compile(r"(<!--step:(\S+?)-->\n).*?(<!--/step-->)", re.S)
TABLE = re.compile(r"(<!--steps:pre-->\n).*?(<!--/steps-->)", re.S)
NORM = re.compile(r"(<!--walk:(\w+)/(\S+?)-->).*?(<!--/walk-->)", re.S)


@dataclass(frozen=True)
class Visit:
    """What the engine's backward did at one op."""

    dout: Array
    dinputs: tuple[Array | None, ...]
    backward: Callable[[Array], tuple[Array | None, ...]]  # the rule's


@dataclass(frozen=True)
class Run:
    """A block that has run forward and backward, and its tape."""

    block: Any
    x: Tensor
    out: Tensor
    dout: Array
    visits: Mapping[str, Visit]  # by the key of the op, in the order of the way back

    def gradient(self, formula: Formula) -> Array:
        """Return the array that the engine had for a formula."""
        if formula.op == LEAF:
            assert self.x.grad is not None
            return np.asarray(self.x.grad.data)
        visit = self.visits[formula.op]
        found = visit.dout if formula.place is None else visit.dinputs[formula.place]
        assert found is not None
        return found


def main() -> None:
    """Rewrite both pages."""
    for name in PAGES:
        path = DOCS / name
        text = filled(path.read_text(encoding="utf-8"), fill.language(name))
        write_whole(path, text.encode())


def filled(text: str, spoken: str) -> str:
    """Return the text with every step, table and number as a run has them now."""
    steps = {step.name: step for step in WALKS["post"]}
    text = FORWARDS.sub(lambda found: found[1] + indented(forward(found[2])) + found[3], text)
    text = STEP.sub(lambda found: found[1] + shown(steps[found[2]], spoken) + found[3], text)
    text = TABLE.sub(lambda found: found[1] + table(WALKS["pre"], spoken) + found[2], text)
    text = NORM.sub(lambda at: at[1] + printed(norms(at[2])[at[3]], spoken) + at[4], text)
    return fill.filled(text, spoken)


def forward(walk: str) -> list[str]:
    """Return the lines of the post-norm forward, or those in which pre-norm differs."""
    usual = () if walk == "post" else FORWARD["post"].splitlines()
    return [line for line in FORWARD[walk].splitlines() if line not in usual]


def shown(step: Step, spoken: str) -> str:
    """Return the formulas of a step with shapes and norms, its passage, and its rules."""
    found = norms("post")
    columns = [[f.name, f"= {f.expression}", letters(f.shape)] for f in step.formulas]
    widths = [max(map(len, column)) for column in zip(*columns, strict=True)]
    lines = [
        "  ".join(f"{cell:{width}}" for cell, width in zip(cells, widths, strict=True))
        for cells in columns
    ]
    for i, formula in enumerate(step.formulas):
        if formula.op:
            lines[i] += f"  {printed(found[formula.name], spoken)}"
    passage = " → ".join(named(group, found, spoken) for group in (step.arrives, step.sends))
    return indented(lines) + " · ".join([passage, *(link(*rule) for rule in step.rules)]) + "\n"


def table(steps: tuple[Step, ...], spoken: str) -> str:
    """Return steps of the pre-norm walk with what arrives and is sent on.

    They keep the numbers that they have on the post-norm walk.
    """
    found, order = norms("pre"), [step.name for step in WALKS["post"]]
    lines = [HEADINGS[spoken], ("---", "---", "---")]
    for step in steps:
        cells = (named(group, found, spoken) for group in (step.arrives, step.sends))
        lines.append((f"{order.index(step.name) + 1}. {step.label[spoken]}", *cells))
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def named(group: tuple[str, ...], found: dict[str, float], spoken: str) -> str:
    """Return gradients by name, each with its norm."""
    return ", ".join(f"`{name}` {printed(found[name], spoken)}" for name in group)


def indented(lines: list[str]) -> str:
    """Return lines of code, as Markdown shows them."""
    return "".join(f"    {line.rstrip()}\n" for line in lines)


def link(file: str, piece: str) -> str:
    """Return a link to the only line of a file that has this piece of code."""
    lines = (DOCS.parent / file).read_text("utf-8").splitlines()
    (number,) = (number for number, line in enumerate(lines, 1) if piece in line)
    return f"[`{piece}`](../{file}#L{number})"


def letters(shape: str) -> str:
    """Return a shape as it is written: "B T C" is (B, T, C), and "C" is (C,)."""
    sizes = shape.split()
    return f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"


def printed(norm: float, spoken: str) -> str:
    """Return a norm as the pages show it."""
    return fill.printed(norm, FORM, spoken)


@cache
def norms(walk: str) -> dict[str, float]:
    """Return the norm of each gradient of a walk that the engine had, by its name."""
    run = run_block(walk)
    found = {"dout": run.dout} | {
        formula.name: run.gradient(formula)
        for step in WALKS[walk]
        for formula in step.formulas
        if formula.op
    }
    found["identity"] = run.dout
    if walk == "post":  # the norms stand on the way around
        through = run.visits["norm1/layer_norm"].backward(found["dsum2"])[0]
        assert through is not None
        found["identity"] = through
    return {name: float(np.linalg.norm(array)) for name, array in found.items()}


@cache
def run_block(walk: str) -> Run:
    """Run a post-norm or pre-norm block forward and backward, with a tape beside it.

    dout is a random cotangent of norm 1, so every norm says how much of it is left.
    """
    model = language_model(walk)
    x = Tensor(embedded(model), requires_grad=True)
    block = model.blocks[0]
    drawn = draws(Stream.COTANGENT, SEED).standard_normal(x.shape)
    dout = drawn / np.linalg.norm(drawn)
    places, visits = Places(), dict[str, Visit]()

    def listen(op: Any, inputs: Any, options: Any, output: Any) -> None:
        key, node = places.key(op.__name__), output.node
        rule = node.backward

        def backward(arrived: Array) -> Any:
            dinputs = rule(arrived)
            visits[key] = Visit(arrived, dinputs, rule)
            return dinputs

        node.backward = backward

    with places.following(block), observe(listen):
        out = block(x)
    out.backward(Tensor(dout), retain_graph=True)
    return Run(block, x, out, dout, visits)


def language_model(walk: str) -> Any:
    """Return a language model of one block, in float64, whose parameters are all drawn."""
    model = TransformerLanguageModel(
        tokenizer().vocab_size,
        SIZES["T"],
        SIZES["C"],
        SIZES["H"],
        num_layers=1,
        dim_feedforward=SIZES["F"],
        norm_first=walk == "pre",
    )
    randomize(model, SEED)
    return NUMPY.copy(model, "float64")


def embedded(model: Any) -> Array:
    """Return what the block is given: the first characters of the excerpt, with positions."""
    shape = SIZES["B"], SIZES["T"]
    ids = tokenizer().encode(excerpt()[: shape[0] * shape[1]]).reshape(shape)
    x = model.position(model.token_embedding(Tensor(ids)) * model.scale)
    return np.asarray(x.data)


def tokenizer() -> CharacterTokenizer:
    """Return the characters of the excerpt as tokens."""
    return CharacterTokenizer(excerpt())


def excerpt() -> str:
    """Return the text that needs no network."""
    return (DOCS.parent / "crosscheck" / "excerpt.txt").read_bytes().decode("utf-8")


if __name__ == "__main__":
    main()
