"""Mean, variance, standard deviation, average, covariance and correlation."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from adjoint.graph.registry import implements
from adjoint.graph.tracer import Tracer
from adjoint.primitives.arithmetic import root_of_squares
from adjoint.primitives.products import given, reduction_axes
from adjoint.primitives.reduction import extent, finish, is_masked
from adjoint.primitives.scalar import UNIT, row
from adjoint.primitives.selection import convert
from adjoint.primitives.shaping import array


def _count(shape: tuple[int, ...], axes: tuple[int, ...], where: Any) -> Any:
    """How many elements each result is made of: a number, or an array that keeps its axes."""
    if not is_masked(where):
        return extent(shape, axes)
    mask = np.broadcast_to(array(where), shape)
    return np.sum(mask, axis=axes, dtype=np.intp, keepdims=True)


def _masked(x: Any, where: Any) -> Any:
    return np.where(where, x, np.zeros((), x.dtype)) if is_masked(where) else x


def known_value(x: Any) -> Any:
    """The value of an operand for a check or a warning, which must never decide the result; None
    where it is not known."""
    return x.node.value if isinstance(x, Tracer) else x


def is_zero_somewhere(count: Any) -> bool:
    """Whether a count or a number of degrees of freedom is known not to be positive."""
    value = known_value(count)
    return value is not None and bool(np.any(np.asarray(value) <= 0))


def _over(total: Any, count: Any) -> Any:
    """total / count in the dtype of the total."""
    if isinstance(count, int):
        # A NumPy scalar divides 0 by 0 as an array would, with a warning and not an error.
        return total / np.asarray(count, np.empty(0, total.dtype).real.dtype)[()]
    return total / convert(count, np.empty(0, total.dtype).real.dtype)


def mean_keeping_axes(a: Any, axes: tuple[int, ...], where: Any) -> Any:
    """The mean of an array of floats, with axes of length 1 where it was reduced."""
    total = np.sum(_masked(a, where), axis=axes, keepdims=True)
    return _over(total, _count(a.shape, axes, where))


def _working_dtype(a: Any, dtype: Any) -> tuple[Any, Any]:
    """The dtype to compute in and that of the result: half precision is summed in single."""
    if dtype is not None:
        return np.dtype(dtype), np.dtype(dtype)
    if a.dtype.kind in "iub":
        return np.dtype(np.float64), np.dtype(np.float64)
    if a.dtype == np.float16:
        return np.dtype(np.float32), np.dtype(np.float16)
    return a.dtype, a.dtype


def _dropped(result: Any, axes: tuple[int, ...]) -> Any:
    return np.reshape(result, tuple(n for i, n in enumerate(result.shape) if i not in axes))


@implements(np.mean)
def mean(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False, *,
    where: Any = True,
) -> Any:  # fmt: skip
    """``np.mean``."""
    a = array(a)
    working, final = _working_dtype(a, dtype)
    axes = reduction_axes(axis, a.ndim)
    if is_zero_somewhere(_count(a.shape, axes, where)):
        warnings.warn("Mean of empty slice.", RuntimeWarning, stacklevel=3)
    # The sum has no axes of length 1 here, so that the graph is the plain Σ/n.
    total = np.sum(_masked(convert(a, working), where), axis=axes)
    count = _count(a.shape, axes, where)
    result = _over(total, count if isinstance(count, int) else _dropped(count, axes))
    return finish(convert(result, final), a.shape, axes, keepdims, out)


def variance(
    a: Any, axis: Any, dtype: Any, ddof: Any, where: Any, mean: Any
) -> tuple[Any, tuple[int, ...], Any]:
    """Σ|x − m|² / (n − ddof), the axes it is over, and the dtype that is wanted.

    It is a sum of squares of whatever is not masked: its root has derivative 0 where all elements
    are equal.
    """
    working, final = _working_dtype(a, dtype)
    axes = reduction_axes(axis, a.ndim)
    x = convert(a, working)
    count = _count(a.shape, axes, where)
    if is_zero_somewhere(count - ddof):
        warnings.warn("Degrees of freedom <= 0 for slice", RuntimeWarning, stacklevel=4)
    centre = array(mean) if given(mean) else mean_keeping_axes(x, axes, where)
    deviation = _masked(x - centre, where)
    squares = _squared_modulus(deviation)
    total = np.sum(squares, axis=axes)
    if isinstance(count, int):
        degrees: Any = max(count - ddof, 0)
        result = total / np.asarray(degrees, total.dtype)[()]
    else:
        degrees = np.maximum(_dropped(count, axes) - ddof, 0)
        result = total / convert(degrees, total.dtype)
    return result, axes, np.empty(0, final).real.dtype


def _squared_modulus(z: Any) -> Any:
    if z.dtype.kind == "c":
        return np.square(np.real(z)) + np.square(np.imag(z))
    return np.square(z)


def _degrees(ddof: Any, correction: Any) -> Any:
    """``correction`` is the array API's name for ``ddof``."""
    if not given(correction):
        return ddof
    if ddof != 0:
        raise ValueError("ddof and correction can't be provided simultaneously.")
    return correction


