"""Median, quantiles and percentiles: sorting, then a choice or an interpolation of neighbours.

The thirteen methods are those of NumPy; nine of them are the ones of Hyndman and Fan, "Sample
quantiles in statistical packages", The American Statistician 50 (1996), definitions 1 to 9.
"""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np

from adjoint.errors import UnknownNameError, nearest
from adjoint.graph.registry import implements
from adjoint.graph.sites import here
from adjoint.graph.tracer import Tracer
from adjoint.primitives.folding import flatten_axes
from adjoint.primitives.indexing import HOLE, take_index
from adjoint.primitives.products import reduction_axes
from adjoint.primitives.reduction import finish
from adjoint.primitives.selection import convert
from adjoint.primitives.shaping import array, write_out
from adjoint.primitives.sorting import ARGSORT, along
from adjoint.primitives.statistics import known_value

PLOTTING_POSITIONS = {
    "interpolated_inverted_cdf": (0.0, 1.0),
    "hazen": (0.5, 0.5),
    "weibull": (0.0, 0.0),
    "linear": (1.0, 1.0),
    "median_unbiased": (1.0 / 3.0, 1.0 / 3.0),
    "normal_unbiased": (3.0 / 8.0, 3.0 / 8.0),
}
"""α and β of Hyndman and Fan's equation (2): the quantile stands at n q + α + q (1 − α − β)."""

STEPS = ("inverted_cdf", "averaged_inverted_cdf", "closest_observation", "lower", "higher",
         "midpoint", "nearest")  # fmt: skip
"""Methods whose quantile is an element, or the middle of two."""


class _Place(NamedTuple):
    """The quantile is (1 − weight) · x[lower] + weight · x[upper]; weight None is x[lower]."""

    lower: Any
    upper: Any
    weight: Any


def _index(position: Any, n: Any) -> Any:
    """A position as an index into n elements."""
    return np.maximum(np.minimum(position, n - 1), 0).astype(np.intp)


def _step(method: str, n: Any, q: Any) -> _Place:
    if method in ("lower", "higher", "midpoint", "nearest"):
        position = (n - 1) * q
        below, above = np.floor(position), np.ceil(position)
        if method == "midpoint":
            return _Place(_index(below, n), _index(above, n), 0.5)
        chosen = {"lower": below, "higher": above, "nearest": np.rint(position)}[method]
        return _Place(_index(chosen, n), None, None)
    position = n * q
    if method == "closest_observation":
        return _Place(_index(np.rint(position) - 1, n), None, None)
    chosen = _index(np.ceil(position) - 1, n)
    if method == "inverted_cdf":
        return _Place(chosen, None, None)
    return _Place(chosen, _index(np.floor(position), n), 0.5)


def _place(method: str, n: Any, q: Any) -> _Place:
    """Where among n sorted elements the quantiles are; n may be an array."""
    if method in STEPS:
        return _step(method, n, q)
    alpha, beta = PLOTTING_POSITIONS[method]
    if method == "linear":
        position = (n - 1) * q
    else:
        position = n * q + (alpha + q * (1 - alpha - beta)) - 1
        position = np.where(position < 0, 0.0, np.where(position > n - 1, n - 1.0, position))
    below = np.floor(position)
    return _Place(_index(below, n), _index(below + 1, n), position - below)


def _interpolate(low: Any, high: Any, weight: Any) -> Any:
    if not isinstance(weight, Tracer) and np.all(weight == 0.5):
        return (low + high) * 0.5
    return low + (high - low) * weight


def _check(method: str, q: Any, weights: Any) -> None:
    known = (*PLOTTING_POSITIONS, *STEPS)
    if method not in known:
        raise UnknownNameError(
            f"np.quantile has no method {method!r}. Nearest: "
            f"{', '.join(nearest(str(method), known)) or ', '.join(known)}.",
            where=here(),
        )
    if weights is not None and method != "inverted_cdf":
        raise ValueError(f"Only method 'inverted_cdf' supports weights. Got: {method}.")
    value = known_value(q)
    if value is not None and not np.all((np.asarray(value) >= 0) & (np.asarray(value) <= 1)):
        raise ValueError("Quantiles must be in the range [0, 1]")


def _pick(x: Any, index: Any, per_row: bool) -> Any:
    """Elements of the last axis: the same ones of every row, or each row's own."""
    if not per_row:
        return take_index(x, (Ellipsis, HOLE), [index])
    index = np.broadcast_to(index, x.shape[:-1] + index.shape[-1:])
    return along(x, index, x.ndim - 1)


def _sorted_quantiles(x: Any, q: Any, method: str, skip_nan: bool) -> Any:
    """Quantiles (…, m) of rows (…, n), for a vector of m levels q."""
    n = x.shape[-1]
    x = along(x, ARGSORT(x, axis=x.ndim - 1, kind=None), x.ndim - 1)
    floating = x.dtype.kind in "fc"
    per_row = skip_nan and floating
    # NaNs are last in sorted order, so that the elements that count are the first ones.
    count = np.sum(~np.isnan(x), axis=-1, keepdims=True) if per_row else n
    place = _place(method, count, q)
    result = _pick(x, place.lower, per_row)
    if place.weight is not None:
        weight: Any = place.weight
        if floating and np.result_type(weight).kind == "f":
            weight = convert(weight, np.result_type(weight, x.dtype))
        result = _interpolate(result, _pick(x, place.upper, per_row), weight)
    if floating and not skip_nan:
        last = x[..., -1:]
        result = np.where(np.isnan(last), last, result)
    return result


