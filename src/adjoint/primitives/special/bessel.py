"""Rows of the Bessel, Hankel, Kelvin, Airy and Struve functions and of their integrals."""

from collections.abc import Callable
from math import pi, sqrt
from typing import Any

import numpy as np
from scipy import special
from scipy.special import _ufuncs

from .numerics.bessel_order import bessel_order_derivative
from .numerics.kelvin import kelvin_derivative
from .numerics.macdonald import scaled_macdonald_derivative
from .row import Domain, Kernel, Partial, SpecialRow

__all__ = ["KERNELS", "ROWS"]

WHOLE_ORDER = "the order n is a whole number"
HANKEL_ORDER = "the order derivative of a Hankel function is not provided; use jv and yv at real x"
STRUVE_ORDER = "no expansion of the Struve functions differentiated in the order is provided"

SPAN: Domain = ((0.1, 9.0), (0.3, 12.0))
INTEGER_SPAN: Domain = ((2.0, 2.0), (0.3, 12.0))


_besselpoly = special.besselpoly


def _neighbours(ufunc: Any, p: float, q: float) -> Callable[..., Any]:
    """(p C_(ν−1) + q C_(ν+1))/2, regular at 0, unlike C_(ν−1) − ν C_ν/x."""
    return lambda v, x, y: (p * ufunc(v - 1, x) + q * ufunc(v + 1, x)) / 2


def _order(name: str, *, scaled: bool = False) -> Partial:
    return lambda v, x, y: bessel_order_derivative(name, 1, scaled)(v, x)


def _sign(x: Any) -> Any:
    return np.sign(x)


SECOND = [
    SpecialRow("jv", (_order("J"), _neighbours(special.jv, 1, -1)), SPAN, r"J", True),
    SpecialRow("yv", (_order("Y"), _neighbours(special.yv, 1, -1)), SPAN, r"Y", True),
    SpecialRow("iv", (_order("I"), _neighbours(special.iv, 1, 1)), SPAN, r"I", True),
    SpecialRow("kv", (_order("K"), _neighbours(special.kv, -1, -1)), SPAN, r"K", True),
    SpecialRow("kn", (WHOLE_ORDER, _neighbours(special.kv, -1, -1)),
               INTEGER_SPAN, r"K"),
    SpecialRow("yn", (WHOLE_ORDER, _neighbours(special.yv, 1, -1)),
               INTEGER_SPAN, r"Y"),
    SpecialRow("jve", (_order("J"), _neighbours(special.jve, 1, -1)), SPAN, r"J^e",
               notes="jve(v, x) is jv(v, x) for real x; the factor e^(−|Im z|) is not holomorphic"),
    SpecialRow("yve", (_order("Y"), _neighbours(special.yve, 1, -1)), SPAN, r"Y^e",
               notes="yve(v, x) is yv(v, x) for real x; the factor e^(−|Im z|) is not holomorphic"),
    SpecialRow("ive", (
        _order("I", scaled=True),
        lambda v, x, y: (special.ive(v - 1, x) + special.ive(v + 1, x)) / 2 - _sign(x) * y,
    ), SPAN, r"I^e", notes="the factor e^(−|Re z|) is not holomorphic"),
    SpecialRow("kve", (
        _order("K", scaled=True),
        lambda v, x, y: y - (special.kve(v - 1, x) + special.kve(v + 1, x)) / 2,
    ), SPAN, r"K^e", True),
    SpecialRow("hankel1", (HANKEL_ORDER, _neighbours(special.hankel1, 1, -1)), SPAN, r"H^{(1)}",
               True),
    SpecialRow("hankel2", (HANKEL_ORDER, _neighbours(special.hankel2, 1, -1)), SPAN, r"H^{(2)}",
               True),
    SpecialRow("hankel1e", (
        HANKEL_ORDER,
        lambda v, z, y: (special.hankel1e(v - 1, z) - special.hankel1e(v + 1, z)) / 2 - 1j * y,
    ), SPAN, r"H^{(1)e}", True),
    SpecialRow("hankel2e", (
        HANKEL_ORDER,
        lambda v, z, y: (special.hankel2e(v - 1, z) - special.hankel2e(v + 1, z)) / 2 + 1j * y,
    ), SPAN, r"H^{(2)e}", True),
    SpecialRow("_spherical_jn", (
        WHOLE_ORDER,
        lambda n, z, y: (n * _ufuncs._spherical_jn(np.maximum(n - 1, 0), z)
                         - (n + 1) * _ufuncs._spherical_jn(n + 1, z)) / (2 * n + 1),
    ), INTEGER_SPAN, r"j", True),
    SpecialRow("_spherical_in", (
        WHOLE_ORDER,
        lambda n, z, y: (n * _ufuncs._spherical_in(np.maximum(n - 1, 0), z)
                         + (n + 1) * _ufuncs._spherical_in(n + 1, z)) / (2 * n + 1),
    ), INTEGER_SPAN, r"i", True),
    SpecialRow("_spherical_yn", (
        WHOLE_ORDER, lambda n, z, y: n / z * y - _ufuncs._spherical_yn(n + 1, z),
    ), INTEGER_SPAN, r"y", True),
    SpecialRow("_spherical_kn", (
        WHOLE_ORDER, lambda n, z, y: n / z * y - _ufuncs._spherical_kn(n + 1, z),
    ), INTEGER_SPAN, r"k", True),
]  # fmt: skip

