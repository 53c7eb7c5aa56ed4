"""What all plots of functions share: the figure, the colours, the look of the axes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from adjoint.errors import ArgumentValueError, NotScalarError, ShapeMismatchError
from adjoint.graph.arraytype import describe

BLUE, ORANGE, GREEN, GREY, INK = "#2a6fb0", "#d9742b", "#3b8f5a", "#8a8a8a", "#222222"
SHADES = "Blues"

Interval = tuple[float, float]


def axes_of(axes: Axes | None, size: tuple[float, float] = (5.6, 3.8)) -> tuple[Axes, Figure]:
    """The axes to draw on: those given, or those of a new figure."""
    if axes is not None:
        return axes, axes.get_figure(root=True)  # type: ignore[return-value]
    figure = Figure(figsize=size, dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    return figure.subplots(), figure


def plain(axes: Axes) -> None:
    """Axes with two sides only."""
    axes.spines[["top", "right"]].set_visible(False)


def interval(given: Sequence[float], called: str, what: str) -> Interval:
    """Both ends of an interval, as increasing finite numbers."""
    ends = np.asarray(given, np.float64)
    if ends.shape != (2,) or not np.all(np.isfinite(ends)) or ends[0] >= ends[1]:
        raise ArgumentValueError(
            f"{called} needs {what} as two finite numbers, the smaller first; got {given!r}.",
            hint=f"{what}=(-1.0, 1.0)",
        )
    return float(ends[0]), float(ends[1])


def curve(f: Callable[[Any], Any], xs: np.ndarray[Any, Any], called: str) -> np.ndarray[Any, Any]:
    """f at each point, one after the other: f may branch, and need not take arrays."""
    with np.errstate(all="ignore"):  # a pole may be one of the points
        values = [f(x) for x in xs]
    for value in values[:1]:
        if np.ndim(value) or np.iscomplexobj(value):
            raise NotScalarError(
                f"{called} draws functions that return one real number; f returned "
                f"{describe(value)}.",
                hint="draw one component: lambda x: f(x)[0].",
            )
    return np.array(values, np.float64)


def plane(
    f: Callable[[Any], Any], x_range: Interval, y_range: Interval, count: int, called: str
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """A grid over a rectangle, and f at each of its points."""
    xs, ys = np.linspace(*x_range, count), np.linspace(*y_range, count)
    points = [np.array([x, y]) for y in ys for x in xs]
    values = curve(f, points, called)  # type: ignore[arg-type]
    return xs, ys, values.reshape(count, count)


def view(values: np.ndarray[Any, Any], kept: Sequence[float] = ()) -> Interval | None:
    """The heights to draw where f has a pole, so that the rest of it is seen; None without one.

    Beside a pole neighbouring values lie far apart, and most values in a small part of the range.
    What is ``kept`` is in view in any case.
    """
    seen = values[np.isfinite(values)]
    if len(seen) < 2:
        return None
    low, high = (float(q) for q in np.quantile(seen, (0.1, 0.9)))
    reach = float(np.ptp(seen))
    if reach <= 8 * (high - low) or np.abs(np.diff(seen)).max() <= 0.15 * reach:
        return None
    low, high = min(low, *kept, high), max(high, *kept, low)
    return low - 0.5 * (high - low), high + 0.5 * (high - low)


def broken(values: np.ndarray[Any, Any], heights: Interval | None) -> np.ndarray[Any, Any]:
    """The values with a gap where they jump from one side of the picture to the other."""
    if heights is None:
        return values
    low, high = heights
    shown = np.where(np.isfinite(values), values, np.nan)
    jumps = (np.minimum(shown[1:], shown[:-1]) < low) & (np.maximum(shown[1:], shown[:-1]) > high)
    shown[1:][jumps] = np.nan
    return shown


def require_some(values: Sequence[Any], called: str, what: str) -> None:
    """Raises for an empty sequence."""
    if len(values) == 0:
        raise ArgumentValueError(f"{called} needs at least one number in {what}; got none.")


def require_points(points: Any, called: str, what: str) -> np.ndarray[Any, Any]:
    """Points in the plane, one per row."""
    found = np.asarray(points, np.float64)
    if found.ndim != 2 or found.shape[1] != 2 or not len(found):
        raise ShapeMismatchError(
            f"{called} needs {what} as points in the plane, of type f64[n,2]; "
            f"got {describe(found)}."
        )
    return found


__all__ = [
    "BLUE", "GREEN", "GREY", "INK", "ORANGE", "SHADES",
    "Interval", "axes_of", "broken", "curve", "interval", "plain", "plane", "require_points",
    "require_some", "view",
]  # fmt: skip
