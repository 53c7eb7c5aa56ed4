"""Polygamma functions of real and complex argument, and derivatives of 1/Γ."""

from functools import cache
from math import factorial, pi

import numpy as np
from scipy import special
from scipy.special import _ufuncs

from ..row import Kernel
from .arrays import Array, on_complex_vectors, on_real_vectors
from .jets import Jet, exponential
from .reciprocal_gamma import MOST, near_series, rgamma_series

__all__ = ["KERNELS", "polygamma", "polygamma_values", "psi_difference", "rgamma_derivative"]

# B_2j, j = 1 … 10, of the expansion of ψ at infinity (Abramowitz & Stegun 6.3.18).
BERNOULLI = (
    1/6, -1/30, 1/42, -1/30, 5/66, -691/2730, 7/6, -3617/510, 43867/798, -174611/330,
)  # fmt: skip
# From here on ten terms of the expansion give full precision for ψ and its first derivatives.
FAR = 20.0


def _polygamma_far(n: int, z: Array) -> Array:
    """ψ⁽ⁿ⁾ for |z| large and Re z > 0: the expansion of ψ differentiated term by term."""
    if n == 0:
        total = np.log(z) - 0.5 / z
    else:
        total = (-1.0) ** (n + 1) * (factorial(n - 1) / z**n + factorial(n) / 2 / z ** (n + 1))
    for j, bernoulli in enumerate(BERNOULLI, start=1):
        slope = (-1.0) ** n * factorial(2 * j + n - 1) / factorial(2 * j - 1)
        total = total - bernoulli / (2 * j) * slope / z ** (2 * j + n)
    return np.asarray(total)


def _polygamma_complex(n: int, z: Array) -> Array:
    """ψ⁽ⁿ⁾(z) by ψ⁽ⁿ⁾(z) = ψ⁽ⁿ⁾(z + 1) − (−1)ⁿ n!/zⁿ⁺¹ until the expansion at infinity holds."""
    z, far = z.copy(), FAR + n
    correction = np.zeros_like(z)
    # A point that is far off the real axis needs no shift; 1000 steps reach Re z = −950.
    for _ in range(1000):
        near = (z.real < far) & (np.abs(z.imag) < far) | (z.real < 0)
        if not near.any():
            break
        correction[near] -= (-1.0) ** n * factorial(n) / z[near] ** (n + 1)
        z[near] += 1
    values = _polygamma_far(n, z) + correction
    return np.where(z.real < 0, np.nan, values)


def polygamma_values(n: int, x: Array) -> Array:
    """ψ⁽ⁿ⁾(x), by SciPy wherever it can."""
    if n == 0:
        return np.asarray(special.psi(x))
    if np.iscomplexobj(x):
        return _polygamma_complex(n, x)
    return np.asarray((-1.0) ** (n + 1) * factorial(n) * special.zeta(n + 1, x))


@cache
def polygamma(n: int) -> Kernel:
    """ψ⁽ⁿ⁾, with derivative ψ⁽ⁿ⁺¹⁾."""
    return Kernel(
        f"polygamma_{n}",
        on_complex_vectors(lambda x: polygamma_values(n, x)),
        (lambda x, y: polygamma(n + 1)(x),),
        ((0.2, 30.0),),
        latex=rf"\psi^{{({n})}}",
        holomorphic=True,
        source=f"scipy.special.polygamma({n}, {{0}})",
    )


