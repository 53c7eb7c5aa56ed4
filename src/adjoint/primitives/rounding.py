"""Rounding, limiting and replacing values: round, clip, nan_to_num, real, imag, angle."""

from __future__ import annotations

from typing import Any

import numpy as np

from adjoint.graph import registry
from adjoint.graph.arraytype import ArrayType
from adjoint.graph.binding import index_of, value_or_raise
from adjoint.graph.primitive import Primitive
from adjoint.graph.registry import implements, register
from adjoint.primitives.placing import target_of
from adjoint.primitives.selection import clip as clip_row
from adjoint.primitives.shaping import array, write_out


class Round(Primitive):
    """Rounding to a number of decimals; its derivative is zero almost everywhere."""

    name = "round"
    flat = True

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        return np.round(operands[0], params["decimals"])[()]

    def infer(self, *types: ArrayType, **params: Any) -> ArrayType:
        return ArrayType(types[0].shape, np.round(np.ones(1, types[0].dtype)).dtype)

    def batch(
        self, operands: tuple[Any, ...], batched: tuple[bool, ...], size: int, **params: Any
    ) -> Any:
        return ROUND(*operands, **params)


ROUND = register(Round())


@implements(np.round, np.around)
def round_(a: Any, decimals: Any = 0, out: Any = None) -> Any:
    """``np.round``."""
    result = ROUND(array(a), decimals=index_of(decimals))
    return result if out is None else write_out(out, result)


if not isinstance(np.fix, np.ufunc):  # a ufunc in some releases of NumPy

    @implements(np.fix)
    def fix(x: Any, out: Any = None) -> Any:
        """``np.fix``."""
        x = array(x)
        result = np.trunc(x) if x.dtype.kind in "fc" else x.copy()
        return result if out is None else write_out(out, result)


def _bound(value: Any) -> bool:
    return value is not None and value is not np._NoValue


@implements(np.clip)
def clip(
    a: Any, a_min: Any = np._NoValue, a_max: Any = np._NoValue, out: Any = None, *,
    min: Any = np._NoValue, max: Any = np._NoValue, **kwargs: Any,
) -> Any:  # fmt: skip
    """``np.clip``; at the ends of the interval, which is closed, the derivative is that of x."""
    a = array(a)
    low = a_min if min is np._NoValue else min
    high = a_max if max is np._NoValue else max
    if a.dtype.kind == "f":
        limits = (low if _bound(low) else -np.inf, high if _bound(high) else np.inf)
        result = clip_row(a, *limits) if _bound(low) or _bound(high) else a.copy()
    else:
        result = np.maximum(a, low) if _bound(low) else a
        result = np.minimum(result, high) if _bound(high) else result
    if kwargs.get("dtype") is not None:
        result = result.astype(kwargs.pop("dtype"))
    where = kwargs.pop("where", True)
    if kwargs:
        raise TypeError(f"np.clip of traced values does not take {sorted(kwargs)}")
    if where is not True:
        result = np.where(where, result, a if out is None else out)
    return result if out is None else write_out(out, result)


@implements(np.nan_to_num)
def nan_to_num(
    x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None
) -> Any:
    """``np.nan_to_num``: a replaced element is a constant."""
    x = array(x)
    if x.dtype.kind == "c":
        parts = [nan_to_num(p, True, nan, posinf, neginf) for p in (np.real(x), np.imag(x))]
        result = parts[0] + 1j * parts[1]
    elif x.dtype.kind == "f":
        limits = np.finfo(x.dtype)
        result = np.where(np.isnan(x), nan, x)
        result = np.where(x == np.inf, limits.max if posinf is None else posinf, result)
        result = np.where(x == -np.inf, limits.min if neginf is None else neginf, result)
        result = result.astype(x.dtype)
    else:
        result = x.copy()
    if copy:
        return result
    target_of(x, "np.nan_to_num(copy=False)")[...] = result
    return x


@implements(np.real)
def real(val: Any) -> Any:
    """``np.real``; of a complex array a view."""
    return array(val).real


@implements(np.imag)
def imag(val: Any) -> Any:
    """``np.imag``; of a complex array a view."""
    return array(val).imag


@implements(np.angle)
def angle(z: Any, deg: bool = False) -> Any:
    """``np.angle``: the argument of a complex number, arctan2(Im z, Re z)."""
    z = array(z)
    found = np.arctan2(np.imag(z) if z.dtype.kind == "c" else 0.0, np.real(z))
    return np.degrees(found) if deg else found


@implements(np.real_if_close)
def real_if_close(a: Any, tol: Any = 100) -> Any:
    """``np.real_if_close``: a decision on the values."""
    a = array(a)
    if a.dtype.kind != "c":
        return a
    limit = np.finfo(a.dtype).eps * tol if tol > 1 else tol
    small = np.all(np.absolute(np.imag(a)) < limit)
    return np.real(a) if bool(value_or_raise(small, "np.real_if_close")) else a


if isinstance(np.fix, np.ufunc):
    registry.UFUNCS.setdefault(np.fix, registry.UFUNCS[np.trunc])
