"""Scalar functions of intervals: one row each, by the name of the primitive.

A row gets where to refuse pieces, and the operands.  Functions that are not differentiable
everywhere refuse the pieces that touch such a point, a tie or the edge of the domain.  What they
return holds for the other points of these pieces.

NumPy's functions are accurate to 4 units in the last place, SciPy's to what `SCIPY` says; the rows
widen by more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from adjoint.enclosure.interval import (
    Interval,
    add,
    corners,
    divide,
    everywhere,
    exactly,
    magnitude,
    monotone,
    multiply,
    negative,
    outward,
    square,
    subtract,
)
from adjoint.enclosure.refusals import Refusals

Row = Callable[..., Interval]

ULPS = 8.0
"""What is added to NumPy's elementary functions, in units in the last place."""

ROWS: dict[str, Row] = {}
"""Rows whose operands broadcast against each other."""

# -- arithmetic -----------------------------------------------------------------------------------


def _divide(run: Refusals, a: Interval, b: Interval) -> Interval:
    run.refuse(b.contains(0.0))
    return divide(a, b)


def _reciprocal(run: Refusals, x: Interval) -> Interval:
    return _divide(run, exactly(np.ones(1)), x)


def _sqrt(run: Refusals, x: Interval) -> Interval:
    run.refuse(~(x.lo > 0))
    return monotone(np.sqrt, x, 0.0, least=0.0)


def even(function: Any, x: Interval, ulps: float, least: float) -> Interval:
    """An even function that increases from its least value at 0."""
    a, b = function(x.lo), function(x.hi)
    low = np.where(x.contains(0.0), least, np.minimum(a, b))
    found = outward(low, np.maximum(a, b), ulps)
    return Interval(np.maximum(found.lo, least), found.hi)


def _power(run: Refusals, x: Interval, n: Interval) -> Interval:
    """xⁿ: for a whole n by its parity, else for x > 0 by the corners."""
    whole = n.known & (n.lo == np.rint(n.lo))
    run.refuse(np.where(whole, (n.lo < 0) & x.contains(0.0), ~(x.lo > 0)))
    found = corners(np.power, (Interval(np.float64(x.lo), np.float64(x.hi)), n), 2 * ULPS)
    if not np.any(whole):
        return found
    # Of a whole power the extremes are at the ends and, of an even one, at 0.
    even = whole & (n.lo % 2 == 0) & (n.lo > 0) & x.contains(0.0)
    lo = np.where(even, 0.0, np.where(whole & (n.lo == 0), 1.0, found.lo))
    hi = np.where(whole & (n.lo == 0), 1.0, found.hi)
    return everywhere(Interval(lo, hi), whole & (n.lo < 0) & x.contains(0.0))


def _x_log_x(run: Refusals, x: Interval) -> Interval:
    run.refuse(~(x.lo > 0))
    lowest = 1 / np.e
    found = _ends(lambda t: t * np.log(t), x, ULPS)
    valley = (x.lo < lowest + 1e-9) & (x.hi > lowest - 1e-9)
    return Interval(np.where(valley, -lowest - 1e-15, found.lo), found.hi)


def _ends(function: Any, x: Interval, ulps: float) -> Interval:
    """The values at both ends, in order."""
    a, b = function(x.lo), function(x.hi)
    return outward(np.minimum(a, b), np.maximum(a, b), ulps)


ROWS.update({
    "add": lambda run, a, b: add(a, b),
    "subtract": lambda run, a, b: subtract(a, b),
    "multiply": lambda run, a, b: multiply(a, b),
    "divide": _divide,
    "negative": lambda run, x: negative(x),
    "positive": lambda run, x: x,
    "square": lambda run, x: square(x),
    "reciprocal": _reciprocal,
    "sqrt": _sqrt, "root_of_squares": _sqrt,
    "power": _power, "float_power": _power,
    "x_log_x": _x_log_x,
})  # fmt: skip

# -- monotone functions ---------------------------------------------------------------------------


