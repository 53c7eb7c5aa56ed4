"""Rows of the distribution functions of statistics and of their inverses.

An inverse y of a distribution function F(y; θ) = p has ∂y/∂p = 1/F_y and ∂y/∂θ = −F_θ/F_y.
"""

from math import pi, sqrt
from typing import Any

import numpy as np
from scipy import special

from .numerics.gamma import gamma_density
from .numerics.incomplete_beta import (
    beta_density,
    beta_logit_density,
    incomplete_beta,
    incomplete_beta_logit,
)
from .numerics.incomplete_gamma import incomplete_gamma
from .numerics.noncentral import noncentral_t
from .row import SpecialRow

__all__ = ["ROWS"]

COUNT = "it counts trials or successes: SciPy rounds it down, so the function jumps there"
WHOLE = "it is the number of observations, a whole number"
NONCENTRAL = "SciPy has no derivative of the noncentral distribution in its degrees of freedom"
ROOT_2_PI = sqrt(2 * pi)

P_a = incomplete_gamma(1)
f_gamma = gamma_density(0)
I_a, I_b, f_beta = incomplete_beta(1, 0), incomplete_beta(0, 1), beta_density(0, 0)
J_a, J_b = incomplete_beta_logit(1, 0), incomplete_beta_logit(0, 1)
g_beta = beta_logit_density(0, 0)


def _t_density(df: Any, t: Any) -> Any:
    log_kernel = -(df + 1) / 2 * np.log1p(t**2 / df)
    return np.exp(log_kernel - special.betaln(df / 2, 0.5)) / np.sqrt(df)


def _t_in_df(df: Any, t: Any) -> Any:
    """∂/∂df of 1 − ½ I_z(df/2, ½) at z = df/(df + t²), for t > 0; odd in t."""
    s = np.log(df) - 2 * np.log(np.abs(t))
    return -np.sign(t) / 2 * (J_a(df / 2, 0.5, s) / 2 + g_beta(df / 2, 0.5, s) / df)


def _f_arguments(dfn: Any, dfd: Any, x: Any) -> tuple[Any, Any, Any]:
    return dfn / 2, dfd / 2, np.log(dfn) + np.log(x) - np.log(dfd)


def _f_in_x(dfn: Any, dfd: Any, x: Any) -> Any:
    return g_beta(*_f_arguments(dfn, dfd, x)) / x


def _f_in_dfn(dfn: Any, dfd: Any, x: Any) -> Any:
    arguments = _f_arguments(dfn, dfd, x)
    return J_a(*arguments) / 2 + g_beta(*arguments) / dfn


def _f_in_dfd(dfn: Any, dfd: Any, x: Any) -> Any:
    arguments = _f_arguments(dfn, dfd, x)
    return J_b(*arguments) / 2 - g_beta(*arguments) / dfd


def _binomial_in_k(n: Any, k: Any, p: Any) -> Any:
    """∂/∂k of I_(1−p)(n − k, k + 1), the binomial distribution continued to real k."""
    return I_b(n - k, k + 1, 1 - p) - I_a(n - k, k + 1, 1 - p)


def _bin(k: Any, n: Any, p: Any) -> Any:
    """−∂/∂p of the binomial distribution, SciPy rounding k down."""
    whole = np.floor(k)
    return f_beta(whole + 1, n - whole, p)


def _chi2_density(x: Any, df: Any, nc: Any) -> Any:
    front = special.xlogy(df / 2 - 1, x / 2) - special.gammaln(df / 2) - (x + nc) / 2
    return np.exp(front) * special.hyp0f1(df / 2, nc * x / 4) / 2


