"""Grids between traced end points: linspace, logspace, geomspace, and arange."""

from __future__ import annotations

from typing import Any

import numpy as np

from adjoint.graph.binding import index_of, value_or_raise
from adjoint.graph.registry import implements
from adjoint.graph.tracer import Tracer
from adjoint.primitives.creation import buffer
from adjoint.primitives.selection import convert
from adjoint.primitives.shaping import array, normalize_axis


def _floating(x: Any) -> Any:
    x = array(x)
    return x if x.dtype.kind in "fc" else x.astype(np.float64)


def _count(num: Any) -> int:
    count = index_of(num)
    if count < 0:
        raise ValueError(f"Number of samples, {count}, must be non-negative.")
    return count


def _steps(count: int, ndim: int, dtype: Any) -> Any:
    return np.arange(count, dtype=dtype).reshape((count,) + (1,) * ndim)


def _finish(points: Any, dtype: Any, axis: Any) -> Any:
    """The points as NumPy returns them: integers are rounded down, the axis put in its place."""
    if dtype is not None:
        if np.dtype(dtype).kind in "iu":
            points = np.floor(points)
        points = convert(points, dtype)
    return np.moveaxis(points, 0, normalize_axis(axis, points.ndim))


def _between(start: Any, stop: Any, count: int, endpoint: bool) -> tuple[Any, Any]:
    """Evenly spaced points along a new first axis, and their distance."""
    start, stop = np.broadcast_arrays(start, stop)
    whole = stop - start
    real = np.empty(0, whole.dtype).real.dtype
    parts = count - 1 if endpoint else count
    if parts <= 0:
        return np.expand_dims(start, 0)[:count], whole * np.nan
    step = whole / parts
    points = start + _steps(count, whole.ndim, real) * step
    if endpoint:
        points = np.concatenate((points[:-1], np.expand_dims(stop, 0)))
    return points, step


@implements(np.linspace)
def linspace(
    start: Any, stop: Any, num: Any = 50, endpoint: Any = True, retstep: Any = False,
    dtype: Any = None, axis: Any = 0, *, device: Any = None,
) -> Any:  # fmt: skip
    """``np.linspace``: start + k (stop − start)/(n − 1), and the stop itself where it belongs."""
    points, step = _between(_floating(start), _floating(stop), _count(num), bool(endpoint))
    result = _finish(points, dtype, axis)
    return (result, step) if retstep else result


@implements(np.logspace)
def logspace(
    start: Any, stop: Any, num: Any = 50, endpoint: Any = True, base: Any = 10.0,
    dtype: Any = None, axis: Any = 0,
) -> Any:  # fmt: skip
    """``np.logspace``: base to evenly spaced powers; the base may be traced too."""
    base = array(base)
    start, stop = _floating(start), _floating(stop)
    shape = np.broadcast_shapes(start.shape, stop.shape, base.shape)
    points, _ = _between(np.broadcast_to(start, shape), stop, _count(num), bool(endpoint))
    return _finish(np.power(base, points), dtype, axis)


@implements(np.geomspace)
def geomspace(
    start: Any, stop: Any, num: Any = 50, endpoint: Any = True, dtype: Any = None, axis: Any = 0
) -> Any:
    """``np.geomspace``: start (stop/start)^(k/(n − 1)), along a spiral if complex."""
    start, stop = np.broadcast_arrays(_floating(start), _floating(stop))
    count = _count(num)
    ratio = stop / start
    known = value_or_raise(ratio, "np.geomspace (which refuses 0 and a change of sign)")
    if not np.all(np.isfinite(known) & (known != 0)):
        raise ValueError("Geometric sequence cannot include zero")
    if ratio.dtype.kind == "f" and np.any(known < 0):
        # NumPy works with complex numbers here, whose real part is NaN.
        raise ValueError("np.geomspace needs real ends of one sign; make them complex")
    parts = count - 1 if endpoint else count
    if parts <= 0:
        return _finish(np.expand_dims(start, 0)[:count], dtype, axis)
    real = np.empty(0, ratio.dtype).real.dtype
    points = start * ratio ** (_steps(count, ratio.ndim, real) / parts)
    if endpoint:
        points = np.concatenate((np.expand_dims(start, 0), points[1:-1], np.expand_dims(stop, 0)))
    return _finish(points, dtype, axis)


def arange(start: Any, stop: Any = None, step: Any = 1, dtype: Any = None) -> Any:
    """``np.arange`` with traced ends: start + k·step, as many as their values ask for."""
    if stop is None:
        start, stop = 0, start
    start, stop, step = array(start), array(stop), array(step)
    length = value_or_raise(np.ceil((stop - start) / step), "np.arange (its length)")
    kind = np.result_type(start.dtype, stop.dtype, step.dtype) if dtype is None else dtype
    count = max(int(length), 0)
    return convert(start + np.arange(count) * step, kind)


@implements(np.arange)
def arange_like(*args: Any, like: Any = None, device: Any = None, **kwargs: Any) -> Any:
    """``np.arange(..., like=x)``."""
    if any(isinstance(a, Tracer) for a in (*args, *kwargs.values())):
        found = arange(*args, **kwargs)
        return found if isinstance(found, Tracer) else buffer(found)
    return buffer(np.arange(*args, **kwargs))
