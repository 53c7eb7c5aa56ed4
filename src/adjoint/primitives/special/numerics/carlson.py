"""Carlson's multivariate hypergeometric function R (DLMF 19.16.9), for derivatives of R_F … R_J.

    R_−a(b; z) = 1/B(a, a') ∫₀^∞ t^(a'−1) Π (t + z_j)^(−b_j) dt,   a' = Σ b_j − a

and ∂R_−a(b; z)/∂z_i = −a b_i/Σb · R_−a−1(b + e_i; z), so the family is closed.  With t = e^u the
integrand is analytic in |Im u| < π, positive, and falls exponentially: the trapezoidal rule has a
relative error of e^(−2π²/step), so a step of 0.45 gives full precision, whatever the z ≥ 0.
"""

from functools import cache

import numpy as np
from scipy import special

from ..row import Kernel, Partial
from .arrays import Array, on_real_vectors

__all__ = ["KERNELS", "carlson_r"]

STEP = 0.45
NEGLIGIBLE = 40.0


def _carlson_r(a: float, b: tuple[float, ...], *z: Array) -> Array:
    points = np.stack(z)
    legal = (points >= 0).all(axis=0) & np.isfinite(points).all(axis=0)
    legal &= (points == 0).sum(axis=0) <= 1
    points = np.where(legal, points, 1.0)
    conjugate = sum(b) - a
    scale = points.max(axis=0)
    logs = np.log(points / scale)
    zero_weight = sum(np.where(p == 0, w, 0.0) for p, w in zip(points, b, strict=True))
    # The integral diverges at t = 0 when a vanishing argument carries too much weight.
    rate = conjugate - zero_weight
    infinite = rate <= 0
    rate = np.where(infinite, 1.0, rate)
    least = np.where(np.isfinite(logs), logs, 0.0).min(axis=0)
    start = (least - NEGLIGIBLE / rate).min()
    stop = NEGLIGIBLE / a
    u = np.arange(start, stop + STEP, STEP)[:, None]
    exponent = conjugate * u - sum(w * np.logaddexp(u, log) for w, log in zip(b, logs, strict=True))
    value = np.exp(exponent).sum(axis=0) * STEP / special.beta(a, conjugate) * scale**-a
    return np.where(legal, np.where(infinite, np.inf, value), np.nan)


@cache
def carlson_r(a: float, b: tuple[float, ...]) -> Kernel:
    """R_−a(b; z) for a > 0, Σb > a and real z ≥ 0 of which one may vanish."""

    def partial(index: int) -> Partial:
        raised = tuple(w + (k == index) for k, w in enumerate(b))
        return lambda *z_y: -a * b[index] / sum(b) * carlson_r(a + 1, raised)(*z_y[:-1])

    name = f"carlson_r_{a:g}_" + "_".join(f"{w:g}" for w in b)
    return Kernel(
        name,
        on_real_vectors("the derivative of a Carlson integral")(lambda *z: _carlson_r(a, b, *z)),
        tuple(partial(k) for k in range(len(b))),
        ((0.2, 4.0),) * len(b),
        latex=rf"R_{{-{a:g}}}",
    )


KERNELS = [carlson_r(0.5, (0.5, 0.5, 1.5)), carlson_r(2.5, (0.5, 0.5, 2.5)),
           carlson_r(1.5, (1.5, 1.0))]  # fmt: skip