FIRST = [
    SpecialRow("j0", (lambda x, y: -special.j1(x),), ((-9.0, 9.0),), r"J_0"),
    SpecialRow("j1", (lambda x, y: (special.j0(x) - special.jv(2, x)) / 2,), ((-9.0, 9.0),),
               r"J_1"),
    SpecialRow("y0", (lambda x, y: -special.y1(x),), ((0.3, 9.0),), r"Y_0"),
    SpecialRow("y1", (lambda x, y: (special.y0(x) - special.yv(2, x)) / 2,), ((0.3, 9.0),), r"Y_1"),
    SpecialRow("i0", (lambda x, y: special.i1(x),), ((-6.0, 6.0),), r"I_0"),
    SpecialRow("i1", (lambda x, y: (special.i0(x) + special.iv(2, x)) / 2,), ((-6.0, 6.0),),
               r"I_1"),
    # ₁F₁ falls with x as they do: the difference of neighbours would lose 2x units of rounding.
    SpecialRow("i0e", (lambda x, y: -_sign(x) * special.hyp1f1(1.5, 2.0, -2 * np.abs(x)),),
               ((0.1, 9.0),), r"I^e_0"),
    SpecialRow("i1e", (
        lambda x, y: special.hyp1f1(1.5, 3.0, -2 * np.abs(x)) / 2
        - np.abs(x) / 2 * special.hyp1f1(2.5, 4.0, -2 * np.abs(x)),
    ), ((0.1, 9.0),), r"I^e_1"),
    SpecialRow("k0", (lambda x, y: -special.k1(x),), ((0.2, 9.0),), r"K_0"),
    SpecialRow("k1", (lambda x, y: -(special.k0(x) + y / x),), ((0.2, 9.0),),
               r"K_1"),
    SpecialRow("k0e", (lambda x, y: scaled_macdonald_derivative(0, 1)(x),), ((0.2, 9.0),),
               r"K^e_0"),
    SpecialRow("k1e", (lambda x, y: scaled_macdonald_derivative(1, 1)(x),), ((0.2, 9.0),),
               r"K^e_1"),
    *(SpecialRow(name + suffix, (lambda x, y, name=name, n=n: kelvin_derivative(name, n)(x),),
                 ((0.3, 8.0),), rf"\operatorname{{{name}}}", accuracy=1e-12)
      for name in ("ber", "bei", "ker", "kei") for suffix, n in (("", 1), ("p", 2))),
]  # fmt: skip


def _component(name: str, index: int, partial: Callable[..., Any], domain: Domain, latex: str = "",
               *, holomorphic: bool = False, accuracy: float = 1e-13) -> Kernel:  # fmt: skip
    ufunc = getattr(special, name)
    return Kernel(f"{name}_{index}", lambda x: ufunc(x)[index], (partial,), domain, latex,
                  holomorphic, source=f"scipy.special.{name}({{0}})[{index}]",
                  accuracy=accuracy)  # fmt: skip


LINE: Domain = ((-5.0, 4.0),)
RIGHT: Domain = ((0.3, 4.0),)
# Zhang and Jin's rational approximations, which the integrals below use, have about this accuracy.
COARSE = 1e-7
COARSER = 1e-5

AIRY = (
    _component("airy", 0, lambda z, y: special.airy(z)[1], LINE, r"\mathrm{Ai}", holomorphic=True),
    _component("airy", 1, lambda z, y: z * special.airy(z)[0], LINE, r"\mathrm{Ai}'",
               holomorphic=True),
    _component("airy", 2, lambda z, y: special.airy(z)[3], LINE, r"\mathrm{Bi}", holomorphic=True),
    _component("airy", 3, lambda z, y: z * special.airy(z)[2], LINE, r"\mathrm{Bi}'",
               holomorphic=True),
)  # fmt: skip


def _falling(x: Any) -> Any:
    return np.sqrt(np.maximum(x, 0.0))


