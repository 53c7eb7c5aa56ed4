"""Functions of `scipy.special`, and sinc, of intervals: rows as in `elementary`."""

from __future__ import annotations

from math import factorial
from typing import Any

import numpy as np

from adjoint.enclosure.elementary import Row, decreasing, even, increasing
from adjoint.enclosure.interval import Interval, outward
from adjoint.enclosure.refusals import Refusals
from adjoint.primitives.sinc import sinc_derivative

# SciPy's erf is off by 4e-16, the others by up to 6e-14 in their tails, Γ and ψ⁽ⁿ⁾ by some 1e-15.
_ERF_ULPS, _TAIL_ULPS, _GAMMA_ULPS = 16.0, 512.0, 64.0
# Γ has its minimum over x > 0 here; between these two numbers.
_VALLEY = (1.4616321449683622, 1.4616321449683625)
_LOWEST = 0.8856031944108886  # rounded down
_LOWEST_LOG = -0.12148629053584962  # rounded down


def row_of(name: str) -> Row | None:
    """The row of a function, if there is one; imports SciPy for its functions."""
    name = name.removeprefix("scipy.")
    if name in ("erf", "erfc", "ndtr"):
        return _error_function(name)
    if name in ("gamma", "gammaln", "loggamma"):
        return _gamma(name)
    if name in ("j0", "j1"):
        return _bessel(name)
    if name in _OF_AN_ORDER:
        return _OF_AN_ORDER[name]
    if name in ("i0", "i1", "k0", "k1"):
        return _modified_bessel(name)
    if name == "psi":
        return _digamma
    if name.startswith("polygamma_"):
        return _polygamma(int(name.removeprefix("polygamma_")))
    if name == "sinc" or name.startswith("sinc_"):
        return _sinc(int(name.removeprefix("sinc").removeprefix("_") or 0))
    return None


def _sinc(order: int) -> Row:
    """sinc⁽ⁿ⁾(x) = πⁿ ∫₀¹ tⁿ cos(π x t + n π/2) dt: its slope is at most πⁿ⁺¹/(n + 2)."""
    size, steepest = np.pi**order, np.pi ** (order + 1) / (order + 2)

    def row(run: Refusals, x: Interval) -> Interval:
        middle = x.lo / 2 + x.hi / 2
        width = np.maximum(middle - x.lo, x.hi - middle) * (1 + 1e-15)
        off = steepest * (1 + 1e-15) * width + 1e-14 * size
        value = sinc_derivative(order, middle)
        most = size / (order + 1) * (1 + 1e-14)
        found = outward(value - off, value + off)
        return Interval(np.maximum(found.lo, -most), np.minimum(found.hi, most))

    return row


_STEEPEST = 2 / np.pi * (1 + 1e-15)


def _near(value: Any, x: Interval) -> Interval:
    """J_n of whole order: Jₙ(x) = 1/π ∫ cos(n τ − x sin τ) dτ over 0 ≤ τ ≤ π, so |Jₙ| ≤ 1 and
    |Jₙ′| ≤ 2/π."""
    middle = x.lo / 2 + x.hi / 2
    width = np.maximum(middle - x.lo, x.hi - middle) * (1 + 1e-15)
    off = _STEEPEST * width + 1e-14 * (1 + np.abs(middle))
    found = outward(value(middle) - off, value(middle) + off)
    return Interval(np.maximum(found.lo, -1.0), np.minimum(found.hi, 1.0))


def _bessel(name: str) -> Row:
    from scipy import special

    function = getattr(special, name)
    return lambda run, x: _near(function, x)


def _whole_order(run: Refusals, order: Interval, x: Interval) -> Interval:
    from scipy import special

    run.give_up(~(order.known & (order.lo == np.rint(order.lo))))
    return _near(lambda middle: special.jv(order.lo, middle), x)


