"""Derivatives of the zeta functions in s, by the Euler-Maclaurin formula (DLMF 25.11.5).

Every part of it is a product of an exponential and a polynomial or a simple pole in s, so its
derivatives in s are exact; the remainder is below rounding for the cut-off chosen.
"""

from functools import cache
from math import factorial, pi
from typing import Any

import numpy as np
from scipy import special

from ..row import Kernel
from .arrays import Array, on_real_vectors
from .gamma import polygamma_values
from .jets import exponential

__all__ = ["KERNELS", "hurwitz_zeta_derivative", "riemann_zeta_derivative"]

TERMS = 16
# B_2j/(2j)!, j = 1 … 12.
SCALED_BERNOULLI = tuple(
    2 * (-1.0) ** (j + 1) * float(special.zeta(2 * j)) / (2 * pi) ** (2 * j) for j in range(1, 13)
)


def _hurwitz_jet(s: Array, q: Array, order: int) -> list[Array]:
    """Taylor coefficients of ζ(s, q) in s, for q > 0 and s not much below 0, s ≠ 1."""

    def power(base: Array) -> list[Array]:  # jet of base^(−s)
        log = -np.log(base)
        value = np.exp(log * s)
        return [value * log**k / factorial(k) for k in range(order + 1)]

    def times(f: list[Array], g: list[Array]) -> list[Array]:
        return [np.asarray(sum(f[j] * g[k - j] for j in range(k + 1))) for k in range(order + 1)]

    total = [np.zeros_like(s) for _ in range(order + 1)]
    for k in range(TERMS):
        total = [t + p for t, p in zip(total, power(q + k), strict=True)]
    end = q + TERMS
    edge = power(end)
    pole = [(-1.0) ** k / (s - 1) ** (k + 1) for k in range(order + 1)]
    total = [t + end * i + e / 2 for t, i, e in zip(total, times(edge, pole), edge, strict=True)]
    rising = [s, np.ones_like(s)][: order + 1] + [np.zeros_like(s)] * (order - 1)
    for j, weight in enumerate(SCALED_BERNOULLI, start=1):
        part = times(edge, rising)
        total = [t + weight * p / end ** (2 * j - 1) for t, p in zip(total, part, strict=True)]
        for shift in (2 * j - 1, 2 * j):
            below = [np.zeros_like(s), *rising[:-1]]
            rising = [(s + shift) * r + b for r, b in zip(rising, below, strict=True)]
    return total


def _hurwitz(s: Array, q: Array, order: int) -> Array:
    inside = (s > 1) & (q > 0)
    safe_s, safe_q = np.where(inside, s, 2.0), np.where(inside, q, 1.0)
    value = _hurwitz_jet(safe_s, safe_q, order)[order] * factorial(order)
    return np.where(inside, value, np.nan)


def _riemann(s: Array, order: int) -> Array:
    """Right of 0 directly; left of it through ζ(s) = 2 (2π)^(s−1) sin(πs/2) Γ(1 − s) ζ(1 − s)."""
    left = s < 0
    right_s = np.where(left | (s == 1), 2.0, s)
    direct = _hurwitz_jet(right_s, np.ones_like(s), order)[order]
    mirror = np.where(left, 1 - s, 2.0)
    zeta = [(-1.0) ** k * c
            for k, c in enumerate(_hurwitz_jet(mirror, np.ones_like(s), order))]  # fmt: skip
    logs = [mirror, np.log(2 * pi) - special.psi(mirror)]
    logs += [(-1.0) ** k * polygamma_values(k - 1, mirror) / factorial(k)
             for k in range(2, order + 1)]  # fmt: skip
    front = 2 * (2 * pi) ** -mirror * special.gamma(mirror)
    smooth = [c[0] for c in exponential([[c] for c in logs[: order + 1]], front)]
    quarter = special.sindg(90 * (1 - mirror)), special.cosdg(90 * (1 - mirror))
    sine = [(-1.0) ** (k // 2) * quarter[k % 2] * (pi / 2) ** k / factorial(k)
            for k in range(order + 1)]  # fmt: skip
    product = [sum(smooth[j] * sine[k - j] for j in range(k + 1)) for k in range(order + 1)]
    reflected = sum(product[j] * zeta[order - j] for j in range(order + 1))
    return np.where(s == 1, np.nan, np.where(left, reflected, direct)) * factorial(order)


@cache
def hurwitz_zeta_derivative(n: int) -> Kernel:
    """∂ⁿζ(s, q)/∂sⁿ for s > 1, q > 0.

    ∂ζ/∂q = −s ζ(s + 1, q), whose n-th derivative in s is −s ζ⁽ⁿ⁾ − n ζ⁽ⁿ⁻¹⁾, both at s + 1.
    """

    def lower(s: Any, q: Any) -> Any:
        return special.zeta(s + 1, q) if n == 1 else hurwitz_zeta_derivative(n - 1)(s + 1, q)

    return Kernel(
        f"hurwitz_zeta_derivative_{n}",
        on_real_vectors("the derivative of zeta in s")(lambda s, q: _hurwitz(s, q, n)),
        (
            lambda s, q, y: hurwitz_zeta_derivative(n + 1)(s, q),
            lambda s, q, y: -s * hurwitz_zeta_derivative(n)(s + 1, q) - n * lower(s, q),
        ),
        ((1.3, 9.0), (0.3, 8.0)),
        latex=rf"\partial_s^{{{n}}}\zeta",
    )


@cache
def riemann_zeta_derivative(n: int) -> Kernel:
    """ζ⁽ⁿ⁾(s) for real s ≠ 1."""
    return Kernel(
        f"riemann_zeta_derivative_{n}",
        on_real_vectors("the derivative of zeta")(lambda s: _riemann(s, n)),
        (lambda s, y: riemann_zeta_derivative(n + 1)(s),),
        ((1.3, 9.0),),
        latex=rf"\zeta^{{({n})}}",
    )


KERNELS = [hurwitz_zeta_derivative(1), hurwitz_zeta_derivative(2), riemann_zeta_derivative(1),
           riemann_zeta_derivative(2)]  # fmt: skip
