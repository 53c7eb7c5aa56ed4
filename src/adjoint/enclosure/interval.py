"""Interval arithmetic on arrays, rounded outward.

Sums, products, quotients and square roots are correctly rounded by IEEE 754, so one step to the
next number encloses them (Moore, Kearfott and Cloud, *Introduction to Interval Analysis*, 2009,
chapter 3).  Other functions are widened by more units in the last place than NumPy is ever off.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np


class Interval(NamedTuple):
    """Arrays of lower and upper ends; the first axis counts the pieces, 1 for what all share.

    A truth value or an integer is known where both ends are equal.
    """

    lo: Any
    hi: Any

    @property
    def ndim(self) -> int:
        return self.lo.ndim  # type: ignore[no-any-return]

    @property
    def known(self) -> Any:
        """Where both ends are equal."""
        return self.lo == self.hi

    def contains(self, number: float) -> Any:
        """Where the number is one of it, ends included."""
        return (self.lo <= number) & (self.hi >= number)


def exactly(value: Any) -> Interval:
    """An array as an interval of no width."""
    return Interval(value, value)


def outward(lo: Any, hi: Any, ulps: float = 0.0) -> Interval:
    """The ends moved out by one number, or by so many units in the last place more.

    An end that is not a number may be anything.

    >>> import numpy as np
    >>> x = outward(np.array([1.0]), np.array([np.nan]))
    >>> bool(x.lo[0] < 1.0), float(x.hi[0])
    (True, inf)
    """
    lo, hi = np.asarray(lo, np.float64), np.asarray(hi, np.float64)
    if ulps:
        lo, hi = lo - ulps * np.spacing(np.abs(lo)), hi + ulps * np.spacing(np.abs(hi))
    lo, hi = np.nextafter(lo, -np.inf), np.nextafter(hi, np.inf)
    return Interval(np.where(np.isnan(lo), -np.inf, lo), np.where(np.isnan(hi), np.inf, hi))


def segment(a: Any, b: Any) -> Interval:
    """The numbers between two, in either order."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return Interval(np.minimum(a, b), np.maximum(a, b))


def _sum(a: Any, b: Any, towards: float) -> Any:
    """a + b rounded up or down, and not at all where it is exact: the larger of two numbers is
    subtracted from their sum without error (Dekker 1971)."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    s = a + b
    exact = (s - a == b) & (s - b == a)
    return np.where(exact, s, np.nextafter(s, towards))


def add(a: Interval, b: Interval) -> Interval:
    """a + b."""
    lo, hi = _sum(a.lo, b.lo, -np.inf), _sum(a.hi, b.hi, np.inf)
    return Interval(np.where(np.isnan(lo), -np.inf, lo), np.where(np.isnan(hi), np.inf, hi))


def negative(a: Interval) -> Interval:
    """−a."""
    return Interval(-np.asarray(a.hi, np.float64), -np.asarray(a.lo, np.float64))


def subtract(a: Interval, b: Interval) -> Interval:
    """a − b, as of numbers that do not depend on each other."""
    return add(a, negative(b))


def _hull(candidates: list[Any], ulps: float = 0.0) -> Interval:
    lo = hi = candidates[0]
    for c in candidates[1:]:
        lo, hi = np.minimum(lo, c), np.maximum(hi, c)  # a NaN stays one
    return outward(lo, hi, ulps)


def multiply(a: Interval, b: Interval) -> Interval:
    """a·b, as of numbers that do not depend on each other."""
    if a.lo is a.hi:
        a, b = b, a
    if b.lo is b.hi:  # half the products
        return _hull([a.lo * b.lo, a.hi * b.lo])
    return _hull([a.lo * b.lo, a.lo * b.hi, a.hi * b.lo, a.hi * b.hi])


def divide(a: Interval, b: Interval) -> Interval:
    """a/b; the whole line where b contains 0."""
    found = _hull([a.lo / b.lo, a.lo / b.hi, a.hi / b.lo, a.hi / b.hi])
    return everywhere(found, b.contains(0.0))


def square(a: Interval) -> Interval:
    """a², never negative."""
    low, high = np.square(a.lo), np.square(a.hi)
    small = np.where(a.contains(0.0), 0.0, np.minimum(low, high))
    found = outward(small, np.maximum(low, high))
    return Interval(np.maximum(found.lo, 0.0), found.hi)


def everywhere(a: Interval, where: Any) -> Interval:
    """The whole line where a condition holds."""
    return Interval(np.where(where, -np.inf, a.lo), np.where(where, np.inf, a.hi))


def monotone(
    function: Any, a: Interval, ulps: float, least: float = -np.inf, most: float = np.inf
) -> Interval:
    """An increasing function with values from ``least`` to ``most``."""
    found = outward(function(a.lo), function(a.hi), ulps)
    return Interval(np.maximum(found.lo, least), np.minimum(found.hi, most))


def corners(function: Any, operands: tuple[Interval, ...], ulps: float) -> Interval:
    """A function that is monotone in each operand, whatever the others are: its extremes are at
    corners of the box."""
    found = [()]
    for x in operands:
        found = [(*c, end) for c in found for end in x]  # type: ignore[misc]
    return _hull([function(*c) for c in found], ulps)


def magnitude(a: Interval) -> Any:
    """max |x| over x in a."""
    return np.maximum(np.abs(a.lo), np.abs(a.hi))


def summed(a: Interval, axes: tuple[int, ...]) -> Interval:
    """The sum over axes: however it is added up, n terms are off by n ε Σ|x| at most (Higham,
    *Accuracy and Stability of Numerical Algorithms*, 2002, equation 4.6)."""
    if not axes:
        return a
    count = int(np.prod([a.lo.shape[i] for i in axes]))
    lo, hi = np.sum(a.lo, axes), np.sum(a.hi, axes)
    if count <= 1:
        return Interval(lo, hi)
    slack = (count + 1) * np.finfo(float).eps
    off = slack * np.sum(np.abs(a.lo), axes), slack * np.sum(np.abs(a.hi), axes)
    return outward(lo - off[0], hi + off[1])


def align(operands: tuple[Interval, ...]) -> tuple[Interval, ...]:
    """Operands whose pieces broadcast: axes of length 1 follow the first where one has fewer."""
    rank = max(x.ndim for x in operands)
    return tuple(x if x.ndim == rank else _with_rank(x, rank) for x in operands)


def _with_rank(x: Interval, rank: int) -> Interval:
    lo = _raised(x.lo, rank)
    return exactly(lo) if x.lo is x.hi else Interval(lo, _raised(x.hi, rank))


def _raised(value: Any, rank: int) -> Any:
    return value.reshape(value.shape[:1] + (1,) * (rank - value.ndim) + value.shape[1:])
