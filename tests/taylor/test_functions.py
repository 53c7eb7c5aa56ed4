"""The table of forty-nine functions holds, and the page in the documentation is that table."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import mpmath
import numpy as np
import pytest
from scipy import special

import adjoint as ad
from adjoint.errors import ArgumentValueError


def table() -> ModuleType:
    path = Path(__file__).resolve().parents[2] / "docs" / "taylor_functions.py"
    spec = importlib.util.spec_from_file_location("taylor_functions", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["taylor_functions"] = module
    spec.loader.exec_module(module)
    return module


TABLE = table()


def test_there_are_forty_nine() -> None:
    names = [row.name for row in TABLE.ROWS]
    assert len(names) == len(set(names)) == 49


def test_the_page_is_current() -> None:
    assert TABLE.TARGET.read_text("utf-8") == TABLE.page(), "run python docs/taylor_functions.py"


def test_a_row_that_does_not_hold_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = TABLE.Row("wrong", np.sin, 0.7, mpmath.cos)
    monkeypatch.setattr(TABLE, "ROWS", [wrong])
    with pytest.raises(AssertionError, match="wrong: its series is off by"):
        TABLE.page()


SCALARS: list[Any] = [
    (lambda x: np.exp(np.sin(x)), lambda x: mpmath.exp(mpmath.sin(x)), 0.8),
    (lambda x: np.sqrt(2 + np.cos(x)) / (1 + x**2),
     lambda x: mpmath.sqrt(2 + mpmath.cos(x)) / (1 + x**2), 0.4),
    (lambda x: np.log(1 + x**2) * np.tanh(x), lambda x: mpmath.log(1 + x**2) * mpmath.tanh(x), 0.6),
    (lambda x: np.arctan(np.exp(x)), lambda x: mpmath.atan(mpmath.exp(x)), 0.3),
    (lambda x: x**-3 + x**1.5, lambda x: x**-3 + x ** mpmath.mpf(1.5), 1.7),
    (lambda x: 2.0**x * x**x, lambda x: 2**x * x**x, 1.3),
    (np.exp2, lambda x: mpmath.mpf(2) ** x, 0.7),
    (np.log2, lambda x: mpmath.log(x, 2), 1.7),
    (np.log10, mpmath.log10, 1.7),
    (lambda x: special.jv(1.5, x), lambda x: mpmath.besselj(mpmath.mpf(1.5), x), 1.8),
    (lambda x: special.hyp2f1(0.3, 0.4, 1.2, x),
     lambda x: mpmath.hyp2f1(mpmath.mpf(0.3), mpmath.mpf(0.4), mpmath.mpf(1.2), x), 0.3),
    (special.digamma, mpmath.digamma, 2.3),
    (special.ellipk, mpmath.ellipk, 0.3),
    (special.erfcx, lambda x: mpmath.exp(x**2) * mpmath.erfc(x), 0.6),
    (np.i0, lambda x: mpmath.besseli(0, x), 0.9),
    (np.sinc, mpmath.sincpi, 1.3),
]  # fmt: skip


@pytest.mark.parametrize(("f", "witness", "x"), SCALARS)
def test_order_twelve_against_mpmath(f: Any, witness: Any, x: float) -> None:
    row = TABLE.Row("f", f, x, witness)
    assert row.error() < 1e-12


def dawson(x: Any) -> Any:
    return mpmath.sqrt(mpmath.pi) / 2 * mpmath.exp(-(x**2)) * mpmath.erfi(x)


def erfcx(x: Any) -> Any:
    return mpmath.exp(x**2) * mpmath.erfc(x)


def scaled_bessel(order: int) -> Any:
    return lambda x: mpmath.besseli(order, x) * mpmath.exp(-x)


SMALL_TERMS: list[Any] = [
    (np.expm1, mpmath.expm1, -40.0),
    *((special.dawsn, dawson, x) for x in (0.5, 3.0, 6.0, 10.0, 15.0)),
    *((special.erfcx, erfcx, x) for x in (0.0, 3.0, 7.0, 10.0, 30.0)),
    *((special.i0e, scaled_bessel(0), x) for x in (0.1, 3.0, 30.0, 100.0)),
    *((special.i1e, scaled_bessel(1), x) for x in (0.1, 3.0, 30.0, 100.0)),
    (lambda x: x**-5, lambda x: x**-5, 1e-3),
]


@pytest.mark.parametrize(("f", "witness", "x"), SMALL_TERMS)
def test_each_term_has_its_digits_however_small_it_is(f: Any, witness: Any, x: float) -> None:
    """The recurrences of these functions cancel if they are run upwards."""
    found = ad.taylor(f, x, 12).coefficients
    with mpmath.workdps(60):
        expected = [mpmath.re(c) for c in mpmath.taylor(witness, mpmath.mpf(x), 12)]
        for k, (got, wanted) in enumerate(zip(found, expected, strict=True)):
            assert abs(mpmath.mpf(float(got)) - wanted) <= 2e-12 * abs(wanted), (k, got, wanted)


def macdonald(order: int, n: int, x: float) -> Any:
    """dⁿ/dxⁿ of eˣ K_ν(x) by Leibniz' rule and neighbouring orders, in many digits."""
    with mpmath.workdps(60):
        k = [mpmath.besselk(0, x), mpmath.besselk(1, x)]
        for i in range(1, n + 1):
            k.append(k[i - 1] + 2 * i / mpmath.mpf(x) * k[i])
        return mpmath.exp(x) * sum(
            mpmath.binomial(n, j) * mpmath.binomial(j, i) * k[abs(order - j + 2 * i)] / (-2) ** j
            for j in range(n + 1) for i in range(j + 1)
        )  # fmt: skip


