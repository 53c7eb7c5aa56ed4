"""Which NumPy function is answered by what: the only link between NumPy's names and primitives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from adjoint.graph.primitive import Primitive

PRIMITIVES: dict[str, Primitive] = {}
"""Every primitive by name."""

UFUNCS: dict[np.ufunc, Callable[..., Any]] = {}
"""What a call of a ufunc on traced operands does."""

UFUNC_METHODS: dict[str, Callable[..., Any]] = {}
"""``reduce``, ``accumulate``, ``outer``, ``at``, ``reduceat`` and calls with keyword arguments."""

FUNCTIONS: dict[Callable[..., Any], Callable[..., Any]] = {}
"""What any other NumPy function on traced operands does."""

REASONS: dict[str, str] = {}
"""Why a NumPy function (or all of a module, ``np.strings``) has no rule, for the message."""

LAZY_UFUNCS: list[Callable[[np.ufunc], Callable[..., Any] | None]] = []
"""Asked in turn for a ufunc that is not in `UFUNCS`, such as those of `scipy.special`."""


P = TypeVar("P", bound=Primitive)
F = TypeVar("F", bound=Callable[..., Any])


def register(instance: P) -> P:
    """Adds a primitive to the registry under its name."""
    if instance.name in PRIMITIVES:
        raise ValueError(f"there already is a primitive named {instance.name}")
    PRIMITIVES[instance.name] = instance
    return instance


def implements(*functions: Callable[..., Any]) -> Callable[[F], F]:
    """Decorator: this function answers these NumPy functions on traced operands."""

    def decorate(handler: F) -> F:
        for function in functions:
            FUNCTIONS[function] = handler
        return handler

    return decorate


def find_ufunc(ufunc: np.ufunc) -> Callable[..., Any] | None:
    """The handler of a ufunc, asking the lazy tables once for one that is new."""
    handler = UFUNCS.get(ufunc)
    if handler is None:
        for table in LAZY_UFUNCS:
            handler = table(ufunc)
            if handler is not None:
                UFUNCS[ufunc] = handler
                break
    return handler
