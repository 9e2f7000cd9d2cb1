"""The pictures of a study: gradients, tokens and parameters, by layer and by depth."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MultipleLocator, NullLocator

from crosscheck.flow.labels import Words
from crosscheck.flow.measure import SMALLEST, Profile, ratio
from crosscheck.flow.stacks import WIRINGS, Wiring
from crosscheck.flow.study import Flow, Study
from crosscheck.flow.style import legend_below, line_style, new_figure, save, settings
from crosscheck.in_projection import KEY_BIAS
from crosscheck.sides import NUMPY, TORCH, Array, Dialect

# Marker, colour, filling and shift of each side: a filled and an empty marker, one over the other.
LOOKS: dict[Dialect, tuple[str, str, str, float]] = {
    NUMPY: ("o", "#0072B2", "#0072B2", -0.2),
    TORCH: ("D", "#D55E00", "none", 0.2),
}
# What panels show that are compared. Some curves leave it; if all of them were seen, nothing could
# be told from the others.
FRAME = (1e-24, 1e24)
NOT_DEEPER = 16  # blocks, of the stack whose parameters are drawn: deeper ones leave the frame
TICKS = 7  # at most, on a log axis
TITLES = {
    "default": "PyTorch's default",
    "xavier": "Xavier",
    "gpt2": "GPT-2, scaled",
    "kaiming": "Kaiming",
}


def draw_study(study: Study, directory: Path, say: Words = str) -> list[Path]:
    """Write all pictures of a study into a directory; return their paths.

    say: what the labels are called in the language of the pictures.
    """
    if not study.flows:
        return []
    drawn: list[tuple[str, Figure]] = []
    with settings():
        drawn.append(("gradient-by-layer", gradient_by_layer(study, say)))
        drawn.append(("tokens-by-layer", tokens_by_layer(study, say)))
        if len(study.plan.depths) > 1:
            drawn.append(("gradient-by-depth", gradient_by_depth(study, say)))
        if len(study.plan.sides) > 1:
            drawn.append(("parameters-by-engine", parameters_by_engine(study, say)))
        return [path for name, figure in drawn for path in save(figure, directory, name)]


def gradient_by_layer(study: Study, say: Words = str) -> Figure:
    """Draw |dL/dX_l| over that at the output, against the layer; the band spans the seeds."""
    return _by_layer(study, _relative_gradient, "gradient, relative to the output's", say)


def tokens_by_layer(study: Study, say: Words = str) -> Figure:
    """Draw the token variation against the layer; below 1e-16 it is rounding."""
    return _by_layer(study, lambda found: found.variation, "|X - mean over tokens| / |X|", say)


def gradient_by_depth(study: Study, say: Words = str) -> Figure:
    """Draw the gradient at the input over that at the output, against the depth of the stack."""
    figure, panels = _panels(study)
    for initialisation, axes in panels.items():
        for wiring in study.plan.wirings:
            by_depth = [
                [ratio(f.profile.gradient[0], f.profile.gradient[-1]) for f in flows]
                for depth in study.plan.depths
                if (flows := _flows(study, initialisation, wiring, depth))
            ]
            _band(axes, study.plan.depths[: len(by_depth)], by_depth, wiring, say)
        axes.set_xscale("log", base=2)
        axes.set_xticks(study.plan.depths, [str(depth) for depth in study.plan.depths])
        axes.xaxis.set_minor_locator(NullLocator())
    _finish(figure, panels, "blocks in the stack", "gradient, input over output", say)
    return figure


def parameters_by_engine(study: Study, say: Words = str) -> Figure:
    """Draw the norms of the first block's gradients in both engines, for every wiring.

    All of it belongs to one initialisation and one seed.
    """
    initialisation, depths = study.flows[0].initialisation, {f.depth for f in study.flows}
    depth = max((d for d in depths if d <= NOT_DEEPER), default=min(depths))
    wirings = [w for w in study.plan.wirings if _flows(study, initialisation, w, depth)]
    flows = [_flows(study, initialisation, wiring, depth)[0] for wiring in wirings]
    names = max((list(flow.profile.parameters) for flow in flows), key=len)
    names.remove(KEY_BIAS)  # a log axis has no place for a gradient of zero
    columns = min(3, len(wirings))
    rows = math.ceil(len(wirings) / columns)
    figure = new_figure(1.6 + 2.7 * columns, 0.9 + 2.8 * rows)
    title = say("Gradients of the first of {depth} blocks ({initialisation}, one seed)")
    figure.suptitle(title.format(depth=depth, initialisation=say(TITLES[initialisation])))
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for axes, flow in zip(grid.flat, flows, strict=False):
        _draw_engines(axes, flow, names)
        axes.set_title(say(flow.wiring.label))
    _frame(list(grid.flat[: len(flows)]), "x")
    for axes in grid.flat[len(flows) :]:
        axes.set_visible(False)
    for axes in grid[-1]:
        axes.set_xlabel(say("norm of the gradient"))
    grid[0, 0].invert_yaxis()
    legend_below(figure, grid[0, 0], 2)
    return figure


def _draw_engines(axes: Axes, flow: Flow, names: Sequence[str]) -> None:
    """Draw a marker of each side for each name: a log axis has no zero for bars to start from."""
    places = np.arange(len(names))
    for side, found in flow.profiles.items():
        values = [found.parameters[n][0] if n in found.parameters else np.nan for n in names]
        marker, colour, fill, shift = LOOKS[side]
        look: dict[str, Any] = {"color": colour, "markerfacecolor": fill, "markersize": 4.0}
        axes.plot(values, places + shift, marker, label=side.name, **look)
    axes.set_yticks(places, [name.removeprefix("self_attn.") for name in names])
    axes.set_xscale("log")
    axes.grid(visible=False, axis="y")


def _panels(study: Study) -> tuple[Figure, dict[str, Axes]]:
    """Return a panel for each initialisation that was run, in two columns."""
    names = list(dict.fromkeys(flow.initialisation for flow in study.flows))
    columns = min(2, len(names))
    rows = math.ceil(len(names) / columns)
    figure = new_figure(1.2 + 3.6 * columns, 0.9 + 2.6 * rows)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for axes in grid.flat[len(names) :]:
        axes.set_visible(False)
    return figure, dict(zip(names, grid.flat, strict=False))


def _finish(figure: Figure, panels: dict[str, Axes], xlabel: str, ylabel: str, say: Words) -> None:
    for name, axes in panels.items():
        axes.set_title(say(TITLES[name]))
        axes.set_yscale("log")
    _frame(list(panels.values()), "y")
    for axes in list(panels.values())[-2:]:
        axes.set_xlabel(say(xlabel))
    figure.supylabel(say(ylabel), fontsize=9)
    legend_below(figure, next(iter(panels.values())))


def _frame(panels: Sequence[Axes], axis: str) -> None:
    """Give all panels the same log axis: whole powers of 10, as much of the data as FRAME has.

    Where nothing is positive, the axis spans FRAME.
    """
    drawn = [line.get_data()["xy".index(axis)] for axes in panels for line in axes.get_lines()]
    data = np.concatenate([np.asarray(values, dtype=np.float64) for values in drawn])
    data = np.clip(data[np.isfinite(data) & (data > 0)], *FRAME)
    data = data if data.size else np.array(FRAME)
    low, high = math.floor(math.log10(data.min())), math.ceil(math.log10(data.max()))
    step = next(2**n for n in itertools.count() if (high - low) / 2**n < TICKS)
    margin = 0.03 * max(high - low, 1)
    for axes in panels:
        chosen = axes.yaxis if axis == "y" else axes.xaxis
        chosen.set_major_locator(LogLocator(10.0**step, numticks=TICKS + 2))
        chosen.set_minor_locator(NullLocator())
        axes.set(**{f"{axis}lim": (10.0 ** (low - margin), 10.0 ** (high + margin))})


def _by_layer(
    study: Study, measure: Callable[[Profile], Sequence[float]], ylabel: str, say: Words
) -> Figure:
    """Draw what is measured at each layer of the deepest stacks."""
    figure, panels = _panels(study)
    depth = max(flow.depth for flow in study.flows)
    for (initialisation, axes), wiring in itertools.product(panels.items(), WIRINGS):
        if flows := _flows(study, initialisation, wiring, depth):
            by_layer = list(zip(*(measure(flow.profile) for flow in flows), strict=True))
            _band(axes, range(depth + 1), by_layer, wiring, say)
    for axes in panels.values():
        axes.xaxis.set_major_locator(MultipleLocator(max(1, depth // 4)))
    _finish(figure, panels, "layer (0 is the input)", ylabel, say)
    return figure


def _band(
    axes: Axes,
    places: Sequence[int],
    values: Sequence[Sequence[float]],
    wiring: Wiring,
    say: Words,
) -> None:
    """Draw the geometric mean over the seeds as a line, and their span as a band around it.

    values: for each place, one of each seed. A value below SMALLEST or not finite is left out.
    """
    found = np.array(values, dtype=np.float64)
    logs: Array = np.log(np.where((found >= SMALLEST) & np.isfinite(found), found, np.nan))
    style = line_style(wiring, say)
    every = max(1, len(places) // 8)
    start = WIRINGS.index(wiring) * every // len(WIRINGS)  # lines may coincide, markers do not
    axes.plot(places, np.exp(logs.mean(axis=1)), markevery=(start, every), **style)
    low, high = np.exp(logs.min(axis=1)), np.exp(logs.max(axis=1))
    axes.fill_between(places, low, high, color=style["color"], alpha=0.25, linewidth=0)


def _relative_gradient(found: Profile) -> list[float]:
    return [ratio(value, found.gradient[-1]) for value in found.gradient]


def _flows(study: Study, initialisation: str, wiring: Wiring, depth: int) -> list[Flow]:
    wanted = (initialisation, wiring, depth)
    return [f for f in study.flows if (f.initialisation, f.wiring, f.depth) == wanted]