def _noncentral_f_parts(dfn: Any, dfd: Any, nc: Any, f: Any) -> tuple[Any, Any]:
    """∂F/∂f and ∂F/∂nc: the Poisson mixtures of central densities sum to confluent functions."""
    a, b, s = _f_arguments(dfn, dfd, f)
    z = nc / 2 * special.expit(s)
    front = np.exp(-nc / 2) * g_beta(a, b, s)
    return (
        front * special.hyp1f1(a + b, a, z) / f,
        -front * special.hyp1f1(a + b, a + 1, z) / (2 * a),
    )


def _quotient(parts: tuple[Any, Any]) -> Any:
    return parts[0] / parts[1]


def _t_parts(df: Any, nc: Any, t: Any) -> tuple[Any, Any]:
    """∂F/∂t and ∂F/∂nc of the noncentral t distribution."""
    return noncentral_t(1, 0)(df, nc, t), -noncentral_t(0, 0)(df, nc, t)


GAMMA = [
    SpecialRow("gdtr", (
        lambda a, b, x, y: x * f_gamma(b, a * x),
        lambda a, b, x, y: P_a(b, a * x),
        lambda a, b, x, y: a * f_gamma(b, a * x),
    ), ((0.3, 3.0), (0.4, 5.0), (0.2, 4.0))),
    SpecialRow("gdtrc", (
        lambda a, b, x, y: -x * f_gamma(b, a * x),
        lambda a, b, x, y: -P_a(b, a * x),
        lambda a, b, x, y: -a * f_gamma(b, a * x),
    ), ((0.3, 3.0), (0.4, 5.0), (0.2, 4.0))),
    SpecialRow("gdtria", (
        lambda p, b, x, a: 1 / (x * f_gamma(b, a * x)),
        lambda p, b, x, a: -P_a(b, a * x) / (x * f_gamma(b, a * x)),
        lambda p, b, x, a: -a / x,
    ), ((0.1, 0.9), (0.6, 5.0), (0.2, 4.0)), accuracy=1e-12),
    SpecialRow("gdtrib", (
        lambda a, p, x, b: -x * f_gamma(b, a * x) / P_a(b, a * x),
        lambda a, p, x, b: 1 / P_a(b, a * x),
        lambda a, p, x, b: -a * f_gamma(b, a * x) / P_a(b, a * x),
    ), ((0.3, 3.0), (0.1, 0.9), (0.4, 4.0)), accuracy=1e-12),
    SpecialRow("gdtrix", (
        lambda a, b, p, x: -x / a,
        lambda a, b, p, x: -P_a(b, a * x) / (a * f_gamma(b, a * x)),
        lambda a, b, p, x: 1 / (a * f_gamma(b, a * x)),
    ), ((0.3, 3.0), (0.6, 5.0), (0.1, 0.9)), accuracy=1e-12),
    SpecialRow("chdtr", (
        lambda v, x, y: P_a(v / 2, x / 2) / 2,
        lambda v, x, y: f_gamma(v / 2, x / 2) / 2,
    ), ((0.7, 9.0), (0.3, 9.0))),
    SpecialRow("chdtrc", (
        lambda v, x, y: -P_a(v / 2, x / 2) / 2,
        lambda v, x, y: -f_gamma(v / 2, x / 2) / 2,
    ), ((0.7, 9.0), (0.3, 9.0))),
    SpecialRow("chdtri", (
        lambda v, p, x: -P_a(v / 2, x / 2) / f_gamma(v / 2, x / 2),
        lambda v, p, x: -2 / f_gamma(v / 2, x / 2),
    ), ((1.0, 9.0), (0.1, 0.9))),
    SpecialRow("chdtriv", (
        lambda p, x, v: 2 / P_a(v / 2, x / 2),
        lambda p, x, v: -f_gamma(v / 2, x / 2) / P_a(v / 2, x / 2),
    ), ((0.1, 0.9), (0.5, 9.0)), accuracy=1e-12),
    SpecialRow("pdtr", (COUNT, lambda k, m, y: -f_gamma(np.floor(k) + 1, m)),
               ((2.2, 2.8), (0.5, 6.0))),
    SpecialRow("pdtrc", (COUNT, lambda k, m, y: f_gamma(np.floor(k) + 1, m)),
               ((2.2, 2.8), (0.5, 6.0))),
    SpecialRow("pdtri", (COUNT, lambda k, p, m: -1 / f_gamma(np.floor(k) + 1, m)),
               ((3.0, 3.0), (0.1, 0.9))),
    SpecialRow("pdtrik", (
        lambda p, m, k: -1 / P_a(k + 1, m),
        lambda p, m, k: -f_gamma(k + 1, m) / P_a(k + 1, m),
    ), ((0.3, 0.9), (2.0, 6.0)), accuracy=1e-12),
]  # fmt: skip

