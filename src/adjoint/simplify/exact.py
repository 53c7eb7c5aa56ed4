"""Coefficients: numbers as people wrote them, so that they add, cancel and compare exactly."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache
from typing import Any

Coefficient = Fraction | float | complex
"""A rational number where the number is one with a small denominator, else a float."""

ZERO, ONE = Fraction(0), Fraction(1)
_DENOMINATOR = 10**6


def exact(number: Any) -> Coefficient:
    """A Python or NumPy number as a fraction, if that fraction is the same float.

    >>> exact(0.1), exact(2.0), exact(3.141592653589793)
    (Fraction(1, 10), Fraction(2, 1), 3.141592653589793)
    """
    if isinstance(number, Fraction):
        return number
    if hasattr(number, "item"):
        number = number.item()
    if isinstance(number, complex):
        return exact(number.real) if number.imag == 0 else number
    if isinstance(number, int):
        return Fraction(number)
    return _exact_float(number, math.copysign(1.0, number))


@lru_cache(maxsize=1024)
def _exact_float(number: float, sign: float) -> Coefficient:
    if not math.isfinite(number) or (number == 0 and sign < 0):
        return number
    if number.is_integer() and abs(number) < 2**53:
        return Fraction(int(number))
    found = Fraction(number).limit_denominator(_DENOMINATOR)
    return found if float(found) == number else number


def multiply(a: Coefficient, b: Coefficient) -> Coefficient:
    """a·b, exact if both are."""
    if isinstance(a, Fraction) and isinstance(b, Fraction):
        return a * b
    if a == 1:
        return b
    if b == 1:
        return a
    return exact(_plain(a) * _plain(b))


def add(a: Coefficient, b: Coefficient) -> Coefficient:
    """a + b, exact if both are."""
    if isinstance(a, Fraction) and isinstance(b, Fraction):
        return a + b
    return exact(_plain(a) + _plain(b))


def power(a: Coefficient, n: Coefficient) -> Coefficient | None:
    """aⁿ where it is a number that loses nothing, else None."""
    if a == 1:
        return ONE
    if not isinstance(n, Fraction):
        return None
    if isinstance(a, Fraction):
        if n.denominator == 1 and abs(n) <= 64 and (a != 0 or n > 0):
            return a ** int(n)
        root = _exact_root(a, n)
        return None if root is None else root
    return exact(_plain(a) ** int(n)) if n.denominator == 1 and a != 0 else None


def _exact_root(a: Fraction, n: Fraction) -> Fraction | None:
    """√(p/q) where p and q are squares, to the power that is left."""
    if n.denominator != 2 or a <= 0:
        return None
    p, q = math.isqrt(a.numerator), math.isqrt(a.denominator)
    if p * p != a.numerator or q * q != a.denominator:
        return None
    return Fraction(p, q) ** n.numerator


def plain(a: Coefficient) -> Any:
    """As a Python number: an int where it is one, else a float (or complex)."""
    if isinstance(a, Fraction):
        return int(a) if a.denominator == 1 else float(a)
    return a


def _plain(a: Coefficient) -> Any:
    return float(a) if isinstance(a, Fraction) else a


def is_negative(a: Coefficient) -> bool:
    """Whether a minus sign is printed."""
    return not isinstance(a, complex) and a < 0
