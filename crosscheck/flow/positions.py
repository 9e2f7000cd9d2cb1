"""A picture of the sinusoidal positional encoding: its waves, its products, its turning hands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator

from crosscheck.flow.labels import Words
from crosscheck.flow.style import COLOURS, GREY, new_figure, save, settings
from crosscheck.sides import Array
from tinygrad_tf.transformer import SinusoidalPositionalEncoding

PAIRS = (0, 2, 4, 8)  # pairs of channels that are drawn as hands
STEPS = 6  # tokens whose hands are drawn


def draw_positions(
    directory: Path, width: int = 64, tokens: int = 64, say: Words = str
) -> list[Path]:
    """Write the picture of the encoding (T, C) into a directory; return its paths."""
    with settings():
        return save(positions(width, tokens, say), directory, "positions")


def positions(width: int, tokens: int, say: Words = str) -> Figure:
    """Draw the encoding (T, C): as a matrix, as products of its rows, and as turning hands."""
    encoding = np.asarray(SinusoidalPositionalEncoding(width, tokens).encoding)
    figure = new_figure(11.0, 3.9)
    waves, products, hands = figure.subplots(1, 3, width_ratios=(1, 1, 1.05))
    position = say("position")
    _image(waves, encoding, -1, say("channel"), position, say("The waves"))
    title = say("Products of positions, over C / 2")
    _image(products, gram(encoding), 0, position, position, title)
    _hands(hands, encoding, say)
    return figure


def gram(encoding: Array) -> Array:
    """Return the products of all pairs of positions, over C / 2. encoding (T, C) -> (T, T).

    These are cosines, since all positions have the same length. They are constant along diagonals:
    only how far apart two positions are counts.
    """
    products: Array = encoding @ encoding.T / (encoding.shape[1] / 2)
    return products


def _image(axes: Axes, values: Array, low: float, xlabel: str, ylabel: str, title: str) -> None:
    """Draw a matrix with one square for each entry, the first row at the top."""
    shown = axes.imshow(values, cmap="cividis", vmin=low, vmax=1)
    axes.figure.colorbar(shown, ax=axes, shrink=0.7, ticks=range(int(low), 2))
    for axis, size in zip((axes.yaxis, axes.xaxis), values.shape, strict=True):
        axis.set_major_locator(MultipleLocator(max(1, size // 4)))
    axes.set(xlabel=xlabel, ylabel=ylabel, title=title)
    axes.grid(visible=False)


def _hands(axes: Axes, encoding: Array, say: Words) -> None:
    """Draw channels 2i and 2i + 1 as the hand of a clock; it fades from position to position."""
    pairs = [pair for pair in PAIRS if 2 * pair + 2 <= encoding.shape[1]]
    for place, pair in enumerate(pairs):
        x, y = 2.8 * (place % 2), -3.1 * (place // 2)
        turn = np.linspace(0, 2 * np.pi, 100)
        axes.plot(x + np.cos(turn), y + np.sin(turn), color=GREY, alpha=0.6, linewidth=0.8)
        for position in range(STEPS):
            sine, cosine = encoding[position, 2 * pair : 2 * pair + 2]
            fade = 1 - 0.5 * position / (STEPS - 1)
            tip = (x + sine, y + cosine)
            axes.plot(*zip((x, y), tip, strict=True), color=COLOURS["pre"], alpha=fade)
            axes.plot(*tip, marker="o", markersize=3.5, color=COLOURS["pre"], alpha=fade)
        label = say("channels {first}, {second}").format(first=2 * pair, second=2 * pair + 1)
        axes.text(x, y - 1.35, label, ha="center", va="center")
    title = say("Pairs as hands, positions 0 to {last}").format(last=STEPS - 1)
    axes.set(title=title, aspect="equal")
    axes.set_axis_off()
