"""The pictures: the same each time, readable without colour, and no label on another."""

from __future__ import annotations

import math
import re
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.text import Text

from crosscheck.flow import plots
from crosscheck.flow.labels import TRANSLATIONS, words
from crosscheck.flow.plots import draw_study
from crosscheck.flow.positions import draw_positions, gram, positions
from crosscheck.flow.stacks import WIRINGS
from crosscheck.flow.study import Plan, Study, run_study
from crosscheck.flow.style import COLOURS, GREY, line_style, save, settings
from crosscheck.models import ModelOptions
from crosscheck.sides import NUMPY
from tinygrad_tf.transformer import SinusoidalPositionalEncoding

PICTURES = [
    "gradient_by_layer",
    "tokens_by_layer",
    "gradient_by_depth",
    "parameters_by_engine",
    "positions",
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


@pytest.fixture(scope="module")
def figures(study: Study) -> tuple[dict[str, Figure], set[str]]:
    """Every picture by name, with Portuguese labels, and the English labels that were asked for."""
    asked = set()

    def say(label: str) -> str:
        asked.add(label)
        return words("pt-BR")(label)

    with settings():
        drawn = {name: getattr(plots, name)(study, say) for name in PICTURES[:-1]}
        return drawn | {"positions": positions(64, 64, say)}, asked


@pytest.mark.parametrize("name", PICTURES)
def test_no_label_lies_on_another(figures: Any, name: str) -> None:
    """Portuguese has the longer labels."""
    figure = figures[0][name]
    with settings():
        found = labels(figure)
    assert len(found) > 20
    for text, box in found:
        assert figure.bbox.contains(*box.min), f"{text!r} reaches over the edge"
        assert figure.bbox.contains(*box.max), f"{text!r} reaches over the edge"
    for (one, box), (two, other) in combinations(found, 2):
        assert not box.overlaps(other), f"{one!r} lies on {two!r}"


def test_every_translation_is_in_a_picture(figures: Any) -> None:
    """And keeps the fields of the English label, in braces. "wiring" is in the tables."""
    for translated in TRANSLATIONS.values():
        assert translated.keys() == figures[1] | {"wiring"}
        for english, other in translated.items():
            assert re.findall(r"{\w+}", english) == re.findall(r"{\w+}", other)


@pytest.mark.parametrize(("name", "axis"), [*zip(PICTURES[:4], "yyyx", strict=True)])
def test_panels_that_are_compared_have_equal_axes(figures: Any, name: str, axis: str) -> None:
    """Few whole powers of 10 are marked, and what lies far outside is not shown."""
    panels = figures[0][name].axes
    limits = {getattr(axes, f"get_{axis}lim")() for axes in panels}
    assert len(limits) == 1
    low, high = sorted(*limits)
    assert 1e-26 < low < high < 1e26
    marked = [tick for tick in getattr(panels[0], f"get_{axis}ticks")() if low < tick < high]
    assert 3 <= len(marked) <= plots.TICKS
    assert all(math.log10(tick) == round(math.log10(tick)) for tick in marked)


def test_a_picture_can_be_read_on_a_white_and_on_a_dark_page(figures: Any) -> None:
    """WCAG asks for a contrast of 3 for lines and for large text. The ground is nobody's."""

    def luminance(colour: str) -> float:
        linear = [
            c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)
        ]
        return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))

    drawn = {text.get_color() for text in figures[0]["gradient_by_layer"].findobj(Text)}
    assert drawn == {GREY}
    for colour in (*drawn, *COLOURS.values()):
        for ground in ("#FFFFFF", "#0D1117"):
            dark, light = sorted(luminance(c) for c in (colour, ground))
            assert (light + 0.05) / (dark + 0.05) > 3, (colour, ground)


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
    assert imread(paths[1])[0, 0, 3] == 0.0, "the ground is not transparent"


def test_nothing_is_drawn_of_nothing(study: Study, tmp_path: Path) -> None:
    assert draw_study(Study(study.plan, (), interrupted=True), tmp_path) == []


def test_a_gradient_that_has_left_float64_leaves_an_empty_picture(tmp_path: Path) -> None:
    tiny = ModelOptions(width=4, heads=1, feed_forward=4, context=2, activation="relu")
    plan = Plan(tiny, (70, 71), (WIRINGS[-1],), ("gpt2",), (0,), (NUMPY,))
    assert len(draw_study(run_study(plan), tmp_path)) == 6


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
