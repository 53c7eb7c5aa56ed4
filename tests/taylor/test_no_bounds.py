"""Where f has a kink, a jump, a pole or the edge of its domain, there is no remainder bound."""

from typing import Any

import numpy as np
import pytest
from scipy import special

import adjoint as ad

KINKS: dict[str, tuple[Any, float, float]] = {
    "|x| across 0": (np.abs, 1.0, -1.0),
    "|x| to 0": (np.abs, 1.0, 0.0),
    "|x| from 0": (np.abs, 0.0, 1.0),
    "|x| x²": (lambda x: np.abs(x) * x * x, 1.0, -1.0),
    "|sin x|": (lambda x: np.fabs(np.sin(x)), 1.0, 4.0),
    "relu": (lambda x: np.maximum(x, 0), -1.0, 1.0),
    "relu from 0": (lambda x: np.maximum(x, 0), 0.0, 1.0),
    "min": (lambda x: np.minimum(x, x * x), 0.5, 1.5),
    "fmax": (lambda x: np.fmax(x, -x), 0.5, -0.5),
    "clip": (lambda x: np.clip(x, 0, 1), 0.5, 1.5),
    "clip from its edge": (lambda x: np.clip(x, 0, 1), 1.0, 1.5),
    "where": (lambda x: np.where(x > 0, x, x * x), 1.0, -0.5),
    "where, a jump": (lambda x: np.where(x >= 0.25, 1.0, 0.0) + x, 0.0, 0.5),
    "where, at its edge": (lambda x: np.where(x > 0, 1.0, 0.0) + x, 0.0, 0.5),
    "a comparison as a number": (lambda x: (x > 0) * x, 1.0, -1.0),
    "both": (lambda x: np.where((x > 0) & (x < 1), x, 0.0), 0.5, 1.5),
    "branch": (lambda x: x if x > 0 else x**2, 1.0, -1.0),
    "branch far away": (lambda x: x if abs(x) < 2 else x**2, 1.0, 3.0),
    "int": (lambda x: x * int(x), 1.5, 2.5),
    "floor": (lambda x: np.floor(x) * x, 1.2, 2.1),
    "floor, backwards to its jump": (np.floor, 2.1, 1.9),
    "rint": (lambda x: np.rint(x), 1.2, 1.6),
    "sign": (lambda x: np.sign(x) * x, 0.5, -0.5),
    "remainder": (lambda x: np.remainder(x, 1.0), 0.5, 1.5),
    "fmod": (lambda x: np.fmod(x, 1.0), 0.5, 1.5),
    "floor_divide": (lambda x: np.floor_divide(x, 0.5), 0.7, 1.2),
    "copysign": (lambda x: np.copysign(x, x - 1), 2.0, 0.5),
    "heaviside": (lambda x: np.heaviside(x, 0.5), 1.0, -1.0),
    "max of an array": (lambda x: np.max(np.stack([x, x * x])), 0.5, 1.5),
    "argmax": (lambda x: np.stack([x, x * x])[np.argmax(np.stack([x, x * x]))], 0.5, 1.5),
    "sort": (lambda x: np.sort(np.stack([x, x * x]))[0], 0.5, 1.5),
    "1/x": (lambda x: 1 / x, 1.0, -1.0),
    "1/(x − ½)": (lambda x: 1 / (x - 0.5), 0.0, 1.0),
    "x^-2": (lambda x: x**-2.0, 1.0, -1.0),
    "√x": (np.sqrt, 1.0, 0.0),
    "√(x²)": (lambda x: np.sqrt(x**2), 1.0, -1.0),
    "∛x": (np.cbrt, 1.0, -1.0),
    "x^1.5": (lambda x: x**1.5, 1.0, 0.0),
    "log": (np.log, 1.0, 0.0),
    "log below": (np.log, 1.0, -0.1),
    "log1p": (np.log1p, 0.0, -1.0),
    "x log x": (lambda x: x * np.log(x), 1.0, 0.0),
    "tan": (np.tan, 0.0, 2.0),
    "arcsin": (np.arcsin, 0.0, 1.0),
    "arccosh": (np.arccosh, 2.0, 1.0),
    "arctanh": (np.arctanh, 0.0, 1.0),
    "arctan2, its cut": (lambda x: np.arctan2(x, -1.0), 1.0, -1.0),
    "hypot at 0": (lambda x: np.hypot(x, 2 * x), 1.0, -1.0),
    "norm at 0": (lambda x: np.linalg.norm(np.stack([x, 2 * x])), 1.0, -0.5),
    "gamma": (special.gamma, 1.0, -0.5),
    "cond": (lambda x: ad.cond(x > 0, np.exp, np.sin, x), 0.5, -0.5),
    "while": (lambda x: ad.while_loop(lambda c: c < 4.0, lambda c: 1.7 * c, x), 1.0, 2.0),
}  # fmt: skip


