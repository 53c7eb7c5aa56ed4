"""Derivatives of Bessel functions as functions, and spherical Bessel functions."""

from __future__ import annotations

from collections.abc import Callable
from math import comb
from typing import Any

import numpy as np

from adjoint.primitives.special import load_rows
from adjoint.scipy.special.dispatch import offers, operand, refuse, scipy_special, whole_numbers


def _order(n: Any, called: str) -> int:
    order = whole_numbers(n, called)
    if not isinstance(order, int) or order < 0:
        raise refuse(called, "n to be a whole number ≥ 0", f"n={n!r}")
    return order


def _differentiated(name: str, v: Any, z: Any, n: int, sign: int) -> Any:
    """2⁻ⁿ Σ signⁱ C(n, i) C_(v−n+2i)(z)  (DLMF 10.6.7)."""
    ufunc = getattr(scipy_special(), name)
    terms = [sign**i * comb(n, i) * ufunc(v - n + 2 * i, z) for i in range(n + 1)]
    return sum(terms[1:], terms[0]) / 2.0**n


def _named(name: str, ufunc: str, letter: str, sign: int, outside: int = 1) -> None:
    def derivative(v: Any, z: Any, n: int = 1) -> Any:
        order = _order(n, f"{name}(v, z, n)")
        return outside**order * _differentiated(ufunc, v, z, order, sign)

    derivative.__name__ = derivative.__qualname__ = name
    derivative.__doc__ = f"The n-th derivative of {letter}_v(z) in z."
    offers(derivative)


for _entry in (
    ("jvp", "jv", "J", -1), ("yvp", "yv", "Y", -1), ("ivp", "iv", "I", 1),
    ("kvp", "kv", "K", 1, -1), ("h1vp", "hankel1", "H⁽¹⁾", -1), ("h2vp", "hankel2", "H⁽²⁾", -1),
):  # fmt: skip
    _named(*_entry)


# -- spherical Bessel functions --------------------------------------------------------------------


def _spherical(name: str, n: Any, z: Any, derivative: bool) -> Any:
    """The ufunc, or its derivative as its row has it."""
    row = load_rows()[f"_spherical_{name}"]
    y = row.ufunc()(n, z)
    if not derivative:
        return y
    slope: Callable[..., Any] = row.partials[1]  # type: ignore[assignment]
    return slope(n, z, y)


def _reflected(name: str, n: Any, z: Any, derivative: bool, even: int) -> Any:
    """f_n(−z) = ±(−1)ⁿ f_n(z): SciPy's ufuncs are meant for z ≥ 0."""
    n, z = whole_numbers(n, f"spherical_{name}(n, z)"), operand(z)
    if z.dtype.kind == "c":
        return _spherical(name, n, z, derivative)
    sign = np.where(np.asarray(n) % 2 == 0, even, -even) * (-1 if derivative else 1)
    left = z < 0
    return np.where(left, sign, 1) * _spherical(name, n, np.where(left, -z, z), derivative)


@offers
def spherical_jn(n: Any, z: Any, derivative: bool = False) -> Any:
    """The spherical Bessel function j_n(z) of whole order, or its derivative."""
    return _reflected("jn", n, z, derivative, 1)


@offers
def spherical_yn(n: Any, z: Any, derivative: bool = False) -> Any:
    """The spherical Bessel function y_n(z) of whole order, or its derivative."""
    return _reflected("yn", n, z, derivative, -1)


@offers
def spherical_in(n: Any, z: Any, derivative: bool = False) -> Any:
    """The modified spherical Bessel function i_n(z) of whole order, or its derivative."""
    return _reflected("in", n, z, derivative, 1)


@offers
def spherical_kn(n: Any, z: Any, derivative: bool = False) -> Any:
    """The modified spherical Bessel function k_n(z) of whole order, or its derivative."""
    n, z = whole_numbers(n, "spherical_kn(n, z)"), operand(z)
    if z.dtype.kind == "c":
        return _spherical("kn", n, z, derivative)
    left = z < 0
    right = _spherical("kn", n, np.where(left, 1.0, z), derivative)
    # k_n mixes i_n and (−1)ⁿ k_n to the left of 0; the complex function knows how.
    mirrored = _spherical("kn", n, np.where(left, z, -1.0) + 0j, derivative)
    return np.where(left, np.real(mirrored), right)
