"""Coefficients: numbers as people wrote them, so that they add, cancel and compare exactly.

A whole number is an ``int``, any other rational number with a small denominator a ``Fraction``:
most coefficients are whole, and Python multiplies, compares and hashes an ``int`` ten times faster.
Each number has one form only, since expressions that are equal have to be one object;
`whole_or_fraction` brings it about.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache
from typing import Any, TypeGuard

Rational = int | Fraction
Coefficient = int | Fraction | float | complex
"""A rational number where the number is one with a small denominator, else a float."""

ZERO, ONE, MINUS, HALF = 0, 1, -1, Fraction(1, 2)
_DENOMINATOR = 10**6
_LARGEST = 2**53  # beyond it a float is no longer the same number


def is_exact(c: Coefficient | None) -> TypeGuard[Rational]:
    """Whether a coefficient is a rational number."""
    return type(c) is int or type(c) is Fraction


def whole_or_fraction(value: Rational) -> Rational:
    """The one form of a rational number.

    >>> whole_or_fraction(Fraction(4, 2)), whole_or_fraction(Fraction(1, 2))
    (2, Fraction(1, 2))
    """
    return value.numerator if value.denominator == 1 else value


def magnitude(value: Rational) -> Rational:
    """|p/q|."""
    return -value if value < 0 else value


def exact(number: Any) -> Coefficient:
    """A Python or NumPy number as a rational number, if that is the same float.

    >>> exact(0.1), exact(2.0), exact(3.141592653589793)
    (Fraction(1, 10), 2, 3.141592653589793)
    """
    if isinstance(number, float):  # np.float64 among them
        return _exact_float(float(number), math.copysign(1.0, number))
    if hasattr(number, "item"):
        number = number.item()
    if isinstance(number, int):
        return int(number)  # of a truth value too
    if isinstance(number, Fraction):
        return whole_or_fraction(number)
    if isinstance(number, complex):
        return exact(number.real) if number.imag == 0 else number
    return _exact_float(number, math.copysign(1.0, number))


@lru_cache(maxsize=1024)
def _exact_float(number: float, sign: float) -> Coefficient:
    if not math.isfinite(number) or (number == 0 and sign < 0):
        return number
    found = whole_or_fraction(Fraction(number).limit_denominator(_DENOMINATOR))
    return found if float(found) == number else number


def multiply(a: Coefficient, b: Coefficient) -> Coefficient:
    """a·b, exact if both are."""
    if a == 1:
        return b
    if b == 1:
        return a
    if is_exact(a) and is_exact(b):
        return whole_or_fraction(a * b)
    result = exact(_plain(a) * _plain(b))
    if result == 0 or (isinstance(result, float) and not math.isfinite(result)):
        return _beyond_floats(a, b, result)
    return result


def _beyond_floats(a: Coefficient, b: Coefficient, result: Coefficient) -> Coefficient:
    """A product that underflows or overflows as a float, kept as a rational number."""
    if isinstance(a, complex) or isinstance(b, complex):
        return result
    if a == 0 or b == 0 or not (math.isfinite(a) and math.isfinite(b)):
        return result
    return whole_or_fraction(Fraction(a) * Fraction(b))


def add(a: Coefficient, b: Coefficient) -> Coefficient:
    """a + b, exact if both are."""
    if is_exact(a) and is_exact(b):
        return whole_or_fraction(a + b)
    return exact(_plain(a) + _plain(b))


def divide(a: Coefficient, b: Coefficient) -> Coefficient:
    """a/b for b ≠ 0, exact if both are.

    >>> divide(1, 2), divide(4, 2), divide(1, 1e300)
    (Fraction(1, 2), 2, 1e-300)
    """
    if b == 1:
        return a
    if is_exact(a) and is_exact(b):
        return whole_or_fraction(Fraction(a) / b)
    return multiply(a, exact(1 / _plain(b)))


def power(a: Coefficient, n: Coefficient) -> Coefficient | None:
    """aⁿ where it is a number that loses nothing, else None."""
    if a == 1:
        return ONE
    if not is_exact(n):
        return None
    if is_exact(a):
        if n.denominator == 1 and magnitude(n) <= 64 and (a != 0 or n > 0):
            return whole_or_fraction(Fraction(a) ** n.numerator)
        return _exact_root(a, n)
    return exact(_plain(a) ** int(n)) if n.denominator == 1 and a != 0 else None


def _exact_root(a: Rational, n: Rational) -> Rational | None:
    """√(p/q) where p and q are squares, to the power that is left."""
    if n.denominator != 2 or a <= 0:
        return None
    p, q = math.isqrt(a.numerator), math.isqrt(a.denominator)
    if p * p != a.numerator or q * q != a.denominator:
        return None
    return whole_or_fraction(Fraction(p, q) ** n.numerator)


def plain(a: Coefficient) -> Any:
    """As a Python number: an int where it is one that arrays can hold, else a float (or complex).

    >>> plain(2), plain(Fraction(1, 2)), plain(10**20), plain(-(10**400))
    (2, 0.5, 1e+20, -inf)
    """
    whole = type(a) is int and -_LARGEST < a < _LARGEST
    return a if whole else _plain(a)


def _plain(a: Coefficient) -> Any:
    """As a float, or complex."""
    if not is_exact(a):
        return a
    try:
        return float(a)
    except OverflowError:
        return -math.inf if a < 0 else math.inf


def is_negative(a: Coefficient) -> bool:
    """Whether a minus sign is printed."""
    return not isinstance(a, complex) and a < 0
