"""Rows of the gamma and beta functions, their incomplete forms and inverses, and of ψ and ζ."""

from typing import Any

import numpy as np
from scipy import special
from scipy.special import gamma as Γ
from scipy.special import psi

from .numerics.gamma import gamma_density, polygamma, psi_difference, rgamma_derivative
from .numerics.incomplete_beta import beta_density, incomplete_beta
from .numerics.incomplete_gamma import incomplete_gamma
from .numerics.zeta import hurwitz_zeta_derivative, riemann_zeta_derivative
from .row import CONSTANT, SpecialRow

__all__ = ["ROWS"]


def _binom_in_n(n: Any, k: Any, y: Any) -> Any:
    # C(n, k) = Γ(n + 1) · 1/Γ(k + 1) · 1/Γ(n − k + 1): at the zeros of the last factors y ψ is 0·∞,
    # and the derivative of 1/Γ is what remains.
    regular = n - k > -0.5
    rest = np.where(regular, n - k, 1.0)
    smooth = y * psi_difference(0)(rest + 1, np.where(regular, k, 0.0))
    m = np.where(regular, 1.0, n)
    slope = psi(m + 1) * special.rgamma(m - k + 1) + rgamma_derivative(1)(m - k + 1)
    return np.where(regular, smooth, Γ(m + 1) * special.rgamma(k + 1) * slope)


def _binom_in_k(n: Any, k: Any, y: Any) -> Any:
    regular = np.logical_and(n - k > -0.5, k > -0.5)
    inner = np.where(regular, k, 1.0)
    smooth = y * (psi(np.where(regular, n - k, 1.0) + 1) - psi(inner + 1))
    m, j = np.where(regular, 1.0, n), np.where(regular, 1.0, k)
    slope = (rgamma_derivative(1)(j + 1) * special.rgamma(m - j + 1)
             - special.rgamma(j + 1) * rgamma_derivative(1)(m - j + 1))  # fmt: skip
    return np.where(regular, smooth, Γ(m + 1) * slope)


def _poch_in_z(z: Any, m: Any, y: Any) -> Any:
    # (z)_m = Γ(z + m)/Γ(z).  For whole m it is a polynomial, also where both gammas have a pole;
    # there the reflected difference ψ(1 − z − m) − ψ(1 − z) is the regular one.
    right = np.logical_and(z > 0, z + m > 0)
    left = np.logical_and(np.logical_and(z + m < 0.5, m == np.rint(m)), z < 0.5)
    smooth = y * psi_difference(0)(np.where(right, z, 1.0), np.where(right, m, 1.0))
    mirror = np.where(left, 1 - z, 2.0)
    step = np.where(left, m, 0.0)
    reflected = y * (psi(mirror - step) - psi(mirror))
    z0, m0 = np.where(np.logical_or(right, left), 1.0, z), np.where(right, 1.0, m)
    top = np.where(np.logical_or(right, left), 1.0, z0 + m0)
    mixed = Γ(top) * (psi(top) * special.rgamma(z0) + rgamma_derivative(1)(z0))
    return np.where(right, smooth, np.where(left, reflected, mixed))


