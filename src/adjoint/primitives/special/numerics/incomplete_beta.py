"""Derivatives of the incomplete beta function in its parameters, by quadrature over a tail.

The base is the variable s = logit x, in which neither end of the interval loses precision.
"""

from functools import cache
from math import factorial
from typing import Any

import numpy as np
from scipy import special

from ..row import Kernel
from .arrays import Array, on_real_vectors
from .gamma import polygamma_values
from .jets import Jet, exponential, linear, multiply, nth_derivative, reciprocal_sum
from .tails import NODES, WEIGHTS, tail_length

__all__ = [
    "KERNELS", "beta_density", "beta_logit_density", "incomplete_beta", "incomplete_beta_logit",
]  # fmt: skip


def _log_reciprocal_beta_jet(a: Array, b: Array, m: int, n: int) -> Jet:
    """Taylor coefficients of −log B(a, b); the constant one is left at zero."""
    jet: Jet = [[0.0 * a] * (n + 1) for _ in range(m + 1)]
    for i in range(m + 1):
        for j in range(n + 1):
            if i + j == 0:
                continue
            value = polygamma_values(i + j - 1, a + b)
            value = value - (polygamma_values(i - 1, a) if j == 0 else 0.0)
            value = value - (polygamma_values(j - 1, b) if i == 0 else 0.0)
            jet[i][j] = value / (factorial(i) * factorial(j))
    return jet


def _raise_parameter(a: Array, b: Array, m: int, n: int, which: int) -> tuple[Array, Jet]:
    """a + 1 where a ≤ ½, and the jet of the ratio a/(a + b) of 1/B(a, b) to 1/B(a + 1, b)."""
    low = a <= 0.5
    total = np.where(low & (a + b != 0), a + b, 1.0)
    first, second = (1.0, 0.0) if which == 0 else (0.0, 1.0)
    ratio = multiply(linear(a, m, n, first=first, second=second), reciprocal_sum(total, m, n))
    unit = linear(np.ones_like(a), m, n, first=0.0, second=0.0)
    jet = [[np.where(low, r, e) for r, e in zip(p, q, strict=True)]
           for p, q in zip(ratio, unit, strict=True)]  # fmt: skip
    return np.where(low, a + 1, a), jet


def _density_jet(
    a: Array, b: Array, logs: tuple[Array, Array], front: Array, m: int, n: int
) -> Jet:
    """Jet of front · t^a (1 − t)^b / B(a, b), `logs` being log t and log(1 − t).

    `front` is the logarithm of all of it but B.  Parameters at or below ½ are raised first, so that
    the zeros of 1/B at 0, −1, … are reached exactly.
    """
    factors: list[Jet] = []
    for _ in range(2):
        if (a <= 0.5).any():
            a, jet = _raise_parameter(a, b, m, n, 0)
            factors.append(jet)
        if (b <= 0.5).any():
            b, jet = _raise_parameter(b, a, m, n, 1)
            factors.append(jet)
    exponent = _log_reciprocal_beta_jet(a, b, m, n)
    if m:
        exponent[1][0] = exponent[1][0] + logs[0]
    if n:
        exponent[0][1] = exponent[0][1] + logs[1]
    result = exponential(exponent, np.exp(front - special.betaln(a, b)))
    for factor in factors:
        result = multiply(result, factor)
    return result


def _logit_density(a: Array, b: Array, s: Array, m: int, n: int) -> Array:
    inside = np.isfinite(s)
    s = np.where(inside, s, 0.0)
    logs = (np.asarray(special.log_expit(s)), np.asarray(special.log_expit(-s)))
    value = nth_derivative(_density_jet(a, b, logs, a * logs[0] + b * logs[1], m, n))
    return np.where(inside, value, np.where((a > 0) & (b > 0), 0.0, np.nan))


def _density(a: Array, b: Array, x: Array, m: int, n: int) -> Array:
    logs = (np.log(x), np.log1p(-x))
    front = special.xlogy(a - 1, x) + special.xlog1py(b - 1, -x)
    value = nth_derivative(_density_jet(a, b, logs, front, m, n))
    vanishing = (x == 0) & (a > 1) | (x == 1) & (b > 1)
    return np.where(vanishing, 0.0, value)


