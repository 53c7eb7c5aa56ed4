"""Enclosures: every row holds at every point of its intervals, and constants are what they mean."""

from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
from scipy import special as scipy_special

from adjoint.enclosure import elementary, special
from adjoint.enclosure.interval import Interval, add, divide, multiply, square, subtract, summed
from adjoint.enclosure.refusals import Refusals
from adjoint.enclosure.walk import constant
from adjoint.graph.registry import PRIMITIVES
from adjoint.primitives.sinc import sinc_derivative

COUNT = 400

SPECIAL: dict[str, tuple[Any, tuple[float, float]]] = {
    "erf": (scipy_special.erf, (-4.0, 4.0)),
    "erfc": (scipy_special.erfc, (-2.0, 12.0)),
    "ndtr": (scipy_special.ndtr, (-12.0, 4.0)),
    "gamma": (scipy_special.gamma, (0.1, 20.0)),
    "gammaln": (scipy_special.gammaln, (0.1, 20.0)),
    "psi": (scipy_special.psi, (0.1, 20.0)),
    "polygamma_1": (lambda x: scipy_special.polygamma(1, x), (0.1, 20.0)),
    "polygamma_4": (lambda x: scipy_special.polygamma(4, x), (0.1, 20.0)),
    "j0": (scipy_special.j0, (-30.0, 30.0)),
    "j1": (scipy_special.j1, (-30.0, 30.0)),
    "i0": (scipy_special.i0, (-6.0, 6.0)),
    "i1": (scipy_special.i1, (-6.0, 6.0)),
    "k0": (scipy_special.k0, (0.1, 9.0)),
    "k1": (scipy_special.k1, (0.1, 9.0)),
    "sinc": (np.sinc, (-4.0, 4.0)),
    "sinc_3": (lambda x: sinc_derivative(3, x), (-4.0, 4.0)),
}


def intervals(domain: Any, rng: np.random.Generator, wide: bool) -> list[Interval]:
    """Intervals inside a domain: of any width, or short ones."""
    found = []
    for low, high in domain:
        a, b = rng.uniform(low, high, (2, COUNT))
        if not wide:
            b = np.clip(a + rng.uniform(-1, 1, COUNT) * 10.0 ** rng.uniform(-16, -1, COUNT),
                        low, high)  # fmt: skip
        found.append(Interval(np.minimum(a, b), np.maximum(a, b)))
    return found


def assert_encloses(row: Any, function: Any, domain: Any, seed: int = 0) -> None:
    rng = np.random.default_rng(seed)
    for wide in (True, False):
        operands = intervals(domain, rng, wide)
        run = Refusals(COUNT)
        with np.errstate(all="ignore"):
            found = row(run, *operands)
            for part in [*rng.random(20), 0.0, 1.0]:
                points = [np.clip(x.lo + part * (x.hi - x.lo), x.lo, x.hi) for x in operands]
                y = function(*points)
                holds = (found.lo <= y) & (y <= found.hi) | run.flags
                assert np.all(holds), [p[~holds] for p in points]
        assert not np.all(run.flags)


@pytest.mark.parametrize("name", sorted(elementary.ROWS))
def test_a_row_encloses_the_function(name: str) -> None:
    primitive: Any = PRIMITIVES[name]
    domain = primitive.domain
    if name in ("bitwise_and", "bitwise_or", "bitwise_xor", "invert"):
        return  # of truth values: below
    assert_encloses(elementary.ROWS[name], primitive.evaluate, domain)


@pytest.mark.parametrize("name", SPECIAL)
def test_a_row_of_a_special_function_encloses_it(name: str) -> None:
    function, domain = SPECIAL[name]
    row = special.row_of(name)
    assert row is not None
    assert_encloses(row, function, (domain,))


@pytest.mark.parametrize(
    ("name", "order", "domain"),
    [("jv", n, (-20.0, 20.0)) for n in (-2.0, 0.0, 1.0, 5.0)]
    + [("iv", n, (-6.0, 6.0)) for n in (-3.0, 0.0, 1.0, 2.0)]
    + [("iv", 0.5, (0.1, 6.0)), ("kv", -1.0, (0.1, 9.0)), ("kv", 2.5, (0.1, 9.0))],
)
def test_bessel_functions_of_an_order(name: str, order: float, domain: Any) -> None:
    row, function = special.row_of(name), getattr(scipy_special, name)
    assert row is not None
    known = Interval(np.full(1, order), np.full(1, order))
    assert_encloses(lambda run, x: row(run, known, x), lambda x: function(order, x), (domain,))


def test_bessel_functions_of_other_orders_have_no_enclosure() -> None:
    x = Interval(np.ones(1), np.ones(1) + 1)
    for name, lo, hi in (("jv", 0.5, 0.5), ("jv", 1.0, 2.0), ("iv", -0.5, -0.5), ("kv", 1.0, 2.0)):
        run, row = Refusals(1), special.row_of(name)
        assert row is not None
        row(run, Interval(np.full(1, lo), np.full(1, hi)), x)
        assert run.flags.all(), name


