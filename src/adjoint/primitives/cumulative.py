"""Cumulative sums, products and extrema, and differences of neighbours."""

from __future__ import annotations

from typing import Any

import numpy as np

from adjoint.graph.arraytype import ArrayType
from adjoint.graph.binding import index_of
from adjoint.graph.primitive import Primitive
from adjoint.graph.registry import implements, register
from adjoint.primitives.folding import Element, scan, slots
from adjoint.primitives.products import given
from adjoint.primitives.reduction import product_rule
from adjoint.primitives.selection import convert
from adjoint.primitives.shaping import array, normalize_axis, write_out


class _AlongAxis(Primitive):
    """A result of the operand's shape, made along ``axis``."""

    def infer(self, *types: ArrayType, **params: Any) -> ArrayType:
        return ArrayType(types[0].shape, types[0].dtype)

    def batch(
        self, operands: tuple[Any, ...], batched: tuple[bool, ...], size: int, **params: Any
    ) -> Any:
        return self(*operands, **(params | {"axis": params["axis"] + 1}))


class CumSum(_AlongAxis):
    """y_k = Σ_{i ≤ k} x_i, or with ``reverse`` Σ_{i ≥ k} x_i: each is the other's transpose."""

    name = "cumsum"
    linear = (0,)
    structural = True

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        (x,), axis = operands, params["axis"]
        if not params["reverse"]:
            return np.add.accumulate(x, axis=axis, dtype=x.dtype)
        backwards = slots(axis, slice(None, None, -1))
        return np.add.accumulate(x[backwards], axis=axis, dtype=x.dtype)[backwards]

    def transpose(self, ct: Any, operands: tuple[Any, ...], position: int, **params: Any) -> Any:
        return CUMSUM(ct, axis=params["axis"], reverse=not params["reverse"])


class CumProd(_AlongAxis):
    """y_k = Π_{i ≤ k} x_i; the derivative is a scan of the product rule, without a division."""

    name = "cumprod"

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        return np.multiply.accumulate(operands[0], axis=params["axis"], dtype=operands[0].dtype)

    def jvp(
        self, out: Any, primals: tuple[Any, ...], tangents: tuple[Any, ...], **params: Any
    ) -> Any:
        return scan(product_rule, (primals[0], tangents[0]), params["axis"])[1]


class _CumExtremum(_AlongAxis):
    """The extreme element so far; equal ones share the derivative equally, as in `max`."""

    ufunc: np.ufunc

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        return self.ufunc.accumulate(operands[0], axis=params["axis"])

    def jvp(
        self, out: Any, primals: tuple[Any, ...], tangents: tuple[Any, ...], **params: Any
    ) -> Any:
        def combine(first: Element, second: Element) -> Element:
            (a, a_dot, m), (b, b_dot, n) = first, second
            y = self.ufunc(a, b)
            # A NaN wins over everything, and the first one stays.
            use_a = (a == y) | (a != a)
            use_b = (b == y) | ((b != b) & (a == a))
            total = np.where(use_a, a_dot, 0.0) + np.where(use_b, b_dot, 0.0)
            return y, total, np.where(use_a, m, 0.0) + np.where(use_b, n, 0.0)

        x = primals[0]
        ones = np.ones(x.shape, np.empty(0, x.dtype).real.dtype)
        _, total, count = scan(combine, (x, tangents[0], ones), params["axis"])
        return total / count


class CumMax(_CumExtremum):
    """The largest element so far."""

    name = "cummax"
    ufunc = np.maximum


class CumMin(_CumExtremum):
    """The smallest element so far."""

    name = "cummin"
    ufunc = np.minimum


CUMSUM = register(CumSum())
CUMPROD = register(CumProd())
CUMMAX = register(CumMax())
CUMMIN = register(CumMin())


def accumulation_operand(a: Any, axis: Any, dtype: Any, ufunc: np.ufunc) -> tuple[Any, int]:
    """The operand of a cumulative function and its axis: flat for None, small integers widened."""
    a = array(a)
    if axis is None or a.ndim == 0:
        if axis is not None:
            normalize_axis(axis, 1)
        a, axis = np.reshape(a, -1), 0
    if dtype is None and a.dtype.kind in "iub":
        dtype = ufunc.reduce(np.zeros(0, a.dtype)).dtype
    if dtype is not None:
        a = convert(a, dtype)
    return a, normalize_axis(axis, a.ndim)


