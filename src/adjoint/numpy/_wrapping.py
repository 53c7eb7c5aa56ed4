"""Names of NumPy handed on, and its functions made to accept lists of traced values."""

from __future__ import annotations

import functools
from types import ModuleType
from typing import Any

import numpy as np

from adjoint.graph import registry
from adjoint.graph.tracer import Tracer, qualified_name, untraceable

_DISPATCHED = type(np.concatenate)


def holds_traced(value: Any) -> bool:
    """Whether a list, tuple or object array holds a traced value at any depth."""
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, Tracer):
            return True
        if isinstance(item, list | tuple):
            pending.extend(item)
        elif isinstance(item, np.ndarray) and item.dtype.hasobject:
            pending.extend(item.flat)
    return False


def passed_on(module: ModuleType, name: str, own: str) -> Any:
    """An attribute of a module of NumPy, wrapped if it is a function that NumPy dispatches."""
    try:
        found = getattr(module, name)
    except AttributeError:
        raise AttributeError(f"module {own!r} has no attribute {name!r}") from None
    return accepting_lists(found) if isinstance(found, _DISPATCHED) else found


def accepting_lists(function: Any) -> Any:
    """The function, answered by its rule when traced values are hidden in a list.

    NumPy finds the traced values that are arguments themselves; those inside a list it would try to
    turn into plain numbers first.
    """

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        for value in (*args, *kwargs.values()):
            if type(value) in (list, tuple, np.ndarray) and holds_traced(value):
                handler = registry.FUNCTIONS.get(function)
                if handler is None:
                    raise untraceable(qualified_name(function))
                return handler(*args, **kwargs)
        return function(*args, **kwargs)

    return call
