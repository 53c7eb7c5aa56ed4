"""Rows of the elliptic integrals and functions.

Derivatives are written with Carlson's symmetric integrals: the classical formulas divide by m or
1 − m the difference of two integrals that cancel there.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special

from .numerics.carlson import carlson_r
from .row import Kernel, Partial, SpecialRow

__all__ = ["KERNELS", "ROWS"]

rd = special.elliprd
POSITIVE = ((0.2, 4.0),)


def _first_kind_in_m(phi: Any, m: Any) -> Any:
    """∂F/∂m = s³ R_D(c², 1, 1 − m s²)/6 on |φ| ≤ π/2, and F(φ + kπ) = F(φ) + 2kK."""
    turns = np.rint(phi / np.pi)
    s, c = np.sin(phi - turns * np.pi), np.cos(phi - turns * np.pi)
    whole = np.where(turns == 0, 0.0, m)
    return s**3 / 6 * rd(c**2, 1.0, 1 - m * s**2) + turns / 3 * rd(0.0, 1.0, 1 - whole)


def _second_kind_in_m(phi: Any, m: Any) -> Any:
    """∂E/∂m = −s³ R_D(c², 1 − m s², 1)/6 on |φ| ≤ π/2."""
    turns = np.rint(phi / np.pi)
    s, c = np.sin(phi - turns * np.pi), np.cos(phi - turns * np.pi)
    whole = np.where(turns == 0, 0.0, m)
    return -(s**3) / 6 * rd(c**2, 1 - m * s**2, 1.0) - turns / 3 * rd(0.0, 1 - whole, 1.0)


def _symmetric(a: float, b: tuple[float, ...]) -> tuple[Partial, ...]:
    """The partials of R_−a(b; z), one per argument."""

    def partial(index: int) -> Partial:
        raised = tuple(w + (k == index) for k, w in enumerate(b))
        return lambda *z_y: -a * b[index] / sum(b) * carlson_r(a + 1, raised)(*z_y[:-1])

    return tuple(partial(k) for k in range(len(b)))


def _degenerate(x: Any, z: Any, y: Any, index: int) -> Any:
    """R_C; for z < 0 it is a principal value, whose closed form has no cancellation there."""
    positive = z > 0
    kernel = carlson_r(1.5, (1.5, 1.0) if index == 0 else (0.5, 2.0))
    right = -(1 / 6 if index == 0 else 1 / 3) * kernel(x, np.where(positive, z, 1.0))
    left_z = np.where(positive, -1.0, z)
    in_x = (y - 1 / np.sqrt(x)) / (2 * (left_z - x))
    left = in_x if index == 0 else -(y / 2 + x * in_x) / left_z
    return np.where(positive, right, left)


def _jacobi(index: int, in_u: Callable[..., Any], in_m: Callable[..., Any], latex: str) -> Kernel:
    def evaluate(u: Any, m: Any) -> Any:
        return special.ellipj(u, m)[index]

    return Kernel(f"ellipj_{index}", evaluate, (in_u, in_m), ((-3.0, 3.0), (0.05, 0.95)), latex,
                  source=f"scipy.special.ellipj({{0}}, {{1}})[{index}]",
                  accuracy=1e-12)  # fmt: skip


def _amplitude_in_m(u: Any, m: Any) -> Any:
    """∂φ/∂m from F(φ, m) = u: −dn ∂F/∂m."""
    return -DN(u, m) * _first_kind_in_m(PH(u, m), m)


def _dn_in_m(sn: Any, cn: Any, m: Any, amplitude: Any) -> Any:
    return sn**2 / 2 + m * sn * cn * amplitude


SN: Kernel = _jacobi(0, lambda u, m, y: CN(u, m) * DN(u, m),
             lambda u, m, y: CN(u, m) * _amplitude_in_m(u, m), r"\operatorname{sn}")  # fmt: skip
CN: Kernel = _jacobi(1, lambda u, m, y: -SN(u, m) * DN(u, m),
             lambda u, m, y: -SN(u, m) * _amplitude_in_m(u, m), r"\operatorname{cn}")  # fmt: skip
DN: Kernel = _jacobi(2, lambda u, m, y: -m * SN(u, m) * CN(u, m),
             lambda u, m, y: -_dn_in_m(SN(u, m), CN(u, m), m, _amplitude_in_m(u, m)) / y,
             r"\operatorname{dn}")  # fmt: skip
PH: Kernel = _jacobi(3, lambda u, m, y: DN(u, m), lambda u, m, y: _amplitude_in_m(u, m),
             r"\operatorname{am}")  # fmt: skip

KERNELS: list[Kernel] = [SN, CN, DN, PH]

ROWS: list[SpecialRow] = [
    SpecialRow("ellipk", (lambda m, y: rd(0.0, 1.0, 1 - m) / 6,), ((-2.0, 0.9),), "K"),
    SpecialRow("ellipkm1", (lambda p, y: -rd(0.0, 1.0, p) / 6,), ((0.1, 3.0),), "K"),
    SpecialRow("ellipe", (lambda m, y: -rd(0.0, 1 - m, 1.0) / 6,), ((-2.0, 0.9),), "E"),
    SpecialRow("ellipkinc", (
        lambda phi, m, y: 1 / np.sqrt(1 - m * np.sin(phi) ** 2),
        lambda phi, m, y: _first_kind_in_m(phi, m),
    ), ((-5.0, 5.0), (-2.0, 0.9)), "F"),
    SpecialRow("ellipeinc", (
        lambda phi, m, y: np.sqrt(1 - m * np.sin(phi) ** 2),
        lambda phi, m, y: _second_kind_in_m(phi, m),
    ), ((-5.0, 5.0), (-2.0, 0.9)), "E"),
    SpecialRow("ellipj", (), ((-3.0, 3.0), (0.05, 0.95)), components=(SN, CN, DN, PH)),
    SpecialRow("elliprc", (
        lambda x, z, y: _degenerate(x, z, y, 0),
        lambda x, z, y: _degenerate(x, z, y, 1),
    ), POSITIVE * 2, "R_C", notes="real arguments"),
    SpecialRow("elliprf", (
        lambda x, y, z, f: -rd(y, z, x) / 6,
        lambda x, y, z, f: -rd(z, x, y) / 6,
        lambda x, y, z, f: -rd(x, y, z) / 6,
    ), POSITIVE * 3, "R_F", True),
    SpecialRow("elliprd", _symmetric(1.5, (0.5, 0.5, 1.5)), POSITIVE * 3, "R_D",
               notes="real arguments"),
    SpecialRow("elliprj", _symmetric(1.5, (0.5, 0.5, 0.5, 1.0)), POSITIVE * 4, "R_J",
               notes="real arguments; NaN for p < 0, where the integral is a principal value"),
    SpecialRow("elliprg", (
        lambda x, y, z, g: carlson_r(0.5, (1.5, 0.5, 0.5))(x, y, z) / 6,
        lambda x, y, z, g: carlson_r(0.5, (0.5, 1.5, 0.5))(x, y, z) / 6,
        lambda x, y, z, g: carlson_r(0.5, (0.5, 0.5, 1.5))(x, y, z) / 6,
    ), POSITIVE * 3, "R_G", notes="real arguments"),
]  # fmt: skip
