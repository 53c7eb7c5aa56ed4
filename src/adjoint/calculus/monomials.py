"""Polynomials as text: the terms of a Taylor polynomial in one variable or in several."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import combinations_with_replacement
from typing import Any

import numpy as np

from adjoint.errors import ArgumentValueError, NotScalarError
from adjoint.graph.arraytype import describe

MAX_TERMS = 400

_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def polynomial_text(
    tensors: Sequence[Any], center: Any, names: Sequence[str], digits: int = 6
) -> str:
    """Σₖ Tₖ[δ, …, δ] written out, with δᵢ = xᵢ − centerᵢ.

    Parameters
    ----------
    tensors: Tₖ = Dᵏf/k! for k = 0 … n, of shape ``(m,) * k``; a function of m variables has the
        term D^αf/α! δ^α for each multi-index α.
    center: the m numbers of the centre.
    names: the m names of the variables.
    digits: how many digits a number has.

    Raises
    ------
    NotScalarError: f returns more than one number.
    ArgumentValueError: there are more than 400 terms.

    >>> polynomial_text([1.0, np.array([0.0, 2.0]), np.zeros((2, 2))], [0.0, 3.0], ["x", "y"])
    '1 + 2 (y - 3)'
    """
    if np.ndim(tensors[0]) or np.iscomplexobj(tensors[0]):
        raise NotScalarError(
            "formula() needs a function that returns one real number; it returns "
            f"{describe(tensors[0])}.",
            hint="take one component: lambda x: f(x)[0].",
        )
    bases = [_base(n, c, digits) for n, c in zip(names, np.ravel(center), strict=True)]
    text = ""
    for place, (coefficient, factors) in enumerate(_terms(tensors, bases)):
        if place == MAX_TERMS:
            raise ArgumentValueError(
                f"formula() writes polynomials of up to {MAX_TERMS} terms; this one has more.",
                hint="use .truncate(order) for a lower degree, or .tensors for the numbers.",
            )
        text += _signed(coefficient, factors, digits, first=not text)
    return text or "0"


def _terms(tensors: Sequence[Any], bases: Sequence[str]) -> Iterator[tuple[float, str]]:
    """Coefficient and factors of every term that is not zero."""
    for k, tensor in enumerate(tensors):
        entries = np.asarray(tensor).reshape((len(bases),) * k)
        for index in combinations_with_replacement(range(len(bases)), k):
            powers = Counter(index)
            same = math.prod(math.factorial(p) for p in powers.values())
            coefficient = float(entries[index]) * (math.factorial(k) // same)
            if coefficient:
                yield coefficient, " ".join(bases[i] + raised(p) for i, p in powers.items())


def _base(name: str, center: Any, digits: int) -> str:
    if not center:
        return name
    return f"({name} {'-' if center > 0 else '+'} {abs(float(center)):.{digits}g})"


def raised(power: int) -> str:
    """A power as superscript digits; nothing for the first.

    >>> raised(12), raised(1)
    ('¹²', '')
    """
    return str(power).translate(_RAISED) if power != 1 else ""


def _signed(coefficient: float, factors: str, digits: int, *, first: bool) -> str:
    size = f"{abs(coefficient):.{digits}g}"
    term = factors if factors and size == "1" else f"{size} {factors}".strip()
    if first:
        return f"-{term}" if coefficient < 0 else term
    return f" - {term}" if coefficient < 0 else f" + {term}"


__all__ = ["MAX_TERMS", "polynomial_text", "raised"]
