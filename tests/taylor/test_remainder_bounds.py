"""Remainder bounds: never below the true error, close to it, and infinite where f is not smooth.

The witness is mpmath with 50 digits: f(x) less its Taylor polynomial there.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import mpmath
import numpy as np
import pytest
from scipy import special

import adjoint as ad
import adjoint.scipy.special as adjoint_special
from adjoint.enclosure import elementary
from adjoint.errors import ArgumentError, ArgumentValueError, MissingRuleError

mp = mpmath.mp.clone()
mp.dps = 50

Case = tuple[Any, Any, float, float]

# The function, the same for mpmath, the centre, and how far from it.
FUNCTIONS: dict[str, Case] = {
    "exp": (np.exp, mp.exp, 0.3, 1.0),
    "exp2": (np.exp2, lambda x: mp.mpf(2) ** x, 0.3, 1.0),
    "expm1": (np.expm1, mp.expm1, -0.4, 1.0),
    "log": (np.log, mp.log, 1.0, 0.5),
    "log2": (np.log2, lambda x: mp.log(x, 2), 1.3, 0.5),
    "log10": (np.log10, mp.log10, 1.3, 0.5),
    "log1p": (np.log1p, lambda x: mp.log(1 + x), 0.1, 0.5),
    "sin": (np.sin, mp.sin, 0.7, 1.5),
    "cos": (np.cos, mp.cos, -1.1, 1.5),
    "tan": (np.tan, mp.tan, 0.2, 0.7),
    "arcsin": (np.arcsin, mp.asin, 0.1, 0.5),
    "arccos": (np.arccos, mp.acos, -0.1, 0.5),
    "arctan": (np.arctan, mp.atan, 0.3, 0.7),
    "sinh": (np.sinh, mp.sinh, -0.3, 1.0),
    "cosh": (np.cosh, mp.cosh, 0.3, 1.0),
    "tanh": (np.tanh, mp.tanh, 0.2, 0.7),
    "arcsinh": (np.arcsinh, mp.asinh, 0.4, 0.6),
    "arccosh": (np.arccosh, mp.acosh, 2.5, 0.6),
    "arctanh": (np.arctanh, mp.atanh, 0.1, 0.4),
    "sqrt": (np.sqrt, mp.sqrt, 1.3, 0.6),
    "cbrt": (np.cbrt, mp.cbrt, 1.3, 0.6),
    "reciprocal": (lambda x: 1 / x, lambda x: 1 / x, -1.3, 0.6),
    "runge": (lambda x: 1 / (1 + x**2), lambda x: 1 / (1 + x**2), 0.2, 0.6),
    "x^2.5": (lambda x: x**2.5, lambda x: x ** mp.mpf(2.5), 1.1, 0.5),
    "x^-3": (lambda x: x**-3.0, lambda x: x**-3, 1.1, 0.35),
    "x^0.1": (lambda x: x**0.1, lambda x: x ** (mp.mpf(1) / 10), 1.1, 0.5),
    "x^x": (lambda x: x**x, lambda x: x**x, 1.2, 0.4),
    "2^x": (lambda x: 2.0**x, lambda x: mp.mpf(2) ** x, 0.3, 1.0),
    "x log x": (lambda x: x * np.log(x), lambda x: x * mp.log(x), 1.4, 0.6),
    "expit": (special.expit, lambda x: 1 / (1 + mp.exp(-x)), 0.4, 1.0),
    "softplus": (lambda x: np.log(1 + np.exp(x)), lambda x: mp.log(1 + mp.exp(x)), 0.4, 1.0),
    "logaddexp": (lambda x: np.logaddexp(x, x * x), lambda x: mp.log(mp.exp(x) + mp.exp(x * x)),
                  0.3, 0.6),
    "logsumexp": (lambda x: adjoint_special.logsumexp(np.stack([x, -x, 2 * x])),
                  lambda x: mp.log(mp.exp(x) + mp.exp(-x) + mp.exp(2 * x)), 0.3, 0.5),
    "erf": (special.erf, mp.erf, 0.4, 0.8),
    "erfc": (special.erfc, mp.erfc, 0.9, 0.6),
    "ndtr": (special.ndtr, mp.ncdf, -0.4, 0.8),
    "gamma": (special.gamma, mp.gamma, 2.2, 0.5),
    "gammaln": (special.gammaln, mp.loggamma, 3.2, 0.6),
    "digamma": (special.psi, mp.digamma, 2.2, 0.5),
    "sinc": (np.sinc, lambda x: mp.sincpi(x), 0.1, 0.6),
    "gaussian": (lambda x: np.exp(-(x**2)), lambda x: mp.exp(-(x**2)), 0.3, 0.8),
    "sin + cos": (lambda x: np.sin(x) + np.cos(x), lambda x: mp.sin(x) + mp.cos(x), 0.0, 1.0),
    "e^sin": (lambda x: np.exp(np.sin(3 * x)), lambda x: mp.exp(mp.sin(3 * x)), 0.2, 0.4),
    "worked": (lambda x: np.sqrt(x**2 + np.exp(x**2)) + np.cos(x**2 + np.exp(x**2)),
               lambda x: mp.sqrt(x**2 + mp.exp(x**2)) + mp.cos(x**2 + mp.exp(x**2)), 0.4, 0.25),
    "tanh(x³)": (lambda x: np.tanh(x**3), lambda x: mp.tanh(x**3), 0.6, 0.25),
    "polynomial": (lambda x: 3 * x**5 - 0.1 * x**3 + x, lambda x: 3 * x**5 - x**3 / 10 + x,
                   0.5, 1.0),
    "arctan2": (lambda x: np.arctan2(x, 1 + x * x), lambda x: mp.atan2(x, 1 + x * x), 0.3, 0.5),
    "hypot": (lambda x: np.hypot(x, 1.5), lambda x: mp.sqrt(x * x + mp.mpf(1.5) ** 2), 0.4, 0.8),
    "norm": (lambda x: np.linalg.norm(np.stack([x, 1 + x, 2 * x * x])),
             lambda x: mp.sqrt(x**2 + (1 + x) ** 2 + 4 * x**4), 0.5, 0.3),
    "|x|": (lambda x: np.abs(x) ** 3, lambda x: abs(x) ** 3, -1.2, 0.8),
    "max": (lambda x: np.maximum(np.sin(x), x - 2), mp.sin, 0.4, 0.8),
    "where": (lambda x: np.where(x > -1, np.exp(x), 0.0), mp.exp, 0.4, 0.8),
    "clip": (lambda x: np.clip(x, 0.0, 2.0) ** 3, lambda x: x**3, 1.0, 0.8),
    "branch": (lambda x: np.sin(x) if x > 0 else x, mp.sin, 1.0, 0.8),
    "sort": (lambda x: np.sort(np.stack([x, x * x, -x]))[1], lambda x: x * x, 0.4, 0.3),
    "extremum": (lambda x: np.max(np.stack([np.exp(x), x, -x])), mp.exp, 0.1, 0.3),
    "prod": (lambda x: np.prod(np.stack([x, 1 + x, np.sin(x)])),
             lambda x: x * (1 + x) * mp.sin(x), 0.6, 0.4),
    "cumsum": (lambda x: np.cumsum(np.stack([x, np.exp(x), x * x]))[2],
               lambda x: x + mp.exp(x) + x * x, 0.2, 0.5),
    "matrix product": (lambda x: (np.stack([x, x * x]) @ np.array([[2.0, 0.3], [0.7, 1.0]])
                                  @ np.stack([np.exp(x), x])),
                       lambda x: (2 * x + mp.mpf(7) / 10 * x * x) * mp.exp(x)
                       + (mp.mpf(3) / 10 * x + x * x) * x, 0.4, 0.5),
    "mean": (lambda x: np.mean(np.sin(np.stack([x, 2 * x, 3 * x]))),
             lambda x: (mp.sin(x) + mp.sin(2 * x) + mp.sin(3 * x)) / 3, 0.2, 0.4),
    "written": (lambda x: _written(x), lambda x: mp.exp(x) * mp.cos(x), 0.2, 0.7),
    "scan": (lambda x: ad.scan(lambda c, _: (np.sin(c) + x * c, None), x, None, length=3)[0],
             lambda x: _iterated(x), 0.5, 0.2),
    "while": (lambda x: ad.while_loop(lambda c: c[1] < 3, lambda c: (np.sin(c[0]) + x * c[0],
                                                                      c[1] + 1), (x, 0))[0],
              lambda x: _iterated(x), 0.5, 0.2),
    "cond": (lambda x: ad.cond(x > 0, np.exp, np.sin, x), mp.exp, 0.6, 0.5),
    "checkpoint": (lambda x: ad.checkpoint(lambda u: np.exp(np.sin(u)))(x),
                   lambda x: mp.exp(mp.sin(x)), 0.6, 0.5),
}  # fmt: skip


def _written(x: Any) -> Any:
    out = np.zeros(2, like=x)
    out[0] = np.exp(x)
    out[1] = np.cos(x)
    return out[0] * out[1]


def _iterated(x: Any) -> Any:
    c = x
    for _ in range(3):
        c = mp.sin(c) + x * c
    return c


def errors(g: Callable[[Any], Any], center: float, order: int, points: Any) -> list[Any]:
    """|f − T| at the points, of the exact polynomial."""
    with mp.workdps(80):  # mpmath takes differences
        c = mp.taylor(g, mp.mpf(center), order)
        deltas = [mp.mpf(float(x)) - mp.mpf(center) for x in points]
        return [
            abs(g(mp.mpf(center) + d) - mp.fsum(a * d**k for k, a in enumerate(c))) for d in deltas
        ]


def margin(case: Case, order: int) -> tuple[float, float]:
    """The least bound/error over points on both sides, and the largest bound/largest error."""
    f, g, center, radius = case
    points = center + radius * np.array([-1.0, -0.6, -0.2, 0.1, 0.5, 1.0])
    true = errors(g, center, order, points)
    bounds = ad.taylor(f, center, order).remainder_bound(points)
    ratios = [mp.mpf(float(b)) / e if e > 1e-40 else mp.inf for b, e in
              zip(bounds, true, strict=True)]  # fmt: skip
    sides = [max(true[:3]), max(true[3:])]
    tight = max(float(mp.mpf(float(bounds[i])) / side) if side > 1e-40 else 1.0
                for i, side in ((0, sides[0]), (5, sides[1])))  # fmt: skip
    return float(min(ratios)), tight


ORDERS = (0, 1, 2, 4, 7)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_never_below_the_error_and_close_to_it(name: str) -> None:
    for order in ORDERS:
        least, tight = margin(FUNCTIONS[name], order)
        assert least >= 1, (name, order, least)
        assert tight <= 3, (name, order, tight)


@pytest.mark.parametrize("name", ["exp", "tan", "x^0.1", "erf", "worked", "matrix product"])
def test_rounding_is_counted_where_it_is_asked_for(name: str) -> None:
    f, g, center, radius = FUNCTIONS[name]
    p = ad.taylor(f, center, 12)
    points = center + radius * np.array([-0.3, -0.02, 0.0, 0.03, 0.2])
    computed = p(points)
    off = [abs(mp.mpf(float(y)) - g(mp.mpf(float(x)))) for x, y in
           zip(points, computed, strict=True)]  # fmt: skip
    exact, both = p.remainder_bound(points), p.remainder_bound(points, rounding=True)
    assert all(o <= float(b) for o, b in zip(off, both, strict=True))
    assert np.all(both - exact <= 1e-14 * (1 + np.abs(computed)))
    # Near the centre the error is all rounding: the other bound does not speak of it.
    assert any(o > float(b) for o, b in zip(off, exact, strict=True))


# -- random functions -----------------------------------------------------------------------------

ONE: list[tuple[Any, Any]] = [
    (np.sin, mp.sin), (np.exp, mp.exp), (np.tanh, mp.tanh), (np.arctan, mp.atan),
    (lambda u: np.sqrt(2 + u * u), lambda u: mp.sqrt(2 + u * u)),
    (lambda u: np.log(1.5 + u * u), lambda u: mp.log(mp.mpf(1.5) + u * u)),
    (lambda u: 1 / (1 + u * u), lambda u: 1 / (1 + u * u)),
    (lambda u: u**3, lambda u: u**3), (lambda u: 0.25 * u, lambda u: u / 4),
]  # fmt: skip
TWO: list[Callable[[Any, Any], Any]] = [
    lambda u, v: u + v, lambda u, v: u - v, lambda u, v: u * v, lambda u, v: u / (2 + v * v),
]  # fmt: skip


def random_function(rng: np.random.Generator, depth: int) -> tuple[Any, Any]:
    """A composition, for NumPy and for mpmath."""
    if depth == 0:
        return (lambda x: x), (lambda x: x)
    f, g = random_function(rng, depth - 1)
    if rng.random() < 0.5:
        outer, outer_g = ONE[rng.integers(len(ONE))]
        return (lambda x: outer(f(x))), (lambda x: outer_g(g(x)))
    other, other_g = random_function(rng, depth - 1)
    op = TWO[rng.integers(len(TWO))]
    return (lambda x: op(f(x), other(x))), (lambda x: op(g(x), other_g(x)))


@pytest.mark.parametrize("seed", range(40))
def test_random_functions(seed: int) -> None:
    rng = np.random.default_rng(seed)
    f, g = random_function(rng, 3)
    center, order = float(rng.uniform(-1, 1)), int(rng.integers(0, 6))
    points = center + rng.uniform(-0.5, 0.5, 4)
    true = errors(g, center, order, points)
    bounds = ad.taylor(f, center, order).remainder_bound(points)
    assert all(e <= float(b) for e, b in zip(true, bounds, strict=True)), (true, bounds)
    assert np.all(np.isfinite(bounds))


# -- several variables ----------------------------------------------------------------------------


def surface(v: Any) -> Any:
    return np.exp(v[0]) * np.sin(v[0] * v[1]) + np.stack([v[1] ** 3, v[0] / (1 + v[1] ** 2)])


def surface_in_digits(x: Any, y: Any) -> list[Any]:
    wave = mp.exp(x) * mp.sin(x * y)
    return [wave + y**3, wave + x / (1 + y**2)]


CENTER = np.array([0.3, 0.6])


def surface_errors(order: int, points: Any) -> Any:
    """|f − T| of both components: T along the line to each point."""
    found = []
    for point in points:
        d = [mp.mpf(float(a)) - mp.mpf(float(b)) for a, b in zip(point, CENTER, strict=True)]

        def line(t: Any, i: int, d: list[Any] = d) -> Any:
            return surface_in_digits(*(mp.mpf(float(c)) + t * e
                                       for c, e in zip(CENTER, d, strict=True)))[i]  # fmt: skip

        with mp.workdps(80):
            found.append([abs(line(1, i) - mp.fsum(mp.taylor(lambda t, i=i: line(t, i), 0, order)))
                          for i in range(2)])  # fmt: skip
    return found


@pytest.mark.parametrize("order", [0, 1, 3])
def test_several_variables(order: int) -> None:
    p = ad.taylor(surface, CENTER, order)
    rng = np.random.default_rng(order)
    points = CENTER + rng.uniform(-0.3, 0.3, (2, 3, 2))
    true = surface_errors(order, points.reshape(-1, 2))
    bounds = p.remainder_bound(points)
    assert bounds.shape == (2, 3, 2) and p.remainder_bound(points[0, 0]).shape == (2,)
    np.testing.assert_allclose(p.remainder_bound(points[0, 0]), bounds[0, 0], rtol=1e-12)
    for errs, found in zip(true, bounds.reshape(-1, 2), strict=True):
        assert all(e <= float(b) for e, b in zip(errs, found, strict=True))
    assert np.all(bounds.reshape(-1, 2) <= 1.2 * np.array(true, float) + 1e-3 * bounds.max())


def test_a_box() -> None:
    p = ad.taylor(surface, CENTER, 2)
    corners = CENTER + 0.2 * np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]])
    worst = np.max(np.array(surface_errors(2, corners), float), axis=0)
    whole = p.remainder_bound(radius=0.2)
    inside = p.remainder_bound(CENTER + np.random.default_rng(0).uniform(-0.2, 0.2, (50, 2)))
    assert whole.shape == (2,) and np.all(inside <= whole) and np.all(worst <= whole)
    assert np.all(whole <= 3 * worst)
    flat = p.remainder_bound(radius=[0.2, 0.0])
    assert np.all(flat < whole)
    assert np.all(p.remainder_bound(CENTER + np.array([0.2, 0.0])) <= flat)
    assert np.all(p.remainder_bound(radius=0.0) == 0)


def test_a_radius_in_one_variable() -> None:
    p = ad.taylor(np.log, 1.0, 3)
    both = [p.remainder_bound(x) for x in (0.5, 1.5)]
    found = p.remainder_bound(radius=0.5)
    assert max(both) <= found <= 1.02 * max(both)
    assert p.remainder_bound(radius=1.0) == np.inf


def test_h2_is_exact_from_degree_3_on() -> None:
    def bivariate(v: Any) -> Any:
        x, y = v
        return x**2 + 2 * x * y + y**3

    center, x = np.array([1.0, 2.0]), np.array([-0.7, 3.1])
    assert ad.taylor(bivariate, center, 3).remainder_bound(x) == 0
    assert ad.taylor(bivariate, center, 3).remainder_bound(radius=10.0) == 0
    # Degree 2 leaves (y − 2)³ out.
    assert ad.taylor(bivariate, center, 2).remainder_bound(x) == pytest.approx(1.1**3, rel=1e-14)
    assert ad.taylor(bivariate, center, 2).remainder_bound(radius=2.0) == pytest.approx(8)


# -- cutting into pieces --------------------------------------------------------------------------


def test_more_pieces_come_closer() -> None:
    f, g, center, _ = FUNCTIONS["worked"]
    p, x = ad.taylor(f, center, 3), center + 0.35
    (true,) = errors(g, center, 3, [x])
    excess = [float(p.remainder_bound(x, pieces=n) / true) - 1 for n in (1, 2, 4, 8, 16, 32)]
    assert all(e >= 0 for e in excess)
    assert all(b <= a for a, b in pairwise(excess)), excess
    assert excess[0] > 0.5 and excess[-1] < 0.1, excess


def test_it_is_no_larger_than_lagrange() -> None:
    for order in (2, 5, 9):
        p = ad.taylor(np.exp, 0.0, order)
        lagrange = np.exp(2.0) * 2.0 ** (order + 1) / float(mp.factorial(order + 1))
        assert p.remainder_bound(2.0) < lagrange
        assert p.remainder_bound(radius=2.0) < lagrange


# -- what has no enclosure, and other misuse ------------------------------------------------------


def has_no_row(v: Any) -> Any:
    return np.linalg.pinv(np.reshape(v, (2, 2)))[0, 1]


P = ad.taylor(np.sin, 0.3, 6)
Q = ad.taylor(lambda v: np.sin(v[0]) * v[1], CENTER, 2)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ad.taylor(has_no_row, np.array([1.0, 2, 3, 1]), 1).remainder_bound(np.zeros(4)),
         MissingRuleError, r"no enclosure of pinv\.\n.*linalg\.pinv.*\n.*remainder_estimate"),
        (lambda: ad.taylor(lambda x: ad.stop_gradient(x) * x, 1.0, 1).remainder_bound(2.0),
         MissingRuleError, "stop_gradient: the polynomial is not made of the function's own"),
        (lambda: ad.taylor(lambda x: np.abs(np.exp(1j * x)), 1.0, 1).remainder_bound(2.0),
         MissingRuleError, "an enclosure is one of real numbers"),
        (lambda: ad.vmap(lambda a: ad.taylor(lambda x: np.sin(a * x), 1.0, 1)
                         .remainder_bound(2.0))(np.ones(2)),
         MissingRuleError, "needs the values of all constants"),
        (lambda: P.remainder_bound(), ArgumentError, "either points x or radius="),
        (lambda: P.remainder_bound(1.0, radius=1.0), ArgumentError, "either points x or radius="),
        (lambda: P.remainder_bound(radius=1.0, rounding=True), ArgumentError,
         "points for rounding"),
        (lambda: P.remainder_bound(1.0, pieces=0), ArgumentValueError, "got pieces=0"),
        (lambda: P.remainder_bound(radius=-1.0), ArgumentValueError, r"radius ≥ 0.*got -1\.0"),
        (lambda: Q.remainder_bound(radius=np.ones((3, 2))), ArgumentValueError, "one per variable"),
        (lambda: ad.grad(lambda x: P.remainder_bound(x))(1.0), ArgumentError, "plain real numbers"),
        (lambda: ad.taylor(lambda x: (x, x), 0.3, 1).remainder_bound(1.0), ArgumentError,
         "return one array"),
    ],
)  # fmt: skip
def test_messages(call: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        call()


# -- a wrong row is caught ------------------------------------------------------------------------


def _plant(name: str, wrong: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    right = elementary.ROWS[name]
    monkeypatch.setitem(elementary.ROWS, name, lambda run, *x: wrong(right(run, *x), *x))


WRONG: dict[str, tuple[str, Any]] = {
    "sin": ("sin", lambda y, x: type(y)(y.lo * 0.9, y.hi * 0.9)),
    "exp": ("exp", lambda y, x: type(y)(y.lo, y.lo)),
    "x log x": ("add", lambda y, a, b: type(y)(y.lo, (y.lo + y.hi) / 2)),
    "runge": ("divide", lambda y, a, b: type(y)(a.lo / b.hi, a.lo / b.hi)),
    "worked": ("multiply", lambda y, a, b: type(y)(a.lo * b.lo, a.lo * b.lo)),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_row_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _plant(*WRONG[name], monkeypatch)
    with pytest.raises(AssertionError):
        test_never_below_the_error_and_close_to_it(name)