@pytest.mark.parametrize("name", KINKS)
def test_what_is_not_smooth_has_no_bound(name: str) -> None:
    f, center, x = KINKS[name]
    for order in (0, 1, 2):
        assert ad.taylor(f, center, order).remainder_bound(x) == np.inf, (name, order)


@pytest.mark.parametrize(
    "name", ["|x| across 0", "where", "branch", "floor", "1/x", "sort", "cond"]
)
def test_what_is_smooth_up_to_the_point_has_one(name: str) -> None:
    f, center, x = KINKS[name]
    near = center + 0.1 * (x - center)
    p = ad.taylor(f, center, 2)
    found = p.remainder_bound(near, rounding=True)
    assert abs(float(f(np.float64(near))) - float(p(near))) <= found < 0.1


def test_overflow_is_no_bound() -> None:
    assert ad.taylor(lambda x: np.exp(x**2), 1.0, 2).remainder_bound(40.0) == np.inf
    assert ad.taylor(np.sin, 0.0, 3).remainder_bound(np.inf) == np.inf
    assert ad.taylor(np.sin, 0.0, 3).remainder_bound(np.nan) == np.inf


def test_at_the_centre_the_error_is_zero_where_there_is_a_polynomial() -> None:
    assert ad.taylor(np.sin, 0.3, 2).remainder_bound(0.3) == 0
    assert ad.taylor(np.sqrt, 0.0, 2).remainder_bound(0.0) == np.inf


# -- random functions with kinks ------------------------------------------------------------------

ONE: list[Any] = [
    np.sin, np.exp, np.abs, np.floor, np.cbrt, lambda u: np.maximum(u, 0.3), lambda u: u**3,
    lambda u: np.where(u > 0.2, u * u, u), lambda u: np.clip(u, -0.5, 0.8),
    lambda u: 1 / (u + 0.7), lambda u: np.log(u + 1.5), lambda u: (u > 0) * u * u,
    lambda u: u if u > 0.1 else np.sin(u), lambda u: np.remainder(u, 0.7),
    lambda u: np.sort(np.stack([u, u * u, 0.3 + 0 * u]))[1], lambda u: (u + 1.5) ** u,
    lambda u: np.max(np.stack([u, -u, u * u])), lambda u: np.linalg.norm(np.stack([u, u - 0.4])),
    lambda u: np.where(np.abs(u) < 1e-3, 1.0, np.sin(u) / np.where(np.abs(u) < 1e-3, 1.0, u)),
]  # fmt: skip
TWO: list[Any] = [
    np.add, np.multiply, np.minimum, np.hypot, np.arctan2, lambda u, v: u / (2 + v * v),
    lambda u, v: np.where(u > v, u, v * v), lambda u, v: np.where((u > 0) & (v > 0), u * v, 0.0),
]  # fmt: skip


def random_function(rng: np.random.Generator, depth: int) -> Any:
    if depth == 0:
        return lambda x: x
    f = random_function(rng, depth - 1)
    if rng.random() < 0.65:
        one = ONE[rng.integers(len(ONE))]
        return lambda x: one(f(x))
    two, g = TWO[rng.integers(len(TWO))], random_function(rng, depth - 1)
    return lambda x: two(f(x), g(x))


def test_random_functions_with_kinks() -> None:
    """What is finite is no smaller than the error, beyond what rounding makes of that."""
    finite = infinite = 0
    for seed in range(150):
        rng = np.random.default_rng(seed)
        f, order = random_function(rng, int(rng.integers(1, 4))), int(rng.integers(0, 5))
        center = float(np.round(rng.uniform(-1, 1), int(rng.integers(0, 3))))
        points = center + np.round(rng.uniform(-1, 1, 3), 1) * (0.3 if seed % 2 else 1.0)
        with np.errstate(all="ignore"):
            p = ad.taylor(f, center, order)
            bounds = p.remainder_bound(points)
            size = 1 + sum(np.abs(c) for c in p.coefficients)
            for x, bound in zip(points, bounds, strict=True):
                if np.isinf(bound):
                    infinite += 1
                    continue
                finite += 1
                assert abs(f(np.float64(x)) - p(x)) <= bound * (1 + 1e-9) + 1e-11 * size, seed
    assert finite > 100 < infinite