def _any_modified_bessel(run: Refusals, order: Interval, x: Interval) -> Interval:
    """I of order n ≥ 0 grows over x > 0; of a whole order it is even or odd, and I₋ₙ = Iₙ."""
    from scipy import special

    whole, n = order.lo == np.rint(order.lo), np.abs(order.lo)
    run.give_up(~(order.known & (whole | (order.lo >= 0))))
    run.refuse(~(whole | (x.lo > 0)))
    a, b = special.iv(n, x.lo), special.iv(n, x.hi)
    valley = (n % 2 == 0) & x.contains(0.0)
    least = np.where(valley, np.where(n == 0, 1.0, 0.0), np.minimum(a, b))
    found = outward(least, np.maximum(a, b), _TAIL_ULPS)
    return Interval(np.where(valley, least, found.lo), found.hi)


def _macdonald(run: Refusals, order: Interval, x: Interval) -> Interval:
    """K of any order falls to 0 over x > 0."""
    from scipy import special

    run.give_up(~order.known)
    row = decreasing(lambda t: special.kv(order.lo, t), (0.0, np.inf), (0.0, np.inf), _TAIL_ULPS)
    return row(run, x)


_OF_AN_ORDER: dict[str, Row] = {
    "jv": _whole_order, "iv": _any_modified_bessel, "kv": _macdonald,
}  # fmt: skip


def _modified_bessel(name: str) -> Row:
    """I₀ is even and grows from 1, I₁ grows, K₀ and K₁ fall to 0 over x > 0."""
    from scipy import special

    function = getattr(special, name)
    if name == "i0":
        return lambda run, x: even(function, x, _GAMMA_ULPS, 1.0)
    if name == "i1":
        return increasing(function, ulps=_GAMMA_ULPS)
    return decreasing(function, (0.0, np.inf), (0.0, np.inf), _GAMMA_ULPS)


def _error_function(name: str) -> Row:
    from scipy import special

    function = getattr(special, name)
    if name == "erfc":
        return decreasing(function, image=(0.0, 2.0), ulps=_TAIL_ULPS)
    if name == "erf":
        return increasing(function, image=(-1.0, 1.0), ulps=_ERF_ULPS)
    return increasing(function, image=(0.0, 1.0), ulps=_TAIL_ULPS)


def _gamma(name: str) -> Row:
    """Γ and log Γ over x > 0: convex, with one minimum."""
    from scipy import special

    function = special.gamma if name == "gamma" else special.gammaln
    lowest = _LOWEST if name == "gamma" else _LOWEST_LOG

    def row(run: Refusals, x: Interval) -> Interval:
        run.refuse(~(x.lo > 0))
        a, b = function(x.lo), function(x.hi)
        found = outward(np.minimum(a, b), np.maximum(a, b), _GAMMA_ULPS)
        # log Γ vanishes at 1 and 2, where its error is not relative.
        slack = 0.0 if name == "gamma" else 1e-15
        valley = (x.lo <= _VALLEY[1]) & (x.hi >= _VALLEY[0])
        return Interval(np.where(valley, lowest, found.lo) - slack, found.hi + slack)

    return row


def _digamma(run: Refusals, x: Interval) -> Interval:
    from scipy import special

    run.refuse(~(x.lo > 0))
    found = outward(special.psi(x.lo), special.psi(x.hi), _GAMMA_ULPS)
    return Interval(found.lo - 1e-15, found.hi + 1e-15)


def _polygamma(order: int) -> Row:
    """ψ⁽ⁿ⁾ = (−1)ⁿ⁺¹ n! ζ(n + 1, x) over x > 0, where ζ decreases."""
    from scipy import special

    def size(x: Any) -> Any:
        return factorial(order) * special.zeta(order + 1, x)

    if order % 2:
        return decreasing(size, (0.0, np.inf), (0.0, np.inf), _GAMMA_ULPS)
    return increasing(lambda x: -size(x), (0.0, np.inf), (-np.inf, 0.0), _GAMMA_ULPS)
