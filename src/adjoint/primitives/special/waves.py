"""Rows of the Mathieu and spheroidal wave functions, in their coordinate.

Each ufunc returns a solution and its derivative; the derivative of the second is the differential
equation (DLMF 28.2.1, 28.20.1, 30.2.1).  The parameters enter through a characteristic value found
numerically, of which SciPy has no derivative.
"""

from collections.abc import Callable
from math import pi
from typing import Any

import numpy as np
from scipy import special

from .row import Domain, Kernel, SpecialRow

__all__ = ["KERNELS", "ROWS"]

WHOLE = "the order is a whole number"
FIXED = "SciPy has no derivative of the characteristic value in its parameters"
# The continued fractions and expansions that SciPy takes from Zhang and Jin are about this good.
COARSE = 1e-8

KERNELS: list[Kernel] = []
ROWS: list[SpecialRow] = []


def _add(name: str, reasons: tuple[str, ...], domain: Domain,
         second: Callable[..., Any], scale: float = 1.0) -> None:  # fmt: skip
    """Two components (w, w'): w' itself, and second(*operands, w, w') for its derivative.

    `scale` turns a derivative in the coordinate of the equation into one in SciPy's argument.
    """
    ufunc = getattr(special, name)

    def component(index: int, partial: Callable[..., Any]) -> Kernel:
        slots = ", ".join(f"{{{k}}}" for k in range(len(domain)))
        return Kernel(f"{name}_{index}", lambda *z: ufunc(*z)[index], (*reasons, partial), domain,
                      source=f"scipy.special.{name}({slots})[{index}]",
                      accuracy=COARSE)  # fmt: skip

    pair = (
        component(0, lambda *z_y: ufunc(*z_y[:-1])[1] * scale),
        component(1, lambda *z_y: second(*z_y[:-1], *ufunc(*z_y[:-1])) * scale),
    )
    KERNELS.extend(pair)
    ROWS.append(SpecialRow(name, (), domain, components=pair, accuracy=COARSE))


def _mathieu(characteristic: Any, modified: bool) -> Callable[..., Any]:
    def second(m: Any, q: Any, x: Any, w: Any, slope: Any) -> Any:
        swing = np.cosh(2 * x) if modified else np.cos(2 * x * pi / 180)
        sign = 1.0 if modified else -1.0
        return sign * (characteristic(m, q) - 2 * q * swing) * w

    return second


for _kind, _characteristic in (("cem", special.mathieu_a), ("sem", special.mathieu_b)):
    # SciPy takes the angle in degrees and returns the derivative in radians.
    _add("mathieu_" + _kind, (WHOLE, FIXED), ((2.0, 2.0), (0.5, 4.0), (5.0, 80.0)),
         _mathieu(_characteristic, False), pi / 180)  # fmt: skip
    for _number in ("1", "2"):
        _add(f"mathieu_mod{_kind}{_number}", (WHOLE, FIXED), ((2.0, 2.0), (0.5, 4.0), (0.2, 1.5)),
             _mathieu(_characteristic, True))  # fmt: skip


def _spheroidal(kind: str, characteristic: Any, given: bool) -> Callable[..., Any]:
    """The equation solved for w''; oblate functions have c → ic, and x → ix where radial."""

    def second(*values: Any) -> Any:
        m, n, c = values[:3]
        lam = values[3] if given else characteristic(m, n, c)
        x, w, slope = values[-3:]
        if kind == "pro":
            return (2 * x * slope - (lam - c**2 * x**2 - m**2 / (1 - x**2)) * w) / (1 - x**2)
        if kind == "obl_ang":
            return (2 * x * slope - (lam + c**2 * x**2 - m**2 / (1 - x**2)) * w) / (1 - x**2)
        return (-2 * x * slope + (lam - c**2 * x**2 - m**2 / (1 + x**2)) * w) / (1 + x**2)

    return second


for _shape, _characteristic, _outside in (
    ("pro", special.pro_cv, (1.3, 3.0)),
    ("obl", special.obl_cv, (0.3, 3.0)),
):
    # The functions of the second kind (rad2) are missing: see `without`.
    for _part, _span in (("ang1", (-0.7, 0.7)), ("rad1", _outside)):
        _kind = "pro" if _shape == "pro" else "obl_" + _part[:3]
        _value = float(_characteristic(1, 2, 1.0))
        _add(f"{_shape}_{_part}", (WHOLE, WHOLE, FIXED),
             ((1.0, 1.0), (2.0, 2.0), (0.5, 2.0), _span),
             _spheroidal(_kind, _characteristic, False))  # fmt: skip
        _add(f"{_shape}_{_part}_cv", (WHOLE, WHOLE, FIXED, FIXED),
             ((1.0, 1.0), (2.0, 2.0), (1.0, 1.0), (_value, _value), _span),
             _spheroidal(_kind, _characteristic, True))  # fmt: skip
