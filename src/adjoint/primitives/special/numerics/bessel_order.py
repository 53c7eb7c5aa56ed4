"""Derivatives of the Bessel functions J, Y, I, K in their order, for real order and argument x > 0.

Each is a contour integral of exp(something linear in ν), so ∂ⁿ/∂νⁿ is the same integral with a
power of the integration variable.  Which one keeps full precision depends on where (ν, x) lies:

* x small: the power series (DLMF 10.2.2, 10.25.2), differentiated term by term;
* ν well beyond x: the path of steepest descent of Schläfli's integral (Watson, Theory of Bessel
  Functions, 8.31), on which the integrand is real and positive;
* x well beyond ν²: Hankel's expansion (DLMF 10.17.5), whose coefficients are polynomials in ν;
* elsewhere: Schläfli's integral along the axes (DLMF 10.9.6, 10.9.7, 10.32.4), and for K
  DLMF 10.32.9 everywhere.
"""

from collections.abc import Callable
from functools import cache
from math import factorial, pi
from typing import Any

import numpy as np
from scipy import special

from ..row import Kernel
from .arrays import Array, on_real_vectors, panel_nodes
from .gamma import rgamma_jet

__all__ = ["KERNELS", "bessel_order_derivative"]

NEGLIGIBLE = 46.0
GRADED = tuple(
    pi * f for f in (0, 1/256, 1/64, 1/16, 1/6, 1/3, 1/2, 2/3, 5/6, 15/16, 1)
)  # fmt: skip
SERIES_TERMS = 50
CHUNK = 256


def _power_series(v: Array, x: Array, n: int, sign: float) -> Array:
    """Σ (±x²/4)ᵏ (x/2)^ν / (k! Γ(ν + k + 1)), n-th derivative in ν."""
    total, log = np.zeros_like(x), np.log(x / 2)
    weight = (x / 2) ** v
    powers = [log**j / factorial(j) for j in range(n + 1)]
    for k in range(SERIES_TERMS):
        gamma = rgamma_jet(v + k + 1, n)
        total += weight * sum(gamma[j][0] * powers[n - j] for j in range(n + 1))
        weight = weight * sign * (x / 2) ** 2 / (k + 1)
    return total * factorial(n)


def _steepest(v: Array, x: Array, n: int, modified: bool) -> Array:
    """(1/2πi) ∫ (−w)ⁿ exp(x sinh w − νw) dw along w = u(θ) + iθ, with cosh for `modified`.

    The path keeps the exponent real: cosh u = (ν/x) θ/sin θ, or sinh u for `modified`.
    Divided by eˣ for `modified`.
    """
    theta, weights = panel_nodes(GRADED, 24)
    ratio = (v / x)[:, None] * theta / np.sin(theta)
    slope_of_ratio = ratio * (1 / theta - 1 / np.tan(theta))
    if modified:
        u = np.arcsinh(ratio)
        slope = slope_of_ratio / np.hypot(1, ratio)
        exponent = x[:, None] * (np.hypot(1, ratio) * np.cos(theta) - 1) - v[:, None] * u
    else:
        u = np.arccosh(ratio)
        slope = slope_of_ratio / np.sqrt(ratio * ratio - 1)
        exponent = x[:, None] * np.sqrt(ratio * ratio - 1) * np.cos(theta) - v[:, None] * u
    path = (-(u + 1j * theta)) ** n * (1 - 1j * slope)
    return np.asarray((np.exp(exponent) * path.real * weights).sum(axis=1) / pi)


def _half_line(v: Array, x: Array, cosine: bool) -> tuple[Array, Array]:
    """Nodes t, weights on [0, T]; beyond, x sinh t (or x (cosh t − 1)) − |ν| t > NEGLIGIBLE."""
    order = np.abs(v)
    low = np.arcsinh(order / x)
    high = low + 1.0
    for _ in range(60):
        rise = x * (np.cosh(high) - 1 if cosine else np.sinh(high)) - order * high
        if (rise > NEGLIGIBLE).all():
            break
        high = np.where(rise > NEGLIGIBLE, high, high * 1.25 + 0.5)
    for _ in range(12):
        middle = (low + high) / 2
        rise = x * (np.cosh(middle) - 1 if cosine else np.sinh(middle)) - order * middle
        enough = rise > NEGLIGIBLE
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    panels = 6 + int((order * high).max() / 60 + high.max() / 3)
    nodes, weights = panel_nodes(tuple(np.linspace(0, 1, panels + 1).tolist()), 24)
    return high[:, None] * nodes, high[:, None] * weights


def _turn(v: Array, t: Array, n: int) -> Array:
    """∂ⁿ/∂νⁿ of exp((iπ − t)ν), with exp(iπν) reduced exactly at integers."""
    reduced = np.remainder(v, 2.0)
    phase = special.cosdg(180 * reduced) + 1j * special.sindg(180 * reduced)
    return np.asarray((1j * pi - t) ** n * phase[:, None] * np.exp(-v[:, None] * t))


