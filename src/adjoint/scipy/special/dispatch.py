"""Plain values to SciPy, traced values to us, ufuncs as they are."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from adjoint.errors import ArgumentValueError, UntraceableFunctionError, nearest
from adjoint.graph.binding import adopt
from adjoint.graph.sites import here
from adjoint.graph.tracer import Tracer
from adjoint.primitives.special import load_rows
from adjoint.scipy.linalg.dispatch import is_traced

F = TypeVar("F", bound=Callable[..., Any])

OFFERED: dict[str, Callable[..., Any]] = {}
"""The ordinary functions that have rules, by name."""


def offers(function: F) -> F:
    """Decorator: the function answers for traced values, SciPy's of the same name for others."""
    name = function.__name__

    @functools.wraps(function)
    def dispatching(*args: Any, **kwargs: Any) -> Any:
        if any(map(is_traced, args)) or any(map(is_traced, kwargs.values())):
            return function(*args, **kwargs)
        return getattr(scipy_special(), name)(*args, **kwargs)

    OFFERED[name] = dispatching
    return dispatching  # type: ignore[return-value]


def scipy_special() -> Any:
    """The module ``scipy.special``, imported when it is first needed."""
    import scipy.special

    return scipy.special


def operand(value: Any) -> Any:
    """An array argument, traced or not, as float64 if it holds whole numbers."""
    value = adopt(value)
    if not isinstance(value, Tracer):
        value = np.asarray(value)
    return value if value.dtype.kind in "fc" else value.astype(np.float64)


def whole_numbers(value: Any, called: str) -> Any:
    """An argument that counts or orders: plain whole numbers, not differentiated in."""
    if is_traced(value):
        raise refuse(called, "a plain whole number", f"a traced {adopt(value).node.type}")
    found = np.asarray(value)
    if found.dtype.kind not in "iu":
        if np.any(found != np.floor(found)):
            raise refuse(called, "a whole number", repr(value))
        found = found.astype(np.int64)
    return found[()] if found.ndim else int(found)


def refuse(called: str, needs: str, got: str, hint: str = "") -> ArgumentValueError:
    """The error for an argument that is not provided for with traced values."""
    return ArgumentValueError(
        f"scipy.special.{called} of traced values needs {needs}; got {got}.",
        where=here(),
        hint=hint,
    )


def passthrough(name: str) -> Any:
    """SciPy's own object: a ufunc dispatches by itself; an ordinary function without a rule gets
    plain values only."""
    plain = getattr(scipy_special(), name)
    if isinstance(plain, np.ufunc) or plain is np.sinc:
        return plain
    if not callable(plain) or inspect.isclass(plain):
        return plain

    def checked(*args: Any, **kwargs: Any) -> Any:
        if any(map(is_traced, args)) or any(map(is_traced, kwargs.values())):
            close = nearest(name, [n for n in (*OFFERED, *_ufunc_names()) if n != name])
            raise UntraceableFunctionError(
                f"scipy.special.{name} has no rule for traced values."
                + (f" Nearest: {', '.join(close)}." if close else ""),
                where=here(),
                hint="ad.custom_derivative(f, ...) gives a function of your own a rule.",
            )
        return plain(*args, **kwargs)

    checked.__name__ = checked.__qualname__ = name
    checked.__doc__ = plain.__doc__
    return checked


def _ufunc_names() -> list[str]:
    return [name for name in load_rows() if not name.startswith("_")]
