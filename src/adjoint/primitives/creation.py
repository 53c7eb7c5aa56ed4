"""Functions that make arrays like a traced one: ``np.zeros_like(x)``, ``np.zeros(n, like=x)``.

They return traced constants, which accept traced values: the way to fill a buffer in plain NumPy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from adjoint.graph.binding import adopt, constant, index_of, lifted
from adjoint.graph.registry import FUNCTIONS, implements
from adjoint.graph.tracer import TracedArray, Tracer
from adjoint.primitives.selection import convert
from adjoint.primitives.shaping import shape_tuple


def buffer(value: Any) -> TracedArray:
    """A traced constant that can be written to."""
    return TracedArray(constant(np.asarray(value)))


def _like(prototype: Any, dtype: Any, shape: Any) -> tuple[tuple[int, ...], Any]:
    prototype = adopt(prototype)
    if not isinstance(prototype, Tracer):
        prototype = np.asarray(prototype)
    return (
        tuple(prototype.shape) if shape is None else shape_tuple(shape),
        prototype.dtype if dtype is None else np.dtype(dtype),
    )


@implements(np.zeros_like)
def zeros_like(
    a: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None, *,
    device: Any = None,
) -> Any:  # fmt: skip
    """``np.zeros_like``."""
    return buffer(np.zeros(*_like(a, dtype, shape)))


@implements(np.ones_like)
def ones_like(
    a: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None, *,
    device: Any = None,
) -> Any:  # fmt: skip
    """``np.ones_like``."""
    return buffer(np.ones(*_like(a, dtype, shape)))


@implements(np.empty_like)
def empty_like(
    prototype: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None, *,
    device: Any = None,
) -> Any:  # fmt: skip
    """``np.empty_like``; the elements are zero until they are written."""
    return buffer(np.zeros(*_like(prototype, dtype, shape)))


@implements(np.full_like)
def full_like(
    a: Any, fill_value: Any, dtype: Any = None, order: str = "K", subok: bool = True,
    shape: Any = None, *, device: Any = None,
) -> Any:  # fmt: skip
    """``np.full_like``; the value may be traced."""
    extent, kind = _like(a, dtype, shape)
    value = convert(lifted(adopt(fill_value)), kind)
    return (
        np.broadcast_to(value, extent).copy()
        if isinstance(value, Tracer)
        else buffer(np.full(extent, value, kind))
    )


def _plain(function: Callable[..., Any]) -> None:
    """A creation function with ``like=``: its other arguments are counts."""

    def create(*args: Any, **kwargs: Any) -> Any:
        kwargs.pop("like", None)
        counts = [
            index_of(a) if isinstance(a, Tracer) and a.dtype.kind in "iu" else a for a in args
        ]
        return buffer(function(*counts, **kwargs))

    FUNCTIONS[function] = create


for _function in (np.zeros, np.ones, np.eye, np.identity, np.tri, np.arange):
    _plain(_function)


@implements(np.empty)
def empty(shape: Any, dtype: Any = None, order: str = "C", **kwargs: Any) -> Any:
    """``np.empty(shape, like=x)``; the elements are zero until they are written."""
    return buffer(np.zeros(shape_tuple(shape), dtype))


@implements(np.full)
def full(shape: Any, fill_value: Any, dtype: Any = None, order: str = "C", **kwargs: Any) -> Any:
    """``np.full(shape, value, like=x)``."""
    value = lifted(adopt(fill_value))
    if not isinstance(value, Tracer):
        return buffer(np.full(shape_tuple(shape), value, dtype))
    value = value if dtype is None else convert(value, dtype)
    return np.broadcast_to(value, shape_tuple(shape)).copy()


@implements(np.array, np.asarray, np.asanyarray, np.ascontiguousarray, np.asfortranarray)
def array_like(a: Any, dtype: Any = None, **kwargs: Any) -> Any:
    """``np.array(a, like=x)``: stacks traced values at any depth, and arrays from outside, which
    calls that are recorded read anew."""
    value = lifted(adopt(_lifted_parts(a)))
    if not isinstance(value, Tracer):
        return buffer(np.array(value, dtype))
    value = value if dtype is None else convert(value, dtype)
    return TracedArray(value.node)


def _lifted_parts(a: Any) -> Any:
    if isinstance(a, list | tuple):
        return [_lifted_parts(part) for part in a]
    return lifted(a)


@implements(np.copy)
def copy(a: Any, order: str = "K", subok: bool = False) -> Any:
    """``np.copy``."""
    return TracedArray(adopt(a).node)
