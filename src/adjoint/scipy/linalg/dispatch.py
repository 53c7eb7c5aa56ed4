"""Plain values to SciPy, traced values to us."""

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
from adjoint.primitives.linalg.common import inexact

F = TypeVar("F", bound=Callable[..., Any])

OFFERED: dict[str, Callable[..., Any]] = {}
"""The functions that have rules, by name."""


def is_traced(value: Any) -> bool:
    """Whether an argument is or holds a traced value."""
    if isinstance(value, Tracer):
        return True
    if isinstance(value, np.ndarray):
        return value.dtype.hasobject and any(is_traced(v) for v in value.flat)
    return isinstance(value, tuple | list) and any(map(is_traced, value))


def offers(function: F) -> F:
    """Decorator: the function answers for traced values, SciPy's of the same name for others.

    Arguments that only tune SciPy's work (``overwrite_a``, ``check_finite``, a driver) are accepted
    and have no effect on traced values.
    """
    name = function.__name__

    @functools.wraps(function)
    def dispatching(*args: Any, **kwargs: Any) -> Any:
        if not any(map(is_traced, args)) and not any(map(is_traced, kwargs.values())):
            import scipy.linalg

            plain = getattr(scipy.linalg, name, None)
            if plain is not None:
                return plain(*args, **kwargs)
        return function(*args, **{k: v for k, v in kwargs.items() if k not in _TUNING})

    OFFERED[name] = dispatching
    return dispatching  # type: ignore[return-value]


_TUNING = frozenset(
    ("overwrite_a", "overwrite_b", "check_finite", "lapack_driver", "driver", "lwork", "disp",
     "blocksize")
)  # fmt: skip


def operand(value: Any) -> Any:
    """An array argument, traced or not, with a floating dtype."""
    value = adopt(value)
    return inexact(value if isinstance(value, Tracer) else np.asarray(value))


def refuse(called: str, needs: str, got: str, hint: str = "") -> ArgumentValueError:
    """The error for an option that is not offered for traced values."""
    return ArgumentValueError(
        f"{called} of traced values needs {needs}; got {got}.", where=here(), hint=hint
    )


def passthrough(name: str) -> Callable[..., Any]:
    """SciPy's function for plain values; for traced ones an error that names the nearest."""
    import scipy.linalg

    plain: Callable[..., Any] = getattr(scipy.linalg, name)
    if not callable(plain) or inspect.isclass(plain):
        return plain

    @functools.wraps(plain)
    def checked(*args: Any, **kwargs: Any) -> Any:
        if any(map(is_traced, args)) or any(map(is_traced, kwargs.values())):
            close = nearest(name, OFFERED)
            raise UntraceableFunctionError(
                f"adjoint.scipy.linalg.{name} has no rule for traced values."
                + (f" Nearest: {', '.join(close)}." if close else ""),
                where=here(),
                hint="ad.custom_derivative(f, ...) gives a function of your own a rule.",
            )
        return plain(*args, **kwargs)

    return checked
