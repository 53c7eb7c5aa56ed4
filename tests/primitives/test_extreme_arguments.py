"""First derivatives at arguments where squares overflow, sums are absorbed and differences cancel.

The witness is mpmath.  A row fails on a zero, an infinity or a NaN as on a wrong digit: the true
value is an ordinary number in each of them.
"""

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
import scipy.special as special

import adjoint as ad

DIGITS = 400
"""Enough for 1 + 1e-300."""

Row = tuple[str, Callable[..., Any], tuple[float, ...], int, Callable[..., Any]]


def over_square(a: Any, b: Any) -> Any:
    return a / (a * a + b * b)


def share(a: Any, b: Any) -> Any:
    return 1 / (1 + mpmath.exp(b - a))


def share2(a: Any, b: Any) -> Any:
    return 1 / (1 + mpmath.mpf(2) ** (b - a))


def argument(y: Any, x: Any) -> Any:
    return np.angle(x + 1j * y)


def rows() -> list[Row]:
    found: list[Row] = []
    for name, f in (("arctan2", np.arctan2), ("angle", argument)):
        for y, x in ((1e200, 1e200), (1e-200, 3e-200), (1e100, -1e200), (0.0, 1e-170), (1e160, 0.0),
                     (1e307, 5e306), (3.0, 4.0), (2e-308, 1.0)):  # fmt: skip
            if x:
                found.append((name, f, (y, x), 0, lambda y, x: over_square(x, y)))
            if y:
                found.append((name, f, (y, x), 1, lambda y, x: -over_square(y, x)))
    for a, b in ((1e16, 1e16), (-1e300, -1e300), (1e16, 1e16 - 2), (0.0, 40.0), (-700.0, 0.0),
                 (800.0, 750.0), (1e-300, 0.0)):  # fmt: skip
        found.append(("logaddexp", np.logaddexp, (a, b), 0, share))
        found.append(("logaddexp", np.logaddexp, (a, b), 1, lambda a, b: share(b, a)))
        found.append(("logaddexp2", np.logaddexp2, (a, b), 0, share2))
    for x in (1e155, -1e200, 1e300, 0.5, 1e-300):
        found.append(("arcsinh", np.arcsinh, (x,), 0, lambda x: 1 / mpmath.sqrt(1 + x * x)))
    for x in (1e-170, -1e-300, 2e-308, 3.0):
        found.append(("np.i0", np.i0, (x,), 0, lambda x: mpmath.besseli(1, x)))
    for x in (1e5 + 0.25, 1e9 + 0.5, 12345.75, 2.3):
        found.append(("sinc", np.sinc, (x,), 0, slope_of_sinc))
    for d, r in ((1e200, 1e200), (1e-150, 1.0), (1.0, 1e-60), (1e160, 1e158), (0.5, 0.7)):
        found.append(("pseudo_huber", special.pseudo_huber, (d, r), 0, huber_in_delta))
        found.append(("pseudo_huber", special.pseudo_huber, (d, r), 1, lambda d, r: (
            r / mpmath.sqrt(1 + (r / d) ** 2))))  # fmt: skip
    for x in (700.0, 1e-140, 3.0):
        found.append(("k1", special.k1, (x,), 0, lambda x: (
            -mpmath.besselk(0, x) - mpmath.besselk(1, x) / x)))  # fmt: skip
    for n, k in ((1e16, 2.0), (1e8, 0.5), (7.5, 2.0)):
        found.append(("binom", special.binom, (n, k), 0, binomial_in_n))
    for z, m in ((0.5, 1e-16), (40.0, 1e-13), (2.5, 1e-4), (1e9, 3.0)):
        found.append(("poch", special.poch, (z, m), 0, lambda z, m: (
            mpmath.rf(z, m) * (mpmath.psi(0, z + m) - mpmath.psi(0, z)))))  # fmt: skip
    return found


def slope_of_sinc(x: Any) -> Any:
    u = mpmath.pi * x
    return (mpmath.cos(u) - mpmath.sin(u) / u) / x


def huber_in_delta(d: Any, r: Any) -> Any:
    h = mpmath.sqrt(d * d + r * r)
    return r**4 / (h * (d + h) ** 2)


def binomial_in_n(n: Any, k: Any) -> Any:
    return mpmath.binomial(n, k) * (mpmath.psi(0, n + 1) - mpmath.psi(0, n - k + 1))