def _arc(v: Array, x: Array) -> tuple[Array, Array]:
    panels = 4 + int((x + np.abs(v)).max() / 8)
    return panel_nodes(tuple(np.linspace(0, pi, panels + 1).tolist()), 24)


def _schlafli_j(v: Array, x: Array, n: int) -> Array:
    # d/dν cos(φ − νθ) = θ cos(φ − νθ − π/2).
    theta, weights = _arc(v, x)
    phase = x[:, None] * np.sin(theta) - v[:, None] * theta - n * pi / 2
    wave = (theta**n * np.cos(phase) * weights).sum(axis=1)
    t, line = _half_line(v, x, False)
    decay = (_turn(v, t, n).imag * np.exp(-x[:, None] * np.sinh(t)) * line).sum(axis=1)
    return np.asarray((wave - decay) / pi)


def _schlafli_y(v: Array, x: Array, n: int) -> Array:
    theta, weights = _arc(v, x)
    phase = x[:, None] * np.sin(theta) - v[:, None] * theta - n * pi / 2
    wave = (theta**n * np.sin(phase) * weights).sum(axis=1)
    t, line = _half_line(v, x, False)
    falling = np.exp(-x[:, None] * np.sinh(t))
    growth = t**n * np.exp(v[:, None] * t - x[:, None] * np.sinh(t))
    decay = ((growth + _turn(v, t, n).real * falling) * line).sum(axis=1)
    return np.asarray((wave - decay) / pi)