BETA = [
    SpecialRow("btdtria", (
        lambda p, b, x, a: 1 / I_a(a, b, x),
        lambda p, b, x, a: -I_b(a, b, x) / I_a(a, b, x),
        lambda p, b, x, a: -f_beta(a, b, x) / I_a(a, b, x),
    ), ((0.2, 0.8), (0.8, 5.0), (0.2, 0.8)), accuracy=1e-12),
    SpecialRow("btdtrib", (
        lambda a, p, x, b: -I_a(a, b, x) / I_b(a, b, x),
        lambda a, p, x, b: 1 / I_b(a, b, x),
        lambda a, p, x, b: -f_beta(a, b, x) / I_b(a, b, x),
    ), ((0.8, 5.0), (0.2, 0.8), (0.2, 0.8)), accuracy=1e-12),
    SpecialRow("bdtr", (COUNT, COUNT, lambda k, n, p, y: -_bin(k, n, p)),
               ((2.0, 2.0), (6.0, 6.0), (0.1, 0.9))),
    SpecialRow("bdtrc", (COUNT, COUNT, lambda k, n, p, y: _bin(k, n, p)),
               ((2.0, 2.0), (6.0, 6.0), (0.1, 0.9))),
    SpecialRow("bdtri", (COUNT, COUNT, lambda k, n, y, p: -1 / _bin(k, n, p)),
               ((2.0, 2.0), (6.0, 6.0), (0.1, 0.9))),
    SpecialRow("bdtrik", (
        lambda y, n, p, k: 1 / _binomial_in_k(n, k, p),
        lambda y, n, p, k: -I_a(n - k, k + 1, 1 - p) / _binomial_in_k(n, k, p),
        lambda y, n, p, k: f_beta(n - k, k + 1, 1 - p) / _binomial_in_k(n, k, p),
    ), ((0.4, 0.8), (6.0, 12.0), (0.3, 0.7)), accuracy=1e-12),
    SpecialRow("bdtrin", (
        lambda k, y, p, n: -_binomial_in_k(n, k, p) / I_a(n - k, k + 1, 1 - p),
        lambda k, y, p, n: 1 / I_a(n - k, k + 1, 1 - p),
        lambda k, y, p, n: f_beta(n - k, k + 1, 1 - p) / I_a(n - k, k + 1, 1 - p),
    ), ((2.0, 5.0), (0.3, 0.8), (0.3, 0.7)), accuracy=1e-12),
    SpecialRow("nbdtr", (COUNT, COUNT, lambda k, n, p, y: f_beta(n, np.floor(k) + 1, p)),
               ((2.0, 2.0), (4.0, 4.0), (0.1, 0.9))),
    SpecialRow("nbdtrc", (COUNT, COUNT, lambda k, n, p, y: -f_beta(n, np.floor(k) + 1, p)),
               ((2.0, 2.0), (4.0, 4.0), (0.1, 0.9))),
    SpecialRow("nbdtri", (COUNT, COUNT, lambda k, n, y, p: 1 / f_beta(n, np.floor(k) + 1, p)),
               ((2.0, 2.0), (4.0, 4.0), (0.1, 0.9))),
    SpecialRow("nbdtrik", (
        lambda y, n, p, k: 1 / I_b(n, k + 1, p),
        lambda y, n, p, k: -I_a(n, k + 1, p) / I_b(n, k + 1, p),
        lambda y, n, p, k: -f_beta(n, k + 1, p) / I_b(n, k + 1, p),
    ), ((0.3, 0.8), (2.0, 6.0), (0.3, 0.7)), accuracy=1e-12),
    SpecialRow("nbdtrin", (
        lambda k, y, p, n: -I_b(n, k + 1, p) / I_a(n, k + 1, p),
        lambda k, y, p, n: 1 / I_a(n, k + 1, p),
        lambda k, y, p, n: -f_beta(n, k + 1, p) / I_a(n, k + 1, p),
    ), ((1.0, 5.0), (0.3, 0.8), (0.3, 0.7)), accuracy=1e-12),
]  # fmt: skip