AIRYE = (
    _component(
        "airye", 0, lambda z, y: special.airye(z)[1] + np.sqrt(z) * y, RIGHT, r"\mathrm{Ai}^e"
    ),
    _component("airye", 1, lambda z, y: z * special.airye(z)[0] + np.sqrt(z) * y, RIGHT),
    _component(
        "airye", 2, lambda z, y: special.airye(z)[3] - _falling(z) * y, RIGHT, r"\mathrm{Bi}^e"
    ),
    _component("airye", 3, lambda z, y: z * special.airye(z)[2] - _falling(z) * y, RIGHT),
)
ITAIRY = (
    _component("itairy", 0, lambda x, y: special.airy(x)[0], RIGHT, accuracy=COARSER),
    _component("itairy", 1, lambda x, y: special.airy(x)[2], RIGHT, accuracy=COARSER),
    _component("itairy", 2, lambda x, y: special.airy(-x)[0], RIGHT, accuracy=COARSER),
    _component("itairy", 3, lambda x, y: special.airy(-x)[2], RIGHT, accuracy=COARSER),
)
ITJ0Y0 = (
    _component("itj0y0", 0, lambda x, y: special.j0(x), RIGHT, accuracy=COARSE),
    _component("itj0y0", 1, lambda x, y: special.y0(x), RIGHT, accuracy=COARSE),
)
IT2J0Y0 = (
    _component("it2j0y0", 0, lambda x, y: (1 - special.j0(x)) / x, RIGHT, accuracy=COARSE),
    _component("it2j0y0", 1, lambda x, y: -special.y0(x) / x, RIGHT, accuracy=COARSE),
)
ITI0K0 = (
    _component("iti0k0", 0, lambda x, y: special.i0(x), RIGHT, accuracy=COARSE),
    _component("iti0k0", 1, lambda x, y: special.k0(x), RIGHT, accuracy=COARSE),
)
IT2I0K0 = (
    _component("it2i0k0", 0, lambda x, y: (special.i0(x) - 1) / x, RIGHT, accuracy=COARSE),
    _component("it2i0k0", 1, lambda x, y: -special.k0(x) / x, RIGHT, accuracy=COARSE),
)


def _kelvin_component(index: int, kind: str, n: int) -> Kernel:
    """ber⁽ⁿ⁾ + i bei⁽ⁿ⁾, or ker and kei: complex for real x."""

    def slope(x: Any, y: Any) -> Any:
        return kelvin_derivative(kind + "er", n + 1)(x) + 1j * kelvin_derivative(
            kind + "ei", n + 1
        )(x)

    return _component("kelvin", index, slope, RIGHT, accuracy=1e-12)


KELVIN = (_kelvin_component(0, "b", 0), _kelvin_component(1, "k", 0),
          _kelvin_component(2, "b", 1), _kelvin_component(3, "k", 1))  # fmt: skip

KERNELS = [*AIRY, *AIRYE, *ITAIRY, *ITJ0Y0, *IT2J0Y0, *ITI0K0, *IT2I0K0, *KELVIN]


def _struve_edge(v: Any, x: Any) -> Any:
    return (x / 2) ** v * special.rgamma(v + 1.5) / sqrt(pi)


INTEGRALS = [
    SpecialRow("struve", (
        STRUVE_ORDER,
        lambda v, x, y: _neighbours(special.struve, 1, -1)(v, x, y) + _struve_edge(v, x) / 2,
    ), ((0.1, 4.0), (0.3, 9.0)), r"\mathbf{H}", accuracy=1e-12),
    SpecialRow("modstruve", (
        STRUVE_ORDER,
        lambda v, x, y: _neighbours(special.modstruve, 1, 1)(v, x, y) + _struve_edge(v, x) / 2,
    ), ((0.1, 4.0), (0.3, 9.0)), r"\mathbf{L}", accuracy=1e-12),
    SpecialRow("itstruve0", (lambda x, y: special.struve(0, x),), RIGHT, accuracy=COARSE),
    SpecialRow("it2struve0", (lambda x, y: -special.struve(0, x) / x,), RIGHT, accuracy=COARSE),
    SpecialRow("itmodstruve0", (lambda x, y: special.modstruve(0, x),), RIGHT, accuracy=COARSE),
    SpecialRow("besselpoly", (
        lambda a, s, v, y: _besselpoly(a, s + 1, v - 1) - _besselpoly(a, s + 1, v + 1),
        "no derivative of besselpoly in the power is provided",
        "no derivative of besselpoly in the order is provided",
    ), ((0.3, 3.0), (0.5, 2.0), (1.2, 3.0)), accuracy=1e-12),
    SpecialRow("_iv_ratio", (  # R = I_v/I_(v−1):  R' = 1 − R² − (2v − 1) R/x
        "no derivative of the ratio of Bessel functions in the order is provided",
        lambda v, x, y: 1 - y**2 - (2 * v - 1) * y / x,
    ), ((0.8, 5.0), (0.3, 9.0))),
    SpecialRow("airy", (), LINE, components=AIRY, holomorphic=True),
    SpecialRow("airye", (), RIGHT, components=AIRYE,
               notes="the scaled Ai is NaN left of 0; the scale of Bi is not holomorphic"),
    SpecialRow("itairy", (), RIGHT, components=ITAIRY),
    SpecialRow("itj0y0", (), RIGHT, components=ITJ0Y0),
    SpecialRow("it2j0y0", (), RIGHT, components=IT2J0Y0),
    SpecialRow("iti0k0", (), RIGHT, components=ITI0K0),
    SpecialRow("it2i0k0", (), RIGHT, components=IT2I0K0),
    SpecialRow("kelvin", (), RIGHT, components=KELVIN),
]  # fmt: skip

ROWS: list[SpecialRow] = [*FIRST, *SECOND, *INTEGRALS]
