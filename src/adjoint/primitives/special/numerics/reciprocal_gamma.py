"""The power series of 1/Γ at 0, which is entire: its coefficients fall faster than any power.

1/Γ(z) = Σ cₖ zᵏ (Abramowitz and Stegun 1964, 6.1.34; Wrench 1968, *Mathematics of
Computation* 22).
exp(−log Γ) has to build them from the series of log Γ, whose radius is the distance of a pole, by
cancellation: at the twentieth derivative nothing of it is left.
"""

from __future__ import annotations

from math import comb

import numpy as np

from .arrays import Array

__all__ = ["MOST", "near_series", "rgamma_series"]

COEFFICIENTS = (
    0.0, 1.0, 0.5772156649015329, -0.6558780715202539, -0.04200263503409524, 0.16653861138229148,
    -0.04219773455554433, -0.009621971527876973, 0.0072189432466631, -0.0011651675918590652,
    -0.00021524167411495098, 0.0001280502823881162, -2.013485478078824e-05,
    -1.2504934821426706e-06, 1.133027231981696e-06, -2.056338416977607e-07, 6.116095104481416e-09,
    5.002007644469223e-09, -1.18127457048702e-09, 1.0434267116911005e-10, 7.782263439905071e-12,
    -3.696805618642206e-12, 5.100370287454476e-13, -2.0583260535665066e-14, -5.348122539423018e-15,
    1.2267786282382608e-15, -1.1812593016974588e-16, 1.1866922547516004e-18,
    1.4123806553180319e-18, -2.29874568443537e-19, 1.7144063219273374e-20, 1.337351730493693e-22,
    -2.0542335517666728e-22, 2.736030048608e-23, -1.7323564459105165e-24, -2.3606190244992872e-26,
    1.8649829417172943e-26, -2.2180956242071973e-27, 1.2977819749479937e-28,
    1.1806974749665284e-30, -1.124584349277088e-30, 1.277085175140866e-31, -7.391451169615141e-33,
    1.1347502575542158e-35, 4.639134641058722e-35, -5.3473368184391986e-36, 3.2079959236133524e-37,
    -4.4458297365507567e-39, -1.3111745188819888e-39, 1.647033352543814e-40,
    -1.0562331785035812e-41, 2.6784429826430494e-43, 2.424715494851783e-44,
    -3.7365878345356127e-45, 2.6283329809401953e-46, -9.298175995376887e-48,
    -2.3279424186994706e-49, 6.169620835244387e-50, -4.92829558677099e-51, 2.1835131834145106e-52,
    -1.2187221891475166e-54, -7.117108841662875e-55, 6.92050405432869e-56, -3.6764384683566766e-57,
    8.563098056275654e-59, 4.9630454283668445e-60, -7.154294577081616e-61, 4.551727689088504e-62,
    -1.6183993053202943e-63, -3.81804342439995e-66, 5.185052411905849e-66,
)  # fmt: skip

MOST = 40
"""The order up to which the tail of the series is negligible."""


def near_series(x: Array) -> Array:
    """Where the series loses few digits."""
    return np.asarray((np.abs(x) <= 1.25) | (np.abs(x - 1) <= 1.25))


def rgamma_series(x: Array, order: int) -> Array:
    """The Taylor coefficient of an order of 1/Γ at x: Σ C(k, n) cₖ xᵏ⁻ⁿ left of ½, and right of it
    the same with cₖ₊₁ at x − 1, for 1/Γ(1 + z) is 1/Γ(z) without its zero."""
    right = x.real > 0.5
    z = np.where(right, x - 1, x)
    total = np.zeros_like(z)
    for k in range(min(order + 32, len(COEFFICIENTS) - 2), order - 1, -1):
        total = total * z + comb(k, order) * np.where(right, COEFFICIENTS[k + 1], COEFFICIENTS[k])
    return total
