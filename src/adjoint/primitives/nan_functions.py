"""NumPy's nan-functions: a NaN among the elements is left out, and has derivative zero."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from adjoint.graph.registry import implements
from adjoint.primitives.arithmetic import root_of_squares
from adjoint.primitives.products import given, reduction_axes
from adjoint.primitives.quantiles import medians, per_cent, quantiles
from adjoint.primitives.reduction import finish, is_masked
from adjoint.primitives.selection import convert
from adjoint.primitives.shaping import array
from adjoint.primitives.statistics import known_value, variance


def _present(a: Any, where: Any = True) -> Any:
    """Where the elements that count are."""
    present = ~np.isnan(a)
    return present & array(where) if is_masked(where) else present


def _filled(a: Any, fill: float) -> Any:
    """The array with another value in place of NaN."""
    if a.dtype.kind not in "fc":
        return a
    return np.where(np.isnan(a), np.asarray(fill, a.dtype), a)


def _all_missing(a: Any, axes: tuple[int, ...]) -> Any:
    return np.all(np.isnan(a), axis=axes)


def _warn_if(condition: Any, message: str) -> None:
    value = known_value(condition)
    if value is not None and np.any(value):
        warnings.warn(message, RuntimeWarning, stacklevel=4)


@implements(np.nansum)
def nansum(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False,
    initial: Any = None, where: Any = True,
) -> Any:  # fmt: skip
    """``np.nansum``."""
    return np.sum(
        _filled(array(a), 0.0), axis, dtype, out, keepdims, initial if given(initial) else 0, where
    )


@implements(np.nanprod)
def nanprod(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False,
    initial: Any = None, where: Any = True,
) -> Any:  # fmt: skip
    """``np.nanprod``."""
    start = initial if given(initial) else 1
    return np.prod(_filled(array(a), 1.0), axis, dtype, out, keepdims, start, where)


@implements(np.nancumsum)
def nancumsum(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    """``np.nancumsum``."""
    return np.cumsum(_filled(array(a), 0.0), axis, dtype, out)


@implements(np.nancumprod)
def nancumprod(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    """``np.nancumprod``."""
    return np.cumprod(_filled(array(a), 1.0), axis, dtype, out)


def _extremum(
    function: Any, worst: float, a: Any, axis: Any, out: Any, keepdims: Any, initial: Any,
    where: Any,
) -> Any:  # fmt: skip
    a = array(a)
    axes = reduction_axes(axis, a.ndim)
    extra = {"initial": initial} if given(initial) else {}
    if is_masked(where):
        extra["where"] = where
    result = function(_filled(a, worst), axis=axes, **extra)
    if a.dtype.kind in "fc" and not given(initial):
        missing = _all_missing(a, axes)
        _warn_if(missing, "All-NaN slice encountered")
        result = np.where(missing, np.asarray(np.nan, a.dtype), result)
    return finish(result, a.shape, axes, keepdims, out)


@implements(np.nanmax)
def nanmax(
    a: Any, axis: Any = None, out: Any = None, keepdims: Any = False, initial: Any = None,
    where: Any = True,
) -> Any:  # fmt: skip
    """``np.nanmax``; equal elements share the derivative."""
    return _extremum(np.max, -np.inf, a, axis, out, keepdims, initial, where)


@implements(np.nanmin)
def nanmin(
    a: Any, axis: Any = None, out: Any = None, keepdims: Any = False, initial: Any = None,
    where: Any = True,
) -> Any:  # fmt: skip
    """``np.nanmin``; equal elements share the derivative."""
    return _extremum(np.min, np.inf, a, axis, out, keepdims, initial, where)


def _argument(function: Any, worst: float, a: Any, axis: Any, out: Any, keepdims: Any) -> Any:
    a = array(a)
    if a.dtype.kind in "fc":
        missing = known_value(_all_missing(a, reduction_axes(axis, a.ndim)))
        if missing is not None and np.any(missing):
            raise ValueError("All-NaN slice encountered")
    return function(_filled(a, worst), axis=axis, out=out, keepdims=keepdims is True)


@implements(np.nanargmax)
def nanargmax(a: Any, axis: Any = None, out: Any = None, *, keepdims: Any = False) -> Any:
    """``np.nanargmax``."""
    return _argument(np.argmax, -np.inf, a, axis, out, keepdims)


@implements(np.nanargmin)
def nanargmin(a: Any, axis: Any = None, out: Any = None, *, keepdims: Any = False) -> Any:
    """``np.nanargmin``."""
    return _argument(np.argmin, np.inf, a, axis, out, keepdims)


@implements(np.nanmean)
def nanmean(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False, *,
    where: Any = True,
) -> Any:  # fmt: skip
    """``np.nanmean``."""
    a = array(a)
    if a.dtype.kind not in "fc":
        return np.mean(a, axis, dtype, out, keepdims, where=where)
    with np.errstate(invalid="ignore"):
        return np.mean(a, axis, dtype, out, keepdims, where=_present(a, where))


def _spread(
    root: bool, a: Any, axis: Any, dtype: Any, out: Any, ddof: Any, keepdims: Any, where: Any,
    mean: Any, correction: Any,
) -> Any:  # fmt: skip
    a = array(a)
    if given(correction):
        if ddof != 0:
            raise ValueError("ddof and correction can't be provided simultaneously.")
        ddof = correction
    if a.dtype.kind not in "fc":
        return (np.std if root else np.var)(
            a, axis, dtype, out, ddof, keepdims, where=where, mean=mean
        )
    present = _present(a, where)
    with np.errstate(invalid="ignore", divide="ignore"):
        result, axes, final = variance(a, axis, dtype, ddof, present, mean)
    # The root first: what follows hides that it is one of a sum of squares.
    result = convert(root_of_squares(result) if root else result, final)
    degrees = np.sum(np.broadcast_to(present, a.shape), axis=axes, dtype=np.intp) - ddof
    result = np.where(degrees <= 0, np.asarray(np.nan, result.dtype), result)
    return finish(result, a.shape, axes, keepdims, out)


@implements(np.nanvar)
def nanvar(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, ddof: Any = 0,
    keepdims: Any = False, *, where: Any = True, mean: Any = None, correction: Any = None,
) -> Any:  # fmt: skip
    """``np.nanvar``."""
    return _spread(False, a, axis, dtype, out, ddof, keepdims, where, mean, correction)


@implements(np.nanstd)
def nanstd(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, ddof: Any = 0,
    keepdims: Any = False, *, where: Any = True, mean: Any = None, correction: Any = None,
) -> Any:  # fmt: skip
    """``np.nanstd``; its derivative is 0 where all elements that count are equal."""
    return _spread(True, a, axis, dtype, out, ddof, keepdims, where, mean, correction)


def _warn_all_missing(a: Any, axis: Any) -> bool:
    """Whether NaNs are possible; warns where there is nothing else."""
    if a.dtype.kind not in "fc":
        return False
    missing = _all_missing(a, reduction_axes(axis, a.ndim))
    _warn_if(missing, "All-NaN slice encountered")
    return True


@implements(np.nanmedian)
def nanmedian(
    a: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False, keepdims: Any = False
) -> Any:
    """``np.nanmedian``."""
    a = array(a)
    return medians(a, axis, out, keepdims, _warn_all_missing(a, axis))


@implements(np.nanquantile)
def nanquantile(
    a: Any, q: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False,
    method: str = "linear", keepdims: Any = False, *, weights: Any = None,
) -> Any:  # fmt: skip
    """``np.nanquantile``."""
    a = array(a)
    return quantiles(a, q, axis, out, method, keepdims, weights, _warn_all_missing(a, axis))


@implements(np.nanpercentile)
def nanpercentile(
    a: Any, q: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False,
    method: str = "linear", keepdims: Any = False, *, weights: Any = None,
) -> Any:  # fmt: skip
    """``np.nanpercentile``."""
    a = array(a)
    levels = per_cent(a, q)
    return quantiles(a, levels, axis, out, method, keepdims, weights, _warn_all_missing(a, axis))
