"""Rows of SciPy's elementary functions: logistic, entropies, Box-Cox, powers, degrees, losses."""

from math import log, pi
from typing import Any

import numpy as np
from scipy import special
from scipy.special import _ufuncs

from .numerics.quotients import exprel_derivative, log1p_quotient, xdivy
from .row import CONSTANT, SpecialRow

__all__ = ["ROWS"]

DEGREE = pi / 180
R_D = special.elliprd
STEP = "is constant between its jumps"


def _boxcox_in_lambda(logarithm: Any, lam: Any) -> Any:
    # (e^(λL) − 1)/λ = L exprel(λL); at L = −∞ and λ > 0 it is −1/λ.
    edge = np.logical_and(logarithm == -np.inf, lam > 0)
    L = np.where(edge, 0.0, logarithm)
    return np.where(edge, 1 / np.where(edge, lam, 1.0) ** 2, L**2 * exprel_derivative(1)(lam * L))


def _tukey_slope(p: Any, lam: Any) -> Any:
    """∂/∂p of the quantile (p^λ − (1 − p)^λ)/λ."""
    return p ** (lam - 1) + (1 - p) ** (lam - 1)


def _tukey_in_lambda(x: Any, lam: Any, p: Any) -> Any:
    left, right = np.log(p), np.log1p(-p)
    slope = exprel_derivative(1)
    moved = left**2 * slope(lam * left) - right**2 * slope(lam * right)
    return -moved / _tukey_slope(p, lam)