@pytest.mark.parametrize("row", rows(), ids=lambda r: f"{r[0]} {r[2]} {r[3]}")
def test_first_derivatives(row: Row) -> None:
    _, f, point, index, true = row
    with mpmath.workdps(DIGITS):
        expected = float(true(*map(mpmath.mpf, point)))
    assert np.isfinite(expected) and expected != 0

    def forward(*x: Any) -> Any:
        return ad.jvp(lambda t: f(*x[:index], t, *x[index + 1 :]), (x[index],), (1.0,))[1]

    reverse = ad.grad(f, index)
    for mode in (forward, reverse, ad.compile(reverse), ad.compile(forward)):
        got = float(mode(*point))
        assert abs(got - expected) <= 2e-12 * abs(expected), (mode, got, expected)


@pytest.mark.parametrize("scale", [1e30, 1e-30, 1e37])
def test_single_precision(scale: float) -> None:
    y, x = np.float32(3 * scale), np.float32(4 * scale)
    for gradient in (ad.grad(np.arctan2, (0, 1)), ad.compile(ad.grad(np.arctan2, (0, 1)))):
        got = gradient(y, x)
        np.testing.assert_allclose(got, (0.16 / scale, -0.12 / scale), 1e-5)
        assert got[0].dtype == np.float32
    slope = ad.grad(np.arcsinh)(np.float32(scale))
    np.testing.assert_allclose(slope, 1 / np.hypot(1, scale), 1e-5)


def test_second_derivatives() -> None:
    """σ′ where 1 − σ would be 0."""
    for x in (20.0, 40.0, 700.0, -40.0):
        with mpmath.workdps(DIGITS):
            e = mpmath.exp(-abs(mpmath.mpf(x)))
            expected = float(e / (1 + e) ** 2)
        twice = ad.grad(ad.grad(lambda t: np.logaddexp(0.0, t)))
        for second in (twice, ad.compile(twice)):
            np.testing.assert_allclose(second(x), expected, 1e-12)


@pytest.mark.parametrize(
    ("x", "n", "order"),
    [(1e200, 2.5, 1), (1e-200, 2.5, 1), (1e-300, 2.5, 2), (1e300, 2.5, 2), (1e200, 1.75, 2)],
)
def test_powers_whose_value_is_out_of_range(x: float, n: float, order: int) -> None:
    """xⁿ overflows or vanishes, its derivative does not: in Taylor mode as in the others."""
    factor = n if order == 1 else n * (n - 1)
    with mpmath.workdps(DIGITS):
        expected = float(factor * mpmath.mpf(x) ** (n - order))
    nth = ad.derivative(lambda t: t**n, order)
    for found in (nth, ad.compile(nth)):
        with np.errstate(all="ignore"):
            np.testing.assert_allclose(found(x), expected, 1e-12)


def test_an_overflow_inside_a_root_of_squares_is_no_silent_zero() -> None:
    """NumPy's own value is infinite there, and the gradient is not 0."""
    x = np.array([3e200, 4e200])
    with np.errstate(all="ignore"):
        for f in (np.linalg.norm, np.std, lambda x: np.sqrt(np.sum(x**2))):
            for gradient in (ad.grad(f), ad.compile(ad.grad(f))):
                assert np.all(np.isnan(gradient(x)))
            assert np.isnan(ad.derivative(lambda t, f=f: f(t * x))(1.0))


def test_high_derivatives_of_the_reciprocal_gamma_function() -> None:
    """Those of 1/Γ at 0 are n! times the coefficients of Wrench's series."""
    with mpmath.workdps(60):
        c = [mpmath.mpf(0), mpmath.mpf(1), +mpmath.euler]
        for n in range(3, 31):
            signed = ((-1) ** (k + 1) * mpmath.zeta(k) * c[n - k] for k in range(2, n))
            c.append((mpmath.euler * c[n - 1] + mpmath.fsum(signed)) / (n - 1))
    for n in (1, 2, 3, 10, 20, 30):
        expected = float(c[n] * mpmath.factorial(n))
        np.testing.assert_allclose(ad.derivative(special.rgamma, n)(0.0), expected, 1e-12)
    for n in (3, 10, 20, 29):
        # 1/Γ(1 + z) = Σ cₖ₊₁ zᵏ.
        expected = float(c[n + 1] * mpmath.factorial(n))
        np.testing.assert_allclose(ad.derivative(special.rgamma, n)(1.0), expected, 1e-12)
