"""Derivatives of the Faddeeva function w(z) = e^(−z²) erfc(−iz) and of its relatives.

w' = −2 z w + 2i/√π, and w⁽ⁿ⁺¹⁾ = −2(z w⁽ⁿ⁾ + n w⁽ⁿ⁻¹⁾) for n ≥ 1.  The two parts cancel, the more
the higher the order: from the second on, the recurrence is run downwards, where w⁽ⁿ⁾ is its minimal
solution (Gautschi 1970, SIAM J. Numer. Anal. 7, section 2; 1977, ACM TOMS 3, algorithm 521).  Where
|z| is large, the expansion at infinity is differentiated term by term (DLMF 7.12.1).
"""

from functools import cache
from math import factorial, pi, sqrt
from typing import Any

import numpy as np
from scipy import special

from ..row import Kernel
from .arrays import Array, on_complex_vectors, on_real_vectors

__all__ = [
    "KERNELS", "dawson_derivative", "erfcx_derivative", "faddeeva", "gaussian_derivative", "voigt",
]  # fmt: skip

FAR = 6.5
_LIFT = 1.25  # how far above the real axis the minimal solution stands out


def gaussian_derivative(z: Array, n: int) -> Array:
    """dⁿ/dzⁿ e^(−z²) = (−1)ⁿ Hₙ(z) e^(−z²)."""
    older, newer = np.zeros_like(z), np.ones_like(z)
    for k in range(n):
        older, newer = newer, -2 * z * newer - 2 * k * older
    return np.asarray(newer * np.exp(-z * z))


def _expansion(z: Array, n: int) -> Array:
    """i/√π Σ (½)_k z^(−2k−1), differentiated n times."""
    total, term = np.zeros_like(z), 1j / sqrt(pi) * (-1.0) ** n * factorial(n) / z ** (n + 1)
    for k in range(24):
        total = total + term
        term = term * (k + 0.5) * (2 * k + n + 1) * (2 * k + n + 2)
        term = term / ((2 * k + 1) * (2 * k + 2) * z * z)
    return total


def _downwards(z: Array, n: int) -> Array:
    """w⁽ⁿ⁾(z) = Σ (z − ζ)ᵏ w⁽ⁿ⁺ᵏ⁾(ζ)/k! for Im z ≥ 0, with ζ above z where z is near the real axis.

    w⁽ᵐ⁾ = (2i)ᵐ m! cₘ has cₘ₋₁ = 2(m + 1) cₘ₊₁ − 2iζ cₘ and c₀ = w: the ratios cₘ/cₘ₋₁ follow from
    those above, and from wherever they are begun, if it is far enough.
    """
    lift = np.maximum(_LIFT - z.imag, 0.0)
    lifted = z + 1j * lift
    terms = 60 if np.any(lift) else 1
    last = n + terms
    top = int((np.sqrt(last) + 15.0 / _LIFT) ** 2)
    ratio, ratios = np.zeros_like(z), []
    for m in range(top, 0, -1):
        ratio = 1 / (2 * (m + 1) * ratio - 2j * lifted)
        if m < last:
            ratios.append(ratio)
    c = special.wofz(lifted)
    total, weight = np.zeros_like(z), np.ones_like(lift)
    for m in range(1, last):
        c = c * ratios[-m]
        if m >= n:
            total = total + weight * c
            weight = weight * (2 * lift) * (m + 1) / (m + 1 - n)
    return np.asarray((2j) ** n * factorial(n) * total)


def faddeeva_values(z: Array, n: int) -> Array:
    """w⁽ⁿ⁾(z) for complex z."""
    below = z.imag < 0
    upper = np.where(below, -z, z)
    far = np.abs(upper) > FAR + n / 2
    newer = np.asarray(special.wofz(upper))
    if n == 1:
        newer = 2j / sqrt(pi) - 2 * upper * newer
    elif n:
        newer = _downwards(np.where(far, 1j, upper), n)
    distant = np.where(far, upper, 10.0)
    # On the real axis the Gaussian is exactly what the expansion lacks; off it, it is negligible.
    gaussian = np.where(distant.imag < 1, gaussian_derivative(distant, n), 0.0)
    upper_value = np.where(far, _expansion(distant, n) + gaussian, newer)
    # w(z) = 2 e^(−z²) − w(−z).
    mirrored = 2 * gaussian_derivative(z, n) - (-1.0) ** n * upper_value
    return np.where(below, mirrored, upper_value)


