"""How the pictures look. Lines differ by colour, marker and dash, so a print in grey will do.

The ground is transparent. Text and axes are of a grey that is as far from a white page as from a
black one, so both can be read.

The colours are from Okabe, Ito (2008), "Color universal design". Each norm has a colour and a
marker. A line is whole with residuals and dashed without. Each norm has its own dashes, so that
where two lines coincide, the lower one shows in the gaps of the upper.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from crosscheck.files import write_whole
from crosscheck.flow.labels import Words
from crosscheck.flow.stacks import Wiring

COLOURS = {"pre": "#0072B2", "post": "#D55E00", "none": "#009E73"}
MARKERS = {"pre": "o", "post": "s", "none": "^"}
DASHES = {"pre": (0, (8, 1.5)), "post": (0, (3, 4)), "none": (0, (1, 2))}
GREY = "#7A7A7A"  # a contrast of 4.3 to white, and of 4.3 to the ground of a dark page, #0D1117
SETTINGS: Any = {  # its type is a list of all names there are
    "svg.hashsalt": "crosscheck flow",  # the same picture is the same file
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.grid": True,
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "grid.color"), GREY),
    **dict.fromkeys(("xtick.color", "ytick.color"), GREY),
    "grid.alpha": 0.3,
    "grid.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
}


def line_style(wiring: Wiring, say: Words = str) -> dict[str, Any]:
    """Return the colour, marker and dashes of a wiring, and what it is called."""
    return {
        "color": COLOURS[wiring.norm],
        "marker": MARKERS[wiring.norm],
        "linestyle": "-" if wiring.residual else DASHES[wiring.norm],
        "markerfacecolor": COLOURS[wiring.norm] if wiring.residual else "none",
        "markersize": 4.5,
        "linewidth": 1.4,
        "label": say(wiring.label),
    }


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure, in inches, whose panels and labels make room for each other."""
    return Figure(figsize=(width, height), layout="constrained")


def legend_below(figure: Figure, axes: Axes, columns: int = 3) -> None:
    """Put one legend for all panels under them."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, frameon=False)


def save(figure: Figure, directory: Path, name: str) -> list[Path]:
    """Write the figure as SVG and PNG, each whole or not at all; return their paths.

    The ground is transparent. The files hold neither the date nor anything of the machine.
    """
    paths = []
    for form, nothing in (("svg", {"Date": None}), ("png", {"Software": None})):
        content = io.BytesIO()
        figure.savefig(content, format=form, dpi=150, metadata=nothing, transparent=True)
        paths.append(directory / f"{name}.{form}")
        write_whole(paths[-1], content.getvalue())
    return paths


def settings() -> Any:
    """Return a context manager that applies the settings."""
    return matplotlib.rc_context(SETTINGS)
