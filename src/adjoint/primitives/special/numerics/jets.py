"""Truncated Taylor series in two increments, as tables of coefficients.

A jet of order (m, n) is a list of lists c with f(a + s, b + t) = Σ c[i][j] sⁱ tʲ, i ≤ m, j ≤ n; its
entries are arrays.  A function of one parameter has n = 0.
"""

from math import factorial
from typing import Any

Jet = list[list[Any]]

__all__ = ["Jet", "exponential", "linear", "multiply", "nth_derivative", "reciprocal_sum"]


def multiply(f: Jet, g: Jet) -> Jet:
    """The Cauchy product, truncated to the order of f."""
    return [
        [
            sum(f[i][j] * g[p - i][q - j] for i in range(p + 1) for j in range(q + 1))
            for q in range(len(f[0]))
        ]
        for p in range(len(f))
    ]


def exponential(c: Jet, leading: Any) -> Jet:
    """exp of a jet, its value at zero increment given as `leading` (c[0][0] is not read).

    From y' = c' y in either increment: p y_pq = Σ i c_ij y_(p-i)(q-j)  (Knuth, TAOCP 2, 4.7).
    """
    m, n = len(c), len(c[0])
    y: Jet = [[0.0] * n for _ in range(m)]
    y[0][0] = leading
    for q in range(1, n):
        y[0][q] = sum(j * c[0][j] * y[0][q - j] for j in range(1, q + 1)) / q
    for p in range(1, m):
        for q in range(n):
            terms = ((i, j) for i in range(1, p + 1) for j in range(q + 1))
            y[p][q] = sum(i * c[i][j] * y[p - i][q - j] for i, j in terms) / p
    return y


def linear(value: Any, m: int, n: int, *, first: float, second: float) -> Jet:
    """The jet of value + first·s + second·t."""
    jet: Jet = [[0.0 * value] * (n + 1) for _ in range(m + 1)]
    jet[0][0] = value
    if m:
        jet[1][0] = first + 0.0 * value
    if n:
        jet[0][1] = second + 0.0 * value
    return jet


def reciprocal_sum(value: Any, m: int, n: int) -> Jet:
    """The jet of 1 / (value + s + t)."""
    return [
        [
            (-1.0) ** (i + j) * factorial(i + j) / (factorial(i) * factorial(j))
            / value ** (i + j + 1)
            for j in range(n + 1)
        ]
        for i in range(m + 1)
    ]  # fmt: skip


def nth_derivative(f: Jet) -> Any:
    """∂ᵐ₁∂ⁿ₂ f at zero increment, for the highest order the jet holds."""
    return f[-1][-1] * factorial(len(f) - 1) * factorial(len(f[0]) - 1)