def _weighted_quantiles(x: Any, q: Any, weights: Any, skip_nan: bool) -> Any:
    """The first element at which the cumulative weight reaches q of the total."""
    value = known_value(weights)
    if value is not None and np.any(np.asarray(value) < 0):
        raise ValueError("Weights must be non-negative.")
    axis = x.ndim - 1
    order = ARGSORT(x, axis=axis, kind="stable")
    x, w = along(x, order, axis), along(weights, order, axis)
    floating = x.dtype.kind in "fc"
    if skip_nan and floating:
        w = np.where(np.isnan(x), 0.0, w)
    total = np.cumsum(w, axis=axis)
    share = total / total[..., -1:]
    # Elements of weight zero in front are never chosen.
    share = np.where(share == 0, -1.0, share)
    index = np.sum(share[..., None, :] < np.reshape(q, (-1, 1)), axis=-1)
    result = along(x, _index(index, x.shape[-1]), axis)
    if floating and not skip_nan:
        last = x[..., -1:]
        result = np.where(np.isnan(last), last, result)
    return result


def _fit_weights(weights: Any, a: Any, axis: Any, axes: tuple[int, ...]) -> Any:
    weights = array(weights)
    if weights.shape != a.shape:
        if axis is None:
            raise TypeError("Axis must be specified when shapes of a and weights differ.")
        if weights.shape != tuple(a.shape[i] for i in axes):
            raise ValueError(
                "Shape of weights must be consistent with shape of a along specified axis."
            )
        weights = np.transpose(weights, tuple(int(i) for i in np.argsort(axes)))
        shape = tuple(n if i in axes else 1 for i, n in enumerate(a.shape))
        weights = np.broadcast_to(np.reshape(weights, shape), a.shape)
    return flatten_axes(weights, axes)


def quantiles(
    a: Any, q: Any, axis: Any, out: Any, method: str, keepdims: Any, weights: Any,
    skip_nan: bool,
) -> Any:  # fmt: skip
    """Quantiles over some axes, with the axes of q in front; differentiable in a and, for the
    interpolating methods, in q."""
    a = array(a)
    if a.dtype.kind == "c":
        raise TypeError("a must be an array of real numbers")
    _check(method, q, weights)
    axes = reduction_axes(axis, a.ndim)
    # A Python number takes the precision of a, as it does in arithmetic.
    levels = array(q) if not isinstance(q, float | int) or a.dtype.kind != "f" else a.dtype.type(q)
    shape = np.shape(levels)
    flat = np.reshape(levels, (-1,))
    x = flatten_axes(a, axes) if axes else np.expand_dims(a, -1)
    if x.shape[-1] == 0:
        if not skip_nan:
            raise IndexError("index -1 is out of bounds for axis 0 with size 0: no elements")
        warnings.warn("Mean of empty slice.", RuntimeWarning, stacklevel=4)
        found = np.full((*x.shape[:-1], flat.shape[0]), np.nan)
    elif weights is not None:
        found = _weighted_quantiles(x, flat, _fit_weights(weights, a, axis, axes), skip_nan)
    else:
        found = _sorted_quantiles(x, flat, method, skip_nan)
    found = np.moveaxis(found, -1, 0)
    result = np.reshape(found, shape + found.shape[1:])
    if keepdims is True:
        kept = tuple(1 if i in axes else n for i, n in enumerate(a.shape))
        result = np.reshape(result, shape + kept)
    return result if out is None else write_out(out, result)


@implements(np.quantile)
def quantile(
    a: Any, q: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False,
    method: str = "linear", keepdims: Any = False, *, weights: Any = None,
) -> Any:  # fmt: skip
    """``np.quantile``."""
    return quantiles(a, q, axis, out, method, keepdims, weights, False)


def per_cent(a: Any, q: Any) -> Any:
    """A level in hundredths as one in [0, 1]."""
    value = known_value(q)
    if value is not None and not np.all((np.asarray(value) >= 0) & (np.asarray(value) <= 100)):
        raise ValueError("Percentiles must be in the range [0, 100]")
    if isinstance(q, int | float):
        return q / 100
    return array(q) / 100


@implements(np.percentile)
def percentile(
    a: Any, q: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False,
    method: str = "linear", keepdims: Any = False, *, weights: Any = None,
) -> Any:  # fmt: skip
    """``np.percentile``."""
    return quantiles(a, per_cent(a, q), axis, out, method, keepdims, weights, False)


def medians(a: Any, axis: Any, out: Any, keepdims: Any, skip_nan: bool) -> Any:
    """The middle element, or the mean of the two in the middle."""
    a = array(a)
    if a.dtype.kind in "iub":
        a = convert(a, np.float64)
    axes = reduction_axes(axis, a.ndim)
    x = flatten_axes(a, axes) if axes else np.expand_dims(a, -1)
    n = x.shape[-1]
    if n == 0:
        return np.mean(a, axis=axis, out=out, keepdims=keepdims)
    last = x.ndim - 1
    x = along(x, ARGSORT(x, axis=last, kind=None), last)
    if skip_nan:
        count = np.sum(~np.isnan(x), axis=-1, keepdims=True)
        low, high = _index((count - 1) // 2, n), _index(count // 2, n)
        result = np.reshape((along(x, low, last) + along(x, high, last)) * 0.5, x.shape[:-1])
    else:
        middle = x[..., n // 2]
        result = middle if n % 2 else (x[..., n // 2 - 1] + middle) * 0.5
        result = np.where(np.isnan(x[..., -1]), x[..., -1], result)
    return finish(result, a.shape, axes, keepdims, out)


@implements(np.median)
def median(
    a: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False, keepdims: Any = False
) -> Any:
    """``np.median``."""
    return medians(a, axis, out, keepdims, False)