def test_even_and_odd_powers() -> None:
    for n in (-3.0, -2.0, 0.0, 2.0, 3.0, 7.0):
        one = Interval(np.full(1, n), np.full(1, n))
        assert_encloses(lambda run, x, n=one: elementary.ROWS["power"](run, x, n),
                        lambda x, n=n: x**n, ((-2.0, 2.0),))  # fmt: skip


def test_large_angles() -> None:
    for name in ("sin", "cos"):
        assert_encloses(elementary.ROWS[name], getattr(np, name), ((-1e4, 1e4),))
        assert_encloses(elementary.ROWS[name], getattr(np, name), ((1e15, 1e17),))


WRONG: dict[str, Any] = {
    "sin": lambda run, x: Interval(np.minimum(np.sin(x.lo), np.sin(x.hi)),
                                   np.maximum(np.sin(x.lo), np.sin(x.hi))),
    "square": lambda run, x: Interval(np.minimum(x.lo**2, x.hi**2), np.maximum(x.lo**2, x.hi**2)),
    "exp": lambda run, x: Interval(np.exp(x.hi), np.exp(x.hi)),
    "cosh": lambda run, x: Interval(np.cosh(x.lo), np.cosh(x.hi)),
    "multiply": lambda run, a, b: Interval(a.lo * b.lo, a.hi * b.hi),
    "power": lambda run, x, n: Interval(x.lo**n.lo, x.hi**n.hi),
    "x_log_x": lambda run, x: Interval(x.lo * np.log(x.lo), x.hi * np.log(x.hi)),
    "greater": lambda run, a, b: Interval(a.lo > b.lo, a.hi > b.hi),
    "absolute": lambda run, x: Interval(np.abs(x.lo), np.abs(x.hi)),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_row_is_caught(name: str) -> None:
    primitive: Any = PRIMITIVES[name]
    with pytest.raises(AssertionError):
        assert_encloses(WRONG[name], primitive.evaluate, primitive.domain)


def test_arithmetic_rounds_outward() -> None:
    """Against exact fractions: no end is on the wrong side, and exact sums stay exact."""
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, COUNT)) * 10.0 ** rng.integers(-8, 8, (2, COUNT))
    one, two = Interval(a, a), Interval(b, b)
    fractions = [(Fraction(x), Fraction(y)) for x, y in zip(a, b, strict=True)]
    for found, exact in (
        (add(one, two), [x + y for x, y in fractions]),
        (subtract(one, two), [x - y for x, y in fractions]),
        (multiply(one, two), [x * y for x, y in fractions]),
        (divide(one, two), [x / y for x, y in fractions]),
        (square(one), [x * x for x, y in fractions]),
    ):
        for lo, hi, y in zip(found.lo, found.hi, exact, strict=True):
            assert Fraction(lo) <= y <= Fraction(hi)
    whole = add(Interval(np.array([1.5]), np.array([1.5])), Interval(np.ones(1), np.ones(1)))
    assert whole.lo == whole.hi == 2.5
    rows = rng.normal(size=(50, 30)) * 10.0 ** rng.integers(-8, 8, (50, 30))
    total = summed(Interval(rows, rows), (1,))
    for lo, hi, row in zip(total.lo, total.hi, rows, strict=True):
        assert Fraction(lo) <= sum(map(Fraction, row)) <= Fraction(hi)


def test_a_long_constant_is_the_decimal_number_too() -> None:
    for text in ("0.1", "0.3333333333333333", "2.718281828459045", "-7.7e-200"):
        found = constant(float(text))
        assert Fraction(found.lo[0]) <= Fraction(text) <= Fraction(found.hi[0])
        assert found.lo < float(text) < found.hi
    for number in (0.0, 1.0, -2.5, 3e9, 0.0625):
        assert constant(number).lo == constant(number).hi == number
    third = constant(1 / 3)
    assert Fraction(third.lo[0]) < Fraction(1, 3) < Fraction(third.hi[0])


NUMPY = ["exp", "exp2", "expm1", "log", "log1p", "sin", "cos", "tan", "arcsin", "arccos", "arctan",
         "sinh", "cosh", "tanh", "arcsinh", "arccosh", "arctanh", "cbrt"]  # fmt: skip


@pytest.mark.parametrize("name", NUMPY)
def test_numpy_is_as_accurate_as_the_rows_take_it_to_be(name: str) -> None:
    mp = mpmath.mp.clone()
    mp.dps = 40
    names = {"exp2": lambda x: mp.mpf(2) ** x, "cbrt": mp.cbrt, "log1p": lambda x: mp.log(1 + x)}
    exact = names.get(name) or getattr(mp, name.replace("arc", "a"))
    function, primitive = getattr(np, name), PRIMITIVES[name]
    ((low, high),) = primitive.domain  # type: ignore[attr-defined]
    x = np.random.default_rng(2).uniform(low, high, 300)
    y = function(x)
    off = [abs(mp.mpf(float(v)) - exact(mp.mpf(float(u)))) / mp.mpf(float(np.spacing(abs(v))))
           for u, v in zip(x, y, strict=True)]  # fmt: skip
    assert max(off) <= elementary.ULPS / 2
