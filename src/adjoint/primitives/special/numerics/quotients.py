"""Functions with a removable singularity, as families closed under differentiation."""

from functools import cache
from math import factorial
from typing import Any

import numpy as np
from scipy import special

from ..row import Kernel
from .arrays import Array, on_complex_vectors, on_real_vectors

__all__ = ["KERNELS", "exprel_derivative", "log1p_quotient", "spherical_i", "spherical_j", "xdivy"]


def _exprel_derivative(x: Array, n: int) -> Array:
    below = np.where(x < -1, -x, 1.0)
    incomplete: Array = special.gammainc(n + 1, below) * factorial(n) / below ** (n + 1)
    series = special.hyp1f1(n + 1, n + 2, np.maximum(x, -1)) / (n + 1)
    return np.asarray(np.where(x < -1, incomplete, series))


@cache
def exprel_derivative(n: int) -> Kernel:
    """∫₀¹ tⁿ e^(xt) dt, the n-th derivative of (eˣ − 1)/x."""
    return Kernel(
        f"exprel_derivative_{n}",
        on_real_vectors("exprel_derivative")(lambda x: _exprel_derivative(x, n)),
        (lambda x, y: exprel_derivative(n + 1)(x),),
        ((-5.0, 5.0),),
        latex=rf"\operatorname{{exprel}}^{{({n})}}",
    )


def _log1p_quotient(x: Array, n: int) -> Array:
    """By Gauss's series in x/(1 + x) after Pfaff's transformation, or directly where x is large."""
    scale = (-1.0) ** n * factorial(n)
    series = special.hyp2f1(n + 1, 1, n + 2, x / (1 + x)) / (n + 1) / (1 + x) ** (n + 1)
    # Away from 0: xⁿ⁺¹ times the integral of sⁿ/(1 + xs)ⁿ⁺¹ is log(1 + x) − Σ (x/(1 + x))ʲ/j.
    ratio = x / (1 + x)
    direct = np.log1p(x) - sum(ratio**j / j for j in range(1, n + 1))
    far = (x > 3.0 + n) | (x < -0.9)
    return np.asarray(scale * np.where(far, direct / np.where(x == 0, 1.0, x) ** (n + 1), series))


@cache
def log1p_quotient(n: int) -> Kernel:
    """The n-th derivative of log(1 + x)/x: (−1)ⁿ n! ∫₀¹ sⁿ/(1 + xs)ⁿ⁺¹ ds."""
    return Kernel(
        f"log1p_quotient_{n}",
        on_real_vectors("log1p_quotient")(lambda x: _log1p_quotient(x, n)),
        (lambda x, y: log1p_quotient(n + 1)(x),),
        ((-0.8, 5.0),),
    )


@cache
def spherical_j(n: int) -> Kernel:
    """Spherical Bessel function j_n; sin(x)/x for n = 0.  The recurrence has no division by x."""
    return Kernel(
        f"spherical_jn_{n}",
        on_complex_vectors(lambda x: np.asarray(special.spherical_jn(n, x))),
        (
            lambda x, y: (
                -spherical_j(1)(x)
                if n == 0
                else (n * spherical_j(n - 1)(x) - (n + 1) * spherical_j(n + 1)(x)) / (2 * n + 1)
            ),
        ),
        ((-8.0, 8.0),),
        latex=rf"j_{{{n}}}",
        holomorphic=True,
        source=f"scipy.special.spherical_jn({n}, {{0}})",
    )


@cache
def spherical_i(n: int) -> Kernel:
    """Modified spherical Bessel function i_n; sinh(x)/x for n = 0."""
    return Kernel(
        f"spherical_in_{n}",
        on_complex_vectors(lambda x: np.asarray(special.spherical_in(n, x))),
        (
            lambda x, y: (
                spherical_i(1)(x)
                if n == 0
                else (n * spherical_i(n - 1)(x) + (n + 1) * spherical_i(n + 1)(x)) / (2 * n + 1)
            ),
        ),
        ((-8.0, 8.0),),
        latex=rf"i_{{{n}}}",
        holomorphic=True,
        source=f"scipy.special.spherical_in({n}, {{0}})",
    )


def _xdivy(x: Any, y: Any) -> Any:
    x, y = np.asarray(x), np.asarray(y)
    both = (x == 0) & (y == 0)
    with np.errstate(all="ignore"):
        return np.where(both, 0.0, x / np.where(both, 1, y)).astype(np.result_type(x / 1.0, y))[()]


# ∂/∂y of xlogy(x, y).  At (0, 0) it is 0, because xlogy(0, y) is 0 for every y; its own slope in x
# is infinite there, which an expression in np.where would lose.
xdivy: Kernel = Kernel(
    "xdivy",
    _xdivy,
    (lambda x, y, q: 1 / y, lambda x, y, q: -xdivy(q, y)),
    ((-3.0, 3.0), (0.2, 4.0)),
    latex=r"\tfrac{#1}{#2}",
    holomorphic=True,
    notes="0 at (0, 0)",
)

KERNELS = [exprel_derivative(1), exprel_derivative(3), log1p_quotient(0), log1p_quotient(2),
           spherical_j(0), spherical_j(2), spherical_i(0), spherical_i(1), xdivy]  # fmt: skip
