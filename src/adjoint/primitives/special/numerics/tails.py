"""Quadrature over the tail of a density, for derivatives of distribution functions.

A distribution function F = ∫ f(t; θ) dt whose density f is the exponential of a function linear in
θ has ∂ⁿF/∂θⁿ = ∫ f times a polynomial in the sufficient statistic.  The integral is taken over the
tail on the side of the mode where x lies: there the tail decays and no large parts cancel (the
integral over both tails is zero for n ≥ 1).  In the variable log t, or logit t, the integrand is
analytic near the real axis; 96 Gauss-Legendre nodes over the stretch where it exceeds e^−46 of its
value at x suffice for full precision.
"""

from collections.abc import Callable

import numpy as np

from .arrays import Array, panel_nodes

__all__ = ["NODES", "WEIGHTS", "tail_length"]

NODES, WEIGHTS = panel_nodes((0.0, 1 / 24, 1 / 8, 1 / 3, 1.0), 24)
NEGLIGIBLE = 46.0


def tail_length(fall: Callable[[Array], Array], size: int) -> Array:
    """The distance u at which fall(u), which increases from 0, reaches NEGLIGIBLE."""
    low, high = np.zeros(size), np.full(size, 1e-9)
    for _ in range(45):
        short = fall(high) < NEGLIGIBLE
        if not short.any():
            break
        low, high = np.where(short, high, low), np.where(short, 4 * high, high)
    for _ in range(7):
        middle = (low + high) / 2
        short = fall(middle) < NEGLIGIBLE
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    return high
