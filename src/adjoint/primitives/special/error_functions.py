"""Rows of the error functions, the normal distribution function, and the Fresnel integrals."""

from math import pi, sqrt

import numpy as np
from scipy import special

from .numerics.faddeeva import dawson_derivative, erfcx_derivative, faddeeva, voigt
from .row import Kernel, Partial, SpecialRow

__all__ = ["KERNELS", "ROWS"]

ROOT_PI = sqrt(pi)
ROOT_2_PI = sqrt(2 * pi)


def _component(name: str, index: int, partial: Partial, latex: str = "") -> Kernel:
    ufunc = getattr(special, name)
    lowest = -4.0 if name == "fresnel" else 0.2
    return Kernel(
        f"{name}_{index}", lambda x: ufunc(x)[index], (partial,), ((lowest, 4.0),), latex,
        holomorphic=name == "fresnel", source=f"scipy.special.{name}({{0}})[{index}]",
    )  # fmt: skip


FRESNEL = (
    _component("fresnel", 0, lambda x, y: np.sin(pi / 2 * x**2), "S"),
    _component("fresnel", 1, lambda x, y: np.cos(pi / 2 * x**2), "C"),
)


def _modified(name: str, sign: int) -> tuple[Kernel, Kernel]:
    """F±(x) = ∫_x^∞ e^(±it²) dt and K± = e^(∓i(x² + π/4)) F±/√π, complex for real x."""
    fall = np.exp(-sign * 0.25j * pi) / ROOT_PI
    return (
        _component(name, 0, lambda x, y: -np.exp(sign * 1j * x**2), "F"),
        _component(name, 1, lambda x, y: -sign * 2j * x * y - complex(fall), "K"),
    )


PLUS, MINUS = _modified("modfresnelp", 1), _modified("modfresnelm", -1)

KERNELS: list[Kernel] = [*FRESNEL, *PLUS, *MINUS]

ROWS: list[SpecialRow] = [
    SpecialRow("erf", (lambda x, y: 2 / ROOT_PI * np.exp(-(x**2)),), ((-3.0, 3.0),),
               r"\operatorname{erf}", True),
    SpecialRow("erfc", (lambda x, y: -2 / ROOT_PI * np.exp(-(x**2)),), ((-3.0, 3.0),),
               r"\operatorname{erfc}", True),
    SpecialRow("erfcx", (lambda x, y: erfcx_derivative(1)(x),), ((-3.0, 12.0),),
               r"\operatorname{erfcx}", True),
    SpecialRow("erfi", (lambda x, y: 2 / ROOT_PI * np.exp(x**2),), ((-3.0, 3.0),),
               r"\operatorname{erfi}", True),
    SpecialRow("erfinv", (lambda x, y: ROOT_PI / 2 * np.exp(y**2),), ((-0.9, 0.9),),
               r"\operatorname{erf}^{-1}"),
    SpecialRow("erfcinv", (lambda x, y: -ROOT_PI / 2 * np.exp(y**2),), ((0.1, 1.9),),
               r"\operatorname{erfc}^{-1}"),
    SpecialRow("dawsn", (lambda x, y: dawson_derivative(1)(x),), ((-12.0, 12.0),), r"D", True),
    SpecialRow("wofz", (lambda z, y: faddeeva(1)(z),), ((-9.0, 9.0),), r"w", True),
    SpecialRow("voigt_profile", (
        lambda x, s, g, y: voigt(1, False)(x, s, g),
        lambda x, s, g, y: s * voigt(2, False)(x, s, g),
        lambda x, s, g, y: -voigt(1, True)(x, s, g),
    ), ((-6.0, 6.0), (0.4, 2.0), (0.1, 2.0)), r"V"),
    SpecialRow("ndtr", (lambda x, y: np.exp(-(x**2) / 2) / ROOT_2_PI,), ((-4.0, 4.0),), r"\Phi",
               True),
    # φ/Φ is a scaled error function: no quotient of two vanishing numbers.
    SpecialRow("log_ndtr", (lambda x, y: sqrt(2 / pi) / special.erfcx(-x / sqrt(2)),),
               ((-10.0, 4.0),), r"\log\Phi", True),
    SpecialRow("ndtri", (lambda p, y: ROOT_2_PI * np.exp(y**2 / 2),), ((0.05, 0.95),),
               r"\Phi^{-1}"),
    SpecialRow("ndtri_exp", (lambda p, y: sqrt(pi / 2) * special.erfcx(-y / sqrt(2)),),
               ((-30.0, -0.1),), r"\Phi^{-1}\exp"),
    SpecialRow("owens_t", (
        lambda h, a, y: -np.exp(-(h**2) / 2) * special.erf(a * h / sqrt(2)) / (2 * ROOT_2_PI),
        lambda h, a, y: np.exp(-(h**2) * (1 + a**2) / 2) / (2 * pi * (1 + a**2)),
    ), ((-2.0, 2.0), (-2.0, 2.0)), r"T", accuracy=1e-14),
    SpecialRow("fresnel", (), ((-4.0, 4.0),), components=FRESNEL, holomorphic=True),
    SpecialRow("modfresnelp", (), ((0.2, 4.0),), components=PLUS,
               notes="SciPy's own value of F is wrong for x < 0; its derivative here is not"),
    SpecialRow("modfresnelm", (), ((0.2, 4.0),), components=MINUS,
               notes="SciPy's own value of F is wrong for x < 0; its derivative here is not"),
]  # fmt: skip
