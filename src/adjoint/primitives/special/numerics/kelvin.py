"""Kelvin functions and their derivatives of any order, from Bessel functions on a diagonal.

ber x + i bei x = J₀(ωx), ω = e^(3πi/4);  ker x + i kei x = K₀(ωx), ω = e^(iπ/4).  The derivatives
of J₀ and K₀ are combinations of neighbouring orders, without the division by x of the Kelvin
equation.
"""

from functools import cache
from math import comb

import numpy as np
from scipy import special

from ..row import Kernel
from .arrays import Array, on_real_vectors

__all__ = ["KERNELS", "kelvin_derivative"]


def _complex_kelvin(second_kind: bool, n: int, x: Array) -> Array:
    turn = np.exp(0.25j * np.pi) if second_kind else np.exp(0.75j * np.pi)
    bessel = special.kv if second_kind else special.jv
    total = np.zeros(x.shape, dtype=np.complex128)
    for k in range(n + 1):
        sign = (-1.0) ** n if second_kind else (-1.0) ** k
        total += sign * comb(n, k) * bessel(2 * k - n, turn * x)
    return np.asarray(total * (turn / 2) ** n)


@cache
def kelvin_derivative(name: str, n: int) -> Kernel:
    """dⁿ/dxⁿ of ber, bei, ker or kei."""
    second_kind, imaginary = name.startswith("k"), name.endswith("ei")

    def evaluate(x: Array) -> Array:
        value = _complex_kelvin(second_kind, n, x)
        return np.asarray(value.imag if imaginary else value.real)

    source = {0: name, 1: name + "p"}.get(n)
    return Kernel(
        f"{name}_derivative_{n}",
        on_real_vectors(name)(evaluate),
        (lambda x, y: kelvin_derivative(name, n + 1)(x),),
        ((0.3, 8.0),) if second_kind else ((-8.0, 8.0),),
        latex=rf"\operatorname{{{name}}}^{{({n})}}",
        source=f"scipy.special.{source}({{0}})" if source else "",
    )


KERNELS = [kelvin_derivative(name, 1) for name in ("ber", "bei", "ker", "kei")]
