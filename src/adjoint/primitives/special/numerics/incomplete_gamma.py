"""Derivatives of the incomplete gamma function in its parameter, by quadrature over a tail."""

from functools import cache
from math import factorial

import numpy as np
from scipy import special

from ..row import Kernel
from .arrays import Array, on_real_vectors
from .gamma import gamma_density, gamma_density_jet, polygamma_values
from .jets import exponential
from .tails import NODES, WEIGHTS, tail_length

__all__ = ["KERNELS", "incomplete_gamma"]


def _gamma_tail(a: Array, x: Array, left: Array, order: int) -> Array:
    """∂ⁿP/∂aⁿ, from the left tail (which needs a ≥ 1) or the right one."""
    side = np.where(left, -1.0, 1.0)

    def fall(u: Array) -> Array:  # of the log of t f(t) from t = x to t = x e^(±u)
        return np.asarray(x * np.expm1(side * u) - a * side * u)

    length = tail_length(fall, x.size)
    move = side[:, None] * length[:, None] * NODES
    weight = np.exp(a[:, None] * move - x[:, None] * np.expm1(move)) * WEIGHTS
    centred = (np.log(x) - special.psi(a))[:, None] + move
    logs: list[Array] = [a, 0.0 * a]
    logs += [-polygamma_values(k - 1, a) / factorial(k) for k in range(2, order + 1)]
    normaliser = [c[0] for c in exponential([[c] for c in logs[: order + 1]], 1.0 + 0.0 * a)]
    moments = [(weight * centred**k).sum(axis=1) / factorial(k) for k in range(order + 1)]
    total = sum(normaliser[order - k] * moments[k] for k in range(order + 1))
    front = gamma_density_jet(a, x, 0)[0] * x * length
    return np.asarray(-side * front * total * factorial(order))


def _incomplete_gamma(a: Array, x: Array, order: int) -> Array:
    inside = (a > 0) & (x > 0) & (x < np.inf)
    limit = np.where((a > 0) & ((x == 0) | (x == np.inf)), 0.0, np.nan)
    a, x = np.where(inside, a, 1.0), np.where(inside, x, 1.0)
    # The left tail of a small parameter is long: P(a, x) = P(a + 1, x) + f(a + 1, x) (DLMF 8.8.5),
    # f being the density, shortens it.  The right tail of a small parameter is short as it is.
    raise_a = (a < 1) & (x < 0.7)
    left = (x < a) & (a >= 1) | raise_a
    value = _gamma_tail(np.where(raise_a, a + 1, a), x, left, order)
    if raise_a.any():
        value += np.where(raise_a, gamma_density_jet(a + 1, x, order)[order] * factorial(order), 0)
    return np.where(inside, value, limit)


@cache
def incomplete_gamma(n: int) -> Kernel:
    """∂ⁿ/∂aⁿ of the regularised P(a, x), n ≥ 1."""
    return Kernel(
        f"incomplete_gamma_{n}",
        on_real_vectors("the derivative of gammainc in a")(lambda a, x: _incomplete_gamma(a, x, n)),
        (
            lambda a, x, y: incomplete_gamma(n + 1)(a, x),
            lambda a, x, y: gamma_density(n)(a, x),
        ),
        ((0.3, 30.0), (0.2, 40.0)),
        latex=rf"\partial_a^{{{n}}} P",
    )


KERNELS = [incomplete_gamma(1), incomplete_gamma(2)]
