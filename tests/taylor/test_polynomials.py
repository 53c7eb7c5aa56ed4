"""TaylorPolynomial: coefficients, tensors, evaluation, arithmetic, and how good it is."""

import math
from typing import Any

import mpmath
import numpy as np
import pytest
from scipy import special

import adjoint as ad
from adjoint.errors import ArgumentError, ArgumentValueError, ShapeMismatchError


def some(value: Any) -> Any:
    """A value of which the type checker knows nothing."""
    return value


def bivariate(v: Any) -> Any:
    x, y = v
    return x**2 + 2 * x * y + y**3


CENTER = np.array([1.0, 2.0])


def test_a4_one_variable() -> None:
    p = ad.taylor(lambda x: np.sin(x) + np.cos(x), 0.0, 5)
    signs = (1, 1, -1, -1, 1, 1)
    assert [float(c) for c in p.coefficients] == pytest.approx(
        [s / math.factorial(k) for k, s in enumerate(signs)], rel=1e-15
    )
    q = ad.taylor(lambda x: x**4, 1.0, 4)
    assert [float(c) for c in q.coefficients] == [1, 4, 6, 4, 1]
    assert float(q(3.0)) == 81.0
    assert [float(t) for t in q.tensors] == [1, 4, 12, 24, 24]


def test_h1_the_linearisation_is_a_callable() -> None:
    f: Any = lambda v: np.exp(v[0]) * v[1]  # noqa: E731
    x = np.array([1.1, 1.8])
    found = ad.taylor(f, CENTER, 1)(x)
    assert found == pytest.approx(f(CENTER) + ad.grad(f)(CENTER) @ (x - CENTER))


def test_h2_several_variables() -> None:
    p = ad.taylor(bivariate, CENTER, 3)
    value, gradient, hessian, third = p.tensors
    assert float(value) == 13.0
    np.testing.assert_array_equal(gradient, [6, 14])
    np.testing.assert_array_equal(hessian, [[2, 2], [2, 12]])
    expected = np.zeros((2, 2, 2))
    expected[1, 1, 1] = 6
    np.testing.assert_array_equal(third, expected)
    x = np.array([-0.7, 3.1])
    d = x - CENTER
    contracted = (
        13 + gradient @ d + d @ hessian @ d / 2 + np.einsum("ijk,i,j,k", third, d, d, d) / 6
    )
    assert p(x) == pytest.approx(contracted, rel=1e-14) == pytest.approx(bivariate(x))
    along = p.along(d)
    assert [float(c) for c in along] == pytest.approx(
        [13, gradient @ d, d @ hessian @ d / 2, d[1] ** 3], rel=1e-13
    )
    assert p.convergence_order() == math.inf
    assert p.truncate(2).order == 2 and float(p.truncate(0)(x)) == 13.0


def test_no_tensor_is_formed() -> None:
    n = 60
    p = ad.taylor(lambda x: np.exp(np.sum(x) / n), np.zeros(n), 9)
    assert float(p(np.full(n, 0.5))) == pytest.approx(np.exp(0.5), rel=1e-9)
    assert p._tensors is None


def test_arrays_of_points() -> None:
    p = ad.taylor(np.exp, 0.2, 4)
    xs = np.linspace(-1, 1, 6).reshape(2, 3)
    np.testing.assert_allclose(p(xs), [[float(p(x)) for x in row] for row in xs], rtol=1e-15)
    q = ad.taylor(lambda v: np.stack([np.sin(v[0] * v[1]), v[1] ** 2]), CENTER, 4)
    points = np.random.default_rng(0).normal(size=(2, 3, 2))
    every = q(points)
    assert every.shape == (2, 3, 2)
    np.testing.assert_allclose(every[1, 2], q(points[1, 2]), rtol=1e-13)
    assert q(points[:0]).shape == (0, 3, 2)
    branching = ad.taylor(lambda v: v[0] ** 2 if v[1] > 0 else v[0], CENTER, 2)
    np.testing.assert_allclose(branching(points), points[..., 0] ** 2, atol=1e-12)
    vector = ad.taylor(lambda x: np.stack([np.sin(x), np.cos(x)]), 0.0, 7)
    np.testing.assert_allclose(vector(xs), np.stack([np.sin(xs), np.cos(xs)], -1), atol=3e-5)


