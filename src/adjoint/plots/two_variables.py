"""Pictures of functions of two variables: contours, the gradient field, a path of descent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm
from matplotlib.contour import QuadContourSet
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from adjoint.calculus.gradients import grad
from adjoint.plots.frame import (
    GREY,
    INK,
    ORANGE,
    SHADES,
    Interval,
    axes_of,
    interval,
    plain,
    plane,
    require_points,
)

_GRID = 81
_SHORTEST = 1 / 3
_FLATTEST = 4.0
_EDGE = 0.12
"""How far from the sides labels of contours stand, as a part of the width."""

_SQUARE = (5.2, 4.4)


def plot_gradient_field(
    f: Callable[[Any], Any],
    x_range: Sequence[float] = (-2.0, 2.0),
    y_range: Sequence[float] = (-2.0, 2.0),
    *,
    arrows: int = 13,
    axes: Axes | None = None,
) -> Figure:
    """The contours of f: ℝ² → ℝ, and its gradient as arrows, which cross them at right angles.

    Contours carry the values of f, and darker means larger.  The longest arrow spans one cell of
    the grid of ``arrows`` × ``arrows``; lengths go with the square root of |∇f|, but are never less
    than a third of a cell, so that directions are seen in flat parts too.

    >>> from adjoint.plots import plot_gradient_field
    >>> figure = plot_gradient_field(lambda x: x[0] ** 2 + 4 * x[1] ** 2)
    >>> figure.axes[0].get_aspect()
    1.0
    """
    called = "plot_gradient_field(f)"
    across = interval(x_range, called, "x_range")
    up = interval(y_range, called, "y_range")
    axes, figure = axes_of(axes, _SQUARE)
    _contours(axes, f, across, up, called)
    xs, ys = (np.linspace(*ends, arrows + 2)[1:-1] for ends in (across, up))
    at = np.array([[x, y] for y in ys for x in xs])
    with np.errstate(all="ignore"):
        slopes = np.array([grad(f)(p) for p in at])
    known = np.all(np.isfinite(slopes), axis=1)
    at, slopes = at[known], slopes[known]
    sizes = np.hypot(*slopes.T)
    at, slopes, sizes = at[sizes > 0], slopes[sizes > 0], sizes[sizes > 0]
    if len(sizes):
        cell = min(across[1] - across[0], up[1] - up[0]) / (arrows + 1)
        lengths = cell * np.maximum(np.sqrt(sizes / sizes.max()), _SHORTEST)
        shown = slopes / sizes[:, None] * lengths[:, None]
        axes.quiver(*at.T, *shown.T, angles="xy", scale_units="xy", scale=1.0, color=INK,
                    width=0.004)  # fmt: skip
    _frame(axes, across, up)
    axes.set_aspect("equal")
    return figure


def plot_path(
    f: Callable[[Any], Any],
    path: Any,
    *,
    x_range: Sequence[float] | None = None,
    y_range: Sequence[float] | None = None,
    axes: Axes | None = None,
) -> Figure:
    """A path in the plane over the contours of f, from the square at its start to the dot.

    Parameters
    ----------
    path: the points, of type f64[n,2]: the steps of a minimiser, say.
    x_range, y_range: what to draw; by default the path with a margin.

    >>> import numpy as np
    >>> from adjoint.plots import plot_path
    >>> figure = plot_path(lambda x: x @ x, np.array([[1.0, 1.0], [0.5, 0.5], [0.0, 0.1]]))
    >>> len(figure.axes[0].lines)
    3
    """
    called = "plot_path(f, path)"
    points = require_points(path, called, "the path")
    spans = np.ptp(points, axis=0)
    around = [
        _around(c, s) for c, s in zip(points.T, np.maximum(spans, spans.max() / 2), strict=True)
    ]
    across = interval(x_range or around[0], called, "x_range")
    up = interval(y_range or around[1], called, "y_range")
    axes, figure = axes_of(axes, _SQUARE)
    _contours(axes, f, across, up, called)
    axes.plot(*points.T, "o-", color=ORANGE, linewidth=1.4, markersize=3)
    axes.plot(*points[0], "s", color=INK, markersize=6, label="start")
    axes.plot(*points[-1], "o", color=INK, markersize=6, label=_steps(len(points) - 1))
    axes.legend(fontsize=9, framealpha=0.8)
    _frame(axes, across, up)
    shape = (across[1] - across[0]) / (up[1] - up[0])
    if 1 / _FLATTEST <= shape <= _FLATTEST:
        axes.set_aspect("equal")  # descent crosses contours at right angles, and is seen to
    return figure


def _steps(count: int) -> str:
    return f"after {count} step{'s' * (count != 1)}"


def _contours(
    axes: Axes, f: Callable[[Any], Any], across: Interval, up: Interval, called: str
) -> None:
    xs, ys, values = plane(f, across, up, _GRID, called)
    shown = np.ma.masked_invalid(values)
    if shown.count() and np.ptp(shown.compressed()) > 0:
        # Levels at equal shares of the values show a valley as well as its walls.
        levels = np.unique(np.quantile(shown.compressed(), np.linspace(0, 1, 16)))
        shades = BoundaryNorm(levels, 256)
        axes.contourf(xs, ys, shown, levels=levels, norm=shades, cmap=SHADES, alpha=0.7)
        lines = axes.contour(xs, ys, shown, levels=levels, colors=GREY, linewidths=0.5,
                             linestyles="solid")  # fmt: skip
        named = levels[2:-1:3]
        places = _label_places(lines, named, across, up)
        if not places:
            return
        for label in axes.clabel(lines, named, fontsize=8, colors=INK, fmt="%.3g", manual=places):
            label.set_path_effects([withStroke(linewidth=2, foreground="white")])


def _around(values: np.ndarray[Any, Any], span: float) -> Interval:
    """An interval about the values, as if they were ``span`` apart, with a margin."""
    middle, half = float(values.min() + values.max()) / 2, 0.75 * float(span) or 1.0
    return middle - half, middle + half


def _label_places(
    lines: QuadContourSet, levels: np.ndarray[Any, Any], across: Interval, up: Interval
) -> list[tuple[float, float]]:
    """One point on each contour, away from the sides and from the other labels."""
    low, size = np.array([across[0], up[0]]), np.array([across[1] - across[0], up[1] - up[0]])
    chosen: list[np.ndarray[Any, Any]] = []
    for level, path in zip(lines.levels, lines.get_paths(), strict=True):
        points = (np.asarray(path.vertices).reshape(-1, 2) - low) / size
        inside = points[np.all(np.abs(points - 0.5) < 0.5 - _EDGE, axis=1)]
        if level in levels and len(inside):
            others = np.array(chosen or [np.zeros(2)])
            apart = np.linalg.norm(inside[:, None] - others, axis=2).min(axis=1)
            chosen.append(inside[np.argmax(apart)])
    return [(float(x), float(y)) for x, y in (low + size * p for p in chosen)]


def _frame(axes: Axes, across: Interval, up: Interval) -> None:
    axes.set_xlim(*across)
    axes.set_ylim(*up)
    axes.set_xlabel("x₁")
    axes.set_ylabel("x₂")
    plain(axes)


__all__ = ["plot_gradient_field", "plot_path"]
