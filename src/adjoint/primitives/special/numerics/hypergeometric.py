"""Derivatives of the hypergeometric functions 0F1, 1F1 and 2F1 in their parameters, for real z.

The terms of the series are products of one function per parameter, (a)_k or 1/(b)_k, so a mixed
derivative is a product of derivatives.  For z < 0 the transformations of Kummer (DLMF 13.2.39) and
Pfaff (15.8.1) give series without cancellation.  Where the sum is nevertheless so much smaller than
its terms that fewer than ten digits are left, the kernel refuses with an error.
"""

from functools import cache
from math import comb, factorial
from typing import Any

import numpy as np

from adjoint.errors import ArgumentValueError

from ..row import Kernel
from .arrays import Array, on_real_vectors

__all__ = ["KERNELS", "hypergeometric_derivative"]

MAX_TERMS = 5000
LOST = 1e5  # terms this much larger than the sum leave eleven digits, less what rounding adds


def _rising_step(jet: list[Array], factor: Array) -> list[Array]:
    """Derivatives of p(a)(a + k) from those of p."""
    return [jet[i] * factor + (i * jet[i - 1] if i else 0.0) for i in range(len(jet))]


def _falling_step(jet: list[Array], factor: Array) -> list[Array]:
    """Derivatives of q(b)/(b + k) from those of q: r(b + k) = q, differentiated."""
    result: list[Array] = []
    for i, value in enumerate(jet):
        result.append((value - (i * result[i - 1] if i else 0.0)) / factor)
    return result


def _scaled(jet: list[Array], factor: float) -> list[Array]:
    return [factor * value for value in jet]


def _series(upper: list[tuple[Array, int]], lower: list[tuple[Array, int]], z: Array) -> Array:
    """Σ Π D^m(a)_k Π D^n 1/(b)_k zᵏ/k!, D being d/da or d/db."""
    ups = [[np.ones_like(z)] + [np.zeros_like(z)] * order for _, order in upper]
    downs = [[np.ones_like(z)] + [np.zeros_like(z)] * order for _, order in lower]
    total, largest, power = np.zeros_like(z), np.zeros_like(z), np.ones_like(z)
    plain = np.zeros_like(z)
    quiet = np.zeros(z.shape, dtype=int)
    for k in range(MAX_TERMS):
        term = undifferentiated = power
        for jet in (*ups, *downs):
            term, undifferentiated = term * jet[-1], undifferentiated * jet[0]
        total, plain = total + term, plain + undifferentiated
        largest = np.maximum(largest, np.abs(term))
        # Derivatives of low terms may vanish by themselves, so wait for several small ones.
        quiet = np.where(np.abs(term) <= 1e-18 * largest, quiet + 1, 0)
        if (quiet > 12).all():
            break
        # Every factor is kept near 1, (a)_k by k! and 1/(b)_k by 1/k!, against overflow.
        grow, fall = 1 / (k + 1), k + 1.0
        ups = [
            _scaled(_rising_step(jet, a + k), grow) for jet, (a, _) in zip(ups, upper, strict=True)
        ]
        downs = [_scaled(_falling_step(jet, b + k), fall)
                 for jet, (b, _) in zip(downs, lower, strict=True)]  # fmt: skip
        power = power * z * fall ** (len(ups) - len(downs) - 1)
    # A derivative may pass through 0 where the function does not: that is no loss.
    scale = np.maximum(np.abs(total), np.abs(plain))
    hopeless = (quiet <= 12) | (largest > LOST * scale) & (largest > 0)
    if hopeless.any():
        raise ArgumentValueError(
            "the derivative of a hypergeometric function in a parameter needs a series that keeps "
            f"ten digits; at z = {float(z[hopeless][0])!r} it does not.",
            hint="differentiate in the argument z only, or evaluate at smaller |z|.",
        )
    return total


def _values(kind: str, orders: tuple[int, ...], *operands: Array) -> Array:
    if kind == "0F1":
        b, z = operands
        return _series([], [(b, orders[0])], z)
    if kind == "1F1":
        return _confluent(orders, *operands)
    return _gauss(orders, *operands)


