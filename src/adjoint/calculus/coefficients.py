"""Arithmetic of polynomials in one variable, given by their lists of coefficients."""

from __future__ import annotations

from typing import Any

import numpy as np

from adjoint.errors import ArgumentValueError
from adjoint.graph.tracer import Tracer


def total(terms: list[Any]) -> Any:
    """Their sum, from the last to the first."""
    found = terms[-1]
    for term in reversed(terms[:-1]):  # the small ones first
        found = found + term
    return found


def horner(coefficients: list[Any], delta: Any) -> Any:
    """Σ cₖ δᵏ, for an array of δ; the result has the axes of δ first."""
    delta = np.reshape(delta, np.shape(delta) + (1,) * np.ndim(coefficients[0]))
    found = coefficients[-1] + 0.0 * delta
    for c in reversed(coefficients[:-1]):
        found = found * delta + c
    return found[()] if isinstance(found, np.ndarray) else found


def added(a: list[Any], b: list[Any]) -> list[Any]:
    """a + b."""
    return [x + y for x, y in zip(a, b, strict=True)]


def subtracted(a: list[Any], b: list[Any]) -> list[Any]:
    """a − b."""
    return [x - y for x, y in zip(a, b, strict=True)]


def multiplied(a: list[Any], b: list[Any]) -> list[Any]:
    """a·b, truncated."""
    return [total([a[j] * b[k - j] for j in range(k + 1)]) for k in range(len(a))]


def divided(a: list[Any], b: list[Any]) -> list[Any]:
    """a/b: cₖ = (aₖ − Σⱼ bⱼ cₖ₋ⱼ)/b₀ over j ≥ 1."""
    if not isinstance(b[0], Tracer) and np.any(np.equal(b[0], 0)):
        raise ArgumentValueError(
            f"p / q needs a q that is not zero at the centre; it is {b[0]}.",
            hint="taylor(lambda x: f(x) / g(x), x0, n), where the quotient has a limit.",
        )
    found: list[Any] = []
    for k in range(len(a)):
        moved = total([b[j] * found[k - j] for j in range(1, k + 1)]) if k else 0.0
        found.append((a[k] - moved) / b[0])
    return found
