"""Rows of the hypergeometric functions, Wright's function, and the parabolic cylinder functions."""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special

from .numerics.hypergeometric import hypergeometric_derivative
from .row import Domain, Kernel, Partial, SpecialRow

__all__ = ["KERNELS", "ROWS"]

TRICOMI = "no series of Tricomi's function differentiated in its parameters is provided"
WRIGHT = "no series of Wright's function differentiated in a and b is provided"
CYLINDER = "no derivative of the parabolic cylinder functions in the order is provided"


def _in_parameter(kind: str, count: int, index: int) -> Partial:
    orders = tuple(int(k == index) for k in range(count))
    return lambda *z_y: hypergeometric_derivative(kind, orders)(*z_y[:-1])


def _pair(name: str, second: Callable[[Any, Any], Any], domain: Domain) -> tuple[Kernel, Kernel]:
    """The components (w, w') of a solution of w'' = second(a, x) w."""
    ufunc = getattr(special, name)
    value = Kernel(f"{name}_0", lambda a, x: ufunc(a, x)[0],
                   (CYLINDER, lambda a, x, y: ufunc(a, x)[1]), domain,
                   source=f"scipy.special.{name}({{0}}, {{1}})[0]", accuracy=1e-11)  # fmt: skip
    slope = Kernel(f"{name}_1", lambda a, x: ufunc(a, x)[1],
                   (CYLINDER, lambda a, x, y: second(a, x) * ufunc(a, x)[0]), domain,
                   source=f"scipy.special.{name}({{0}}, {{1}})[1]", accuracy=1e-11)  # fmt: skip
    return value, slope


SPAN: Domain = ((0.3, 2.5), (0.3, 3.0))
PBDV = _pair("pbdv", lambda v, x: x**2 / 4 - v - 0.5, SPAN)
PBVV = _pair("pbvv", lambda v, x: x**2 / 4 - v - 0.5, SPAN)
PBWA = _pair("pbwa", lambda a, x: a - x**2 / 4, SPAN)

KERNELS: list[Kernel] = [*PBDV, *PBVV, *PBWA]

ROWS: list[SpecialRow] = [
    SpecialRow("hyp0f1", (
        _in_parameter("0F1", 1, 0),
        lambda b, z, y: special.hyp0f1(b + 1, z) / b,
    ), ((0.4, 4.0), (0.1, 6.0)), "{}_0F_1", True),
    SpecialRow("hyp1f1", (
        _in_parameter("1F1", 2, 0),
        _in_parameter("1F1", 2, 1),
        lambda a, b, z, y: a / b * special.hyp1f1(a + 1, b + 1, z),
    ), ((0.3, 3.0), (0.5, 4.0), (-4.0, 4.0)), "{}_1F_1", True),
    SpecialRow("hyp2f1", (
        _in_parameter("2F1", 3, 0),
        _in_parameter("2F1", 3, 1),
        _in_parameter("2F1", 3, 2),
        lambda a, b, c, z, y: a * b / c * special.hyp2f1(a + 1, b + 1, c + 1, z),
    ), ((0.3, 3.0), (0.3, 3.0), (0.5, 4.0), (-0.9, 0.85)), "{}_2F_1", True),
    SpecialRow("hyperu", (
        TRICOMI,
        TRICOMI,
        lambda a, b, z, y: -a * special.hyperu(a + 1, b + 1, z),
    ), ((0.5, 2.0), (0.3, 0.8), (1.0, 4.0)), "U", accuracy=1e-9),
    SpecialRow("wright_bessel", (
        WRIGHT,
        WRIGHT,
        lambda a, b, x, y: special.wright_bessel(a, a + b, x),
    ), ((0.3, 2.0), (0.3, 2.0), (0.2, 4.0)), r"\Phi"),
    SpecialRow("log_wright_bessel", (
        WRIGHT,
        WRIGHT,
        lambda a, b, x, y: np.exp(special.log_wright_bessel(a, a + b, x) - y),
    ), ((0.3, 2.0), (0.3, 2.0), (0.2, 4.0)), r"\log\Phi"),
    SpecialRow("pbdv", (), SPAN, components=PBDV, accuracy=1e-11),
    SpecialRow("pbvv", (), SPAN, components=PBVV, accuracy=1e-11),
    SpecialRow("pbwa", (), SPAN, components=PBWA, accuracy=1e-11),
]  # fmt: skip