def _confluent(orders: tuple[int, ...], a: Array, b: Array, z: Array) -> Array:
    """1F1(a; b; z) = e^z 1F1(b − a; b; −z) where z < 0."""
    m, n = orders
    left = z < 0
    value = np.zeros_like(z)
    if not left.all():
        right = ~left
        value[right] = _series([(a[right], m)], [(b[right], n)], z[right])
    if left.any():
        a, b, z = a[left], b[left], z[left]
        mirrored = sum(
            comb(n, j) * _series([(b - a, m + j)], [(b, n - j)], -z) for j in range(n + 1)
        )
        value[left] = (-1.0) ** m * np.exp(z) * mirrored
    return value


def _gauss(orders: tuple[int, ...], a: Array, b: Array, c: Array, z: Array) -> Array:
    """2F1(a, b; c; z) = (1 − z)^−a 2F1(a, c − b; c; z/(z − 1)) where z < 0; NaN for z ≥ 1."""
    m, n, q = orders
    value = np.full_like(z, np.nan)
    right, left = (z >= 0) & (z < 1), z < 0
    if right.any():
        a0, b0, c0 = a[right], b[right], c[right]
        value[right] = _series([(a0, m), (b0, n)], [(c0, q)], z[right])
    if left.any():
        a, b, c, z = a[left], b[left], c[left], z[left]
        log, total = -np.log1p(-z), np.zeros_like(z)
        for i in range(m + 1):
            for j in range(q + 1):
                part = _series([(a, i), (c - b, n + j)], [(c, q - j)], z / (z - 1))
                total += comb(m, i) * comb(q, j) * log ** (m - i) * part
        value[left] = (-1.0) ** n * np.exp(a * log) * total
    return value


def _factor_derivatives(parameters: tuple[Any, ...], uppers: int, drops: tuple[int, ...]) -> Any:
    """The derivative of Π a / Π b of order `drops` in each parameter."""
    value: Any = 1.0
    for index, (p, order) in enumerate(zip(parameters, drops, strict=True)):
        if index < uppers:
            value = value * (p if order == 0 else 1.0)
        else:
            value = value * (-1.0) ** order * factorial(order) / p ** (order + 1)
    return value


@cache
def hypergeometric_derivative(kind: str, orders: tuple[int, ...]) -> Kernel:
    """pFq differentiated orders[i] times in its i-th parameter; its last operand is z.

    d/dz pFq(a; b; z) = (Π a/Π b) pFq(a + 1; b + 1; z), differentiated by Leibniz's rule.
    """
    count, uppers = len(orders), int(kind[0])

    def raised(index: int) -> Any:
        more = tuple(o + (k == index) for k, o in enumerate(orders))
        return lambda *z_y: hypergeometric_derivative(kind, more)(*z_y[:-1])

    def in_z(*z_y: Any) -> Any:
        parameters, z = z_y[:count], z_y[count]
        shifted = tuple(p + 1 for p in parameters)
        total: Any = 0.0
        for drops in np.ndindex(*(o + 1 for o in orders)):
            # The numerator parameters are linear: their second derivatives vanish.
            if any(d > 1 for d in drops[:uppers]):
                continue
            weight = float(np.prod([comb(o, d) for o, d in zip(orders, drops, strict=True)]))
            rest = tuple(o - d for o, d in zip(orders, drops, strict=True))
            factor = _factor_derivatives(parameters, uppers, drops)
            total = total + weight * factor * hypergeometric_derivative(kind, rest)(*shifted, z)
        return total

    last = (-0.4, 0.4) if kind == "2F1" else (-4.0, 4.0) if kind == "1F1" else (0.1, 4.0)
    return Kernel(
        f"hypergeometric_{kind}_" + "_".join(map(str, orders)),
        on_real_vectors("the derivative of a hypergeometric function in a parameter")(
            lambda *operands: _values(kind, orders, *operands)
        ),
        (*(raised(k) for k in range(count)), in_z),
        (*((0.4, 3.0) for _ in range(count)), last),
    )


KERNELS = [hypergeometric_derivative("0F1", (1,)), hypergeometric_derivative("1F1", (1, 0)),
           hypergeometric_derivative("1F1", (1, 1)),
           hypergeometric_derivative("2F1", (1, 1, 0))]  # fmt: skip
