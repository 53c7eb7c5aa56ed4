"""np.sinc and its derivatives of every order, and np.i0.

The n-th derivative of sin u / u is Tₙ(u) = ∫₀¹ tⁿ cos(u t + n π/2) dt.  Integration by parts gives
u Tₙ + n Tₙ₋₁ = sin(u + n π/2), whose quotient form is 0/0 at u = 0; so each order is a function of
its own, whose derivative is the next, and the recurrence is run in the direction that damps
rounding errors: upward for large |u|, downward from far above for small (Miller's method; Gautschi,
*SIAM Review* 9, 1967).
"""

from __future__ import annotations

from functools import cache
from math import comb
from typing import Any

import numpy as np

from adjoint.graph.binding import adopt
from adjoint.graph.registry import implements
from adjoint.primitives.scalar import REAL, Elementwise, row


def _shifted_sine(n: int, sine: Any, cosine: Any) -> Any:
    """sin(u + n π/2)."""
    return (sine, cosine, -sine, -cosine)[n % 4]


def _upward(n: int, x: Any) -> Any:
    # Half turns are taken off x, where that is exact: the rounding of πx would show in its sine.
    turns = np.rint(x.real)
    sign = 1 - 2 * np.mod(turns, 2)
    left = x - turns
    sine = sign * np.sin(np.pi * left)
    cosine = sign * np.sin(np.pi * (0.5 - left * np.where(left.real < 0, -1.0, 1.0)))
    u = np.pi * x
    found = sine / u
    for k in range(1, n + 1):
        found = (_shifted_sine(k, sine, cosine) - k * found) / u
    return found


def _downward(n: int, u: Any) -> Any:
    # An error made in T_N is multiplied by u/k at each step down, and |u| ≤ n + 1.
    sine, cosine = np.sin(u), np.cos(u)
    found = np.zeros_like(u)
    for k in range(3 * n + 30, n, -1):
        found = (_shifted_sine(k, sine, cosine) - u * found) / k
    return found


def sinc_derivative(n: int, x: Any) -> Any:
    """dⁿ/dxⁿ sin(πx)/(πx) = πⁿ Tₙ(πx) of plain values."""
    x = np.asarray(x)
    dtype = np.sinc(np.zeros(1, x.dtype)).dtype
    wide = np.complex128 if dtype.kind == "c" else np.float64
    x = x.astype(wide)
    u = np.pi * x
    large = np.absolute(u) > n + 1
    above = _upward(n, np.where(large, x, n + 2.0))
    found = np.where(large, above, _downward(n, np.where(large, 0.0, u)))
    found = np.where(np.isnan(u), u, found)
    return (np.pi**n * found).astype(dtype)[()]


@cache
def _order(n: int) -> Elementwise:
    """The row of the n-th derivative, made when it is first needed."""
    return row(
        lambda x: sinc_derivative(n, x),
        lambda x, y: _order(n + 1)(x),
        name=f"sinc_{n}",
        latex=rf"\operatorname{{{{sinc}}}}^{{{{({n})}}}}({{0}})",
        domain=REAL,
    )


sinc_row = row(
    lambda x: np.sinc(x)[()],
    lambda x, y: _order(1)(x),
    name="sinc",
    latex=r"\operatorname{{sinc}} {0}",
    domain=REAL,
)


@implements(np.sinc)
def sinc(x: Any) -> Any:
    """``np.sinc``: sin(πx)/(πx)."""
    return sinc_row(adopt(x))


def i0_derivative(n: int, x: Any) -> Any:
    """dⁿ/dxⁿ I₀(x) = 2⁻ⁿ Σₖ C(n, k) Iₙ₋₂ₖ(x) (Abramowitz and Stegun 1964, 9.6.29), plain values."""
    import scipy.special

    # SciPy's iv(1, x) is 0 or NaN for tiny x, its i1 is not.
    order = {0: scipy.special.i0, 1: scipy.special.i1}
    terms = [
        comb(n, k) * (order[m](x) if m in order else scipy.special.iv(m, x))
        for k in range(n + 1)
        for m in (abs(n - 2 * k),)
    ]
    return (sum(terms) / 2.0**n).astype(np.asarray(x).dtype)[()]


@cache
def _i0_order(n: int) -> Elementwise:
    return row(
        lambda x: i0_derivative(n, x) if n else np.i0(x)[()],
        lambda x, y: _i0_order(n + 1)(x),
        name=f"i0_{n}",
        latex=f"I_0^{{{{({n})}}}}({{0}})" if n else "I_0({0})",
        domain=REAL,
        holomorphic=False,
    )


bessel_i0 = _i0_order(0)


@implements(np.i0)
def i0(x: Any) -> Any:
    """``np.i0``: the modified Bessel function of order zero; its derivative is I₁."""
    x = adopt(x)
    return bessel_i0(x if x.dtype.kind == "f" else x.astype(np.float64))
