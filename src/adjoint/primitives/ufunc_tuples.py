"""Ufuncs with several results, and generalised ufuncs other than matmul."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from adjoint.graph import registry
from adjoint.primitives.contraction import contract, letter
from adjoint.primitives.products import matmul
from adjoint.primitives.scalar import row
from adjoint.primitives.shaping import array, normalize_axis

frexp_exponent = row(lambda x: np.frexp(x)[1], 0, name="frexp_exponent", holomorphic=False)
"""The e of x = m · 2ᵉ with ½ ≤ |m| < 1."""

row(np.bitwise_count, 0, holomorphic=False)


def divmod_(a: Any, b: Any) -> tuple[Any, Any]:
    """``np.divmod``."""
    a, b = array(a), array(b)
    return np.floor_divide(a, b), np.remainder(a, b)


def modf(x: Any) -> tuple[Any, Any]:
    """``np.modf``: fraction and whole part, both with the sign of x."""
    x = array(x)
    if x.dtype.kind in "iub":
        x = x.astype(np.float64)
    infinite = np.isinf(x)
    fraction = np.where(infinite, np.copysign(0.0, x), np.fmod(np.where(infinite, 1.0, x), 1.0))
    return fraction, np.trunc(x)


def frexp(x: Any) -> tuple[Any, Any]:
    """``np.frexp``: mantissa and exponent; the exponent is constant almost everywhere."""
    x = array(x)
    if x.dtype.kind in "iub":
        x = x.astype(np.float64)
    exponent = frexp_exponent(x)
    return np.ldexp(x, -exponent), exponent


registry.UFUNCS[np.divmod] = divmod_
registry.UFUNCS[np.modf] = modf
registry.UFUNCS[np.frexp] = frexp


# -- generalised ufuncs ---------------------------------------------------------------------------

Axes = list[tuple[int, ...]]


def _axes_list(axes: Any, core: tuple[int, ...]) -> Axes:
    """An ``axes=`` argument as a tuple per operand and result; a scalar's may be left out."""
    found: Axes = []
    for entry in axes:
        found.append(entry if isinstance(entry, tuple) else (int(entry),))
    if len(found) == len(core) - 1 and core[-1] == 0:
        found.append(())
    if [len(e) for e in found] != list(core):
        raise ValueError(f"axes needs entries of {core} axes; got {axes!r}")
    return found


def _to_last(x: Any, axes: tuple[int, ...]) -> Any:
    return np.moveaxis(x, axes, tuple(range(-len(axes), 0))) if axes else x


def _from_last(x: Any, axes: tuple[int, ...]) -> Any:
    return np.moveaxis(x, tuple(range(-len(axes), 0)), axes) if axes else x


def matmul_with_axes(a: Any, b: Any, axes: Any = None) -> Any:
    """``np.matmul`` with ``axes=``: which axes hold the matrices."""
    a, b = array(a), array(b)
    if axes is None:
        return matmul(a, b)
    core_a, core_b = min(a.ndim, 2), min(b.ndim, 2)
    one, two, result = _axes_list(axes, (core_a, core_b, core_a + core_b - 2))
    return _from_last(matmul(_to_last(a, one), _to_last(b, two)), result)


def _stacked(spec: tuple[str, str, str], a: Any, b: Any) -> Any:
    """A contraction of the last axes, all others broadcast."""
    ranks = (a.ndim - len(spec[0]), b.ndim - len(spec[1]))
    if min(ranks) < 0:
        raise ValueError(
            f"operands of {a.ndim} and {b.ndim} axes do not have enough axes for "
            f"({','.join(spec[0])}),({','.join(spec[1])})->({','.join(spec[2])})"
        )
    sizes: dict[str, int] = {}
    for term, x in zip(spec, (a, b), strict=False):
        for name, n in zip(term, x.shape[x.ndim - len(term) :], strict=True):
            if sizes.setdefault(name, n) != n:
                raise ValueError(f"core dimension {name} has sizes {sizes[name]} and {n}")
    full = np.broadcast_shapes(a.shape[: ranks[0]], b.shape[: ranks[1]])
    names = "".join(letter(30 + i) for i in range(len(full)))
    a, b = (
        np.broadcast_to(x, full + x.shape[rank:]) if x.shape[:rank] != full else x
        for x, rank in zip((a, b), ranks, strict=True)
    )
    return contract(f"{names}{spec[0]},{names}{spec[1]}->{names}{spec[2]}", a, b)


def vecdot(a: Any, b: Any, axis: Any = None, axes: Any = None, keepdims: Any = False) -> Any:
    """``np.vecdot``: Σ conj(a) b over the last axis, or the one given."""
    a, b = array(a), array(b)
    if axes is not None:
        one, two, _ = _axes_list(axes, (1, 1, 0))
        a, b = _to_last(a, one), _to_last(b, two)
    elif axis is not None:
        place = (int(axis),)
        a, b = _to_last(a, place), _to_last(b, place)
    result = _stacked(("n", "n", ""), np.conjugate(a), b)
    if not keepdims:
        return result
    return np.expand_dims(result, -1 if axis is None else normalize_axis(axis, result.ndim + 1))


def matvec(a: Any, b: Any, axes: Any = None) -> Any:
    """``np.matvec``: the product of a matrix and a vector."""
    return _core_product(("mn", "n", "m"), array(a), array(b), axes)


def vecmat(a: Any, b: Any, axes: Any = None) -> Any:
    """``np.vecmat``: the product of a vector, conjugated, and a matrix."""
    return _core_product(("n", "nm", "m"), np.conjugate(array(a)), array(b), axes)


def _core_product(spec: tuple[str, str, str], a: Any, b: Any, axes: Any) -> Any:
    if axes is None:
        return _stacked(spec, a, b)
    one, two, result = _axes_list(axes, (len(spec[0]), len(spec[1]), len(spec[2])))
    return _from_last(_stacked(spec, _to_last(a, one), _to_last(b, two)), result)


registry.UFUNCS[np.matmul] = matmul_with_axes
_PRODUCTS: dict[str, Callable[..., Any]] = {"vecdot": vecdot, "matvec": matvec, "vecmat": vecmat}
for _name, _handler in _PRODUCTS.items():
    # Ufuncs of NumPy 2.0 and 2.2; before that there is nothing to answer.
    if isinstance(getattr(np, _name, None), np.ufunc):
        registry.UFUNCS[getattr(np, _name)] = _handler