@implements(np.var)
def var(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, ddof: Any = 0,
    keepdims: Any = False, *, where: Any = True, mean: Any = None, correction: Any = None,
) -> Any:  # fmt: skip
    """``np.var``."""
    a = array(a)
    result, axes, final = variance(a, axis, dtype, _degrees(ddof, correction), where, mean)
    return finish(convert(result, final), a.shape, axes, keepdims, out)


@implements(np.std)
def std(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, ddof: Any = 0,
    keepdims: Any = False, *, where: Any = True, mean: Any = None, correction: Any = None,
) -> Any:  # fmt: skip
    """``np.std``; its derivative is 0 where all elements are equal."""
    a = array(a)
    result, axes, final = variance(a, axis, dtype, _degrees(ddof, correction), where, mean)
    return finish(convert(root_of_squares(result), final), a.shape, axes, keepdims, out)


@implements(np.average)
def average(
    a: Any, axis: Any = None, weights: Any = None, returned: bool = False, *,
    keepdims: Any = False,
) -> Any:  # fmt: skip
    """``np.average``; also differentiable in the weights."""
    a = array(a)
    axes = reduction_axes(axis, a.ndim)
    if weights is None:
        result = np.mean(a, axis=axis, keepdims=keepdims)
        scale: Any = convert(np.asarray(a.size / max(result.size, 1)), result.dtype)
    else:
        weights = _fit_weights(array(weights), a, axis, axes)
        inexact = (np.float64,) if a.dtype.kind in "iub" else ()
        dtype = np.result_type(a.dtype, weights.dtype, *inexact)
        scale = np.sum(weights, axis=axes, dtype=dtype, keepdims=keepdims)
        value = known_value(scale)
        if value is not None and np.any(value == 0):
            raise ZeroDivisionError("Weights sum to zero, can't be normalized")
        result = np.sum(a * weights, axis=axes, dtype=dtype, keepdims=keepdims) / scale
    if not returned:
        return result
    return result, np.broadcast_to(scale, result.shape)


def _fit_weights(weights: Any, a: Any, axis: Any, axes: tuple[int, ...]) -> Any:
    """Weights of the shape of a, or of the axes that are averaged."""
    if weights.shape == a.shape:
        return weights
    if axis is None:
        raise TypeError("Axis must be specified when shapes of a and weights differ.")
    if weights.shape != tuple(a.shape[i] for i in axes):
        raise ValueError(
            "Shape of weights must be consistent with shape of a along specified axis."
        )
    order = sorted(range(len(axes)), key=lambda k: axes[k])
    weights = np.transpose(weights, order)
    shape = tuple(n if i in axes else 1 for i, n in enumerate(a.shape))
    return np.broadcast_to(np.reshape(weights, shape), a.shape)


# -- covariance -----------------------------------------------------------------------------------

within_unit = row(
    lambda x: np.clip(x, -1.0, 1.0), 1, name="within_unit", domain=UNIT, holomorphic=False
)
"""Takes a correlation back to [−1, 1] where rounding has left it; no part of the mathematics, so
the derivative goes straight through."""


