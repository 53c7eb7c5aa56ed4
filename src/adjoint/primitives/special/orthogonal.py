"""Rows of the orthogonal polynomials, in their argument.

The derivative of each is a multiple of a polynomial of degree one less and raised parameters (DLMF
18.9.15-28), which is regular at the ends of the interval, unlike the recurrences with 1 − x².
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special

from .row import Domain, Partial, SpecialRow

__all__ = ["ROWS"]

DEGREE = "the degree n is a whole number"
PARAMETER = "no derivative of the polynomial in its parameters is provided"
DEGREE_DOMAIN = (5.0, 5.0)


def _lower(n: Any) -> Any:
    """n − 1, but 0 for n = 0, where `_present` removes the term."""
    return np.where(n == 0, 0, n - 1)


def _present(n: Any) -> Any:
    return np.where(n == 0, 0.0, 1.0)


def _row(name: str, slope: Callable[..., Any], *between: tuple[float, float],
         lo: float = -1.0, hi: float = 1.0, latex: str = "",
         holomorphic: bool = True) -> SpecialRow:  # fmt: skip
    """A row: the degree, parameters with the domains `between`, and x."""
    domain: Domain = (DEGREE_DOMAIN, *between, (lo, hi))
    partials: tuple[Partial, ...] = (DEGREE, *(PARAMETER for _ in between), slope)
    return SpecialRow(name, partials, domain, latex, holomorphic)


ROWS: list[SpecialRow] = [
    _row("eval_legendre",
         lambda n, x, y: _present(n) * (n + 1) / 2 * special.eval_jacobi(_lower(n), 1.0, 1.0, x),
         latex="P"),
    _row("eval_chebyt", lambda n, x, y: n * special.eval_chebyu(_lower(n), x), latex="T"),
    _row("eval_chebyu",
         lambda n, x, y: _present(n) * 2 * special.eval_gegenbauer(_lower(n), 2.0, x), latex="U"),
    _row("eval_chebyc", lambda n, x, y: n * special.eval_chebys(_lower(n), x), lo=-2.0, hi=2.0,
         latex="C"),
    _row("eval_chebys",
         lambda n, x, y: _present(n) * special.eval_gegenbauer(_lower(n), 2.0, x / 2),
         lo=-2.0, hi=2.0, latex="S"),
    _row("eval_sh_legendre",
         lambda n, x, y: _present(n) * (n + 1)
         * special.eval_jacobi(_lower(n), 1.0, 1.0, 2 * x - 1), lo=0.0, latex="P^*"),
    _row("eval_sh_chebyt", lambda n, x, y: 2 * n * special.eval_sh_chebyu(_lower(n), x), lo=0.0,
         latex="T^*"),
    _row("eval_sh_chebyu",
         lambda n, x, y: _present(n) * 4 * special.eval_gegenbauer(_lower(n), 2.0, 2 * x - 1),
         lo=0.0, latex="U^*"),
    _row("eval_hermite", lambda n, x, y: 2 * n * special.eval_hermite(_lower(n), x), lo=-3.0,
         hi=3.0, latex="H", holomorphic=False),
    _row("eval_hermitenorm", lambda n, x, y: n * special.eval_hermitenorm(_lower(n), x), lo=-3.0,
         hi=3.0, latex="He", holomorphic=False),
    _row("eval_laguerre",
         lambda n, x, y: -_present(n) * special.eval_genlaguerre(_lower(n), 1.0, x), lo=0.0, hi=8.0,
         latex="L"),
    _row("eval_genlaguerre",
         lambda n, a, x, y: -_present(n) * special.eval_genlaguerre(_lower(n), a + 1, x),
         (-0.5, 3.0), lo=0.0, hi=8.0, latex="L"),
    _row("eval_gegenbauer",
         lambda n, a, x, y: _present(n) * 2 * a * special.eval_gegenbauer(_lower(n), a + 1, x),
         (0.3, 3.0), latex="C"),
    _row("eval_jacobi",
         lambda n, a, b, x, y: _present(n) * (n + a + b + 1) / 2
         * special.eval_jacobi(_lower(n), a + 1, b + 1, x),
         (-0.5, 3.0), (-0.5, 3.0), latex="P"),
    _row("eval_sh_jacobi",
         lambda n, p, q, x, y: n * special.eval_sh_jacobi(_lower(n), p + 2, q + 1, x),
         (2.0, 4.0), (0.5, 2.0), lo=0.05, latex="G"),
    # P' = ((v + 1) x P_v − (v − m + 1) P_(v+1))/(1 − x²)  (DLMF 14.10.5)
    SpecialRow("lpmv", (
        "the order m is a whole number",
        "no derivative of the Legendre functions in the degree is provided",
        lambda m, v, x, y: ((v + 1) * x * y - (v - m + 1) * special.lpmv(m, v + 1, x)) / (1 - x**2),
    ), ((1.0, 1.0), (0.5, 4.0), (-0.8, 0.8)), "P"),
]  # fmt: skip