RATIO = [
    SpecialRow("stdtr", (lambda df, t, y: _t_in_df(df, t), lambda df, t, y: _t_density(df, t)),
               ((0.7, 9.0), (0.2, 4.0))),
    SpecialRow("stdtrit", (
        lambda df, p, t: -_t_in_df(df, t) / _t_density(df, t),
        lambda df, p, t: 1 / _t_density(df, t),
    ), ((1.0, 9.0), (0.6, 0.9)), accuracy=1e-12),
    SpecialRow("stdtridf", (
        lambda p, t, df: 1 / _t_in_df(df, t),
        lambda p, t, df: -_t_density(df, t) / _t_in_df(df, t),
    ), ((0.8, 0.81), (1.0, 1.2)), accuracy=1e-12),
    SpecialRow("fdtr", (
        lambda m, n, x, y: _f_in_dfn(m, n, x),
        lambda m, n, x, y: _f_in_dfd(m, n, x),
        lambda m, n, x, y: _f_in_x(m, n, x),
    ), ((0.8, 9.0), (0.8, 9.0), (0.2, 4.0))),
    SpecialRow("fdtrc", (
        lambda m, n, x, y: -_f_in_dfn(m, n, x),
        lambda m, n, x, y: -_f_in_dfd(m, n, x),
        lambda m, n, x, y: -_f_in_x(m, n, x),
    ), ((0.8, 9.0), (0.8, 9.0), (0.2, 4.0))),
    SpecialRow("fdtri", (
        lambda m, n, p, x: -_f_in_dfn(m, n, x) / _f_in_x(m, n, x),
        lambda m, n, p, x: -_f_in_dfd(m, n, x) / _f_in_x(m, n, x),
        lambda m, n, p, x: 1 / _f_in_x(m, n, x),
    ), ((1.2, 9.0), (1.2, 9.0), (0.1, 0.9))),
    SpecialRow("fdtridfd", (
        lambda m, p, x, n: -_f_in_dfn(m, n, x) / _f_in_dfd(m, n, x),
        lambda m, p, x, n: 1 / _f_in_dfd(m, n, x),
        lambda m, p, x, n: -_f_in_x(m, n, x) / _f_in_dfd(m, n, x),
    ), ((2.0, 4.0), (0.7, 0.75), (2.0, 2.5)), accuracy=1e-9),
    SpecialRow("nrdtrimn", (
        lambda p, s, x, y: -s * ROOT_2_PI * np.exp(special.ndtri(p) ** 2 / 2),
        lambda p, s, x, y: -special.ndtri(p),
        lambda p, s, x, y: 1.0,
    ), ((0.1, 0.9), (0.5, 2.0), (-2.0, 2.0))),
    SpecialRow("nrdtrisd", (
        lambda m, p, x, y: -1 / special.ndtri(p),
        lambda m, p, x, y: -y / special.ndtri(p) * ROOT_2_PI * np.exp(special.ndtri(p) ** 2 / 2),
        lambda m, p, x, y: 1 / special.ndtri(p),
    ), ((-2.0, 0.0), (0.6, 0.9), (1.0, 2.0))),
]  # fmt: skip