ROWS: list[SpecialRow] = [
    SpecialRow("gamma", (lambda x, y: y * psi(x),), ((0.2, 8.0),), r"\Gamma", True),
    SpecialRow("gammaln", (lambda x, y: psi(x),), ((0.2, 30.0),), r"\log\Gamma"),
    SpecialRow("loggamma", (lambda x, y: psi(x),), ((0.2, 30.0),), r"\log\Gamma", True),
    SpecialRow("rgamma", (lambda x, y: rgamma_derivative(1)(x),), ((-4.0, 8.0),),
               r"\tfrac{1}{\Gamma}", True),
    SpecialRow("gammasgn", (CONSTANT,), ((-2.9, -2.1),), r"\operatorname{sgn}\Gamma",
               notes="constant between the poles of Γ"),
    SpecialRow("psi", (lambda x, y: polygamma(1)(x),), ((0.2, 30.0),), r"\psi", True),
    SpecialRow("beta", (
        lambda a, b, y: -y * psi_difference(0)(a, b),
        lambda a, b, y: -y * psi_difference(0)(b, a),
    ), ((0.3, 6.0), (0.3, 6.0)), r"B"),
    SpecialRow("betaln", (
        lambda a, b, y: -psi_difference(0)(a, b),
        lambda a, b, y: -psi_difference(0)(b, a),
    ), ((0.3, 6.0), (0.3, 6.0)), r"\log B"),
    SpecialRow("binom", (_binom_in_n, _binom_in_k), ((4.0, 9.0), (0.2, 3.5)), r"\binom{#1}{#2}"),
    SpecialRow("poch", (_poch_in_z, lambda z, m, y: y * psi(z + m)), ((0.3, 5.0), (0.2, 4.0)),
               r"\operatorname{poch}", accuracy=1e-12),
    SpecialRow("gammainc", (
        lambda a, x, y: incomplete_gamma(1)(a, x),
        lambda a, x, y: gamma_density(0)(a, x),
    ), ((0.3, 12.0), (0.2, 14.0)), r"P"),
    SpecialRow("gammaincc", (
        lambda a, x, y: -incomplete_gamma(1)(a, x),
        lambda a, x, y: -gamma_density(0)(a, x),
    ), ((0.3, 12.0), (0.2, 14.0)), r"Q"),
    SpecialRow("gammaincinv", (
        lambda a, p, y: -incomplete_gamma(1)(a, y) / gamma_density(0)(a, y),
        lambda a, p, y: 1 / gamma_density(0)(a, y),
    ), ((0.5, 12.0), (0.05, 0.95)), r"P^{-1}"),
    SpecialRow("gammainccinv", (
        lambda a, p, y: -incomplete_gamma(1)(a, y) / gamma_density(0)(a, y),
        lambda a, p, y: -1 / gamma_density(0)(a, y),
    ), ((0.5, 12.0), (0.05, 0.95)), r"Q^{-1}"),
    SpecialRow("betainc", (
        lambda a, b, x, y: incomplete_beta(1, 0)(a, b, x),
        lambda a, b, x, y: incomplete_beta(0, 1)(a, b, x),
        lambda a, b, x, y: beta_density(0, 0)(a, b, x),
    ), ((0.4, 8.0), (0.4, 8.0), (0.05, 0.95)), r"I"),
    SpecialRow("betaincc", (
        lambda a, b, x, y: -incomplete_beta(1, 0)(a, b, x),
        lambda a, b, x, y: -incomplete_beta(0, 1)(a, b, x),
        lambda a, b, x, y: -beta_density(0, 0)(a, b, x),
    ), ((0.4, 8.0), (0.4, 8.0), (0.05, 0.95)), r"I^c"),
    SpecialRow("betaincinv", (
        lambda a, b, p, y: -incomplete_beta(1, 0)(a, b, y) / beta_density(0, 0)(a, b, y),
        lambda a, b, p, y: -incomplete_beta(0, 1)(a, b, y) / beta_density(0, 0)(a, b, y),
        lambda a, b, p, y: 1 / beta_density(0, 0)(a, b, y),
    ), ((0.6, 8.0), (0.6, 8.0), (0.05, 0.95)), r"I^{-1}"),
    SpecialRow("betainccinv", (
        lambda a, b, p, y: -incomplete_beta(1, 0)(a, b, y) / beta_density(0, 0)(a, b, y),
        lambda a, b, p, y: -incomplete_beta(0, 1)(a, b, y) / beta_density(0, 0)(a, b, y),
        lambda a, b, p, y: -1 / beta_density(0, 0)(a, b, y),
    ), ((0.6, 8.0), (0.6, 8.0), (0.05, 0.95)), r"(I^c)^{-1}"),
    # scipy.special.zeta(x, q) and zeta(x) call these two.
    SpecialRow("_zeta", (
        lambda s, q, y: hurwitz_zeta_derivative(1)(s, q),
        lambda s, q, y: -s * special.zeta(s + 1, q),
    ), ((1.3, 9.0), (0.3, 8.0)), r"\zeta"),
    SpecialRow("_riemann_zeta", (lambda s, y: riemann_zeta_derivative(1)(s),), ((1.3, 9.0),),
               r"\zeta"),
    SpecialRow("zetac", (lambda s, y: riemann_zeta_derivative(1)(s),), ((1.3, 9.0),),
               r"\operatorname{zetac}"),
]  # fmt: skip