def increasing(
    function: Any, domain: tuple[float, float] = (-np.inf, np.inf),
    image: tuple[float, float] = (-np.inf, np.inf), ulps: float = ULPS,
) -> Row:  # fmt: skip
    """The row of an increasing function on the inside of its domain."""

    def row(run: Refusals, x: Interval) -> Interval:
        run.refuse(~((x.lo > domain[0]) & (x.hi < domain[1])))
        return monotone(function, x, ulps, *image)

    return row


def decreasing(
    function: Any, domain: tuple[float, float] = (-np.inf, np.inf),
    image: tuple[float, float] = (-np.inf, np.inf), ulps: float = ULPS,
) -> Row:  # fmt: skip
    """The row of a decreasing function on the inside of its domain."""
    mirrored = increasing(lambda x: -function(x), domain, (-image[1], -image[0]), ulps)
    return lambda run, x: negative(mirrored(run, x))


def _cbrt(run: Refusals, x: Interval) -> Interval:
    run.refuse(x.contains(0.0))
    return monotone(np.cbrt, x, ULPS)


def _expit(x: Any) -> Any:
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1.0, small) / (1.0 + small)


def _log_of_sum(function: Any) -> Row:
    """max + log(1 + …) loses digits where the two cancel, as many as the operands have."""

    def row(run: Refusals, a: Interval, b: Interval) -> Interval:
        found = corners(function, (a, b), 0.0)
        slack = ULPS * np.finfo(float).eps * (1 + magnitude(a) + magnitude(b))
        return outward(found.lo - slack, found.hi + slack)

    return row


_ANYWHERE, _ABOVE = (-np.inf, np.inf), (0.0, np.inf)
_HALF_TURN, _TURN = np.pi / 2 + 1e-15, np.pi + 1e-15

ROWS.update({
    "exp": increasing(np.exp, _ANYWHERE, _ABOVE),
    "exp2": increasing(np.exp2, _ANYWHERE, _ABOVE),
    "expm1": increasing(np.expm1, _ANYWHERE, (-1.0, np.inf)),
    "log": increasing(np.log, _ABOVE), "log2": increasing(np.log2, _ABOVE),
    "log10": increasing(np.log10, _ABOVE), "log1p": increasing(np.log1p, (-1.0, np.inf)),
    "cbrt": _cbrt,
    "arcsin": increasing(np.arcsin, (-1.0, 1.0)), "arccos": decreasing(np.arccos, (-1.0, 1.0)),
    "arctan": increasing(np.arctan, _ANYWHERE, (-_HALF_TURN, _HALF_TURN)),
    "sinh": increasing(np.sinh), "tanh": increasing(np.tanh, _ANYWHERE, (-1.0, 1.0)),
    "cosh": lambda run, x: even(np.cosh, x, ULPS, 1.0),
    "arcsinh": increasing(np.arcsinh), "arccosh": increasing(np.arccosh, (1.0, np.inf)),
    "arctanh": increasing(np.arctanh, (-1.0, 1.0)),
    "expit": increasing(_expit, _ANYWHERE, (0.0, 1.0)),
    "softplus": increasing(lambda x: np.logaddexp(0.0, x), _ANYWHERE, _ABOVE),
    "deg2rad": increasing(np.deg2rad), "radians": increasing(np.deg2rad),
    "rad2deg": increasing(np.rad2deg), "degrees": increasing(np.rad2deg),
    "logaddexp": _log_of_sum(np.logaddexp), "logaddexp2": _log_of_sum(np.logaddexp2),
})  # fmt: skip

# -- angles ---------------------------------------------------------------------------------------


def _reaches(x: Interval, place: float, period: float) -> Any:
    """Where x contains place + k·period for a whole k, or comes so near that rounding hides it."""
    a, b = (x.lo - place) / period, (x.hi - place) / period
    return ~(np.ceil(a - 1e-14 * (np.abs(a) + 1)) > np.floor(b + 1e-14 * (np.abs(b) + 1)))


