"""Draws one-page.svg in docs/pictures: every entry of every gradient of the page, beside PyTorch's.

    python docs/proof.py

On the left is examples/one_page.py as it is. On the right one term is missing in the backward of
its layer norm. The axes are logarithmic, so each entry stands by its absolute value, and its colour
says whether the signs agree. The gradients of the key biases are left out: they are zero by rights,
and what is computed for them is rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from crosscheck import randomize
from crosscheck.arrays import Array
from crosscheck.brought import as_model
from crosscheck.flow.style import COLOURS, GREY, legend_below, new_figure, save, settings
from crosscheck.in_projection import KEY_BIAS
from crosscheck.mutants.foreign.bug import module_of
from crosscheck.runs import COTANGENT, Batch, Run, run
from crosscheck.weights import get_weights
from torch_impl import TransformerLanguageModel

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "examples" / "one_page.py"
PICTURES = ROOT / "docs" / "pictures"
NAME = "one-page"
RIGHT, WRONG = "- along_ones - x_hat * along_x_hat)", "- along_ones)"
V = 65  # characters, as in Tiny Shakespeare
ENDS, TICKS = (1e-7, 1e3), (1e-6, 1e-4, 1e-2, 1, 1e2)  # of both axes
SIGNS = (COLOURS["pre"], COLOURS["post"])  # of entries with the same sign, and with opposite ones


@dataclass(frozen=True)
class Labels:
    """What stands in the picture."""

    right: str = "The page as it is"
    wrong: str = "One term of layer norm is missing"
    by_page: str = "|dL/dw| by the page"
    by_pytorch: str = "|dL/dw| by PyTorch"
    entries: str = "entries"
    signs: tuple[str, str] = ("same sign", "opposite signs")


PORTUGUESE = Labels(
    "A página como ela é", "Falta um termo na layer norm", "|dL/dw| pela página",
    "|dL/dw| pelo PyTorch", "entradas", ("mesmo sinal", "sinais opostos"),
)  # fmt: skip


def main() -> None:
    """Write the picture in both languages."""
    source = PAGE.read_text(encoding="utf-8")
    for folder, labels in ((PICTURES, Labels()), (PICTURES / "pt-BR", PORTUGUESE)):
        with settings():
            figure = new_figure(7.2, 4.3)
            left, right = figure.subplots(1, 2, sharex=True, sharey=True)
            draw(left, source, labels)
            draw(right, source.replace(RIGHT, WRONG), labels)
            left.set(title=labels.right, ylabel=labels.by_page)
            right.set(title=labels.wrong)
            legend_below(figure, left, 2)
            save(figure, folder, NAME)


def draw(axes: Axes, source: str, labels: Labels) -> None:
    """Draw a point for each entry, and the diagonal beneath them."""
    ours, theirs = map(entries, both_runs(source))
    axes.axline((ENDS[0], ENDS[0]), (ENDS[1], ENDS[1]), color=GREY, linewidth=0.5, zorder=0)
    for label, colour, chosen in zip(
        labels.signs, SIGNS, (ours * theirs > 0, ours * theirs <= 0), strict=True
    ):
        x, y = np.abs(theirs[chosen]), np.abs(ours[chosen])
        axes.scatter(x, y, 0.5, colour, linewidths=0, snap=False, rasterized=True)
        axes.scatter([], [], 12, colour, label=label)  # is larger, for the legend
    axes.text(0.04, 0.93, f"{len(ours):,} {labels.entries}", transform=axes.transAxes)
    axes.set(xscale="log", yscale="log", xlim=ENDS, ylim=ENDS, aspect="equal")
    axes.set(xticks=TICKS, yticks=TICKS, xlabel=labels.by_pytorch)
    axes.minorticks_off()


def both_runs(source: str) -> tuple[Run, Run]:
    """Run the page and PyTorch's model, with the same weights, in float64."""
    page = module_of(source, PAGE.name)
    reference = TransformerLanguageModel(
        V, page.T, page.C, page.H, page.BLOCKS, page.F, activation="gelu-tanh",
        norm_first=True, position="learned", scale_embedding=False,
    )  # fmt: skip
    randomize(reference)
    model: Any = as_model(page.gpt, parameters=lambda: page.init_weights(V))
    model.load_state_dict(get_weights(reference))
    batch = Batch(np.arange(2 * page.T).reshape(2, page.T) % V)  # every character occurs
    ours, theirs = (run(m, batch, dtype="float64", loss=COTANGENT) for m in (model, reference))
    return ours, theirs


def entries(done: Run) -> Array:
    """Return the entries of all gradients that are not zero by rights, in one line."""
    gradients = done.by_part
    names = sorted(name for name in gradients if not name.endswith(KEY_BIAS))
    return np.concatenate([np.ravel(gradients[name]) for name in names])


if __name__ == "__main__":
    main()
