"""SCOPE A1 and B4: difference quotients, their convergence, and steepest ascent."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint.errors import (
    ArgumentError,
    ArgumentValueError,
    NotScalarError,
    UndefinedDerivativeError,
)


def test_the_secant_of_the_square() -> None:
    assert ad.difference_quotient(lambda x: x**2, 1, 0.5) == 2.5
    assert ad.difference_quotient(lambda x: x**2, 1, -0.5) == 1.5


def test_arrays_of_points_and_of_steps() -> None:
    found = ad.difference_quotient(lambda x: x**2, np.array([[1], [2]]), np.array([0.5, 1.0]))
    assert np.array_equal(found, [[2.5, 3.0], [4.5, 5.0]])


def test_the_error_falls_with_delta_and_rises_by_rounding() -> None:
    table = ad.convergence_table(np.sin, 1.0)
    assert abs(table.derivative - np.cos(1.0)) < 1e-16
    falling = table.errors[:7]
    assert np.allclose(falling[1:] / falling[:-1], 0.1, rtol=0.03)
    assert np.allclose(falling / table.deltas[:7], np.sin(1.0) / 2, rtol=0.03)
    assert 1e-9 <= table.best_delta <= 1e-7
    assert table.errors[-1] > 1e5 * table.errors.min()
    assert table.order == pytest.approx(1.0, abs=0.02)


def test_the_order_is_two_where_the_second_derivative_vanishes() -> None:
    deltas = [2.0**-k for k in range(1, 10)]
    assert ad.convergence_table(np.sin, 0.0, deltas).order == pytest.approx(2.0, abs=0.02)


def test_steps_grow_with_the_point() -> None:
    assert ad.convergence_table(np.log, 1e4).deltas[0] == 1e3


def test_the_table_prints_and_shows_in_notebooks() -> None:
    table = ad.convergence_table(lambda x: x**2, 1, [0.5, 0.25])
    assert str(table).splitlines() == [
        "f′(x) = 2 at x = 1",
        "   δ  difference quotient      error  error/δ",
        " 0.5             2.500000  5.000e-01        1",
        "0.25             2.250000  2.500e-01        1",
    ]
    assert table._repr_html_().count("<tr>") == 3
    assert np.isnan(table.order)


def test_a_quotient_is_differentiated_like_any_function() -> None:
    found = ad.derivative(lambda x: ad.difference_quotient(np.sin, x, 0.1))(1.0)
    assert found == pytest.approx((np.cos(1.1) - np.cos(1.0)) / 0.1, rel=1e-13)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ad.difference_quotient(3, 1.0, 0.1), ArgumentError, "needs a function; got 3."),
        (lambda: ad.difference_quotient(np.sin, 1.0, 0), ArgumentValueError, "x = 1, delta = 0."),
        (lambda: ad.difference_quotient(np.sin, 1.0, 1e-17), ArgumentValueError, "delta = 1e-17."),
        (lambda: ad.difference_quotient(lambda x: (x, x), 1.0, 0.1), ArgumentError, "d tuple."),
        (lambda: ad.convergence_table(np.sin, np.ones(2)), ArgumentError, "got f64[2]."),
        (lambda: ad.convergence_table(np.sin, 1.0, []), ArgumentValueError, "got none."),
        (lambda: ad.convergence_table(lambda x: x * np.ones(2), 1.0), NotScalarError, "f64[2]."),
        (lambda: ad.convergence_table(np.exp, 1j), NotScalarError, "one real number"),
    ],
)  # fmt: skip
def test_bad_input(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        call()


# -- steepest ascent


def test_steepest_ascent_has_the_largest_directional_derivative() -> None:
    def f(x: Any) -> Any:
        return np.sin(x[0]) * x[1] ** 2

    x = np.array([0.4, 1.5])
    best = ad.steepest_ascent(f)(x)
    assert np.linalg.norm(best) == pytest.approx(1.0, rel=1e-15)
    slope = ad.directional(f, x, best)
    assert slope == pytest.approx(np.linalg.norm(ad.grad(f)(x)), rel=1e-14)
    angles = np.linspace(0, 2 * np.pi, 37)
    around = [ad.directional(f, x, np.array([np.cos(t), np.sin(t)])) for t in angles]
    assert max(around) <= slope


def test_the_norm_is_over_all_arguments() -> None:
    a, b = ad.steepest_ascent(lambda a, b: a * b["x"], argnums=(0, 1))(3.0, {"x": 4.0})
    assert (a, b["x"]) == pytest.approx((0.8, 0.6), rel=1e-15)


def test_tiny_gradients_are_normalised_too() -> None:
    found = ad.steepest_ascent(lambda x: np.sum(x**2))(np.array([3e-200, 4e-200]))
    assert np.allclose(found, [0.6, 0.8], rtol=1e-15)


def test_steepest_ascent_is_differentiated_and_batched() -> None:
    found = ad.jacobian(ad.steepest_ascent(lambda x: 3 * x[0] + 4 * x[1] ** 2))(np.array([1, 0.5]))
    assert np.allclose(found, [[0, -0.768], [0, 0.576]], rtol=1e-13)
    points = np.array([[3.0, 4.0], [0.0, 0.0]])
    both = ad.vmap(ad.steepest_ascent(lambda x: np.sum(x**2)))(points)
    assert np.allclose(both, [[0.6, 0.8], [np.nan, np.nan]], equal_nan=True)


@pytest.mark.parametrize(
    ("f", "entry"), [(lambda x: np.sum(x**2), "0"), (lambda x: np.sum(np.sqrt(x)), "inf")]
)
def test_where_no_direction_is_the_steepest(f: Any, entry: str) -> None:
    with pytest.raises(
        UndefinedDerivativeError, match=rf"not zero; its largest entry is {entry}\."
    ):
        ad.steepest_ascent(f)(np.zeros(2))


# -- compiled


def test_what_computes_also_compiles() -> None:
    def f(x: Any) -> Any:
        return np.sin(x[0]) * x[1] ** 2

    x = np.array([0.4, 1.5])
    fast = ad.compile(ad.steepest_ascent(f))
    assert np.allclose(fast(x), ad.steepest_ascent(f)(x), rtol=1e-14)
    with pytest.raises(UndefinedDerivativeError):
        fast(np.array([0.0, 0.0]))
    quotient = ad.compile(lambda x, d: ad.difference_quotient(lambda t: t**2, x, d))
    assert quotient(1.0, 0.5) == 2.5
    composed = ad.compile(ad.chain(lambda z: 6 * z + 3, np.sin))
    assert composed(0.3) == pytest.approx(6 * np.sin(0.3) + 3, rel=1e-15)