MIXTURES = [
    SpecialRow("chndtr", (
        lambda x, df, nc, y: _chi2_density(x, df, nc),
        NONCENTRAL,
        lambda x, df, nc, y: -_chi2_density(x, df + 2, nc),
    ), ((0.5, 9.0), (0.8, 6.0), (0.2, 4.0)), accuracy=1e-12),
    SpecialRow("chndtrix", (
        lambda p, df, nc, x: 1 / _chi2_density(x, df, nc),
        NONCENTRAL,
        lambda p, df, nc, x: _chi2_density(x, df + 2, nc) / _chi2_density(x, df, nc),
    ), ((0.2, 0.8), (1.0, 6.0), (0.2, 4.0)), accuracy=1e-10),
    SpecialRow("chndtrinc", (
        lambda x, df, p, nc: _chi2_density(x, df, nc) / _chi2_density(x, df + 2, nc),
        NONCENTRAL,
        lambda x, df, p, nc: -1 / _chi2_density(x, df + 2, nc),
    ), ((6.0, 9.0), (1.0, 3.0), (0.3, 0.5)), accuracy=1e-10),
    SpecialRow("ncfdtr", (
        NONCENTRAL,
        NONCENTRAL,
        lambda m, n, nc, f, y: _noncentral_f_parts(m, n, nc, f)[1],
        lambda m, n, nc, f, y: _noncentral_f_parts(m, n, nc, f)[0],
    ), ((1.0, 6.0), (1.0, 6.0), (0.2, 4.0), (0.3, 4.0)), accuracy=1e-12),
    SpecialRow("ncfdtri", (
        NONCENTRAL,
        NONCENTRAL,
        lambda m, n, nc, p, f: -_quotient(_noncentral_f_parts(m, n, nc, f)[::-1]),
        lambda m, n, nc, p, f: 1 / _noncentral_f_parts(m, n, nc, f)[0],
    ), ((1.0, 6.0), (1.0, 6.0), (0.2, 4.0), (0.2, 0.8)), accuracy=1e-10),
    SpecialRow("ncfdtrinc", (
        NONCENTRAL,
        NONCENTRAL,
        lambda m, n, p, f, nc: 1 / _noncentral_f_parts(m, n, nc, f)[1],
        lambda m, n, p, f, nc: -_quotient(_noncentral_f_parts(m, n, nc, f)),
    ), ((2.0, 4.0), (3.0, 6.0), (0.3, 0.4), (2.5, 3.0)), accuracy=1e-5,
        notes="SciPy stops the search for nc at a residual of about 1e-5"),
    SpecialRow("nctdtr", (
        NONCENTRAL,
        lambda df, nc, t, y: _t_parts(df, nc, t)[1],
        lambda df, nc, t, y: _t_parts(df, nc, t)[0],
    ), ((1.0, 9.0), (-1.0, 2.0), (0.2, 3.0)), accuracy=1e-12),
    SpecialRow("nctdtrit", (
        NONCENTRAL,
        lambda df, nc, p, t: -_t_parts(df, nc, t)[1] / _t_parts(df, nc, t)[0],
        lambda df, nc, p, t: 1 / _t_parts(df, nc, t)[0],
    ), ((2.0, 9.0), (-1.0, 2.0), (0.2, 0.8)), accuracy=1e-10),
    SpecialRow("nctdtrinc", (
        NONCENTRAL,
        lambda df, p, t, nc: 1 / _t_parts(df, nc, t)[1],
        lambda df, p, t, nc: -_t_parts(df, nc, t)[0] / _t_parts(df, nc, t)[1],
    ), ((2.0, 9.0), (0.2, 0.8), (0.2, 3.0)), accuracy=1e-8),
]  # fmt: skip

ROWS: list[SpecialRow] = [*GAMMA, *BETA, *RATIO, *MIXTURES]