def _beta_tail(a: Array, b: Array, s: Array, left: Array, m: int, n: int) -> Array:
    """∂ᵐ⁺ⁿI/∂aᵐ∂bⁿ from the left tail (which needs a ≥ 1) or the right one (b ≥ 1)."""
    side = np.where(left, -1.0, 1.0)
    log_t, log_1t = special.log_expit(s), special.log_expit(-s)
    total = a + b

    def fall(u: Array) -> Array:  # log t = s − softplus(s), so only one softplus moves
        change = -special.log_expit(-(s + side * u)) + log_1t
        return np.asarray(total * change - a * side * u)

    length = tail_length(fall, s.size)
    move = side[:, None] * length[:, None] * NODES
    moved = s[:, None] + move
    new_t, new_1t = special.log_expit(moved), special.log_expit(-moved)
    weight = np.exp(a[:, None] * (new_t - log_t[:, None]) + b[:, None] * (new_1t - log_1t[:, None]))
    weight = weight * WEIGHTS
    shared = special.psi(total)
    first = new_t - (special.psi(a) - shared)[:, None]
    second = new_1t - (special.psi(b) - shared)[:, None]
    exponent = _log_reciprocal_beta_jet(a, b, m, n)
    # The means are in the centred statistics already.
    if m:
        exponent[1][0] = 0.0 * a
    if n:
        exponent[0][1] = 0.0 * a
    normaliser = exponential(exponent, 1.0 + 0.0 * a)
    moments = [[(weight * first**i * second**j).sum(axis=1) / (factorial(i) * factorial(j))
                for j in range(n + 1)] for i in range(m + 1)]  # fmt: skip
    value = nth_derivative(multiply(normaliser, moments))
    front = np.exp(a * log_t + b * log_1t - special.betaln(a, b)) * length
    return np.asarray(-side * front * value)


def _incomplete_beta_logit(a: Array, b: Array, s: Array, m: int, n: int) -> Array:
    inside = (a > 0) & (b > 0) & np.isfinite(s)
    limit = np.where((a > 0) & (b > 0) & np.isinf(s), 0.0, np.nan)
    a, b, s = (np.where(inside, a, 1.0), np.where(inside, b, 1.0), np.where(inside, s, 0.0))
    up_a, up_b = np.where(a < 1, a + 1, a), np.where(b < 1, b + 1, b)
    left = s < np.log(up_a / up_b)
    value = _beta_tail(np.where(left, up_a, a), np.where(left, b, up_b), s, left, m, n)
    # I(a, b) = I(a + 1, b) + G/a = I(a, b + 1) − G/b, G = t^a (1 − t)^b / B (DLMF 8.17.20-21).
    for raised, parameter, sign, first in (
        (left & (a < 1), a, 1.0, 1.0),
        (~left & (b < 1), b, -1.0, 0.0),
    ):
        if raised.any():
            logs = (np.asarray(special.log_expit(s)), np.asarray(special.log_expit(-s)))
            density = _density_jet(a, b, logs, a * logs[0] + b * logs[1], m, n)
            axis_m, axis_n = (m, 0) if first else (0, n)
            inverse = _embed(reciprocal_sum(parameter, axis_m, axis_n), m, n)
            extra = sign * nth_derivative(multiply(density, inverse))
            value = value + np.where(raised, extra, 0.0)
    return np.where(inside, value, limit)


def _embed(jet: Jet, m: int, n: int) -> Jet:
    """A jet in one increment as a jet in both."""
    zero = 0.0 * jet[0][0]
    return [[jet[i][j] if i < len(jet) and j < len(jet[0]) else zero for j in range(n + 1)]
            for i in range(m + 1)]  # fmt: skip


