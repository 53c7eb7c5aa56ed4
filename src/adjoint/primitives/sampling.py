"""Functions of sampled curves: interp, gradient, trapezoid, unwrap."""

from __future__ import annotations

from typing import Any

import numpy as np

from adjoint.errors import ShapeMismatchError
from adjoint.graph.arraytype import describe
from adjoint.graph.registry import implements
from adjoint.graph.sites import here
from adjoint.primitives.products import axes_tuple
from adjoint.primitives.rearranging import along
from adjoint.primitives.shaping import array, normalize_axis
from adjoint.primitives.taking import read


@implements(np.interp)
def interp(
    x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None
) -> Any:
    """``np.interp``, piecewise linear; at a knot the slope is that of the interval to its right.

    Differentiable in x, in the knots xp, in the values fp and in left and right.
    """
    x, xp, fp = array(x), array(xp), array(fp)
    if xp.ndim != 1 or xp.shape != fp.shape or not xp.size:
        raise ShapeMismatchError(
            f"np.interp needs xp and fp to be sequences of one length; it got {describe(xp)} and "
            f"{describe(fp)}.",
            where=here(),
        )
    if period is not None:
        x, xp, fp = _periodic(x, xp, fp, period)
        left = right = None
    left = fp[0] if left is None else left
    right = fp[-1] if right is None else right
    if xp.size == 1:
        inside: Any = np.broadcast_to(fp[0], x.shape)
    else:
        place = np.searchsorted(xp, x, side="right") - 1
        place = np.minimum(np.maximum(place, 0), xp.size - 2)
        x0, x1, f0, f1 = (read(p, k) for p in (xp, fp) for k in (place, place + 1))
        width = x1 - x0
        # Where two knots coincide NumPy takes the value of the later one.
        slope = np.where(width == 0, 0.0, (f1 - f0) / np.where(width == 0, 1.0, width))
        inside = np.where(width == 0, f1, f0 + slope * (x - x0))
    inside = np.where(x < xp[0], left, np.where(x > xp[-1], right, inside))
    return np.where(np.isnan(x), x, inside)


def _periodic(x: Any, xp: Any, fp: Any, period: Any) -> tuple[Any, Any, Any]:
    period = np.absolute(period)
    x, xp = np.remainder(x, period), np.remainder(xp, period)
    order = np.argsort(xp)
    xp, fp = read(xp, order), read(fp, order)
    ends = (np.expand_dims(xp[-1] - period, 0), xp, np.expand_dims(xp[0] + period, 0))
    return x, np.concatenate(ends), np.concatenate((fp[-1:], fp, fp[:1]))


@implements(np.gradient)
def gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: Any = 1) -> Any:
    """``np.gradient``: second-order differences inside, first- or second-order at the edges."""
    f = array(f)
    if f.dtype.kind in "iub":
        f = f.astype(np.float64)
    axes = axes_tuple(axis, f.ndim)
    if edge_order not in (1, 2):
        raise ValueError("'edge_order' greater than 2 not supported")
    if len(varargs) not in (0, 1, len(axes)):
        raise TypeError("invalid number of arguments")
    spacings = varargs if len(varargs) == len(axes) else (varargs or (1.0,)) * len(axes)
    found = [_along(f, i, array(h), edge_order) for i, h in zip(axes, spacings, strict=True)]
    return found[0] if len(axes) == 1 else tuple(found)


def _along(f: Any, axis: int, spacing: Any, edge_order: int) -> Any:
    size = f.shape[axis]
    if size < edge_order + 1:
        raise ValueError(
            "Shape of array too small to calculate a numerical gradient, at least (edge_order + 1) "
            "elements are required."
        )
    if spacing.ndim == 0:
        h: Any = [spacing] * 2 + [spacing] * 2
        inner = (f[along(axis, slice(2, None))] - f[along(axis, slice(None, -2))]) / (2.0 * spacing)
    else:
        steps = _steps(spacing, size)
        h = [steps[0], steps[1 % (size - 1)], steps[-2 % (size - 1)], steps[-1]]
        inner = _uneven(f, axis, steps)
    first, last = _edges(f, axis, h, edge_order)
    return np.concatenate((first, inner, last), axis=axis)


