"""The rows: one per scalar function.

The partial derivative is a NumPy expression in the operands and the result ``y``.  Where two forms
are equal in algebra, the one that stays finite and accurate is used: eᵃ/(eᵃ + eᵇ) is σ(a − b), and
a/(a² + b²) is written with hypot.

One row is an exception.  tanh′ = 1 − y² has the digits of y, whose distance from 1 is rounded: its
relative error is about 2⁻⁵⁴ e²ˣ, 3e-10 at |x| = 8, and from |x| = 19 on it is 0, where 1/cosh² x is
1e-16.  That needs x and an exponential in each backward pass, and makes the gradient of a small
tanh network slower by a fifth; 1/np.cosh(x)**2 is there for who needs it.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from adjoint.graph.registry import UFUNCS
from adjoint.graph.tracer import Tracer
from adjoint.primitives.arithmetic import constant_value, divide, operands_of, subtract
from adjoint.primitives.scalar import POSITIVE, REAL, UNIT, Elementwise, recognises, row
from adjoint.primitives.undefined import notice

LN2 = float(np.log(2.0))
LN10 = float(np.log(10.0))

exp = row(np.exp, lambda x, y: y, latex="e^{{{0}}}")
exp2 = row(np.exp2, lambda x, y: LN2 * y, latex="2^{{{0}}}")
expm1 = row(np.expm1, lambda x, y: np.exp(x), latex="e^{{{0}}} - 1")
log = row(np.log, lambda x, y: 1 / x, latex=r"\log {0}", domain=POSITIVE)
log2 = row(np.log2, lambda x, y: 1 / (LN2 * x), latex=r"\log_2 {0}", domain=POSITIVE)
log10 = row(np.log10, lambda x, y: 1 / (LN10 * x), latex=r"\log_{{10}} {0}", domain=POSITIVE)
log1p = row(np.log1p, lambda x, y: 1 / (1 + x), latex=r"\log(1 + {0})", domain=POSITIVE)

sin = row(np.sin, lambda x, y: np.cos(x), latex=r"\sin {0}")
cos = row(np.cos, lambda x, y: -np.sin(x), latex=r"\cos {0}")
tan = row(np.tan, lambda x, y: 1 + y * y, latex=r"\tan {0}", domain=((-1.2, 1.2),))
arcsin = row(
    np.arcsin, lambda x, y: 1 / np.sqrt((1 - x) * (1 + x)), latex=r"\arcsin {0}", domain=UNIT
)
arccos = row(
    np.arccos, lambda x, y: -1 / np.sqrt((1 - x) * (1 + x)), latex=r"\arccos {0}", domain=UNIT
)
arctan = row(np.arctan, lambda x, y: 1 / (1 + x * x), latex=r"\arctan {0}")
sinh = row(np.sinh, lambda x, y: np.cosh(x), latex=r"\sinh {0}")
cosh = row(np.cosh, lambda x, y: np.sinh(x), latex=r"\cosh {0}")
tanh = row(np.tanh, lambda x, y: 1 - y * y, latex=r"\tanh {0}")
arcsinh = row(np.arcsinh, lambda x, y: 1 / np.hypot(1.0, x), latex=r"\operatorname{{arsinh}} {0}")
arccosh = row(
    np.arccosh, lambda x, y: 1 / (np.sqrt(x - 1) * np.sqrt(x + 1)),
    latex=r"\operatorname{{arcosh}} {0}", domain=((1.2, 4.0),),
)  # fmt: skip
arctanh = row(
    np.arctanh, lambda x, y: 1 / ((1 - x) * (1 + x)), latex=r"\operatorname{{artanh}} {0}",
    domain=UNIT,
)  # fmt: skip
deg2rad = row(np.deg2rad, lambda x, y: np.pi / 180.0, latex=r"\frac{{\pi}}{{180}} {0}")
rad2deg = row(np.rad2deg, lambda x, y: 180.0 / np.pi, latex=r"\frac{{180}}{{\pi}} {0}")
radians = row(np.radians, lambda x, y: np.pi / 180.0, latex=r"\frac{{\pi}}{{180}} {0}")
degrees = row(np.degrees, lambda x, y: 180.0 / np.pi, latex=r"\frac{{180}}{{\pi}} {0}")


def _over_square(a: Any, x1: Any, x2: Any) -> Any:
    # At the origin arctan2 has no derivative; 0 is the convention.  The squares of x1 and x2 would
    # overflow where their length does not.
    origin = notice((x1 == 0) & (x2 == 0), "arctan2(y, x) at (0, 0)")
    inverse = 1 / np.hypot(np.where(origin, 1.0, x1), x2)
    return np.where(origin, 0.0, a * inverse * inverse)


arctan2 = row(
    np.arctan2,
    lambda a, b, y: _over_square(b, a, b),
    lambda a, b, y: _over_square(-a, a, b),
    latex=r"\operatorname{{atan2}}({0}, {1})",
    domain=(*REAL, *POSITIVE),
    holomorphic=False,
)


def _over(a: Any, y: Any) -> Any:
    origin = notice(y == 0, "hypot(x, y) at (0, 0)")
    return np.where(origin, 0.0, a / np.where(origin, 1.0, y))


hypot = row(
    np.hypot, lambda a, b, y: _over(a, y), lambda a, b, y: _over(b, y),
    latex=r"\sqrt{{{0}^2 + {1}^2}}", holomorphic=False,
)  # fmt: skip


def _share(a: Any, b: Any, rate: float = 1.0) -> Any:
    # eᵃ/(eᵃ + eᵇ) = σ(a − b), and 0 for a row that is masked entirely (both −∞).  exp(a − y) would
    # be 1 where y is too large for log 2 to show in it.
    masked = np.isneginf(np.maximum(a, b))
    gap = np.where(masked, 0.0, a) - np.where(masked, 0.0, b)
    return np.where(masked, 0.0, expit(gap * rate if rate != 1.0 else gap))


logaddexp = row(
    np.logaddexp, lambda a, b, y: _share(a, b), lambda a, b, y: _share(b, a),
    latex=r"\log(e^{{{0}}} + e^{{{1}}})", holomorphic=False,
)  # fmt: skip
logaddexp2 = row(
    np.logaddexp2, lambda a, b, y: _share(a, b, LN2), lambda a, b, y: _share(b, a, LN2),
    latex=r"\log_2(2^{{{0}}} + 2^{{{1}}})", holomorphic=False,
)  # fmt: skip


def _logistic(x: Any) -> Any:
    # Neither branch overflows.
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1.0, small) / (1.0 + small)


def _logistic_row(x: Any) -> Any:
    return expit(x)


expit: Elementwise = row(
    _logistic, lambda x, y: y * _logistic_row(-x), name="expit", latex=r"\sigma({0})",
    holomorphic=False,
)  # fmt: skip
softplus = row(
    lambda x: np.logaddexp(0.0, x), lambda x, y: expit(x), name="softplus",
    latex=r"\log(1 + e^{{{0}}})", holomorphic=False,
)  # fmt: skip


# -- functions with zero derivative almost everywhere ---------------------------------------------

for _ufunc in (np.floor, np.ceil, np.trunc, np.rint, np.sign, np.isfinite, np.isinf, np.isnan,
               np.signbit, np.logical_not, np.spacing, np.invert):  # fmt: skip
    row(_ufunc, 0, holomorphic=False)
for _comparison in (np.greater, np.greater_equal, np.less, np.less_equal, np.equal, np.not_equal,
               np.logical_and, np.logical_or, np.logical_xor, np.bitwise_and, np.bitwise_or,
               np.bitwise_xor, np.left_shift, np.right_shift, np.gcd, np.lcm):  # fmt: skip
    row(_comparison, 0, 0, holomorphic=False)


@recognises(cast(Elementwise, UFUNCS[np.sign]))
def _complex_sign(z: Any) -> Any:
    """z/|z| is smooth away from 0, unlike the sign of a real number."""
    if not isinstance(z, Tracer) or z.dtype.kind != "c":
        return None
    size = np.abs(z)
    return np.where(size == 0, 0.0, z / np.where(size == 0, 1.0, size))


floor_divide = row(np.floor_divide, 0, 0, domain=(*REAL, *POSITIVE), holomorphic=False)
remainder = row(
    np.remainder, 1, lambda a, b, y: -np.floor_divide(a, b), latex=r"{0} \bmod {1}",
    domain=(*REAL, *POSITIVE), holomorphic=False,
)  # fmt: skip
fmod = row(
    np.fmod, 1, lambda a, b, y: -np.rint((a - y) / b), latex=r"\operatorname{{fmod}}({0}, {1})",
    domain=(*REAL, *POSITIVE), holomorphic=False,
)  # fmt: skip
heaviside = row(np.heaviside, 0, lambda a, b, y: np.where(a == 0, 1.0, 0.0), holomorphic=False)
copysign = row(
    np.copysign, lambda a, b, y: np.copysign(1.0, a) * np.copysign(1.0, b), 0, holomorphic=False
)
nextafter = row(np.nextafter, 1, 0, holomorphic=False)
ldexp = row(
    np.ldexp, lambda a, n, y: np.ldexp(np.ones_like(a), n), "the exponent is an integer",
    holomorphic=False,
)  # fmt: skip


# -- patterns that are stable only as a whole ------------------------------------------------------


def _is_one(operand: Any) -> bool:
    return bool(constant_value(operand) == 1)


@recognises(divide)
def _sigmoid(a: Any, b: Any) -> Any:
    """1/(1 + e⁻ˣ) is the logistic function; the quotient's own derivative is 0·∞ at x ≪ 0."""
    terms = operands_of(b, "add") if not isinstance(a, Tracer) and _is_one(a) else None
    if terms is None:
        return None
    for one, other in (terms, terms[::-1]):
        inner = operands_of(other, "exp")
        if inner is not None and _is_one(one) and inner[0].dtype.kind == "f":
            return expit(negate(inner[0]))
    return None


def negate(x: Any) -> Any:
    """−x, without a second node where x is already a negative."""
    inner = operands_of(x, "negative")
    return inner[0] if inner is not None else -x


@recognises(log)
def _stable_log(x: Any) -> Any:
    """log(1 + eˣ) is softplus, and log(1 + x) is log1p."""
    terms = operands_of(x, "add")
    if terms is None or x.dtype.kind != "f":
        return None
    for one, other in (terms, terms[::-1]):
        if _is_one(one) and isinstance(other, Tracer):
            inner = operands_of(other, "exp")
            return softplus(inner[0]) if inner is not None else log1p(other)
    return None


@recognises(subtract)
def _stable_expm1(a: Any, b: Any) -> Any:
    """eˣ − 1 is expm1."""
    inner = operands_of(a, "exp") if not isinstance(b, Tracer) and _is_one(b) else None
    return expm1(inner[0]) if inner is not None and a.dtype.kind == "f" else None
