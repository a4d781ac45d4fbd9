"""The pictures of the report."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from examples.digits.image_grid import ImageGrid
from examples.digits.tables import Score

BLUE, GREY = "#3454d1", "#6b7785"


def scores_figure(scores: Sequence[Score], best: str) -> Figure:
    """A dot per model with its spread, the best one in colour."""
    figure = Figure(figsize=(8, 0.9 + 0.35 * len(scores)))
    axes = figure.add_subplot()
    for row, score in enumerate(sorted(scores, key=lambda score: score.accuracy)):
        colour = BLUE if score.model == best else GREY
        axes.errorbar(score.accuracy, row, xerr=score.spread, fmt="o", color=colour, capsize=4)
        axes.annotate(
            f"{score.model}  {score.accuracy:.1%}",
            (score.accuracy - score.spread, row),
            (-8, 0),
            textcoords="offset points",
            ha="right",
            va="center",
            color=colour,
        )
    axes.margins(x=0.35, y=0.2)
    axes.set_xlim(right=1.0)
    axes.xaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    axes.set_yticks([])
    axes.set_title("Accuracy in five rounds of practice", loc="left")
    axes.spines[["left", "top", "right"]].set_visible(False)
    return figure


def confusion_figure(counts: NDArray[np.int64]) -> Figure:
    """A matrix of `counts[digit, guess]`; what was read right is left out, so that mistakes stand out."""
    figure = Figure(figsize=(4.6, 4.2))
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