def rgamma_jet(x: Array, order: int) -> Jet:
    """Taylor coefficients of 1/Γ at x, up to `order`; entire, and accurate near the poles of Γ.

    Right of ½ it is exp(−log Γ).  Left of it, 1/Γ(x) = sin(πx) Γ(1 − x)/π, whose two factors have
    no common zero to cancel.
    """
    left = x.real < 0.5
    mirrored = np.where(left, 1 - x, x)
    sign = np.where(left, 1.0, -1.0)
    leading = np.where(left, special.gamma(mirrored), special.rgamma(mirrored))
    logs: list[Array] = [mirrored]
    for k in range(1, order + 1):
        slope = np.where(left, (-1.0) ** k, 1.0)
        logs.append(sign * slope * polygamma_values(k - 1, mirrored) / factorial(k))
    body = [c[0] for c in exponential([[c] for c in logs], leading)]
    reduced = x - np.round(x.real)
    flip = np.where(np.round(x.real) % 2 == 0, 1.0, -1.0)
    waves = (np.sin(pi * reduced), np.cos(pi * reduced))
    sine = [flip * (-1.0) ** (k // 2) * waves[k % 2] * pi ** (k - 1) / factorial(k)
            for k in range(order + 1)]  # fmt: skip
    product = [sum(sine[j] * body[k - j] for j in range(k + 1)) for k in range(order + 1)]
    jet = [np.where(left, product[k], body[k]) for k in range(order + 1)]
    near = near_series(x)
    if near.any():
        # Log Γ has a pole close by, which 1/Γ has not: what the low orders lose is rounding only.
        inside = np.where(near, x, 0.0)
        for k in range(3, min(order, MOST) + 1):
            jet[k] = np.where(near, rgamma_series(inside, k), jet[k])
    return [[c] for c in jet]


@cache
def rgamma_derivative(n: int) -> Kernel:
    """dⁿ/dxⁿ 1/Γ(x), finite also at the poles of Γ."""
    return Kernel(
        f"rgamma_derivative_{n}",
        on_complex_vectors(lambda x: np.asarray(rgamma_jet(x, n)[n][0] * factorial(n))),
        (lambda x, y: rgamma_derivative(n + 1)(x),),
        ((-5.0, 10.0),),
        latex=rf"\left(\tfrac{{1}}{{\Gamma}}\right)^{{({n})}}",
        holomorphic=True,
    )


def _psi_difference(n: int, x: Array, step: Array) -> Array:
    direct = polygamma_values(n, x + step) - polygamma_values(n, x)
    near = np.abs(step) < 1e-3 * x
    if near.any():
        at, h = np.where(near, x, 1.0), np.where(near, step, 0.0)
        terms = [h**k / factorial(k) * polygamma_values(n + k, at) for k in range(1, 7)]
        direct = np.where(near, sum(terms[::-1]), direct)
    far = (x > 60) & (x + step > 60)
    z = np.where(far, x, 100.0)
    growth = np.log1p(np.where(far, step, 0.0) / z)

    def power(k: int) -> Array:  # (z + step)^−k − z^−k
        return np.asarray(z**-k * np.expm1(-k * growth))

    total = growth - 0.5 * power(1) if n == 0 else (-1.0) ** (n + 1) * (
        factorial(n - 1) * power(n) + factorial(n) / 2 * power(n + 1)
    )  # fmt: skip
    for j, bernoulli in enumerate(BERNOULLI[:6], start=1):
        slope = (-1.0) ** n * factorial(2 * j + n - 1) / factorial(2 * j - 1)
        total = total - bernoulli / (2 * j) * slope * power(2 * j + n)
    return np.asarray(np.where(far, total, direct))


@cache
def psi_difference(n: int) -> Kernel:
    """ψ⁽ⁿ⁾(x + h) − ψ⁽ⁿ⁾(x), without cancellation where x is much larger than h: by the expansion
    at infinity if x is large, else by Taylor's."""
    return Kernel(
        f"psi_difference_{n}",
        on_real_vectors("psi_difference")(lambda x, step: _psi_difference(n, x, step)),
        (
            lambda x, h, y: psi_difference(n + 1)(x, h),
            lambda x, h, y: polygamma(n + 1)(x + h),
        ),
        ((0.5, 100.0), (0.1, 5.0)),
        latex=rf"\Delta\psi^{{({n})}}",
    )


def gamma_density_jet(a: Array, x: Array, order: int) -> list[Array]:
    """Taylor coefficients in a of x^(a−1) e^(−x)/Γ(a), for any real a and x ≥ 0."""
    large = a > 20
    safe = np.where(large, a, 21.0)
    at_zero = x == 0
    positive = np.where(at_zero, 1.0, x)
    # For large a the exponents are large and cancel; SciPy's factor is computed without that.
    leading = _ufuncs._igam_fac(safe, positive) / positive
    logs = [safe, np.log(positive) - special.psi(safe)]
    logs += [-polygamma_values(k - 1, safe) / factorial(k) for k in range(2, order + 1)]
    big = [c[0] for c in exponential([[c] for c in logs[: order + 1]], leading)]
    small_a = np.where(large, 1.0, a)
    reciprocal = rgamma_jet(small_a, order)
    front = np.exp(-positive) * positive ** (small_a - 1)
    powers = [np.log(positive) ** k / factorial(k) for k in range(order + 1)]
    small = [front * sum(reciprocal[j][0] * powers[k - j] for j in range(k + 1))
             for k in range(order + 1)]  # fmt: skip
    jet = [np.asarray(np.where(large, b, s)) for b, s in zip(big, small, strict=True)]
    return [np.where(at_zero, _density_at_zero(a, k), c) for k, c in enumerate(jet)]


def _density_at_zero(a: Array, order: int) -> Array:
    """Limits as x → 0: above a = 1 nothing is left; at 1 the density is 1 and its slope in a −∞."""
    if order == 0:
        at_one = np.where(a == 1, 1.0, np.inf * np.sign(special.rgamma(a)))
        return np.where(a > 1, 0.0, np.where(special.rgamma(a) == 0, 0.0, at_one))
    return np.where(a > 1, 0.0, (-1.0) ** order * np.inf * np.sign(special.rgamma(a)))


@cache
def gamma_density(n: int) -> Kernel:
    """∂ⁿ/∂aⁿ of x^(a−1) e^(−x)/Γ(a), the density of the gamma distribution.

    In x it satisfies ∂f_a/∂x = f_(a−1) − f_a, which has no pole at a = 1, unlike (a − 1)/x − 1.
    """
    return Kernel(
        f"gamma_density_{n}",
        on_real_vectors("gamma_density")(
            lambda a, x: np.asarray(gamma_density_jet(a, x, n)[n] * factorial(n))
        ),
        (
            lambda a, x, y: gamma_density(n + 1)(a, x),
            lambda a, x, y: gamma_density(n)(a - 1, x) - y,
        ),
        ((0.3, 30.0), (0.2, 40.0)),
        latex=r"f_\Gamma" if n == 0 else rf"\partial_a^{{{n}}} f_\Gamma",
    )


KERNELS = [polygamma(1), polygamma(2), rgamma_derivative(1), rgamma_derivative(2),
           psi_difference(0), psi_difference(1), gamma_density(0), gamma_density(1)]  # fmt: skip
