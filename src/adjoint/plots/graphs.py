"""Computation graphs drawn by Matplotlib, for PNG files."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib import font_manager
from matplotlib.collections import PatchCollection, PathCollection
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import FancyBboxPatch, Polygon
from matplotlib.path import Path as Curve

from adjoint.errors import ArgumentError

if TYPE_CHECKING:
    from adjoint.printing.drawing import ComputationGraph
    from adjoint.printing.layers import Layout, Place

_DOTS = 96.0
_INK, _LINE, _RED = "#333344", "#555566", "#aa3333"
_FONT_SIZE, _COLUMN = 9.0, 7.7
_LONGEST_SIDE, _MOST_DOTS = 65_000, 6e7
"""What the renderer and an ordinary memory take."""

_WIDE_FONTS = (
    "Noto Sans CJK JP", "Noto Sans CJK SC", "Noto Sans JP", "Noto Sans SC", "WenQuanYi Zen Hei",
    "Droid Sans Fallback", "Arial Unicode MS", "Hiragino Sans", "Yu Gothic", "Microsoft YaHei",
    "Malgun Gothic", "SimHei",
)  # fmt: skip


def save_png(graph: ComputationGraph, target: Path) -> None:
    """Draws the same layout as the SVG, with two dots for each of its dots if there is room."""
    layout = graph.layout
    width, height = layout.size
    fitting = min(_LONGEST_SIDE / max(width, height), math.sqrt(_MOST_DOTS / (width * height)))
    if fitting < 0.5:
        raise ArgumentError(
            f"a PNG of {len(graph.steps)} steps would have {width:.0f} × {height:.0f} dots, "
            "too many to draw.",
            hint=f"graph.save({str(target.with_suffix('.svg'))!r})",
        )
    figure = Figure(figsize=(width / _DOTS, height / _DOTS), dpi=min(2.0, fitting) * _DOTS)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.axis("off")
    lines = layout.lines()
    curves = PathCollection([_curve(p) for p, _ in lines], facecolors="none", edgecolors=_LINE)
    tips = PatchCollection([_tip(p[-1]) for p, tip in lines if tip], facecolors=_LINE, linewidths=0)
    axes.add_collection(curves, autolim=False)
    axes.add_collection(tips, autolim=False)
    axes.add_collection(_boxes(graph, layout), autolim=False)
    families = ["DejaVu Sans", *_wide_fonts()]
    for i in range(len(graph.steps)):
        x, y = layout.where[i]
        for down, line, adjoint in graph.text_lines(i):
            shown = _drawable(line)
            # Where no font has a letter its number is longer: it must not leave the box.
            small = min(1.0, (layout.width(i) - 8) / (_COLUMN * len(shown)))
            axes.text(x, y + down, shown, ha="center", va="center", fontsize=_FONT_SIZE * small,
                      family=families, parse_math=False, color=_RED if adjoint else "black",
                      )  # fmt: skip
    figure.savefig(target)


def _boxes(graph: ComputationGraph, layout: Layout) -> PatchCollection:
    height = layout.height
    patches = []
    for i in range(len(graph.steps)):
        x, y = layout.where[i]
        width = layout.width(i)
        patches.append(
            FancyBboxPatch((x - width / 2, y - height / 2), width, height,
                           boxstyle="round,pad=0,rounding_size=8")
        )  # fmt: skip
    fills = [graph.fill(i) for i in range(len(graph.steps))]
    return PatchCollection(patches, facecolors=fills, edgecolors=_INK)


def _curve(points: Sequence[Place]) -> Curve:
    """A smooth line through the points, upright at each of them, as in the SVG."""
    vertices, codes = [points[0]], [Curve.MOVETO]
    for (x0, y0), (x1, y1) in pairwise(points):
        middle = (y0 + y1) / 2
        vertices += [(x0, middle), (x1, middle), (x1, y1)]
        codes += [Curve.CURVE4] * 3
    return Curve(vertices, codes)


def _tip(end: Place) -> Polygon:
    """An arrowhead; all lines arrive from above."""
    x, y = end
    return Polygon([(x, y), (x - 3.5, y - 7), (x + 3.5, y - 7)])


@cache
def _wide_fonts() -> tuple[str, ...]:
    """Installed fonts for the letters that Matplotlib's own does not have."""
    installed = set(font_manager.get_font_names())
    return tuple(name for name in _WIDE_FONTS if name in installed)


@cache
def _has(letter: str) -> bool:
    found = [
        font_manager.findfont(FontProperties(family=name))
        for name in ("DejaVu Sans", *_wide_fonts())
    ]
    return any(font_manager.get_font(path).get_char_index(ord(letter)) for path in found)


def _drawable(text: str) -> str:
    """A text in which letters that no font has are written as their numbers."""
    return "".join(c if _has(c) else f"U+{ord(c):X}" for c in text)