def _wave(function: Any, top: float) -> Row:
    """A sine of period 2π with its maximum at ``top``."""

    def row(run: Refusals, x: Interval) -> Interval:
        found = _ends(function, x, ULPS)
        lo = np.where(_reaches(x, top + np.pi, 2 * np.pi), -1.0, np.maximum(found.lo, -1.0))
        hi = np.where(_reaches(x, top, 2 * np.pi), 1.0, np.minimum(found.hi, 1.0))
        return Interval(lo, hi)

    return row


def _tan(run: Refusals, x: Interval) -> Interval:
    pole = _reaches(x, np.pi / 2, np.pi)
    run.refuse(pole)
    return everywhere(monotone(np.tan, x, ULPS), pole)


def _arctan2(run: Refusals, y: Interval, x: Interval) -> Interval:
    """The angle of a box that leaves out the origin and the cut has its extremes at corners."""
    cut = y.contains(0.0) & ~(x.lo > 0)
    run.refuse(cut)
    found = corners(np.arctan2, (y, x), ULPS)
    return Interval(np.where(cut, -_TURN, found.lo), np.where(cut, _TURN, found.hi))


def _hypot(run: Refusals, a: Interval, b: Interval) -> Interval:
    run.refuse(a.contains(0.0) & b.contains(0.0))
    return corners(np.hypot, (_size(a), _size(b)), ULPS)


ROWS.update({
    "sin": _wave(np.sin, np.pi / 2), "cos": _wave(np.cos, 0.0), "tan": _tan,
    "arctan2": _arctan2, "hypot": _hypot,
})  # fmt: skip

# -- kinks and choices ----------------------------------------------------------------------------


def _size(x: Interval) -> Interval:
    a, b = np.abs(x.lo), np.abs(x.hi)
    return Interval(np.where(x.contains(0.0), 0.0, np.minimum(a, b)), np.maximum(a, b))


def _absolute(run: Refusals, x: Interval) -> Interval:
    run.refuse(x.contains(0.0))
    return _size(x)


def _extremum(function: Any) -> Row:
    def row(run: Refusals, a: Interval, b: Interval) -> Interval:
        run.require_apart(a, b)
        return Interval(function(a.lo, b.lo), function(a.hi, b.hi))

    return row


def _clip(run: Refusals, x: Interval, low: Interval, high: Interval) -> Interval:
    run.require_apart(x, low)
    run.require_apart(x, high)
    run.refuse(~(low.hi <= high.lo))
    return Interval(np.clip(x.lo, low.lo, high.lo), np.clip(x.hi, low.hi, high.hi))


def _steps(function: Any) -> Row:
    """A step function: constant on a piece, or the piece is given up."""

    def row(run: Refusals, x: Interval) -> Interval:
        found = Interval(function(x.lo), function(x.hi))
        run.require_known(found)
        return found

    return row


def _floor_divide(run: Refusals, a: Interval, b: Interval) -> Interval:
    return _steps(np.floor)(run, _divide(run, a, b))


def _remainder(run: Refusals, a: Interval, b: Interval) -> Interval:
    return subtract(a, multiply(_floor_divide(run, a, b), b))


def _fmod(run: Refusals, a: Interval, b: Interval) -> Interval:
    return subtract(a, multiply(_steps(np.trunc)(run, _divide(run, a, b)), b))


def _copysign(run: Refusals, a: Interval, b: Interval) -> Interval:
    run.refuse(b.contains(0.0))
    return multiply(_absolute(run, a), Interval(np.copysign(1.0, b.lo), np.copysign(1.0, b.hi)))


def _heaviside(run: Refusals, x: Interval, middle: Interval) -> Interval:
    run.give_up(x.contains(0.0))
    return exactly(np.heaviside(x.lo, 0.0) + 0 * middle.lo)


ROWS.update({
    "absolute": _absolute, "fabs": _absolute,
    "maximum": _extremum(np.maximum), "fmax": _extremum(np.maximum),
    "minimum": _extremum(np.minimum), "fmin": _extremum(np.minimum),
    "clip": _clip,
    "floor": _steps(np.floor), "ceil": _steps(np.ceil), "trunc": _steps(np.trunc),
    "rint": _steps(np.rint), "sign": _steps(np.sign),
    "floor_divide": _floor_divide, "remainder": _remainder, "fmod": _fmod,
    "copysign": _copysign, "heaviside": _heaviside,
})  # fmt: skip

