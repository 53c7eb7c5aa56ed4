"""Polynomials, spherical harmonics, and Dirichlet's kernel."""

from __future__ import annotations

from math import factorial, pi
from typing import Any

import numpy as np

from adjoint.scipy.special.dispatch import offers, operand, refuse, scipy_special, whole_numbers


def _values_only(called: str, diff_n: int) -> None:
    if diff_n != 0:
        raise refuse(
            called, "diff_n=0", f"diff_n={diff_n!r}", hint="differentiate with ad.grad or ad.jvp."
        )


def _stacked(name: str, order_zero: Any, y: Any) -> Any:
    """Some releases of SciPy put the value on an axis of its own, as derivatives would be."""
    extra = np.ndim(getattr(scipy_special(), name)(*order_zero, 0.5))
    return np.expand_dims(y, 0) if extra else y


@offers
def legendre_p(n: Any, z: Any, *, diff_n: int = 0) -> Any:
    """The Legendre polynomial P_n(z)."""
    _values_only("legendre_p(n, z)", diff_n)
    y = scipy_special().eval_legendre(whole_numbers(n, "legendre_p(n, z)"), operand(z))
    return _stacked("legendre_p", (0,), y)


@offers
def assoc_laguerre(x: Any, n: Any, k: Any = 0.0) -> Any:
    """The generalised Laguerre polynomial L_n^(k)(x)."""
    return scipy_special().eval_genlaguerre(n, k, x)


@offers
def diric(x: Any, n: Any) -> Any:
    """Dirichlet's kernel sin(n x/2)/(n sin(x/2)), NaN unless n is a whole number ≥ 1.

    It is U_(n−1)(cos x/2)/n, which has no 0/0 at the multiples of 2π, in any order.
    """
    n = whole_numbers(n, "diric(x, n)")
    order = np.maximum(n, 1)
    x = operand(x)
    found = scipy_special().eval_chebyu(order - 1, np.cos(x / 2)) / order
    return np.where(np.asarray(n) < 1, np.nan, found) if np.any(np.asarray(n) < 1) else found


def _scale(n: int, m: int) -> float:
    if m > n:
        return 0.0
    n, m = int(n), int(m)
    ratio = factorial(n + m) * factorial(n - m) / factorial(n) ** 2
    return float((-0.5) ** m * ((2 * n + 1) / (4 * pi) * ratio) ** 0.5)


def _harmonic(called: str, n: Any, m: Any, theta: Any) -> Any:
    """√((2n+1)/4π · (n−m)!/(n+m)!) P_n^m(cos θ), through the Jacobi polynomial P_(n−m)^(m,m), so
    that no derivative divides by sin θ  (DLMF 14.7.17, 18.7.2)."""
    n, m = np.asarray(whole_numbers(n, called)), np.asarray(whole_numbers(m, called))
    if np.any(n < 0):
        raise refuse(called, "degrees n ≥ 0", f"n={n!r}")
    sign, m = np.where(m < 0, (-1.0) ** np.abs(m), 1.0), np.abs(m)
    scale = sign * np.vectorize(_scale, otypes=[float])(n, m)
    inner = scipy_special().eval_jacobi(np.maximum(n - m, 0), 1.0 * m, 1.0 * m, np.cos(theta))
    sine = np.sin(theta)
    # SciPy takes |sin θ|; written as a choice, it has the slope of the right side at the pole.
    return scale * np.where(sine < 0, -sine, sine) ** m * inner


@offers
def sph_legendre_p(n: Any, m: Any, theta: Any, *, diff_n: int = 0) -> Any:
    """The spherical harmonic of degree n and order m at the polar angle θ and φ = 0."""
    called = "sph_legendre_p(n, m, theta)"
    _values_only(called, diff_n)
    return _stacked("sph_legendre_p", (0, 0), _harmonic(called, n, m, operand(theta)))


@offers
def sph_harm_y(n: Any, m: Any, theta: Any, phi: Any, *, diff_n: int = 0) -> Any:
    """The spherical harmonic Y_n^m at the polar angle θ and the azimuth φ."""
    called = "sph_harm_y(n, m, theta, phi)"
    _values_only(called, diff_n)
    turn = np.exp(1j * whole_numbers(m, called) * operand(phi))
    return _harmonic(called, n, m, operand(theta)) * turn
