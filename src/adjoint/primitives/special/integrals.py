"""Rows of the exponential, sine and cosine integrals, the dilogarithm, and their companions."""

from collections.abc import Callable
from math import pi
from typing import Any

import numpy as np
from scipy import special
from scipy.special import _ufuncs

from .numerics.kolmogorov import kolmogorov_derivative
from .numerics.quotients import log1p_quotient, spherical_i, spherical_j
from .row import Domain, Kernel, SpecialRow

__all__ = ["KERNELS", "ROWS"]

WHOLE_ORDER = "the order n is a whole number"
SMIRNOV = "SciPy has the first derivative of smirnov only; the function is a polynomial in pieces"


def _dilogarithm_slope(z: Any, y: Any) -> Any:
    """log z/(1 − z): through log1p(w)/w near z = 1, where it is −1."""
    near = np.abs(z - 1) < 0.5
    far = np.where(near, 2.0, z)
    return np.where(near, -log1p_quotient(0)(np.where(near, z - 1, 0.0)), np.log(far) / (1 - far))


def _expn_slope(n: Any, x: Any, y: Any) -> Any:
    """−E_(n−1), with E_0 = e^(−x)/x and E_(−1) = e^(−x)(1 + x)/x² written out."""
    below = -special.expn(np.where(n == 0, 0, n - 1), x)
    return np.where(n == 0, -np.exp(-x) * (1 + x) / x**2, below)


def _component(name: str, index: int, partial: Callable[..., Any], domain: Domain, latex: str,
               holomorphic: bool) -> Kernel:  # fmt: skip
    ufunc = getattr(special, name)
    return Kernel(f"{name}_{index}", lambda x: ufunc(x)[index], (partial,), domain, latex,
                  holomorphic, source=f"scipy.special.{name}({{0}})[{index}]")  # fmt: skip


SICI = (
    _component("sici", 0, lambda x, y: spherical_j(0)(x), ((-9.0, 9.0),), r"\mathrm{Si}", True),
    _component("sici", 1, lambda x, y: np.cos(x) / x, ((0.3, 9.0),), r"\mathrm{Ci}", True),
)
SHICHI = (
    _component("shichi", 0, lambda x, y: spherical_i(0)(x), ((-4.0, 4.0),), r"\mathrm{Shi}", True),
    _component("shichi", 1, lambda x, y: np.cosh(x) / x, ((0.3, 4.0),), r"\mathrm{Chi}", True),
)

KERNELS: list[Kernel] = [*SICI, *SHICHI]

ROWS: list[SpecialRow] = [
    SpecialRow("expi", (lambda x, y: np.exp(x) / x,), ((0.3, 6.0),), r"\mathrm{Ei}", True),
    SpecialRow("exp1", (lambda x, y: -np.exp(-x) / x,), ((0.3, 6.0),), r"E_1", True),
    SpecialRow("expn", (WHOLE_ORDER, _expn_slope), ((2.0, 2.0), (0.3, 6.0)), r"E"),
    SpecialRow("_scaled_exp1", (lambda x, y: y / x + y - 1,), ((0.3, 6.0),),
               r"#1 e^{#1} E_1(#1)"),
    SpecialRow("sici", (), ((0.3, 9.0),), components=SICI, holomorphic=True),
    SpecialRow("shichi", (), ((0.3, 4.0),), components=SHICHI, holomorphic=True),
    SpecialRow("spence", (_dilogarithm_slope,), ((0.2, 5.0),), r"\mathrm{Li}_2(1 - #1)",
               notes="complex arguments are not provided for"),
    SpecialRow("kolmogorov", (lambda x, y: kolmogorov_derivative(1)(x),), ((0.3, 2.0),), "Q_K"),
    SpecialRow("kolmogi", (lambda p, x: 1 / kolmogorov_derivative(1)(x),), ((0.05, 0.95),),
               "Q_K^{-1}"),
    SpecialRow("smirnov", (WHOLE_ORDER, lambda n, d, y: _ufuncs._smirnovp(n, d)),
               ((5.0, 5.0), (0.05, 0.19)), "Q_S"),
    SpecialRow("smirnovi", (WHOLE_ORDER, lambda n, p, d: 1 / _ufuncs._smirnovp(n, d)),
               ((5.0, 5.0), (0.72, 0.9)), "Q_S^{-1}"),
    SpecialRow("_smirnovp", (WHOLE_ORDER, SMIRNOV), ((5.0, 5.0), (0.05, 0.19))),
    SpecialRow("_cosine_cdf", (lambda x, y: (1 + np.cos(x)) / (2 * pi),), ((-3.0, 3.0),)),
]  # fmt: skip