def _axis_i(v: Array, x: Array, n: int) -> Array:
    """e^(−x) I: the arc carries a Gaussian peak at 0, the half line a multiple of K."""
    reach = 2 * np.arcsin(np.sqrt(np.minimum(1.0, 22.0 / x)))[:, None]
    nodes, weights = panel_nodes(tuple(np.linspace(0, 1, 7).tolist()), 24)
    theta = reach * nodes
    # dⁿ cos(νθ)/dνⁿ without a shifted phase: at ν = 0 odd derivatives of the arc vanish exactly.
    wave = (np.sin if n % 2 else np.cos)(v[:, None] * theta) * (-1.0) ** ((n + 1) // 2)
    bell = np.exp(-2 * x[:, None] * np.sin(theta / 2) ** 2)
    arc = (bell * theta**n * wave * reach * weights).sum(axis=1)
    t, line = _half_line(v, x, True)
    falling = np.exp(-2 * x[:, None] * np.cosh(t / 2) ** 2)
    decay = (_turn(v, t, n).imag * falling * line).sum(axis=1)
    return np.asarray((arc - decay) / pi)


def _integral_k(v: Array, x: Array, n: int) -> Array:
    """eˣ K: ∫₀^∞ exp(−x (cosh t − 1)) tⁿ cosh(νt) dt, sinh for odd n."""
    t, line = _half_line(v, x, True)
    bell = -2 * x[:, None] * np.sinh(t / 2) ** 2
    order = np.abs(v)[:, None]
    sign = 1.0 if n % 2 == 0 else np.sign(v)
    # cosh = e^(νt) (1 + e^(−2νt))/2; sinh through expm1 keeps small ν exact.
    pair = 1 + np.exp(-2 * order * t) if n % 2 == 0 else -np.expm1(-2 * order * t)
    return np.asarray(sign * (np.exp(bell + order * t) * pair / 2 * t**n * line).sum(axis=1))


def _hankel(v: Array, x: Array, n: int) -> Array:
    """∂ⁿ/∂νⁿ of J + iY by Hankel's expansion; 26 terms suffice where x > max(50, 2ν²)."""
    jet = [np.ones_like(x) + 0j] + [np.zeros_like(x) + 0j] * n
    total = list(jet)
    for k in range(1, 27):
        quadratic = (4 * v * v - (2 * k - 1) ** 2, 8 * v, 4.0 + 0 * v)
        jet = [np.asarray(sum(quadratic[i] * jet[j - i] for i in range(min(j, 2) + 1)))
               * 1j / (8 * k * x) for j in range(n + 1)]  # fmt: skip
        total = [t + c for t, c in zip(total, jet, strict=True)]
    # Apart, because x − νπ/2 would round away digits of the phase for large x.
    phase = np.exp(1j * x) * np.exp(-1j * pi * (v / 2 + 0.25)) * np.sqrt(2 / (pi * x))
    turns = [(-0.5j * pi) ** j / factorial(j) for j in range(n + 1)]
    return np.asarray(factorial(n) * phase * sum(turns[j] * total[n - j] for j in range(n + 1)))


def _near(v: Array, x: Array, edge: float) -> Array:
    return (np.abs(v) <= 60) & ((x <= edge) | (x * x <= 4 * (v + 1)))


Method = Callable[[Array, Array], Array]


def _dispatch(v: Array, x: Array, table: list[tuple[Array, Method]]) -> Array:
    """Each point by the first method whose region holds it, in chunks that bound the memory."""
    value, left = np.full(x.shape, np.nan), np.ones(x.shape, dtype=bool)
    for region, method in table:
        points = np.flatnonzero(left & region)
        # Similar sizes together: the number of nodes is set by the largest of a chunk.
        points = points[np.argsort(x[points] + np.abs(v[points]))]
        for begin in range(0, points.size, CHUNK):
            part = points[begin : begin + CHUNK]
            value[part] = method(v[part], x[part])
        left &= ~region
    return value


def _derivative_j(v: Array, x: Array, n: int) -> Array:
    return _dispatch(v, x, [
        (_near(v, x, 4.0), lambda v, x: _power_series(v, x, n, -1.0)),
        (x > np.maximum(50, 2 * v * v), lambda v, x: _hankel(v, x, n).real),
        (v > x + 4 * np.cbrt(x) + 2, lambda v, x: _steepest(v, x, n, False)),
        (x < 1e5, lambda v, x: _schlafli_j(v, x, n)),
    ])  # fmt: skip


def _derivative_y(v: Array, x: Array, n: int) -> Array:
    return _dispatch(v, x, [
        (x > np.maximum(50, 2 * v * v), lambda v, x: _hankel(v, x, n).imag),
        (x < 1e5, lambda v, x: _schlafli_y(v, x, n)),
    ])  # fmt: skip


def _derivative_i(v: Array, x: Array, n: int) -> Array:
    """Divided by eˣ."""
    return _dispatch(v, x, [
        (_near(v, x, 2.0), lambda v, x: _power_series(v, x, n, 1.0) * np.exp(-x)),
        (v >= 1, lambda v, x: _steepest(v, x, n, True)),
        (x > 0, lambda v, x: _axis_i(v, x, n)),
    ])  # fmt: skip


def _derivative_k(v: Array, x: Array, n: int) -> Array:
    """Times eˣ."""
    return _dispatch(v, x, [(x > 0, lambda v, x: _integral_k(v, x, n))])


def _limit_at_zero(name: str, v: Array, n: int) -> Array:
    """The limit as x → 0 from the right, where the order decides it."""
    if name == "K":
        return np.where(v == 0, 0.0 if n % 2 else np.inf, np.inf * np.sign(v) ** n)
    if name == "Y":
        return np.where(v > 0, -np.inf, np.where((v == 0) & (n == 1), -pi / 2, np.nan))
    return np.where(v > 0, 0.0, np.where(v == 0, (-1.0) ** n * np.inf, np.nan))


METHODS: dict[str, Callable[[Array, Array, int], Array]] = {
    "J": _derivative_j, "Y": _derivative_y, "I": _derivative_i, "K": _derivative_k
}  # fmt: skip
# ∂C_ν/∂x = (p C_(ν−1) + q C_(ν+1))/2, and the logarithm of the scale the methods leave out.
RECURRENCE = {"J": (1.0, -1.0), "Y": (1.0, -1.0), "I": (1.0, 1.0), "K": (-1.0, -1.0)}
LOG_SCALE = {"J": 0.0, "Y": 0.0, "I": 1.0, "K": -1.0}


def _values(name: str, n: int, scaled: bool, v: Array, x: Array) -> Array:
    inside = (x > 0) & np.isfinite(x) & np.isfinite(v)
    safe_v, safe_x = np.where(inside, v, 0.5), np.where(inside, x, 1.0)
    value = METHODS[name](safe_v, safe_x, n)
    if not scaled and LOG_SCALE[name]:
        value = value * np.exp(LOG_SCALE[name] * safe_x)
    return np.where(inside, value, np.where(x == 0, _limit_at_zero(name, v, n), np.nan))


@cache
def bessel_order_derivative(name: str, n: int, scaled: bool = False) -> Kernel:
    """∂ⁿ/∂νⁿ of J, Y, I or K at real x ≥ 0; `scaled` is the e^(∓x) of SciPy's ive and kve."""

    def in_x(v: Any, x: Any, y: Any) -> Any:
        same = bessel_order_derivative(name, n, scaled)
        p, q = RECURRENCE[name]
        slope = (p * same(v - 1, x) + q * same(v + 1, x)) / 2
        return slope - LOG_SCALE[name] * y if scaled else slope

    label = f"{name}_{'scaled_' if scaled else ''}order_derivative_{n}"
    return Kernel(
        label,
        on_real_vectors(f"the derivative of the Bessel function {name} in its order")(
            lambda v, x: _values(name, n, scaled, v, x)
        ),
        (lambda v, x, y: bessel_order_derivative(name, n + 1, scaled)(v, x), in_x),
        ((0.1, 12.0), (0.3, 15.0)),
        latex=rf"\partial_\nu^{{{n}}} {name}",
    )


KERNELS = [bessel_order_derivative(name, 1, scaled)
           for name, scaled in (("J", False), ("Y", False), ("I", False), ("K", False),
                                ("I", True), ("K", True))]  # fmt: skip