SIN, COS = ad.taylor(np.sin, 0.3, 6), ad.taylor(np.cos, 0.3, 6)


@pytest.mark.parametrize(
    ("found", "f"),
    [
        (SIN + COS, lambda x: np.sin(x) + np.cos(x)),
        (SIN - COS, lambda x: np.sin(x) - np.cos(x)),
        (SIN * COS, lambda x: np.sin(x) * np.cos(x)),
        (SIN / COS, np.tan),
        (2 + SIN * 3 - 1, lambda x: 1 + 3 * np.sin(x)),
        (1 - SIN, lambda x: 1 - np.sin(x)),
        (1 / COS, lambda x: 1 / np.cos(x)),
        (-SIN, lambda x: -np.sin(x)),
        (SIN / 2.0, lambda x: np.sin(x) / 2),
        (SIN**3, lambda x: np.sin(x) ** 3),
        (COS**-2, lambda x: np.cos(x) ** -2.0),
        (SIN**0, lambda x: 1 + 0 * x),
        (SIN.derivative(), np.cos),
    ],
)
def test_arithmetic(found: Any, f: Any) -> None:
    wanted = ad.taylor(f, 0.3, found.order).coefficients
    np.testing.assert_allclose(found.coefficients, wanted, rtol=1e-12, atol=1e-15)
    assert float(found.function(0.4)) == pytest.approx(float(f(0.4)))
    assert np.isfinite(found.remainder_estimate(0.4))


def test_arithmetic_in_several_variables() -> None:
    p = ad.taylor(bivariate, CENTER, 3)
    q = ad.taylor(lambda v: np.exp(v[0]) * v[1], CENTER, 2)
    x = np.array([1.2, 1.9])
    product = p * q
    assert product.order == 2
    direct = ad.taylor(lambda v: bivariate(v) * np.exp(v[0]) * v[1], CENTER, 2)
    assert float(product(x)) == pytest.approx(float(direct(x)), rel=1e-13)
    assert float((2 * p - 1)(x)) == pytest.approx(2 * float(p(x)) - 1)
    slope = p.derivative()
    np.testing.assert_allclose(slope(x), ad.grad(bivariate)(x), rtol=1e-13)


def test_integral_and_derivative() -> None:
    back = SIN.integral(5.0)
    assert back.order == 7 and float(back.coefficients[0]) == 5.0
    np.testing.assert_allclose(back.derivative().coefficients, SIN.coefficients, rtol=1e-15)
    erf = ad.taylor(lambda x: np.exp(-(x**2)), 0.0, 20).integral() * (2 / math.sqrt(math.pi))
    assert float(erf(0.5)) == pytest.approx(math.erf(0.5), rel=1e-10)
    with pytest.raises(ArgumentError, match="an integral is known by its coefficients only"):
        back.remainder_estimate(1.0)


def test_h3_how_good_it_is() -> None:
    for n in (1, 2, 3, 4):
        assert ad.taylor(np.exp, 0.0, n).convergence_order() == pytest.approx(n + 1, abs=0.1)
    p = ad.taylor(np.sin, 0.0, 5)
    for t in (-1.0, 0.3, 2.0):
        assert abs(np.sin(t) - p(t)) <= p.remainder_bound(t) < abs(t) ** 6 / 720
    q = ad.taylor(np.exp, 0.0, 5)
    xs = np.array([0.05, -0.1])
    np.testing.assert_allclose(q.remainder_estimate(xs), np.abs(np.exp(xs) - q(xs)), rtol=0.05)
    r = ad.taylor(bivariate, CENTER, 2)
    x = np.array([1.1, 2.3])
    error = abs(bivariate(x) - r(x))
    assert float(r.remainder_estimate(x)) == pytest.approx(error) == pytest.approx(0.3**3)
    assert float(r.remainder_bound(x)) == pytest.approx(error)
    np.testing.assert_allclose(r.remainder_estimate(np.stack([x, CENTER])), [0.027, 0.0])
    s = ad.taylor(lambda v: np.sin(v[0]) * v[1], CENTER, 2)
    steps = [2.0**-k for k in range(5, 11)]
    assert s.convergence_order(np.array([1.0, -1.0]), steps) == pytest.approx(3, abs=0.1)


