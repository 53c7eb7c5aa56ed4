"""np.emath: functions that turn complex where a real result does not exist.

Whether they do is a decision on the values.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib import scimath

from adjoint.graph.binding import value_or_raise
from adjoint.graph.registry import implements
from adjoint.primitives.shaping import array


def _negative(x: Any) -> Any:
    return np.any(x < 0)


def _beyond_one(x: Any) -> Any:
    return np.any(np.absolute(x) > 1)


def _widened(x: Any, outside: Callable[[Any], Any], name: str) -> Any:
    """x, as complex numbers if any of it is outside the real domain."""
    x = array(x)
    if x.dtype.kind in "iub":
        x = x.astype(np.float64)
    if x.dtype.kind == "f" and bool(value_or_raise(outside(x), f"np.emath.{name}")):
        return x + 0j
    return x


def _add(name: str, ufunc: np.ufunc, outside: Callable[[Any], Any]) -> None:
    @implements(getattr(scimath, name))
    def function(x: Any) -> Any:
        return ufunc(_widened(x, outside, name))


for _name in ("sqrt", "log", "log10", "log2"):
    _add(_name, getattr(np, _name), _negative)
for _name in ("arccos", "arcsin", "arctanh"):
    _add(_name, getattr(np, _name), _beyond_one)


@implements(scimath.logn)
def logn(n: Any, x: Any) -> Any:
    """``np.emath.logn``: log x / log n."""
    return np.log(_widened(x, _negative, "logn")) / np.log(_widened(n, _negative, "logn"))


@implements(scimath.power)
def power(x: Any, p: Any) -> Any:
    """``np.emath.power``."""
    exponent = array(p)
    if exponent.dtype.kind in "iu" and bool(value_or_raise(_negative(exponent), "np.emath.power")):
        exponent = exponent.astype(np.float64)
    return np.power(_widened(x, _negative, "power"), exponent)
