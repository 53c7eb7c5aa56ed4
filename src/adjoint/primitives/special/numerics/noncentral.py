"""Derivatives of the noncentral t distribution in its argument and noncentrality.

F(t; ν, μ) = ∫ Φ(tu − μ) h_ν(u) du, h_ν the density of √(χ²_ν/ν).  Derivatives in t and μ put powers
of u and derivatives of φ under the integral:  M_kj = ∫ uᵏ φ⁽ʲ⁾(tu − μ) h_ν(u) du.
"""

from functools import cache
from math import log, pi

import numpy as np
from scipy import special

from ..row import Kernel
from .arrays import Array, on_real_vectors
from .tails import NODES, WEIGHTS, tail_length

__all__ = ["KERNELS", "noncentral_t"]


def _moment(df: Array, nc: Array, t: Array, k: int, j: int) -> Array:
    inside = (df > 0) & np.isfinite(df) & np.isfinite(nc) & np.isfinite(t)
    df, nc, t = np.where(inside, df, 1.0), np.where(inside, nc, 0.0), np.where(inside, t, 0.0)
    power = df + k
    # Mode of u^power exp(−νu²/2 − (tu − μ)²/2), the integrand with respect to log u.
    curve = t * t + df
    mode = (t * nc + np.sqrt((t * nc) ** 2 + 4 * curve * power)) / (2 * curve)

    def exponent(u: Array, *, column: bool = False) -> Array:
        p, v, s, m = (q[:, None] if column else q for q in (power, df, t, nc))
        return np.asarray(p * np.log(u) - v * u * u / 2 - (s * u - m) ** 2 / 2)

    top = exponent(mode)
    total = np.zeros_like(df)
    for side in (-1.0, 1.0):
        length = tail_length(lambda w, s=side: top - exponent(mode * np.exp(s * w)), df.size)  # type: ignore[misc]
        u = mode[:, None] * np.exp(side * length[:, None] * NODES)
        z = t[:, None] * u - nc[:, None]
        hermite = (-1.0) ** j * special.eval_hermitenorm(j, z)
        weight = np.exp(exponent(u, column=True) - top[:, None])
        total = total + length * (weight * hermite * WEIGHTS).sum(axis=1)
    scale = df / 2 * np.log(df / 2) - special.gammaln(df / 2) + log(2) - 0.5 * log(2 * pi)
    return np.where(inside, total * np.exp(scale + top), np.nan)


@cache
def noncentral_t(k: int, j: int) -> Kernel:
    """M_kj(ν, μ, t); the density of the noncentral t is M_10."""
    return Kernel(
        f"noncentral_t_{k}_{j}",
        on_real_vectors("the derivative of nctdtr")(lambda v, m, t: _moment(v, m, t, k, j)),
        (
            "no derivative of nctdtr in its degrees of freedom is provided",
            lambda v, m, t, y: -noncentral_t(k, j + 1)(v, m, t),
            lambda v, m, t, y: noncentral_t(k + 1, j + 1)(v, m, t),
        ),
        ((1.0, 9.0), (-1.0, 2.0), (-3.0, 3.0)),
    )


KERNELS = [noncentral_t(1, 0), noncentral_t(0, 1)]
