"""The functions of the vector mathematics that no long double has, by mpmath.

Fewer points than for the others, since mpmath takes a thousand times as long; they lie where the
functions have their zeros and seams.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
from mpmath import mpf
from numpy.typing import NDArray

Array = NDArray[Any]
SPECIAL = [0.5, 1.0, 2.0, 3.0, 0.25, 1.5, 3.5, 2.5, 10.0, 0.9, 5e-324, 2.3e-308, 1e-300, 1e-45,
           1.2e-38, 1e-8, 1e300, 1.7976931348623157e308, 2.5e305, 38.5, 27.3, 26.6, 745.1, 3.4e38,
           1e16, 1e154, 1024.0, 0.31, 1.4616321449683622, 0.7071067811865476]  # fmt: skip


def _erfcx(x: mpf) -> mpf:
    far = (1 - 1 / (2 * x * x)) / (x * mpmath.sqrt(mpmath.pi)) if x > 1e6 else mpf(0)
    return far or mpmath.exp(x * x) * mpmath.erfc(x)


def _ndtr(x: mpf) -> mpf:
    return mpmath.erfc(-x / mpmath.sqrt(2)) / 2 if x > -1e6 else mpf(0)


def _log_ndtr(x: mpf) -> mpf:
    if x < -1e5:
        return -x * x / 2 - mpmath.log(-x * mpmath.sqrt(2 * mpmath.pi)) + mpmath.log1p(-1 / x**2)
    return mpmath.log(_ndtr(x)) if x < 5 else mpmath.log1p(-_ndtr(-x))


def _log_expit(x: mpf) -> mpf:
    return x if x < -1e5 else -mpmath.log1p(mpmath.exp(-x))


def _logaddexp2(a: mpf, b: mpf) -> mpf:
    power = mpf(2) ** max(-abs(a - b), -3000)
    return max(a, b) + mpmath.log1p(power) / mpmath.log(2)


def _pseudo_huber(delta: mpf, r: mpf) -> mpf:
    return delta * r * r / (abs(delta) + mpmath.sqrt(delta**2 + r**2))


EXACT: dict[str, Callable[..., mpf]] = {
    "cospi": mpmath.cospi,
    "entr": lambda x: -x * mpmath.log(x),
    "erfcx": _erfcx,
    "gammaln": lambda x: mpmath.re(mpmath.loggamma(x)),
    "huber": lambda d, r: r * r / 2 if abs(r) <= d else d * (abs(r) - d / 2),
    "kl_div": lambda x, y: x * mpmath.log(x / y) - x + y,
    "log_expit": _log_expit,
    "log_ndtr": _log_ndtr,
    "logaddexp2": _logaddexp2,
    "logit": lambda p: mpmath.log(p) - mpmath.log1p(-p),
    "ndtr": _ndtr,
    "pseudo_huber": _pseudo_huber,
    "psi": mpmath.digamma,
    "rel_entr": lambda x, y: x * mpmath.log(x / y),
    "sinpi": mpmath.sinpi,
    "xdivy": lambda x, y: x / y,
    "xlog1py": lambda x, y: x * mpmath.log1p(y),
    "xlogy": lambda x, y: x * mpmath.log(y),
}

LOWEST = {"gammaln": -0.5, "psi": -0.7, "entr": 0.0, "logit": 0.0, "huber": 0.0,
          "pseudo_huber": 0.0}  # fmt: skip
"""Where the function, or its relative accuracy, ends: near the zeros of log Γ and ψ on the negative
axis the error is one of the largest term."""


def points(name: str, arity: int, dtype: type[np.floating[Any]], count: int) -> list[Array]:
    """Random operands by exponent, around 1, 2 and the zero of ψ, and special values."""
    random = np.random.default_rng(zlib.crc32(name.encode()))
    integer = np.uint64 if dtype is np.float64 else np.uint32
    n = count // 8
    operands: list[Array] = []
    with np.errstate(all="ignore"):
        special = np.array([s * v for v in SPECIAL for s in (1.0, -1.0)]).astype(dtype)
        for position in range(arity):
            small = 10.0 ** random.uniform(-16, 0, (3, n))
            parts = [
                random.integers(0, np.iinfo(integer).max, n, dtype=integer).view(dtype),
                random.normal(size=n) * 10 ** random.uniform(-2, 3, n),
                random.uniform(-9, 9, n),
                random.uniform(-40, 40, n),
                random.uniform(0, 1, n) * 2.0 ** random.uniform(-60, 0, n),
                1 + random.normal(size=n) * small[0],
                2 + random.normal(size=n) * small[1],
                1.4616321449683622 * (1 + random.normal(size=n) * small[2]),
                special,
            ]
            operand = np.concatenate([part.astype(dtype) for part in parts])
            if position:  # half of them close to the first operand
                random.shuffle(operand)
                close = random.random(operand.size) < 0.5
                factor = 1 + random.normal(size=operand.size) * 10 ** random.uniform(
                    -12, 0, operand.size
                )
                operand = np.where(close, operands[0] * factor, operand).astype(dtype)
            operands.append(operand)
    return operands


def worst_error(
    name: str, dtype: type[np.floating[Any]], count: int, loop: Any
) -> tuple[float, tuple[float, ...]]:
    """The largest error in units of the last place where operands and result are finite and not 0,
    and where it is; in `logaddexp2`, whose terms may cancel, of the largest operand."""
    operands = points(name, loop.arity, dtype, count)
    got = loop(*operands)
    usable = np.isfinite(got) & (operands[0] >= LOWEST.get(name, -np.inf))
    for operand in operands:
        usable &= np.isfinite(operand) & (operand != 0)
    worst: tuple[float, tuple[float, ...]] = (0.0, ())
    with mpmath.workdps(60):
        for i in np.flatnonzero(usable):
            place = tuple(float(operand[i]) for operand in operands)
            exact = mpmath.mpf(EXACT[name](*map(mpf, place)))
            error = _units(dtype, float(got[i]), exact, place if name == "logaddexp2" else ())
            if error > worst[0]:
                worst = error, place
    return worst


def _units(dtype: Any, got: float, exact: mpf, floor: tuple[float, ...]) -> float:
    largest = float(np.nextafter(np.finfo(dtype).max, dtype(0)))
    size = min(largest, max([abs(got), float(min(abs(exact), mpf(largest))), *map(abs, floor)]))
    return float(abs(mpf(got) - exact) / mpf(float(np.spacing(dtype(size)))))
