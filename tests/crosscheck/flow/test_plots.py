"""The pictures: the same each time, readable without colour, and no label on another."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from crosscheck.flow import plots
from crosscheck.flow.plots import draw_study
from crosscheck.flow.positions import draw_positions, gram
from crosscheck.flow.stacks import WIRINGS
from crosscheck.flow.study import Study
from crosscheck.flow.style import line_style, save, settings
from tinygrad_tf.transformer import SinusoidalPositionalEncoding

PICTURES = [
    "gradient_by_layer",
    "tokens_by_layer",
    "gradient_by_depth",
    "parameters_by_engine",
]


def labels(figure: Figure) -> list[tuple[str, Any]]:
    """Every text that is drawn, and where."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    texts = [*figure.texts, *(text for legend in figure.legends for text in legend.get_texts())]
    for axes in figure.axes:
        if axes.get_visible():
            texts += [axes.title, axes.xaxis.label, axes.yaxis.label, *axes.texts]
            for axis in (axes.xaxis, axes.yaxis):
                low, high = sorted(axis.get_view_interval())
                ticks = [tick for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
                texts += [tick.label1 for tick in ticks]
    shown = [text for text in texts if text.get_visible() and text.get_text()]
    return [(text.get_text(), text.get_window_extent(canvas.get_renderer())) for text in shown]


@pytest.mark.parametrize("name", PICTURES)
def test_no_label_lies_on_another(study: Study, name: str) -> None:
    with settings():
        figure = getattr(plots, name)(study)
        found = labels(figure)
    assert len(found) > 20
    for text, box in found:
        assert figure.bbox.contains(*box.min), f"{text!r} reaches over the edge"
        assert figure.bbox.contains(*box.max), f"{text!r} reaches over the edge"
    for (one, box), (two, other) in combinations(found, 2):
        assert not box.overlaps(other), f"{one!r} lies on {two!r}"


def test_wirings_differ_without_colour() -> None:
    looks = set()
    for wiring in WIRINGS:
        style = line_style(wiring)
        looks.add((style["marker"], str(style["linestyle"])))
    assert len(looks) == len(WIRINGS)


def test_the_files_are_the_same_each_time(study: Study, tmp_path: Path) -> None:
    contents = []
    for _ in range(2):
        with settings():
            paths = save(plots.gradient_by_depth(study), tmp_path, "picture")
        paths += draw_positions(tmp_path, 8, 12)
        contents.append([path.read_bytes() for path in paths])
    assert [path.name for path in paths] == [
        "picture.svg", "picture.png", "positions.svg", "positions.png",
    ]  # fmt: skip
    assert contents[0] == contents[1]
    assert contents[0][0].startswith(b"<?xml")
    assert b"<dc:date>" not in contents[0][0]
    assert contents[0][1].startswith(b"\x89PNG")


def test_nothing_is_drawn_of_nothing(study: Study, tmp_path: Path) -> None:
    assert draw_study(Study(study.plan, (), interrupted=True), tmp_path) == []


def test_a_line_is_the_data(study: Study) -> None:
    """The line of a wiring runs through the geometric means of its seeds."""
    with settings():
        axes = plots.gradient_by_layer(study).axes[0]
    wiring = WIRINGS[-1]
    line = next(drawn for drawn in axes.get_lines() if drawn.get_label() == wiring.label)
    flows = [
        f.profile.gradient
        for f in study.flows
        if (f.initialisation, f.wiring, f.depth) == ("default", wiring, 6)
    ]
    relative = np.array([np.array(g) / g[-1] for g in flows])
    expected = np.sqrt(relative[0] * relative[1])
    np.testing.assert_allclose(np.asarray(line.get_ydata(), dtype=float), expected, rtol=1e-12)


def test_products_depend_on_the_distance_alone() -> None:
    """encoding[t] . encoding[u] = sum over pairs of cos(w (t - u))."""
    products = gram(np.asarray(SinusoidalPositionalEncoding(8, 6).encoding))
    rates = 10000.0 ** (-2 * np.arange(4) / 8)
    for t in range(6):
        for u in range(6):
            assert products[t, u] == pytest.approx(np.cos(rates * (t - u)).mean(), abs=1e-12)