@pytest.mark.parametrize("x", [1e-7, 1e-3, 0.5, 3.0, 30.0, 100.0])
def test_scaled_bessel_functions_of_the_second_kind(x: float) -> None:
    for order, f in enumerate((special.k0e, special.k1e)):
        for n, term in enumerate(ad.taylor(f, x, 12).coefficients):
            expected = macdonald(order, n, x) / mpmath.factorial(n)
            assert abs(float(term) - expected) <= 1e-14 * abs(expected), (order, n)


def test_scaled_bessel_functions_at_the_ends_of_their_domain() -> None:
    slopes = ad.derivative(special.k0e)(np.array([1e-12, 0.0, np.inf, -1.0, 1e8]))
    np.testing.assert_allclose(slopes[[0, 4]], [-1e12, -((np.pi / 8) ** 0.5) * 1e-12], rtol=1e-7)
    assert slopes[1] == -np.inf and slopes[2] == 0 and np.isnan(slopes[3])


@pytest.mark.parametrize(
    ("f", "x", "expected"),
    [
        (np.exp, 0.7, np.exp(0.7)),
        (np.sin, 0.7, np.sin(0.7)),
        (np.cosh, 0.7, np.cosh(0.7)),
        (np.log, 2.0, -float(special.factorial(19)) / 2.0**20),
        (lambda x: 1 / x, 2.0, float(special.factorial(20)) / 2.0**21),
        (lambda x: np.exp(2 * x), 0.1, 2.0**20 * np.exp(0.2)),
    ],
)
def test_order_twenty_is_exact_to_rounding(f: Any, x: float, expected: float) -> None:
    assert abs(ad.derivative(f, 20)(x) - expected) <= 1e-14 * abs(expected)


def test_tanh_to_order_twenty() -> None:
    with mpmath.workdps(60):
        expected = float(mpmath.diff(mpmath.tanh, 0.7, 20))
    assert abs(ad.derivative(np.tanh, 20)(0.7) - expected) <= 1e-12 * abs(expected)


def test_edges() -> None:
    assert [float(ad.derivative(lambda x: x**2, k)(0.0)) for k in range(4)] == [0, 0, 2, 0]
    assert [float(ad.derivative(lambda x: x**3, k)(0.0)) for k in range(5)] == [0, 0, 0, 6, 0]
    assert [float(ad.derivative(lambda x: x**7, k)(2.0)) for k in (6, 7, 8)] == [10080, 5040, 0]
    assert [float(ad.derivative(np.abs, k)(0.0)) for k in (1, 2, 3)] == [0, 0, 0]
    np.testing.assert_allclose(ad.derivative(np.sinc, 2)(0.0), -(np.pi**2) / 3, rtol=1e-15)
    np.testing.assert_allclose(ad.derivative(np.sinc, 4)(0.0), np.pi**4 / 5, rtol=1e-15)
    assert [float(ad.derivative(lambda x: np.maximum(x, 0.0), k)(0.0)) for k in (1, 2)] == [0.5, 0]
    assert float(ad.derivative(lambda x: np.clip(x, -1.0, 1.0))(1.0)) == 1.0
    masked = lambda x: np.where(x > 0, np.sqrt(np.where(x > 0, x, 1.0)), 0.0)  # noqa: E731
    assert [float(ad.derivative(masked, k)(-1.0)) for k in (1, 2, 3)] == [0, 0, 0]
    unguarded = lambda x: np.where(x > 0, np.sqrt(x), 0.0)  # noqa: E731
    assert [float(ad.derivative(unguarded, k)(0.0)) for k in (1, 2, 3)] == [0, 0, 0]


@pytest.mark.parametrize("n", [1.5, 2.5, 0.5, 1 / 3])
def test_fractional_powers_at_zero(n: float) -> None:
    """Zero as long as the derivative exists, infinite from there on."""
    found = [float(ad.derivative(lambda x: x**n, k)(0.0)) for k in range(1, 5)]
    for k, value in enumerate(found, 1):
        assert value == 0.0 if k < n else np.isinf(value), (n, k, found)
    both = ad.derivative(lambda x: x**n, 2)(np.array([0.0, 1.0]))
    assert both[1] == pytest.approx(n * (n - 1))


@pytest.mark.parametrize("n", [-1, -2, -3, -6])
@pytest.mark.parametrize("x", [0.0, -0.0])
def test_a_pole_has_the_infinities_of_nested_gradients(n: int, x: float) -> None:
    def f(x: Any) -> Any:
        return (-2.0) ** 3 * x**n

    nested = f
    for k in range(1, 5):
        nested = ad.grad(nested)
        with np.errstate(all="ignore"):
            found, expected = float(ad.derivative(f, k)(x)), float(nested(x))
        assert found == expected and np.isinf(found), (k, found, expected)


def test_orders_that_do_not_fit() -> None:
    with pytest.raises(ArgumentValueError, match=r"order 171 is 171! times .* beyond float64"):
        ad.derivative(np.exp, 171)(0.0)
    with pytest.raises(ArgumentValueError, match=r"order 40 .* beyond float32.*\n.*float64"):
        ad.derivative(np.exp, 40)(np.float32(0.0))
    assert np.isfinite(ad.taylor(np.exp, 0.0, 200).coefficients[-1])
    expected = special.factorial(59) * special.zeta(60, 2.5)
    assert float(ad.derivative(special.gammaln, 60)(2.5)) == pytest.approx(expected, rel=1e-12)
