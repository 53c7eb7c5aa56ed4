"""Derivatives of eˣ K₀(x) and eˣ K₁(x) of any order, without differences of neighbours.

eˣ K_ν(x) = ∫ e^(−x (cosh t − 1)) cosh νt dt over t ≥ 0 (DLMF 10.32.9).  Each derivative in x puts a
factor −(cosh t − 1) under the integral: nothing cancels, and the trapezoidal rule converges
geometrically (Trefethen and Weideman, SIAM Review 56, 2014, section 5).
"""

from functools import cache
from math import comb

import numpy as np
from scipy import special

from ..row import Kernel
from .arrays import Array, on_real_vectors

__all__ = ["KERNELS", "scaled_macdonald_derivative"]

_NODES = 160
_SMALL = 1e-6


def _integral(order: int, n: int, x: Array) -> Array:
    end = 2 * np.arcsinh(np.sqrt((60 + 4 * n) / (2 * x)))  # beyond it the integrand is negligible
    step = end / _NODES
    total = np.zeros_like(x)
    for k in range(_NODES + 1):
        t = k * step
        fall = 2 * np.sinh(t / 2) ** 2
        term = np.exp(-x * fall) * fall**n * np.cosh(order * t)
        total = total + (term / 2 if k == 0 else term)
    return np.asarray((-1.0) ** n * step * total)


def _near_zero(order: int, n: int, x: Array) -> Array:
    """Σ C(n, j) eˣ K⁽ʲ⁾, of which the last term is the largest by far."""
    total = np.zeros_like(x)
    for j in range(n + 1):
        neighbours = sum(comb(j, i) * special.kve(order - j + 2 * i, x) for i in range(j + 1))
        total = total + comb(n, j) * (-0.5) ** j * neighbours
    return total


def _derivative(order: int, n: int, x: Array) -> Array:
    small = x < _SMALL
    found = _integral(order, n, np.where((x >= _SMALL) & np.isfinite(x), x, 1.0))
    found = np.where(small, _near_zero(order, n, np.where(small, x, 1.0)), found)
    edge = np.where(x == 0, (-1.0) ** n * np.inf, np.where(x == np.inf, 0.0, np.nan))
    return np.where((x > 0) & (x < np.inf), found, edge)


@cache
def scaled_macdonald_derivative(order: int, n: int) -> Kernel:
    """dⁿ/dxⁿ of eˣ K_ν(x) for a whole ν."""
    name = f"k{order}e_derivative_{n}"
    return Kernel(
        name,
        on_real_vectors(name)(lambda x: _derivative(order, n, x)),
        (lambda x, y: scaled_macdonald_derivative(order, n + 1)(x),),
        ((0.2, 9.0),),
        latex=rf"K^{{e({n})}}_{order}",
    )


KERNELS = [scaled_macdonald_derivative(order, 1) for order in (0, 1)]