def _as_faddeeva(x: Array, n: int) -> Array:
    return faddeeva_values(x.astype(np.complex128), n)


@cache
def faddeeva(n: int) -> Kernel:
    """w⁽ⁿ⁾; a real argument is read as a complex one."""

    def evaluate(z: Any) -> Any:
        kind = np.result_type(np.asarray(z).dtype, np.complex64)
        return on_complex_vectors(lambda v: faddeeva_values(v, n))(np.asarray(z, dtype=kind))

    return Kernel(
        f"faddeeva_{n}",
        evaluate,
        (lambda z, y: faddeeva(n + 1)(z),),
        ((-9.0, 9.0),),
        latex=rf"w^{{({n})}}",
        holomorphic=True,
    )


def _erfcx_derivative(x: Array, n: int) -> Array:
    if not np.iscomplexobj(x):
        # For x < 0 all parts of the recurrence have one sign; erfcx is real there.
        older, newer = np.zeros_like(x), np.asarray(special.erfcx(x))
        for k in range(n):
            step = -2 / sqrt(pi) if k == 0 else 0.0
            older, newer = newer, 2 * (x * newer + k * older) + step
        positive = (1j**n * _as_faddeeva(1j * np.maximum(x, 0), n)).real
        return np.where(x < 0, newer, positive)
    return np.asarray(1j**n * faddeeva_values(1j * x, n))


@cache
def erfcx_derivative(n: int) -> Kernel:
    """The n-th derivative of erfcx(x) = w(ix)."""
    return Kernel(
        f"erfcx_derivative_{n}",
        on_complex_vectors(lambda x: _erfcx_derivative(x, n)),
        (lambda x, y: erfcx_derivative(n + 1)(x),),
        ((-3.0, 12.0),),
        latex=rf"\operatorname{{erfcx}}^{{({n})}}",
        holomorphic=True,
    )


def _dawson_derivative(x: Array, n: int) -> Array:
    if np.iscomplexobj(x):
        return 0.5j * sqrt(pi) * (gaussian_derivative(x, n) - faddeeva_values(x, n))
    return sqrt(pi) / 2 * _as_faddeeva(x, n).imag


@cache
def dawson_derivative(n: int) -> Kernel:
    """The n-th derivative of Dawson's integral, which on the real axis is (√π/2) Im w."""
    return Kernel(
        f"dawson_derivative_{n}",
        on_complex_vectors(lambda x: _dawson_derivative(x, n)),
        (lambda x, y: dawson_derivative(n + 1)(x),),
        ((-12.0, 12.0),),
        latex=rf"D^{{({n})}}",
        holomorphic=True,
    )


def _voigt(x: Array, sigma: Array, gamma: Array, n: int, imaginary: bool) -> Array:
    scale = sigma * sqrt(2)
    value = faddeeva_values((x + 1j * gamma) / scale, n) / (scale ** (n + 1) * sqrt(pi))
    return np.asarray(value.imag if imaginary else value.real)


@cache
def voigt(n: int, imaginary: bool) -> Kernel:
    """Re or Im of dⁿ/dζⁿ of the complex Voigt function of ζ = x + iγ.

    It is holomorphic in ζ, and a Gaussian convolution in x, so ∂/∂σ = σ ∂²/∂x² (heat equation).
    """
    name = f"voigt_{'imag' if imaginary else 'real'}_{n}"
    return Kernel(
        name,
        on_real_vectors(name)(lambda x, s, g: _voigt(x, s, g, n, imaginary)),
        (
            lambda x, s, g, y: voigt(n + 1, imaginary)(x, s, g),
            lambda x, s, g, y: s * voigt(n + 2, imaginary)(x, s, g),
            lambda x, s, g, y: (
                voigt(n + 1, True)(x, s, g) * -1.0
                if not imaginary
                else voigt(n + 1, False)(x, s, g)
            ),
        ),
        ((-6.0, 6.0), (0.4, 2.0), (0.1, 2.0)),
    )


KERNELS = [faddeeva(1), erfcx_derivative(1), erfcx_derivative(2), dawson_derivative(1),
           dawson_derivative(2), voigt(0, True), voigt(1, False)]  # fmt: skip