# -- facts: what may be true and what may be false ------------------------------------------------


def _fact(surely: Any, possibly: Any) -> Interval:
    return Interval(np.asarray(surely), np.asarray(possibly))


def _greater(run: Refusals, a: Interval, b: Interval) -> Interval:
    return _fact(a.lo > b.hi, ~(a.hi <= b.lo))


def _greater_equal(run: Refusals, a: Interval, b: Interval) -> Interval:
    return _fact(a.lo >= b.hi, ~(a.hi < b.lo))


def _equal(run: Refusals, a: Interval, b: Interval) -> Interval:
    apart = (a.lo > b.hi) | (a.hi < b.lo)
    return _fact(a.known & b.known & (a.lo == b.lo), ~apart)


def _truth(x: Interval) -> Interval:
    """Whether x is not 0."""
    if x.lo.dtype == np.bool_:
        return x
    return _fact(~x.contains(0.0), ~(x.known & (x.lo == 0)))


def _not(run: Refusals, x: Interval) -> Interval:
    found = _truth(x)
    return Interval(~found.hi, ~found.lo)


def _both(run: Refusals, a: Interval, b: Interval) -> Interval:
    p, q = _truth(a), _truth(b)
    return Interval(p.lo & q.lo, p.hi & q.hi)


def _either(run: Refusals, a: Interval, b: Interval) -> Interval:
    p, q = _truth(a), _truth(b)
    return Interval(p.lo | q.lo, p.hi | q.hi)


def _one_only(run: Refusals, a: Interval, b: Interval) -> Interval:
    p, q = _truth(a), _truth(b)
    undecided = ~(p.known & q.known)
    return Interval((p.lo ^ q.lo) & ~undecided, (p.lo ^ q.lo) | undecided)


def _finite(run: Refusals, x: Interval) -> Interval:
    return _fact(np.isfinite(x.lo) & np.isfinite(x.hi), ~(x.known & np.isinf(x.lo)))


def _infinite(run: Refusals, x: Interval) -> Interval:
    return _fact(x.known & np.isinf(x.lo), ~(np.isfinite(x.lo) & np.isfinite(x.hi)))


def _undefined(run: Refusals, x: Interval) -> Interval:
    """Between finite ends there is a number; an infinite one may stand for anything."""
    return _fact(np.zeros_like(x.lo, np.bool_), ~(np.isfinite(x.lo) & np.isfinite(x.hi)))


FACTS: dict[str, Row] = {
    "greater": _greater,
    "less": lambda run, a, b: _greater(run, b, a),
    "greater_equal": _greater_equal,
    "less_equal": lambda run, a, b: _greater_equal(run, b, a),
    "equal": _equal,
    "not_equal": lambda run, a, b: _not(run, _equal(run, a, b)),
    "logical_not": _not, "logical_and": _both, "logical_or": _either, "logical_xor": _one_only,
    "isfinite": _finite, "isinf": _infinite,
    "isnan": _undefined, "signbit": lambda run, x: _fact(x.hi < 0, ~(x.lo > 0)),
}  # fmt: skip
"""Rows that may be undecided: whoever chooses by them gives the piece up."""


def _of_bits(row: Row) -> Row:
    """The same of truth values; nothing is known of the bits of an integer that varies."""

    def guarded(run: Refusals, *operands: Interval) -> Interval:
        run.give_up(np.full(1, any(x.lo.dtype != np.bool_ for x in operands)))
        return row(run, *operands)

    return guarded


FACTS |= {
    "bitwise_and": _of_bits(_both), "bitwise_or": _of_bits(_either),
    "bitwise_xor": _of_bits(_one_only), "invert": _of_bits(_not),
}  # fmt: skip
ROWS.update(FACTS)