ROWS: list[SpecialRow] = [
    SpecialRow("expit", (lambda x, y: y * special.expit(-x),), ((-6.0, 6.0),), r"\sigma"),
    SpecialRow("logit", (lambda x, y: 1 / (x * (1 - x)),), ((0.05, 0.95),),
               r"\operatorname{logit}"),
    SpecialRow("log_expit", (lambda x, y: special.expit(-x),), ((-6.0, 6.0),), r"\log\sigma(#1)"),
    SpecialRow("log1p", (lambda x, y: 1 / (1 + x),), ((-0.8, 5.0),), r"\operatorname{log1p}", True),
    SpecialRow("expm1", (lambda x, y: np.exp(x),), ((-4.0, 4.0),), r"\operatorname{expm1}", True),
    SpecialRow("exp2", (lambda x, y: y * log(2),), ((-4.0, 4.0),), r"2^{#1}"),
    SpecialRow("exp10", (lambda x, y: y * log(10),), ((-2.0, 2.0),), r"10^{#1}"),
    SpecialRow("cbrt", (lambda x, y: 1 / (3 * y**2),), ((0.2, 8.0),), r"\sqrt[3]{#1}"),
    SpecialRow("cosm1", (lambda x, y: -np.sin(x),), ((0.1, 3.0),), r"\operatorname{cosm1}"),
    SpecialRow("powm1", (
        lambda x, a, y: a * x ** (a - 1),
        lambda x, a, y: special.xlogy(x**a, x),
    ), ((0.2, 3.0), (-2.0, 3.0)), r"\operatorname{powm1}"),
    SpecialRow("exprel", (lambda x, y: exprel_derivative(1)(x),), ((-5.0, 5.0),),
               r"\operatorname{exprel}"),
    SpecialRow("_log1pmx", (lambda x, y: -x / (1 + x),), ((-0.8, 5.0),), r"\operatorname{log1pmx}"),
    SpecialRow("_log1mexp", (lambda x, y: -1 / np.expm1(-x),), ((-5.0, -0.1),),
               r"\operatorname{log1mexp}"),
    SpecialRow("_sinpi", (lambda x, y: pi * _ufuncs._cospi(x),), ((-2.0, 2.0),), r"\sin(\pi #1)"),
    SpecialRow("_cospi", (lambda x, y: -pi * _ufuncs._sinpi(x),), ((-2.0, 2.0),), r"\cos(\pi #1)"),
    SpecialRow("_lgam1p", (lambda x, y: special.psi(1 + x),), ((-0.4, 3.0),),
               r"\log\Gamma(1 + #1)"),
    SpecialRow("xlogy", (lambda x, z, y: np.log(z), lambda x, z, y: xdivy(x, z)),
               ((-3.0, 3.0), (0.2, 4.0)), r"\operatorname{xlogy}", True),
    SpecialRow("xlog1py", (lambda x, z, y: special.log1p(z), lambda x, z, y: xdivy(x, 1 + z)),
               ((-3.0, 3.0), (-0.7, 4.0)), r"\operatorname{xlog1py}", True),
    SpecialRow("entr", (lambda x, y: -np.log(x) - 1,), ((0.1, 4.0),), r"\operatorname{entr}"),
    SpecialRow("rel_entr", (lambda x, z, y: np.log(x / z) + 1, lambda x, z, y: -xdivy(x, z)),
               ((0.1, 4.0), (0.2, 4.0)), r"\operatorname{rel\_entr}"),
    SpecialRow("kl_div", (lambda x, z, y: np.log(x / z), lambda x, z, y: 1 - xdivy(x, z)),
               ((0.1, 4.0), (0.2, 4.0)), r"\operatorname{kl\_div}"),
    SpecialRow("huber", (
        lambda d, r, y: np.where(np.abs(r) <= d, 0.0, np.abs(r) - d),
        lambda d, r, y: np.where(np.abs(r) <= d, r, d * np.sign(r)),
    ), ((0.5, 1.5), (1.6, 4.0)), r"\operatorname{huber}",
        notes="the derivative is continuous where |r| = δ"),
    SpecialRow("pseudo_huber", (
        lambda d, r, y: r * (r / np.hypot(d, r)) * (r / (d + np.hypot(d, r))) ** 2,
        lambda d, r, y: r * (d / np.hypot(d, r)),
    ), ((0.5, 2.0), (0.2, 4.0)), r"\operatorname{pseudo\_huber}"),
    SpecialRow("boxcox", (
        lambda x, lam, y: x ** (lam - 1),
        lambda x, lam, y: _boxcox_in_lambda(np.log(x), lam),
    ), ((0.2, 4.0), (-2.0, 2.0)), r"\operatorname{boxcox}"),
    SpecialRow("boxcox1p", (
        lambda x, lam, y: np.exp((lam - 1) * special.log1p(x)),
        lambda x, lam, y: _boxcox_in_lambda(special.log1p(x), lam),
    ), ((-0.7, 4.0), (-2.0, 2.0)), r"\operatorname{boxcox1p}"),
    SpecialRow("inv_boxcox", (
        lambda z, lam, y: y / (1 + lam * z),
        lambda z, lam, y: y * z**2 * log1p_quotient(1)(lam * z),
    ), ((0.1, 2.0), (0.1, 2.0)), r"\operatorname{boxcox}^{-1}"),
    SpecialRow("inv_boxcox1p", (
        lambda z, lam, y: (1 + y) / (1 + lam * z),
        lambda z, lam, y: (1 + y) * z**2 * log1p_quotient(1)(lam * z),
    ), ((0.1, 2.0), (0.1, 2.0)), r"\operatorname{boxcox1p}^{-1}"),
    SpecialRow("sindg", (lambda x, y: DEGREE * special.cosdg(x),), ((-200.0, 200.0),),
               r"\sin^\circ"),
    SpecialRow("cosdg", (lambda x, y: -DEGREE * special.sindg(x),), ((-200.0, 200.0),),
               r"\cos^\circ"),
    SpecialRow("tandg", (lambda x, y: DEGREE * (1 + y**2),), ((-70.0, 70.0),), r"\tan^\circ"),
    SpecialRow("cotdg", (lambda x, y: -DEGREE * (1 + y**2),), ((20.0, 160.0),), r"\cot^\circ"),
    SpecialRow("radian", (
        lambda d, m, s, y: DEGREE,
        lambda d, m, s, y: DEGREE / 60,
        lambda d, m, s, y: DEGREE / 3600,
    ), ((0.0, 90.0), (0.0, 59.0), (0.0, 59.0)), r"\operatorname{radian}"),
    SpecialRow("round", (CONSTANT,), ((2.6, 3.4),), r"\operatorname{round}", notes=STEP),
    SpecialRow("agm", (  # π/(2 agm(a, b)) = R_F(0, a², b²)
        lambda a, b, y: 2 / (3 * pi) * np.abs(a) * y**2 * R_D(0.0, b**2, a**2),
        lambda a, b, y: 2 / (3 * pi) * np.abs(b) * y**2 * R_D(0.0, a**2, b**2),
    ), ((0.2, 4.0), (0.2, 4.0)), r"\operatorname{agm}"),
    SpecialRow("tklmbda", (
        lambda x, lam, p: 1 / _tukey_slope(p, lam),
        _tukey_in_lambda,
    ), ((-1.0, 1.0), (-0.8, 0.8)), r"F_{\text{Tukey}}", accuracy=1e-11),
    SpecialRow("_lambertw", (
        lambda z, k, tol, w: np.exp(-w) / (1 + w),
        "k counts the branches of the function",
        "tol is a tolerance of the iteration, not an argument of the function",
    ), ((0.2, 5.0), (0.0, 0.0), (1e-12, 1e-12)), r"W", True,
        notes="scipy.special.lambertw(z, k, tol) calls this ufunc"),
    SpecialRow("wrightomega", (lambda z, y: y / (1 + y),), ((-4.0, 6.0),), r"\omega", True),
]  # fmt: skip
