"""Which NumPy function is answered by what: the only link between NumPy's names and primitives."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np

from adjoint.graph.primitive import Primitive

LATE_MODULES: list[str] = []
"""Modules of primitives that are imported when a name is first looked up in vain, so that
``import adjoint`` stays quick."""

_late_lock = threading.RLock()

Key = TypeVar("Key")
Value = TypeVar("Value")


def load_late_modules() -> None:
    """Imports the modules that were put off; nothing is left to do after the first call."""
    with _late_lock:
        while LATE_MODULES:
            importlib.import_module(LATE_MODULES.pop(0))


class Table(dict[Key, Value]):
    """A dictionary that the late modules also fill: whoever asks for what it does not have yet, or
    for all of it, gets it with them."""

    def __missing__(self, key: Key) -> Value:
        load_late_modules()
        if not dict.__contains__(self, key):
            raise KeyError(key)
        return dict.__getitem__(self, key)

    def get(self, key: Key, default: Any = None) -> Any:
        found = dict.get(self, key)
        if found is None and LATE_MODULES:
            load_late_modules()
            found = dict.get(self, key)
        return default if found is None else found

    def __contains__(self, key: object) -> bool:
        if not dict.__contains__(self, key):
            load_late_modules()
        return dict.__contains__(self, key)

    def __iter__(self) -> Iterator[Key]:
        load_late_modules()
        return dict.__iter__(self)

    def __len__(self) -> int:
        load_late_modules()
        return dict.__len__(self)

    def keys(self) -> Any:
        load_late_modules()
        return dict.keys(self)

    def values(self) -> Any:
        load_late_modules()
        return dict.values(self)

    def items(self) -> Any:
        load_late_modules()
        return dict.items(self)


PRIMITIVES: Table[str, Primitive] = Table()
"""Every primitive by name."""

UFUNCS: Table[np.ufunc, Callable[..., Any]] = Table()
"""What a call of a ufunc on traced operands does."""

UFUNC_METHODS: dict[str, Callable[..., Any]] = {}
"""``reduce``, ``accumulate``, ``outer``, ``at``, ``reduceat`` and calls with keyword arguments."""

FUNCTIONS: Table[Callable[..., Any], Callable[..., Any]] = Table()
"""What any other NumPy function on traced operands does."""

REASONS: Table[str, str] = Table()
"""Why a NumPy function (or all of a module, ``np.strings``) has no rule, for the message."""

LAZY_UFUNCS: list[Callable[[np.ufunc], Callable[..., Any] | None]] = []
"""Asked in turn for a ufunc that is not in `UFUNCS`, such as those of `scipy.special`."""


P = TypeVar("P", bound=Primitive)
F = TypeVar("F", bound=Callable[..., Any])


def register(instance: P) -> P:
    """Adds a primitive to the registry under its name.

    >>> from adjoint.extend import Primitive, register
    >>> class Sine(Primitive):
    ...     name = "sin"
    >>> register(Sine())
    Traceback (most recent call last):
    ...
    ValueError: there already is a primitive named sin
    """
    if dict.__contains__(PRIMITIVES, instance.name):
        raise ValueError(f"there already is a primitive named {instance.name}")
    PRIMITIVES[instance.name] = instance
    return instance


def implements(*functions: Callable[..., Any]) -> Callable[[F], F]:
    """Decorator: this function answers these NumPy functions on traced operands.

    >>> import numpy as np, adjoint as ad
    >>> from adjoint.extend import FUNCTIONS, implements
    >>> was = FUNCTIONS[np.ptp]
    >>> @implements(np.ptp)
    ... def spread(a, axis=None):
    ...     return np.max(a, axis) - np.min(a, axis)
    >>> ad.grad(np.ptp)(np.array([1.0, 5.0, 2.0]))
    array([-1.,  1.,  0.])
    >>> _ = implements(np.ptp)(was)
    """

    def decorate(handler: F) -> F:
        for function in functions:
            FUNCTIONS[function] = handler
        return handler

    return decorate


def find_ufunc(ufunc: np.ufunc) -> Callable[..., Any] | None:
    """The handler of a ufunc, asking the lazy tables once for one that is new."""
    handler: Callable[..., Any] | None = UFUNCS.get(ufunc)
    if handler is None:
        for table in LAZY_UFUNCS:
            handler = table(ufunc)
            if handler is not None:
                UFUNCS[ufunc] = handler
                break
    return handler
