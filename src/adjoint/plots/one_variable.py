"""Pictures of functions of one variable: secants, tangents, Taylor polynomials."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from adjoint.calculus.differences import ConvergenceTable, convergence_table, difference_quotient
from adjoint.calculus.scalars import derivative
from adjoint.calculus.series import TaylorPolynomial, taylor
from adjoint.errors import ArgumentError
from adjoint.graph.arraytype import describe
from adjoint.plots.frame import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    axes_of,
    broken,
    curve,
    interval,
    plain,
    require_some,
    view,
)

_POINTS = 400
_COLOURS, _WARM = "viridis", "plasma"


def plot_secants(
    f: Callable[[Any], Any],
    x: float,
    deltas: Sequence[float] = (1.0, 0.5, 0.25),
    *,
    axes: Axes | None = None,
) -> Figure:
    """The secants through x and x + δ, and the tangent they turn into.

    Each secant is labelled with its slope, the difference quotient.

    >>> from adjoint.plots import plot_secants
    >>> figure = plot_secants(lambda x: x**2, 1.0, deltas=[1.0, 0.5])
    >>> [t.get_text() for t in figure.axes[0].get_legend().get_texts()]
    ['f', 'δ = 1: slope 3', 'δ = 0.5: slope 2.5', 'tangent: slope 2']
    """
    called = "plot_secants(f, x)"
    x = _number(x, called)
    require_some(deltas, called, "deltas")
    axes, figure = axes_of(axes)
    reach = max(abs(d) for d in deltas)
    ends = x - 0.6 * reach, x + 1.3 * reach
    y = float(f(x))
    _draw_f(axes, f, ends, [x, *(x + d for d in deltas)], called)
    for shade, delta in zip(np.linspace(0.75, 0.35, len(deltas)), deltas, strict=True):
        slope = float(difference_quotient(f, x, delta))
        colour = str(1 - shade)
        axes.plot(ends, [y + slope * (t - x) for t in ends], color=colour, linewidth=1,
                  label=f"δ = {delta:g}: slope {slope:.4g}")  # fmt: skip
        axes.plot([x + delta], [f(x + delta)], "o", color=colour, markersize=5, markeredgecolor=INK,
                  zorder=3)  # fmt: skip
    slope = float(derivative(f)(x))
    axes.plot(ends, [y + slope * (t - x) for t in ends], color=ORANGE, linewidth=1.8,
              label=f"tangent: slope {slope:.4g}")  # fmt: skip
    axes.plot([x], [y], "o", color=INK, markersize=5)
    _name_axes(axes)
    _finish(axes)
    return figure


def plot_convergence(
    table: ConvergenceTable | Callable[[Any], Any], x: float | None = None, *,
    axes: Axes | None = None,
) -> Figure:  # fmt: skip
    """The error of the difference quotient against δ, both on logarithmic scales.

    It falls in proportion to δ, down to where the rounding of f, about ε |f(x)|/δ, takes over.
    Where it does not fall, f has no derivative at x, and no step is marked as the best.  Takes a
    table of `adjoint.convergence_table`, or what that takes.

    >>> import numpy as np
    >>> from adjoint.plots import plot_convergence
    >>> plot_convergence(np.sin, 1.0).axes[0].get_xlabel()
    'δ'
    """
    if not isinstance(table, ConvergenceTable):
        if x is None:
            raise ArgumentError(
                "plot_convergence(f, x) needs the point x, or a table; got a function alone.",
                hint="plot_convergence(f, 1.0)",
            )
        table = convergence_table(table, x)
    axes, figure = axes_of(axes)
    shown = table.errors > 0
    deltas, errors = np.abs(table.deltas[shown]), table.errors[shown]
    axes.loglog(deltas, errors, "o-", color=BLUE, markersize=4, linewidth=1.2)
    if len(errors) and errors.min() < 0.9 * errors[np.argmax(deltas)]:
        falling = errors[0] / deltas[0]
        axes.loglog(deltas, falling * deltas, "--", color=GREY, linewidth=1, label="∝ δ")
        size = np.finfo(float).eps * abs(table.derivative or 1.0)
        axes.loglog(deltas, size / deltas, ":", color=GREY, linewidth=1.2, label="ε/δ, rounding")
        axes.axvline(abs(table.best_delta), color=ORANGE, linewidth=1)
        axes.annotate(
            f"best δ = {table.best_delta:.0e}", (abs(table.best_delta), errors.max()),
            xytext=(4, 0), textcoords="offset points", color=ORANGE, fontsize=9,
        )  # fmt: skip
    elif len(errors):
        axes.lines[-1].set_label("no convergence")
    if len(errors):
        axes.set_ylim(0.2 * errors.min(), 5 * errors.max())
    axes.set_xlabel("δ")
    axes.set_ylabel("error of the difference quotient")
    _finish(axes)
    return figure


def plot_tangent(
    f: Callable[[Any], Any],
    points: float | Sequence[float],
    *,
    x_range: Sequence[float] | None = None,
    axes: Axes | None = None,
) -> Figure:
    """f and its tangents f(x₀) + f′(x₀)(x − x₀) at one point or at several.

    >>> import numpy as np
    >>> from adjoint.plots import plot_tangent
    >>> len(plot_tangent(np.sin, [0.0, 1.0], x_range=(-1, 3)).axes[0].lines)
    5
    """
    called = "plot_tangent(f, points)"
    centres = [_number(p, called) for p in np.atleast_1d(np.asarray(points, np.float64))]
    if x_range is None:
        x_range = (min(centres) - 2.0, max(centres) + 2.0)
    ends = interval(x_range, called, "x_range")
    axes, figure = axes_of(axes)
    _draw_f(axes, f, ends, centres, called)
    reach = 0.22 * (ends[1] - ends[0])
    for x, colour in zip(centres, _tangent_colours(len(centres)), strict=True):
        y, slope = float(f(x)), float(derivative(f)(x))
        near = np.array([x - reach, x + reach])
        axes.plot(near, y + slope * (near - x), color=colour, linewidth=1.6,
                  label=f"slope {slope:.4g} at {x:g}")  # fmt: skip
        axes.plot([x], [y], "o", color=INK, markersize=5)
    _name_axes(axes)
    _finish(axes)
    return figure


def _draw_f(
    axes: Axes, f: Callable[[Any], Any], ends: tuple[float, float], kept: list[float], called: str
) -> None:
    """The curve of f, at such a height that f is seen at the points ``kept``."""
    xs = np.linspace(*ends, _POINTS)
    values = curve(f, xs, called)
    heights = view(values, [float(f(x)) for x in kept])
    axes.plot(xs, broken(values, heights), color=BLUE, linewidth=2, label="f")
    if heights is not None:
        axes.set_ylim(*heights)


def _tangent_colours(count: int) -> list[Any]:
    """One colour for each tangent, so that the legend tells them apart."""
    if count == 1:
        return [ORANGE]
    return [mpl.colormaps[_WARM](0.2 + 0.6 * k / (count - 1)) for k in range(count)]


def plot_taylor(
    f: Callable[[Any], Any] | TaylorPolynomial,
    x0: float | None = None,
    orders: Sequence[int] = (1, 3, 5),
    *,
    x_range: Sequence[float] | None = None,
    axes: Axes | None = None,
) -> Figure:
    """f and its Taylor polynomials of several degrees.

    Parameters
    ----------
    f: a function with a centre ``x0``, or a `TaylorPolynomial` in one variable: then of degree up
        to its own.
    orders: the degrees.
    x_range: what to draw; by default three units to both sides.

    >>> import numpy as np
    >>> from adjoint.plots import plot_taylor
    >>> figure = plot_taylor(np.sin, 0.0, orders=[1, 3])
    >>> [t.get_text() for t in figure.axes[0].get_legend().get_texts()]
    ['f', 'degree 1', 'degree 3']
    """
    called = "plot_taylor(f, x0)"
    require_some(orders, called, "orders")
    if isinstance(f, TaylorPolynomial):
        orders = [k for k in orders if k < f.order] + [f.order]
        longest, f = f, _approximated(f)
    else:
        if x0 is None:
            raise ArgumentError(
                "plot_taylor(f, x0) needs the centre x0; got a function alone.",
                hint="plot_taylor(f, 0.0), or plot_taylor(ad.taylor(f, 0.0, 5))",
            )
        longest = taylor(f, _number(x0, called), max(orders))
    centre = _number(longest.center, called)
    ends = interval(x_range or (centre - 3.0, centre + 3.0), called, "x_range")
    axes, figure = axes_of(axes)
    xs = np.linspace(*ends, _POINTS)
    values = curve(f, xs, called)
    for place, order in enumerate(orders):
        axes.plot(xs, longest.truncate(order)(xs), linewidth=1.4, label=f"degree {order}",
                  color=_shade(place, len(orders)))  # fmt: skip
    y = float(f(np.float64(centre)))
    heights = view(values, [y])
    (line,) = axes.plot(xs, broken(values, heights), color=INK, linewidth=2, label="f", zorder=3)
    axes.plot([centre], [y], "o", color=INK, markersize=5, zorder=4)
    _keep_in_view(axes, values if heights is None else np.array(heights))
    _name_axes(axes)
    _finish(axes, first=line)
    return figure


def _approximated(polynomial: TaylorPolynomial) -> Callable[[Any], Any]:
    if polynomial.function is None:
        raise ArgumentError(
            "plot_taylor(p) needs the function that p approximates; this polynomial has none.",
            hint="plot_taylor(f, x0, orders)",
        )
    return polynomial.function


def _keep_in_view(axes: Axes, values: np.ndarray[Any, Any]) -> None:
    """Polynomials run off quickly: the height of the picture is that of f, and half as much."""
    seen = values[np.isfinite(values)]
    if len(seen):
        height = max(float(np.ptp(seen)), 1e-12)
        axes.set_ylim(float(seen.min()) - 0.4 * height, float(seen.max()) + 0.4 * height)


def _shade(place: int, count: int) -> Any:
    return mpl.colormaps[_COLOURS](0.15 + 0.7 * place / max(1, count - 1))


def _number(x: Any, called: str) -> float:
    if np.ndim(x) or not isinstance(x, int | float | np.number | np.ndarray):
        raise ArgumentError(f"{called} needs one real number as the point; got {describe(x)}.")
    return float(x)


def _name_axes(axes: Axes) -> None:
    axes.set_xlabel("x")
    axes.set_ylabel("f(x)")


def _finish(axes: Axes, first: Any = None) -> None:
    plain(axes)
    handles, labels = axes.get_legend_handles_labels()
    if first is not None:
        place = handles.index(first)
        handles.insert(0, handles.pop(place))
        labels.insert(0, labels.pop(place))
    axes.legend(handles, labels, frameon=False, fontsize=9)


__all__ = ["plot_convergence", "plot_secants", "plot_tangent", "plot_taylor"]
