"""The pictures of the report."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from examples.digits.image_grid import ImageGrid
from examples.digits.tables import Score

BLUE = "#3454d1"


def scores_figure(scores: Sequence[Score], best: str) -> Figure:
    """One bar per model, the best one in colour."""
    figure = Figure(figsize=(8, 0.5 + 0.45 * len(scores)))
    axes = figure.add_subplot()
    ordered = sorted(scores, key=lambda score: score.accuracy)
    bars = axes.barh(
        [score.model for score in ordered],
        [score.accuracy for score in ordered],
        xerr=[score.spread for score in ordered],
        color=[BLUE if score.model == best else "#b8c1d1" for score in ordered],
    )
    axes.bar_label(bars, [f"{score.accuracy:.1%}" for score in ordered], padding=6)
    axes.set_xlim(min(score.accuracy for score in ordered) - 0.05, 1.02)
    axes.xaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def confusion_figure(counts: NDArray[np.int64]) -> Figure:
    """A matrix of `counts[digit, guess]`; what was read right is left out, so that mistakes stand out."""
    figure = Figure(figsize=(5, 4.6))
    axes = figure.add_subplot()
    mistakes = counts * (1 - np.eye(len(counts), dtype=np.int64))
    axes.imshow(mistakes, cmap="Blues", vmax=max(1, int(mistakes.max()) * 1.5))
    for digit, guess in zip(*np.nonzero(counts), strict=True):
        mistaken = digit != guess
        axes.text(guess, digit, str(counts[digit, guess]), ha="center", va="center", color=None if mistaken else "#aaa")
    axes.set_xlabel("read as")
    axes.set_ylabel("meant")
    axes.set_xticks(range(len(counts)))
    axes.set_yticks(range(len(counts)))
    return figure


def grid_figure(grid: ImageGrid, columns: int = 8) -> Figure:
    """The images of a grid, each under its caption."""
    rows = max(1, -(-len(grid) // columns))
    figure = Figure(figsize=(columns, 1.35 * rows))
    axes = figure.subplots(rows, columns, squeeze=False)
    for cell in axes.flat:
        cell.set_axis_off()
    for cell, image, caption in zip(axes.flat, grid.pixels, grid.captions, strict=False):
        cell.imshow(image, cmap="gray", vmin=0, vmax=255)
        cell.set_title(caption, fontsize=9)
    return figure