@cache
def beta_logit_density(m: int, n: int) -> Kernel:
    """∂ᵐ⁺ⁿ/∂aᵐ∂bⁿ of t^a (1 − t)^b / B(a, b), t = expit(s): the density in s = logit t."""

    def in_s(a: Any, b: Any, s: Any, y: Any) -> Any:
        slope = (a * special.expit(-s) - b * special.expit(s)) * y
        if m:
            slope = slope + m * special.expit(-s) * beta_logit_density(m - 1, n)(a, b, s)
        if n:
            slope = slope - n * special.expit(s) * beta_logit_density(m, n - 1)(a, b, s)
        return slope

    return Kernel(
        f"beta_logit_density_{m}_{n}",
        on_real_vectors("beta_logit_density")(lambda a, b, s: _logit_density(a, b, s, m, n)),
        (
            lambda a, b, s, y: beta_logit_density(m + 1, n)(a, b, s),
            lambda a, b, s, y: beta_logit_density(m, n + 1)(a, b, s),
            in_s,
        ),
        ((0.3, 9.0), (0.4, 12.0), (-4.0, 4.0)),
    )


@cache
def beta_density(m: int, n: int) -> Kernel:
    """∂ᵐ⁺ⁿ/∂aᵐ∂bⁿ of x^(a−1) (1 − x)^(b−1) / B(a, b).

    In x: ∂f_ab/∂x = (a + b − 1)(f_(a−1)b − f_a(b−1)), which has no pole at a = 1 or b = 1.
    """

    def in_x(a: Any, b: Any, x: Any, y: Any) -> Any:
        def fall(i: int, j: int) -> Any:
            return beta_density(i, j)(a - 1, b, x) - beta_density(i, j)(a, b - 1, x)

        slope = (a + b - 1) * fall(m, n)
        if m:
            slope = slope + m * fall(m - 1, n)
        if n:
            slope = slope + n * fall(m, n - 1)
        return slope

    return Kernel(
        f"beta_density_{m}_{n}",
        on_real_vectors("beta_density")(lambda a, b, x: _density(a, b, x, m, n)),
        (
            lambda a, b, x, y: beta_density(m + 1, n)(a, b, x),
            lambda a, b, x, y: beta_density(m, n + 1)(a, b, x),
            in_x,
        ),
        ((0.3, 9.0), (0.4, 12.0), (0.05, 0.95)),
        latex=r"f_B",
    )


@cache
def incomplete_beta_logit(m: int, n: int) -> Kernel:
    """∂ᵐ⁺ⁿ/∂aᵐ∂bⁿ of I_x(a, b) at x = expit(s), m + n ≥ 1."""
    return Kernel(
        f"incomplete_beta_logit_{m}_{n}",
        on_real_vectors("the derivative of betainc in a and b")(
            lambda a, b, s: _incomplete_beta_logit(a, b, s, m, n)
        ),
        (
            lambda a, b, s, y: incomplete_beta_logit(m + 1, n)(a, b, s),
            lambda a, b, s, y: incomplete_beta_logit(m, n + 1)(a, b, s),
            lambda a, b, s, y: beta_logit_density(m, n)(a, b, s),
        ),
        ((0.3, 9.0), (0.4, 12.0), (-4.0, 4.0)),
    )


@cache
def incomplete_beta(m: int, n: int) -> Kernel:
    """∂ᵐ⁺ⁿ/∂aᵐ∂bⁿ of the regularised I_x(a, b), m + n ≥ 1."""
    return Kernel(
        f"incomplete_beta_{m}_{n}",
        on_real_vectors("the derivative of betainc in a and b")(
            lambda a, b, x: _incomplete_beta_logit(a, b, np.log(x) - np.log1p(-x), m, n)
        ),
        (
            lambda a, b, x, y: incomplete_beta(m + 1, n)(a, b, x),
            lambda a, b, x, y: incomplete_beta(m, n + 1)(a, b, x),
            lambda a, b, x, y: beta_density(m, n)(a, b, x),
        ),
        ((0.3, 9.0), (0.4, 12.0), (0.05, 0.95)),
        latex=rf"\partial_a^{{{m}}}\partial_b^{{{n}}} I",
    )


KERNELS = [beta_logit_density(0, 0), beta_logit_density(1, 1), beta_density(0, 0),
           beta_density(1, 0), incomplete_beta_logit(1, 0), incomplete_beta_logit(0, 1),
           incomplete_beta(1, 0), incomplete_beta(0, 1), incomplete_beta(1, 1)]  # fmt: skip