def _observations(x: Any, dtype: Any, transposed: bool) -> Any:
    """One row per variable."""
    x = convert(x, dtype)
    if x.ndim < 2:
        return np.reshape(x, (1, x.size))
    return np.transpose(x) if transposed else x


def _observation_weights(weights: Any, name: str, n: int) -> Any:
    w = array(weights)
    if w.ndim > 1:
        raise RuntimeError(f"cannot handle multidimensional {name}")
    if w.shape[0] != n:
        raise RuntimeError(f"incompatible numbers of samples and {name}")
    value = known_value(w)
    if name == "fweights" and value is not None and not np.all(value == np.around(value)):
        raise TypeError("fweights must be integer")
    if value is not None and np.any(value < 0):
        raise ValueError(f"{name} cannot be negative")
    return convert(w, np.float64)


def _degrees_and_weights(n: int, ddof: Any, fweights: Any, aweights: Any) -> tuple[Any, Any]:
    """What the sum of products is divided by, and one weight per observation or None."""
    if fweights is None and aweights is None:
        return float(n - ddof), None
    w: Any = 1.0
    if fweights is not None:
        w = _observation_weights(fweights, "fweights", n)
    if aweights is None:
        return np.sum(w) - ddof, w
    analytic = _observation_weights(aweights, "aweights", n)
    w = w * analytic
    total = np.sum(w)
    return (total if ddof == 0 else total - ddof * np.sum(w * analytic) / total), w


@implements(np.cov)
def cov(
    m: Any, y: Any = None, rowvar: bool = True, bias: bool = False, ddof: Any = None,
    fweights: Any = None, aweights: Any = None, *, dtype: Any = None,
) -> Any:  # fmt: skip
    """``np.cov``: C = Σ_k w_k (x_k − m)(x_k − m)ᴴ / d, with m the weighted mean of the observations
    and d = Σw − ddof · Σ(w·a)/Σw for analytic weights a."""
    if ddof is not None and ddof != int(ddof):
        raise ValueError("ddof must be integer")
    parts = [array(m)] if y is None else [array(m), array(y)]
    for part, name in zip(parts, "my", strict=False):
        if part.ndim > 2:
            raise ValueError(f"{name} has more than 2 dimensions")
    if dtype is None:
        dtype = np.result_type(*(p.dtype for p in parts), np.float64)
    rows = [_observations(parts[0], dtype, not rowvar and parts[0].ndim != 1)]
    if rows[0].shape[0] == 0:
        return np.reshape(rows[0], (0, 0))
    if y is not None:
        swap = not rowvar and parts[1].ndim == 2 and parts[1].shape[0] != 1
        rows.append(_observations(parts[1], dtype, swap))
    x = rows[0] if y is None else np.concatenate(rows, axis=0)
    if ddof is None:
        ddof = 0 if bias else 1
    degrees, w = _degrees_and_weights(x.shape[1], ddof, fweights, aweights)
    centre = np.mean(x, axis=1) if w is None else np.sum(x * w, axis=1) / np.sum(w)
    left = x - np.expand_dims(centre, 1)
    right = left if w is None else left * w
    if is_zero_somewhere(degrees):
        warnings.warn("Degrees of freedom <= 0 for slice", RuntimeWarning, stacklevel=3)
        degrees = 0.0
    product = np.matmul(left, np.conjugate(np.transpose(right)))
    return np.squeeze(product * np.true_divide(1.0, degrees))


@implements(np.corrcoef)
def corrcoef(x: Any, y: Any = None, rowvar: bool = True, *, dtype: Any = None) -> Any:
    """``np.corrcoef``: C_ij / √(C_ii C_jj)."""
    c = cov(x, y, rowvar, dtype=dtype)
    if c.ndim == 0:
        return c / c
    deviation = np.sqrt(np.real(np.diagonal(c)))
    c = c / np.expand_dims(deviation, 1) / np.expand_dims(deviation, 0)
    if c.dtype.kind == "c":
        return within_unit(np.real(c)) + 1j * within_unit(np.imag(c))
    return within_unit(c)