def _steps(coordinates: Any, size: int) -> Any:
    if coordinates.ndim != 1 or coordinates.shape[0] != size:
        raise ValueError("when 1d, distances must match the length of the corresponding dimension")
    return coordinates[1:] - coordinates[:-1]


def _uneven(f: Any, axis: int, steps: Any) -> Any:
    shape = (-1,) + (1,) * (f.ndim - 1 - axis)
    before, after = np.reshape(steps[:-1], shape), np.reshape(steps[1:], shape)
    return (
        -after / (before * (before + after)) * f[along(axis, slice(None, -2))]
        + (after - before) / (before * after) * f[along(axis, slice(1, -1))]
        + before / (after * (before + after)) * f[along(axis, slice(2, None))]
    )


def _edges(f: Any, axis: int, h: Any, edge_order: int) -> tuple[Any, Any]:
    def at(k: int) -> Any:
        return f[along(axis, slice(k, k + 1 or None))]

    if edge_order == 1:
        return (at(1) - at(0)) / h[0], (at(-1) - at(-2)) / h[3]
    a, b = h[0], h[1]
    c, d = h[3], h[2]
    first = (
        -(2.0 * a + b) / (a * (a + b)) * at(0)
        + (a + b) / (a * b) * at(1)
        - a / (b * (a + b)) * at(2)
    )
    last = (
        (2.0 * c + d) / (c * (c + d)) * at(-1)
        - (c + d) / (c * d) * at(-2)
        + c / (d * (c + d)) * at(-3)
    )
    return first, last


@implements(np.trapezoid)
def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: Any = -1) -> Any:
    """``np.trapezoid``: Σ (x[k+1] − x[k]) (y[k+1] + y[k])/2."""
    y = array(y)
    axis = normalize_axis(axis, y.ndim)
    if x is None:
        width = dx
    else:
        x = array(x)
        if x.ndim == 1:
            width = np.reshape(x[1:] - x[:-1], (-1,) + (1,) * (y.ndim - 1 - axis))
        else:
            place = axis - y.ndim + x.ndim
            width = x[along(place, slice(1, None))] - x[along(place, slice(None, -1))]
    pairs = y[along(axis, slice(1, None))] + y[along(axis, slice(None, -1))]
    return np.sum(width * pairs / 2.0, axis=axis)


_trapz = getattr(np, "trapz", None)  # its name before NumPy 2.4
if _trapz is not None:
    implements(_trapz)(trapezoid)


@implements(np.unwrap)
def unwrap(p: Any, discont: Any = None, axis: Any = -1, *, period: Any = 2 * np.pi) -> Any:
    """``np.unwrap``: whole periods are added, so in p the derivative is that of the identity."""
    p = array(p)
    if p.dtype.kind in "iub":
        p = p.astype(np.result_type(p.dtype, array(period).dtype))
    axis = normalize_axis(axis, p.ndim)
    jumps = p[along(axis, slice(1, None))] - p[along(axis, slice(None, -1))]
    low = -period / 2
    turns = np.floor((jumps - low) / period)
    # Exactly half a period up counts as up.
    turns = np.where(np.logical_and(jumps - turns * period == low, jumps > 0), turns - 1, turns)
    limit = period / 2 if discont is None else discont
    turns = np.where(np.absolute(jumps) < limit, 0.0, turns)
    rest = p[along(axis, slice(1, None))] - np.cumsum(turns, axis=axis) * period
    return np.concatenate((p[along(axis, slice(0, 1))], rest.astype(p.dtype)), axis=axis)


__all__ = ["gradient", "interp", "trapezoid", "unwrap"]
