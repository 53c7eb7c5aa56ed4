"""Polynomials around a centre as text."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import combinations_with_replacement
from typing import Any

import numpy as np

_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def one_variable(coefficients: Sequence[float], center: float, name: str, digits: int) -> str:
    """Σ cₖ (x − x₀)ᵏ."""
    base = _displacement(name, center, digits)
    terms = ((c, _power(base, k)) for k, c in enumerate(coefficients))
    return _sum(terms, digits)


def several_variables(tensors: Sequence[Any], center: Any, name: str, digits: int) -> str:
    """Σ Dᵏf[δ, …, δ]/k!, with equal entries of the symmetric tensors taken together."""
    point = np.asarray(center)
    bases = [
        _displacement(name + _index(where, point.shape), float(point[where]), digits)
        for where in np.ndindex(point.shape)
    ]
    return _sum(_monomials(tensors, bases, point.size), digits)


def _monomials(
    tensors: Sequence[Any], bases: Sequence[str], count: int
) -> Iterator[tuple[float, str]]:
    for k, tensor in enumerate(tensors):
        flat = np.reshape(tensor, (count,) * k)
        for chosen in combinations_with_replacement(range(count), k):
            powers = [chosen.count(i) for i in range(count)]
            weight = math.prod(map(math.factorial, powers))
            factors = [_power(b, p) for b, p in zip(bases, powers, strict=True) if p]
            yield float(flat[chosen]) / weight, " ".join(factors)


def _index(where: tuple[int, ...], shape: tuple[int, ...]) -> str:
    separator = "" if max(shape, default=0) < 10 else ","
    return separator.join(str(i + 1) for i in where).translate(_SUBSCRIPTS)


def _displacement(name: str, center: float, digits: int) -> str:
    if center == 0:
        return name
    return f"({name} {'-' if center > 0 else '+'} {number(abs(center), digits)})"


def _power(base: str, k: int) -> str:
    return "" if k == 0 else base + (str(k).translate(_SUPERSCRIPTS) if k > 1 else "")


def _sum(terms: Iterator[tuple[float, str]], digits: int) -> str:
    text = ""
    for c, power in terms:
        if c == 0:
            continue
        size = number(abs(c), digits)
        term = power if power and size == "1" else f"{size} {power}".strip()
        sign = ("-" if c < 0 else "") if not text else (" - " if c < 0 else " + ")
        text += sign + term
    return text or "0"


def number(value: float, digits: int) -> str:
    """A short decimal, else a fraction of small whole numbers, if it is one to rounding.

    >>> number(1 / 24, 6), number(0.1234567, 4), number(2.5, 6)
    ('1/24', '0.1235', '2.5')
    """
    if not math.isfinite(value) or float(f"{value:.3g}") == value:
        return f"{value:.{digits}g}"
    near = Fraction(value).limit_denominator(40320)
    small = near.numerator <= 1000 and (near.numerator == 1 or near.denominator <= 5040)
    if near.denominator > 1 and small and abs(float(near) - value) <= 8e-16 * value:
        return f"{near.numerator}/{near.denominator}"
    return f"{value:.{digits}g}"