@pytest.mark.parametrize("order", range(7))
def test_the_order_of_convergence_is_measured(order: int) -> None:
    functions: list[tuple[Any, float]] = [
        (np.exp, 0.3), (np.sin, 0.4), (np.cos, 1.0), (np.log1p, 0.5), (np.sqrt, 1.0),
        (np.cosh, 0.8), (special.gamma, 3.0), (lambda x: 1 / (2 + x), 0.0), (lambda x: x**x, 1.2),
    ]  # fmt: skip
    for f, x in functions:
        found = ad.taylor(f, x, order).convergence_order()
        assert found == pytest.approx(order + 1, abs=0.1)
    v = np.array([1.0, -0.5])
    surface = ad.taylor(lambda u: np.exp(u[0]) / (2 + u[1]), CENTER, order)
    assert surface.convergence_order(v) == pytest.approx(order + 1, abs=0.1)


mp = mpmath.mp.clone()
mp.dps = 60

TWENTY: dict[str, tuple[Any, Any, tuple[float, ...]]] = {
    "sin": (np.sin, mp.sin, (0.3, 1.1, 2.5)),
    "exp": (np.exp, mp.exp, (-2.0, 0.3)),
    "tanh": (np.tanh, mp.tanh, (0.3, 1.0, 2.0)),
    "1/(1 + x²)": (lambda x: 1 / (1 + x**2), lambda x: 1 / (1 + x * x), (0.0, 0.3, 2.0)),
    "xˣ": (lambda x: x**x, lambda x: x**x, (0.5, 1.0, 2.0)),
    "log": (np.log, mp.log, (0.5, 2.0)),
    "erf": (special.erf, mp.erf, (0.2, 1.0, 2.0)),
    "gamma": (special.gamma, mp.gamma, (2.5,)),
    "x^2.5": (lambda x: x**2.5, lambda x: x ** mp.mpf(2.5), (1.7,)),
}  # fmt: skip


@pytest.mark.parametrize("name", TWENTY)
def test_the_twentieth_derivative_is_exact_to_rounding(name: str) -> None:
    f, g, points = TWENTY[name]
    for x in points:
        with mp.workdps(100):  # mpmath takes differences
            exact = mp.taylor(g, mp.mpf(x), 20)[20] * mp.factorial(20)
        found = mp.mpf(float(ad.derivative(f, 20)(x)))
        assert abs(found / exact - 1) <= 2e-14, (x, found, exact)


def test_high_degrees_have_an_order_too() -> None:
    """At the usual steps their errors are rounding, which is no sign of an exact polynomial."""
    for n in (9, 12, 20):
        assert ad.taylor(np.exp, 0.0, n).convergence_order() == pytest.approx(n + 1, abs=0.5)
    square = ad.taylor(lambda x: (x**2 + 1) ** 2, 0.3, 4)
    assert square.convergence_order() == math.inf
    assert square.convergence_order(steps=[0.1, 0.2]) == math.inf


def test_the_estimate_is_the_next_term_that_is_not_zero() -> None:
    odd = ad.taylor(np.sin, 0.0, 5)
    xs = np.array([0.1, 0.0, 0.4])
    np.testing.assert_allclose(odd.remainder_estimate(xs), np.abs(xs) ** 7 / 5040, rtol=1e-14)
    np.testing.assert_allclose(ad.grad(odd.remainder_estimate)(0.3), 0.3**6 / 720, rtol=1e-14)
    both = ad.taylor(lambda v: np.cos(v[0] + v[1]), np.zeros(2), 2)
    assert float(both.remainder_estimate(np.array([0.1, 0.2]))) == pytest.approx(0.3**4 / 24)
    mixed = ad.taylor(lambda x: np.stack([np.sin(x), np.cos(x)]), 0.0, 2)
    np.testing.assert_allclose(mixed.remainder_estimate(0.1), [0.1**3 / 6, 0.1**4 / 24])


def test_powers_of_numpy_integers() -> None:
    assert (SIN ** np.int64(2)).coefficients == (SIN**2).coefficients


def test_data_for_a_picture() -> None:
    x, f, p = SIN.plot_data(0.0, 1.0, 11)
    np.testing.assert_allclose(f, np.sin(x))
    np.testing.assert_allclose(p, SIN(x))
    assert SIN.plot_data()[0][[0, -1]] == pytest.approx([-2.7, 3.3])