@implements(np.cumsum)
def cumsum(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    """``np.cumsum``."""
    a, place = accumulation_operand(a, axis, dtype, np.add)
    result = CUMSUM(a, axis=place, reverse=False)
    return result if out is None else write_out(out, result)


@implements(np.cumprod)
def cumprod(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    """``np.cumprod``; exact with zeros, in every order of derivative."""
    a, place = accumulation_operand(a, axis, dtype, np.multiply)
    result = CUMPROD(a, axis=place)
    return result if out is None else write_out(out, result)


def _cumulative(
    x: Any, axis: Any, dtype: Any, out: Any, include_initial: bool, ufunc: np.ufunc
) -> Any:
    x = array(x)
    if x.ndim == 0:
        raise ValueError("Input arrays must be at least one dimensional.")
    if axis is None:
        if x.ndim > 1:
            raise ValueError(
                "For arrays which have more than one dimension ``axis`` argument is required."
            )
        axis = 0
    axis = normalize_axis(axis, x.ndim)
    result = (cumsum if ufunc is np.add else cumprod)(x, axis, dtype)
    if include_initial:
        shape = tuple(1 if i == axis else n for i, n in enumerate(x.shape))
        first = np.full(shape, ufunc.identity, result.dtype)
        result = np.concatenate([first, result], axis=axis)
    return result if out is None else write_out(out, result)


if hasattr(np, "cumulative_sum"):

    @implements(np.cumulative_sum)
    def cumulative_sum(
        x: Any, /, *, axis: Any = None, dtype: Any = None, out: Any = None,
        include_initial: bool = False,
    ) -> Any:  # fmt: skip
        """``np.cumulative_sum``."""
        return _cumulative(x, axis, dtype, out, include_initial, np.add)

    @implements(np.cumulative_prod)
    def cumulative_prod(
        x: Any, /, *, axis: Any = None, dtype: Any = None, out: Any = None,
        include_initial: bool = False,
    ) -> Any:  # fmt: skip
        """``np.cumulative_prod``."""
        return _cumulative(x, axis, dtype, out, include_initial, np.multiply)


def _edge(value: Any, a: Any, axis: int) -> Any:
    value = array(value)
    if value.ndim == 0:
        shape = tuple(1 if i == axis else n for i, n in enumerate(a.shape))
        return np.broadcast_to(value, shape)
    return value


@implements(np.diff)
def diff(
    a: Any, n: Any = 1, axis: Any = -1, prepend: Any = np._NoValue, append: Any = np._NoValue
) -> Any:
    """``np.diff``; on booleans, whether neighbours differ."""
    count = index_of(n)
    a = array(a)
    if count == 0:
        return a
    if count < 0:
        raise ValueError(f"order must be non-negative but got {count!r}")
    if a.ndim == 0:
        raise ValueError("diff requires input that is at least one dimensional")
    axis = normalize_axis(axis, a.ndim)
    parts = [_edge(prepend, a, axis)] if prepend is not np._NoValue else []
    parts.append(a)
    if append is not np._NoValue:
        parts.append(_edge(append, a, axis))
    if len(parts) > 1:
        a = np.concatenate(parts, axis=axis)
    subtract = np.not_equal if a.dtype == np.bool_ else np.subtract
    for _ in range(count):
        a = subtract(a[slots(axis, slice(1, None))], a[slots(axis, slice(None, -1))])
    return a


@implements(np.ediff1d)
def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    """``np.ediff1d``."""
    ary = np.reshape(array(ary), -1)
    parts = [ary[1:] - ary[:-1]]
    if given(to_begin):
        parts.insert(0, np.reshape(array(to_begin), -1))
    if given(to_end):
        parts.append(np.reshape(array(to_end), -1))
    for part in parts:
        if not np.can_cast(part.dtype, ary.dtype, "same_kind"):
            raise TypeError("dtype of `to_end` and `to_begin` must be compatible with input `ary`")
    return np.concatenate(parts, dtype=ary.dtype) if len(parts) > 1 else parts[0]
