"""Functions made of Γ, ψ and ζ, and of Lambert's W."""

from __future__ import annotations

from math import log, pi
from typing import Any

import numpy as np

from adjoint.scipy.special.dispatch import offers, operand, refuse, scipy_special, whole_numbers


@offers
def polygamma(n: Any, x: Any) -> Any:
    """ψ⁽ⁿ⁾(x) = (−1)ⁿ⁺¹ n! ζ(n + 1, x), for whole orders n."""
    special = scipy_special()
    n, x = np.asarray(whole_numbers(n, "polygamma(n, x)")), operand(x)
    order = np.where(n == 0, 1, n) + 1.0
    found = (-1.0) ** order * special.gamma(order) * special.zeta(order, x)
    return np.where(n == 0, special.psi(x), found) if np.any(n == 0) else found


@offers
def multigammaln(a: Any, d: int) -> Any:
    """log Γ_d(a) = d(d − 1)/4 · log π + Σ log Γ(a − j/2) over j < d; NaN unless a > (d − 1)/2.

    SciPy raises for such an a; a traced one may have no value to test.
    """
    special = scipy_special()
    d = whole_numbers(d, "multigammaln(a, d)")
    a = operand(a)
    inside = a > 0.5 * (d - 1)
    safe = np.where(inside, a, 0.5 * d)
    total = 0.25 * d * (d - 1) * log(pi) + sum(special.gammaln(safe - 0.5 * j) for j in range(d))
    return np.where(inside, total, np.nan)


@offers
def zeta(x: Any, q: Any = None, out: Any = None) -> Any:
    """Hurwitz's ζ(x, q) = Σ (k + q)⁻ˣ; Riemann's ζ(x) without q."""
    from scipy.special import _ufuncs

    if out is not None:
        raise refuse("zeta(x, q)", "no out=", f"out={out!r}")
    return _ufuncs._riemann_zeta(x) if q is None else _ufuncs._zeta(x, q)


@offers
def lambertw(z: Any, k: Any = 0, tol: float = 1e-8) -> Any:
    """The branch k of w eʷ = z, complex also for real z."""
    from scipy.special import _ufuncs

    return _ufuncs._lambertw(z, whole_numbers(k, "lambertw(z, k)"), tol)


# -- counting, continued to real numbers by Γ ------------------------------------------------------


def _refuse_exact(called: str, exact: bool) -> None:
    if exact:
        raise refuse(
            called, "exact=False", "exact=True, which counts with Python's whole numbers",
            hint="leave out exact=, or compute it from plain numbers.",
        )  # fmt: skip


@offers
def comb(N: Any, k: Any, *, exact: bool = False, repetition: bool = False) -> Any:
    """The binomial coefficient N over k, 0 outside 0 ≤ k ≤ N; with repetition N + k − 1 over k."""
    _refuse_exact("comb(N, k)", exact)
    N, k = operand(N), operand(k)
    binom = scipy_special().binom
    if repetition:
        return np.where((k == 0) & (N >= 0), 1.0, binom(N + k - 1, k))
    return np.where((k <= N) & (N >= 0) & (k >= 0), binom(N, k), 0.0)


@offers
def perm(N: Any, k: Any, exact: bool = False) -> Any:
    """N!/(N − k)!, 0 outside 0 ≤ k ≤ N."""
    _refuse_exact("perm(N, k)", exact)
    N, k = operand(N), operand(k)
    return np.where((k <= N) & (N >= 0) & (k >= 0), scipy_special().poch(N - k + 1, k), 0.0)


@offers
def factorial(n: Any, exact: bool = False, extend: str = "zero") -> Any:
    """Γ(n + 1); with ``extend="zero"`` it is 0 for n < 0."""
    _refuse_exact("factorial(n)", exact)
    _check_extension("factorial", extend)
    n = operand(n)
    if extend == "complex":
        return scipy_special().gamma(n + 1)
    _refuse_unextended("factorial", n.dtype.kind == "c")
    below = n < 0
    return np.where(below, 0.0, scipy_special().gamma(np.where(below, 0.0, n) + 1))


@offers
def factorial2(n: Any, exact: bool = False, extend: str = "zero") -> Any:
    """n!! = n (n − 2) (n − 4) …; of real n with ``extend="complex"`` only."""
    return _multifactorial("factorial2", n, 2, exact, extend)


@offers
def factorialk(n: Any, k: Any, exact: bool = False, extend: str = "zero") -> Any:
    """n (n − k) (n − 2k) …; of real n with ``extend="complex"`` only."""
    step = whole_numbers(k, "factorialk(n, k)")
    if step < 1:
        raise refuse("factorialk(n, k)", "k ≥ 1", f"k={k!r}")
    return _multifactorial("factorialk", n, step, exact, extend)


def _multifactorial(name: str, n: Any, k: int, exact: bool, extend: str) -> Any:
    """k^((n−1)/k) Γ(n/k + 1)/Γ(1/k + 1): the factorials of n ≡ 1 (mod k), continued."""
    _refuse_exact(f"{name}(n)", exact)
    _check_extension(name, extend)
    _refuse_unextended(name, extend != "complex")
    n, gamma = operand(n), scipy_special().gamma
    return k ** ((n - 1.0) / k) * gamma(n / k + 1.0) / float(gamma(1.0 / k + 1.0))


def _check_extension(name: str, extend: str) -> None:
    if extend not in ("zero", "complex"):
        raise refuse(f"{name}(n)", 'extend="zero" or "complex"', repr(extend))


def _refuse_unextended(name: str, needed: bool) -> None:
    if needed:
        raise refuse(
            f"{name}(n)", 'extend="complex"', 'extend="zero", which has no derivative',
            hint=f'special.{name}(n, extend="complex") continues it to real and complex n.',
        )  # fmt: skip
