"""SCOPE B3 and C4: compositions, the shapes of their Jacobians, and functions that do not fit."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint.errors import ArgumentError, ShapeMismatchError

A = np.arange(12.0).reshape(4, 3) / 10


def product(x: Any) -> Any:
    return x[0] * x[1]


def inner(p: Any) -> Any:
    s, t = p
    return np.array([t**2 + 2 * s, 3 * s * t])


def layer(x: Any) -> Any:
    return np.tanh(A @ x)


def gram(r: Any) -> Any:
    return r.T @ r


def triple(x: Any) -> Any:
    a, b, c = x
    return np.array([a * b, c])


def test_the_chain_rule_of_two_variables() -> None:
    p = np.array([0.4, 1.1])
    s, t = p
    report = ad.dimension_report(product, inner)(p)
    assert [f.shape for f in report.factors] == ["1×2", "2×2"]
    assert report.shape == "1×2"
    expected = [
        6 * s * t + 3 * t * (t**2 + 2 * s),
        6 * s * t**2 + 3 * s * (t**2 + 2 * s),
    ]
    assert np.allclose(report.product, expected, rtol=1e-14)
    assert np.allclose(ad.grad(ad.chain(product, inner))(p), expected, rtol=1e-14)


def test_a_curve_gives_a_column_and_the_product_a_number() -> None:
    report = ad.dimension_report(
        lambda x: x[0] ** 2 + 2 * x[1], lambda t: np.array([np.sin(t), np.cos(t)])
    )(0.9)
    assert [f.shape for f in report.factors] == ["1×2", "2×1"]
    assert report.shape == "1×1"
    assert report.product == pytest.approx(2 * np.sin(0.9) * (np.cos(0.9) - 1), rel=1e-14)
    assert "λ" in str(report)


def test_matrices_on_the_way() -> None:
    r = np.arange(6.0).reshape(3, 2)
    report = ad.dimension_report(np.trace, gram)(r)
    assert [f.shape for f in report.factors] == ["1×(2×2)", "(2×2)×(3×2)"]
    assert report.shape == "1×(3×2)"
    assert np.allclose(report.product, 2 * r, rtol=1e-14)


def test_the_costs_are_those_of_the_two_orders() -> None:
    rng = np.random.default_rng(0)
    b, c = rng.normal(size=(1, 5)), rng.normal(size=(5, 4))
    report = ad.dimension_report(lambda x: b @ x, lambda x: c @ x, layer)(np.ones(3))
    assert report.multiplications == {"reverse": 5 * 4 + 4 * 3, "forward": 5 * 4 * 3 + 1 * 5 * 3}
    assert np.allclose(report.product, b @ c @ ad.jacobian(layer)(np.ones(3)), rtol=1e-13)


def test_the_table() -> None:
    report = ad.dimension_report(gram, layer, triple)
    lines = str(ad.dimension_report(layer)(np.ones(3))).splitlines()
    assert lines == [
        "factor  function  takes   gives   Jacobian",
        "J1      layer     f64[3]  f64[4]  4×3",
    ]
    with pytest.raises(ShapeMismatchError):
        report(np.ones(3))


MISFITS = [
    ((layer, inner), np.ones(2), "layer takes f64[3], but inner returns f64[2]: inner dimensions "
                                 "3 and 2.\n  layer itself says: matmul"),
    ((triple, inner), np.ones(2), "triple takes f64[3], but inner returns f64[2]"),
    ((layer,), np.ones(5), "layer takes f64[3], but x is f64[5]: inner dimensions 3 and 5."),
    ((np.linalg.det, lambda x: np.outer(x, x)[:, :1]), np.ones(2),
     "det takes f64[2,2], but the λ of J1 returns f64[2,1]: inner dimensions (2×2) and (2×1)."),
    ((layer, product, inner), np.ones(2), "layer takes f64[3], but product returns "),
]  # fmt: skip


@pytest.mark.parametrize("called", [ad.chain, ad.dimension_report])
@pytest.mark.parametrize(("functions", "x", "message"), MISFITS)
def test_functions_that_do_not_fit(called: Any, functions: Any, x: Any, message: str) -> None:
    with pytest.raises(ShapeMismatchError, match=re.escape(f"{called.__name__}: {message}")):
        called(*functions)(x)


def test_the_error_is_the_same_for_traced_values() -> None:
    with pytest.raises(ShapeMismatchError, match=r"layer takes f64\[3\], but inner returns f64\[2"):
        ad.jacobian(ad.chain(layer, inner))(np.ones(2))


def test_an_error_that_is_not_about_shapes_stays_what_it_is() -> None:
    def refuses(x: Any) -> Any:
        if np.any(x > 100):
            raise ValueError("too hot")
        return x

    with pytest.raises(ValueError, match=r"^too hot$"):
        ad.chain(refuses, lambda x: 1000 * x)(np.ones(2))


def test_a_function_that_always_fails_fails_as_itself() -> None:
    def broken(x: Any) -> Any:
        raise IndexError("mine")

    with pytest.raises(IndexError, match=r"^mine$"):
        ad.chain(broken, inner)(np.ones(2))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ad.chain(), "chain needs at least one function; got none."),
        (lambda: ad.dimension_report(), "dimension_report needs at least one function"),
        (lambda: ad.chain(np.sin, 3), "chain(f, g) needs a function; got 3."),
        (lambda: ad.dimension_report(lambda x: (x, x))(1.0), "λ returned tuple."),
    ],
)
def test_bad_input(call: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=re.escape(message)):
        call()


def test_numbers_in_object_arrays_are_taken_along() -> None:
    def curve(t: Any) -> Any:
        return np.array([t * np.cos(t), t * np.sin(t)])

    matrix = np.array([[1.0, 2.0], [3.0, 4.0]])
    found = ad.derivative(ad.chain(lambda x: np.sum(matrix @ x), curve))(0.6)
    velocity = ad.derivative(curve)(0.6)
    assert found == pytest.approx(np.sum(matrix @ velocity), rel=1e-14)