def test_precision_and_traced_centres() -> None:
    p = ad.taylor(np.exp, np.float32(0.5), 3)
    assert {c.dtype for c in p.coefficients} == {np.dtype(np.float32)}
    assert p(0.75).dtype == np.float32 and p(np.float64(0.75)).dtype == np.float64
    moved = ad.derivative(lambda c: ad.taylor(np.sin, c, 3)(1.0))(0.3)
    # d/dc of the polynomial around c is f⁽ⁿ⁺¹⁾(c) (x − c)ⁿ/n!.
    assert float(moved) == pytest.approx(np.sin(0.3) * 0.7**3 / 6)
    assert float(ad.grad(SIN)(0.5)) == pytest.approx(float(SIN.derivative()(0.5)))


def test_text() -> None:
    assert repr(ad.taylor(np.exp, 0.0, 2)) == "TaylorPolynomial(1 + x + 0.5 x²)"
    assert repr(ad.taylor(bivariate, CENTER, 2)) == "TaylorPolynomial(order=2, center=f64[2])"
    text = ad.taylor(bivariate, CENTER, 2).formula(["x", "y"])
    assert text == "13 + 6 (x - 1) + 14 (y - 2) + (x - 1)² + 2 (x - 1) (y - 2) + 6 (y - 2)²"


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ad.taylor(np.sin, 0.0, some(2.5)), ArgumentError, r"integer order; got 2\.5"),
        (lambda: ad.taylor(np.sin, 0.0, -1), ArgumentValueError, "at least 0; got -1"),
        (lambda: ad.taylor(some(3), 0.0, 1), ArgumentError, r"x0, order\) needs a function"),
        (lambda: ad.taylor(bivariate, CENTER, 2).coefficients, ArgumentError, "of one number"),
        (lambda: ad.taylor(bivariate, CENTER, 2).along([1.0]), ShapeMismatchError, "direction"),
        (lambda: ad.taylor(bivariate, CENTER, 2).along(np.ones(3)), ShapeMismatchError, r"f64.3."),
        (lambda: ad.taylor(bivariate, CENTER, 2)(np.ones(3)), ShapeMismatchError, r"shape \(2,\)"),
        (lambda: ad.taylor(lambda x: (x, x), 0.0, 2).coefficients, ArgumentError, "one array"),
        (lambda: SIN + ad.taylor(np.sin, 0.0, 2), ArgumentValueError, r"p \+ q .* one centre"),
        (lambda: 1 / ad.taylor(np.sin, 0.0, 2), ArgumentValueError, "not zero at the centre"),
        (lambda: SIN ** some(0.5), ArgumentError, r"integer n; got 0\.5"),
        (lambda: SIN.truncate(7), ArgumentValueError, "degree of 0 to 6; got 7"),
        (lambda: SIN.truncate(True), ArgumentError, "integer degree; got True"),
        (lambda: ad.taylor(bivariate, CENTER, 2).remainder_bound(np.ones(3)), ShapeMismatchError,
         r"needs points of shape \(2,\)"),
        (lambda: ad.taylor(bivariate, CENTER, 2) / ad.taylor(lambda v: v[0] - 1, CENTER, 2),
         ArgumentValueError, r"p / q needs a q that is not zero at the centre; it is 0\.0"),
        (lambda: SIN.convergence_order(steps=[0.1]), ArgumentValueError,
         r"two steps .* more than rounding; got 1 steps, the largest 0\.1\.\n.*larger ones"),
        (lambda: SIN.convergence_order(0.0), ArgumentValueError, "a direction that is not zero"),
        (lambda: ad.taylor(bivariate, CENTER, 2).convergence_order(np.ones(3)), ShapeMismatchError,
         r"direction like the centre, f64\[2\]; got f64\[3\]"),
        (lambda: ad.taylor(bivariate, CENTER, 2).plot_data(), ArgumentError, "one number"),
        (lambda: ad.taylor(bivariate, CENTER, 2).integral(), ArgumentError, "one number"),
        (lambda: ad.taylor(bivariate, CENTER, 0).derivative(), ArgumentValueError, "degree 1"),
    ],
)  # fmt: skip
def test_messages(call: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_other_operands_are_refused() -> None:
    with pytest.raises(TypeError):
        SIN + "x"
