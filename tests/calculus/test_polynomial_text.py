"""Taylor polynomials written out, in one variable and in several."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint.errors import ArgumentValueError, NotScalarError


def cubic(v: Any) -> Any:
    x, y = v
    return x**2 + 2 * x * y + y**3


def evaluated(text: str, **values: float) -> float:
    """A printed polynomial as Python would compute it."""
    for digit, plain in zip("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789", strict=True):
        text = text.replace(digit, f"**{plain}")
    return float(eval(re.sub(r"(?<=[\w)]) (?=[\w(])", "*", text), values))


def test_a_polynomial_in_two_variables() -> None:
    text = ad.taylor(cubic, np.array([1.0, 2.0]), 3).formula(["x", "y"])
    assert text == (
        "13 + 6 (x - 1) + 14 (y - 2) + (x - 1)² + 2 (x - 1) (y - 2) + 6 (y - 2)² + (y - 2)³"
    )
    assert evaluated(text, x=1.5, y=-0.7) == pytest.approx(cubic((1.5, -0.7)), rel=1e-12)


def test_variables_are_numbered() -> None:
    assert ad.taylor(cubic, np.zeros(2), 2).formula("z") == "z1² + 2 z1 z2"
    matrix = ad.taylor(lambda a: np.sum(a**2), np.zeros((2, 2)), 2)
    assert matrix.formula("a") == "a11² + a12² + a21² + a22²"


def test_signs_centres_and_digits() -> None:
    assert ad.taylor(lambda x: -(x**2), -1.0, 2).formula() == "-1 + 2 (x + 1) - (x + 1)²"
    assert ad.taylor(lambda x: 0 * x, 1.0, 2).formula() == "0"
    assert ad.taylor(np.exp, 0.0, 3).formula("t", digits=2) == "1 + t + 0.5 t² + 0.17 t³"
    assert ad.taylor(np.sin, 0.0, 11).formula().endswith("- 2.50521e-08 x¹¹")


def test_text_and_polynomial_agree_in_three_variables() -> None:
    def f(v: Any) -> Any:
        return np.exp(v[0]) * np.sin(v[1] * v[2])

    p = ad.taylor(f, np.array([0.1, 0.2, -0.3]), 4)
    point = {"a": 0.4, "b": 0.0, "c": 0.5}
    found = evaluated(p.formula(["a", "b", "c"], digits=17), **point)
    assert found == pytest.approx(p(np.array([0.4, 0.0, 0.5])), rel=1e-12)


def test_the_repr_shows_what_can_be_read() -> None:
    assert repr(ad.taylor(np.exp, 0.0, 1)) == "TaylorPolynomial(1 + x)"
    assert repr(ad.taylor(np.exp, 0.0, 30)).startswith("TaylorPolynomial(order=30")
    assert repr(ad.taylor(np.exp, 1j, 2)).startswith("TaylorPolynomial(order=2")


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ad.taylor(lambda x: np.array([x, x]), 0.0, 1).formula(), NotScalarError,
         "returns one real number; it returns f64[2]."),
        (lambda: ad.taylor(np.exp, 1j, 1).formula(), NotScalarError, "it returns c128."),
        (lambda: ad.taylor(cubic, np.ones(2), 1).formula(["x"]), ArgumentValueError,
         "each of the 2 variables; got 1."),
        (lambda: ad.taylor(lambda x: np.sum(x) ** 3, np.ones(20), 3).formula(),
         ArgumentValueError, "up to 400 terms"),
    ],
)  # fmt: skip
def test_bad_input(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        call()
