"""Distinct elements, histograms and counts.

What depends on values only through an order or a count is flat; the elements chosen, the edges
between bins and the weights that are added up carry derivatives.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from adjoint.graph.binding import index_of, value_or_raise
from adjoint.graph.registry import implements
from adjoint.graph.tracer import Tracer
from adjoint.primitives.folding import slots
from adjoint.primitives.indexing import HOLE, SCATTER_ADD
from adjoint.primitives.selection import convert
from adjoint.primitives.shaping import array, normalize_axis
from adjoint.primitives.sorting import SEARCHSORTED
from adjoint.primitives.statistics import known_value

_numpy_unique: Any = np.unique


@implements(np.unique)
def unique(
    ar: Any, return_index: bool = False, return_inverse: bool = False,
    return_counts: bool = False, axis: Any = None, *, equal_nan: bool = True, sorted: bool = True,
) -> Any:  # fmt: skip
    """``np.unique``: the first occurrence of each element; indices and counts are plain."""
    x = array(ar)
    value = value_or_raise(x, "np.unique (it has as many results as there are distinct elements)")
    _, index, *rest = _numpy_unique(
        value, True, return_inverse, return_counts, axis=axis, equal_nan=equal_nan
    )
    if axis is None:
        chosen = np.reshape(x, -1)[index]
    else:
        chosen = x[slots(normalize_axis(axis, x.ndim), index)]
    found = (chosen, *([index] if return_index else []), *rest)
    return found if len(found) > 1 else chosen


def _distinct(x: Any, *wanted: str) -> Any:
    x = array(x)
    values, index, inverse, counts = unique(x, True, True, True, equal_nan=False)
    known = {"values": values, "indices": index, "inverse_indices": inverse, "counts": counts}
    return tuple(known[name] for name in wanted)


@implements(np.unique_values)
def unique_values(x: Any) -> Any:
    """``np.unique_values``."""
    return _distinct(x, "values")[0]


def _named(function: Any, *names: str) -> None:
    """A function of the array API that returns several things by name."""

    def answer(x: Any) -> Any:
        return type(function(np.zeros(1)))(*_distinct(x, *names))

    answer.__doc__ = f"``np.{function.__name__}``."
    implements(function)(answer)


_named(np.unique_all, "values", "indices", "inverse_indices", "counts")
_named(np.unique_counts, "values", "counts")
_named(np.unique_inverse, "values", "inverse_indices")


@implements(np.bincount)
def bincount(x: Any, /, weights: Any = None, minlength: Any = 0) -> Any:
    """``np.bincount``; linear in the weights."""
    x = array(x)
    value = value_or_raise(x, "np.bincount (its largest element is the length of the result)")
    if x.ndim != 1:
        raise ValueError("object too deep for desired array" if x.ndim else "object of too small "
                         "depth for desired array")  # fmt: skip
    if x.dtype.kind not in "iub":
        if x.size:
            raise TypeError(f"Cannot cast array data from {x.dtype!r} to dtype('int64') according "
                            "to the rule 'safe'")  # fmt: skip
        value = value.astype(np.intp)
    if np.any(value < 0):
        raise ValueError("'list' argument must have no negative elements")
    length = max(int(value.max(initial=-1)) + 1, index_of(minlength))
    if weights is None:
        return np.bincount(value, minlength=length)
    weights = convert(array(weights), np.float64)
    if weights.shape != x.shape:
        raise ValueError("The weights and list don't have the same length.")
    return SCATTER_ADD(np.zeros(length), weights, value.astype(np.intp), template=(HOLE,))


# -- histograms -----------------------------------------------------------------------------------


def _outer_edges(x: Any, span: Any) -> tuple[Any, Any]:
    """The ends of the range; half a unit to either side of a single value."""
    if span is not None:
        low, high = span
        if known_value(low) is not None and known_value(low) > known_value(high):
            raise ValueError("max must be larger than min in range parameter.")
    elif x.size == 0:
        low, high = 0.0, 1.0
    else:
        low, high = np.min(x), np.max(x)
    for end in (known_value(low), known_value(high)):
        if end is not None and not np.isfinite(end):
            kind = "supplied" if span is not None else "autodetected"
            raise ValueError(
                f"{kind} range of [{known_value(low)}, {known_value(high)}] is not finite"
            )
    equal = low == high
    return np.where(equal, low - 0.5, low), np.where(equal, high + 0.5, high)


def _edges(x: Any, bins: Any, span: Any, weights: Any) -> Any:
    if isinstance(bins, str):
        # The rule gives the number of bins; where they lie still follows the data.
        value = value_or_raise(x, f"the number of bins by the rule {bins!r}")
        bins = len(np.histogram_bin_edges(value, bins, span, weights)) - 1
    bins = array(bins)
    if bins.ndim == 1:
        edges = known_value(bins)
        if edges is not None and np.any(edges[:-1] > edges[1:]):
            raise ValueError("`bins` must increase monotonically, when an array")
        return bins
    if bins.ndim > 1:
        raise ValueError("`bins` must be 1d, when an array")
    n = index_of(bins if isinstance(bins, Tracer) else bins[()])
    if n < 1:
        raise ValueError("`bins` must be positive, when an integer")
    low, high = _outer_edges(x, span)
    counter = np.arange(n + 1)
    return np.where(counter == n, high, low + counter * ((high - low) / n))


def _samples(a: Any, weights: Any) -> tuple[Any, Any]:
    a = array(a)
    if a.dtype == np.bool_:
        a = convert(a, np.uint8)
    if weights is not None:
        weights = array(weights)
        if weights.shape != a.shape:
            raise ValueError("weights should have the same shape as a.")
        weights = np.reshape(weights, -1)
    return np.reshape(a, -1), weights


@implements(np.histogram_bin_edges)
def histogram_bin_edges(a: Any, bins: Any = 10, range: Any = None, weights: Any = None) -> Any:
    """``np.histogram_bin_edges``: evenly spaced between the smallest and the largest element."""
    x, weights = _samples(a, weights)
    return _edges(x, bins, range, weights)


@implements(np.histogram)
def histogram(
    a: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None
) -> tuple[Any, Any]:
    """``np.histogram``: counts are flat in the data and linear in the weights."""
    x, weights = _samples(a, weights)
    edges = _edges(x, bins, range, weights)
    n = edges.shape[0] - 1
    slot = SEARCHSORTED(edges, x, side="right", stacked=0) - 1
    slot = np.where(x == edges[-1], n - 1, slot)
    # What is outside goes to one more bin, which is dropped.
    slot = np.where((slot >= 0) & (slot < n), slot, n)
    amount = np.ones(x.shape, np.intp) if weights is None else weights
    counts = SCATTER_ADD(np.zeros(n + 1, amount.dtype), amount, slot, template=(HOLE,))[:-1]
    if density:
        return counts / (edges[1:] - edges[:-1]) / np.sum(counts), edges
    return counts, edges


# -- sets -----------------------------------------------------------------------------------------


def _elements(x: Any, called: str) -> tuple[Any, Any]:
    """The flat operand and its value, which decides what is in the result."""
    flat = np.reshape(array(x), -1)
    return flat, value_or_raise(flat, f"{called} (its length depends on the elements)")


@implements(np.union1d)
def union1d(ar1: Any, ar2: Any) -> Any:
    """``np.union1d``: of an element of both, the one of the first."""
    return unique(np.concatenate([array(ar1), array(ar2)], axis=None))


@implements(np.intersect1d)
def intersect1d(
    ar1: Any, ar2: Any, assume_unique: bool = False, return_indices: bool = False
) -> Any:
    """``np.intersect1d``: the elements of the first array that the second has too."""
    flat, one = _elements(ar1, "np.intersect1d")
    _, two = _elements(ar2, "np.intersect1d")
    _, i, j = np.intersect1d(one, two, assume_unique, return_indices=True)
    return (flat[i], i, j) if return_indices else flat[i]


@implements(np.setdiff1d)
def setdiff1d(ar1: Any, ar2: Any, assume_unique: bool = False) -> Any:
    """``np.setdiff1d``: the elements of the first array that the second does not have."""
    flat, one = _elements(ar1, "np.setdiff1d")
    _, two = _elements(ar2, "np.setdiff1d")
    index = np.arange(one.size) if assume_unique else np.unique(one, return_index=True)[1]
    return flat[index[~np.isin(one[index], two)]]


@implements(np.setxor1d)
def setxor1d(ar1: Any, ar2: Any, assume_unique: bool = False) -> Any:
    """``np.setxor1d``: the elements that one of the arrays has and the other has not."""
    parts = [setdiff1d(ar1, ar2), setdiff1d(ar2, ar1)]
    return np.sort(np.concatenate(parts))
