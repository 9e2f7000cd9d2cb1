"""A picture of the sinusoidal positional encoding: its waves, its products, its turning hands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from crosscheck.flow.style import COLOURS, new_figure, save, settings
from crosscheck.sides import Array
from tinygrad_tf.transformer import SinusoidalPositionalEncoding

PAIRS = (0, 2, 4, 8)  # pairs of channels that are drawn as hands
STEPS = 6  # tokens whose hands are drawn


def draw_positions(directory: Path, width: int = 64, tokens: int = 64) -> list[Path]:
    """Write the picture of the encoding (T, C) into a directory; return its paths."""
    encoding = np.asarray(SinusoidalPositionalEncoding(width, tokens).encoding)
    with settings():
        figure = new_figure(11.0, 3.9)
        waves, products, hands = figure.subplots(1, 3, width_ratios=(1, 1, 1.05))
        _image(waves, encoding, -1, "channel", "position", "The waves")
        _image(
            products, gram(encoding), 0, "position", "position", "Products of positions, over C / 2"
        )
        _hands(hands, encoding)
        return save(figure, directory, "positions")


def gram(encoding: Array) -> Array:
    """Return the products of all pairs of positions, over C / 2. encoding (T, C) -> (T, T).

    These are cosines, since all positions have the same length. They are constant along diagonals:
    only how far apart two positions are counts.
    """
    products: Array = encoding @ encoding.T / (encoding.shape[1] / 2)
    return products


def _image(axes: Axes, values: Array, low: float, xlabel: str, ylabel: str, title: str) -> None:
    shown = axes.imshow(values, cmap="cividis", aspect="auto", vmin=low, vmax=1)
    axes.figure.colorbar(shown, ax=axes, shrink=0.85)
    axes.set(xlabel=xlabel, ylabel=ylabel, title=title)
    axes.grid(visible=False)


def _hands(axes: Axes, encoding: Array) -> None:
    """Draw channels 2i and 2i + 1 as the hand of a clock, at the first few positions."""
    pairs = [pair for pair in PAIRS if 2 * pair + 2 <= encoding.shape[1]]
    for place, pair in enumerate(pairs):
        x, y = 2.8 * (place % 2), -3.1 * (place // 2)
        turn = np.linspace(0, 2 * np.pi, 100)
        axes.plot(x + np.cos(turn), y + np.sin(turn), color="#BBBBBB", linewidth=0.8)
        for position in range(STEPS):
            sine, cosine = encoding[position, 2 * pair : 2 * pair + 2]
            fade = 1 - 0.75 * position / (STEPS - 1)
            tip = (x + sine, y + cosine)
            axes.plot(*zip((x, y), tip, strict=True), color=COLOURS["pre"], alpha=fade)
            axes.plot(*tip, marker="o", markersize=3.5, color=COLOURS["pre"], alpha=fade)
        axes.text(x, y - 1.35, f"channels {2 * pair}, {2 * pair + 1}", ha="center", va="center")
    axes.set(title=f"Pairs as hands, positions 0 to {STEPS - 1} (fading)", aspect="equal")
    axes.set_axis_off()
