"""Computation graphs drawn by Matplotlib, for PNG files."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path as Curve
from matplotlib.patheffects import withStroke

if TYPE_CHECKING:
    from adjoint.printing.drawing import ComputationGraph

_DOTS = 96.0
_BOX_HEIGHT = 44


def save_png(graph: ComputationGraph, target: Path) -> None:
    """Draws the same layout as the SVG."""
    where, (width, height) = graph.positions()
    figure = Figure(figsize=(width / _DOTS, height / _DOTS), dpi=2 * _DOTS)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.axis("off")
    box = graph.box_width()
    for a, b in graph.edges:
        axes.add_patch(
            FancyArrowPatch(
                path=_curve(graph.route(where, a, b)), arrowstyle="-|>", mutation_scale=8,
                color="#555566", linewidth=1.0, shrinkA=0, shrinkB=0,
            )
        )  # fmt: skip
    for x, y, text in graph.labels(where):
        halo = [withStroke(linewidth=3, foreground="white")]
        axes.text(x, y, text, color="#aa3333", fontsize=7, path_effects=halo)
    for i, step in enumerate(graph.steps):
        x, y = where[i]
        axes.add_patch(
            FancyBboxPatch(
                (x - box / 2, y - _BOX_HEIGHT / 2), box, _BOX_HEIGHT,
                boxstyle="round,pad=0,rounding_size=8", edgecolor="#333344",
                facecolor="#e8f0fe" if step.operation == "input" else "#ffffff",
            )
        )  # fmt: skip
        axes.text(x, y, graph.full_label(step), ha="center", va="center", fontsize=9)
    figure.savefig(target)


def _curve(points: list[tuple[float, float]]) -> Curve:
    """A smooth line through the points, upright at each of them, as in the SVG."""
    vertices, codes = [points[0]], [Curve.MOVETO]
    for (x0, y0), (x1, y1) in pairwise(points):
        middle = (y0 + y1) / 2
        vertices += [(x0, middle), (x1, middle), (x1, y1)]
        codes += [Curve.CURVE4] * 3
    return Curve(vertices, codes)
