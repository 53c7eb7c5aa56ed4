"""Derivatives of the survival function of Kolmogorov's distribution, by theta series."""

from functools import cache
from math import pi, sqrt

import numpy as np

from ..row import Kernel
from .arrays import Array, on_real_vectors
from .faddeeva import gaussian_derivative

__all__ = ["KERNELS", "kolmogorov_derivative"]

CROSSING = 0.9


def _right(x: Array, n: int) -> Array:
    """2 Σ (−1)^(k−1) e^(−2k²x²)."""
    terms = (
        2 * (-1.0) ** (k - 1) * (sqrt(2) * k) ** n * gaussian_derivative(sqrt(2) * k * x, n)
        for k in range(1, 8)
    )
    return np.asarray(sum(terms))


def _left(x: Array, n: int) -> Array:
    """1 − √(2π)/x Σ e^(−(2k−1)²π²/(8x²)), by the modular transformation of the theta function."""
    total = np.zeros_like(x)
    for k in range(1, 6):
        c = (2 * k - 1) ** 2 * pi**2 / 8
        powers = {1: 1.0}  # the derivative is Σ weight x^(−p) e^(−c/x²)
        for _ in range(n):
            raised: dict[int, float] = {}
            for p, weight in powers.items():
                raised[p + 1] = raised.get(p + 1, 0.0) - p * weight
                raised[p + 3] = raised.get(p + 3, 0.0) + 2 * c * weight
            powers = raised
        total += sum(weight * np.exp(-c / x**2 - p * np.log(x)) for p, weight in powers.items())
    return np.asarray(float(n == 0) - sqrt(2 * pi) * total)


def _values(x: Array, n: int) -> Array:
    middle = np.where(x > 0, x, 1.0)
    value = np.where(middle > CROSSING, _right(middle, n), _left(np.minimum(middle, 1.0), n))
    return np.where(np.isnan(x), np.nan, np.where(x > 0, value, float(n == 0)))


@cache
def kolmogorov_derivative(n: int) -> Kernel:
    """The n-th derivative of Q(x) = 2 Σ (−1)^(k−1) e^(−2k²x²)."""
    return Kernel(
        f"kolmogorov_derivative_{n}",
        on_real_vectors("kolmogorov")(lambda x: _values(x, n)),
        (lambda x, y: kolmogorov_derivative(n + 1)(x),),
        ((0.3, 2.0),),
    )


KERNELS = [kolmogorov_derivative(1), kolmogorov_derivative(2)]
