"""What `formula` is told of the arguments of f, and what it says where that does not fit."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

import numpy as np
import pytest

import adjoint as ad
from adjoint.errors import ArgumentValueError, ShapeMismatchError


def quadratic(A: Any, x: Any) -> Any:
    return x @ A @ x


def test_a_partial_function_with_an_array_has_a_formula() -> None:
    A = np.array([[1.0, 2.0], [0.0, 3.0]])
    f = partial(quadratic, A=A)
    made = ad.source(ad.grad(lambda x: f(x=x)), x="2")
    scope: dict[str, Any] = {}
    exec(made, scope)
    x = np.array([0.5, -1.0])
    value = next(v for k, v in scope.items() if callable(v) and k != "np")(x)
    assert np.allclose(value, (A + A.T) @ x)
    assert str(ad.formula(partial(quadratic, A=np.ones((2, 2))), x="2")) == "sum(x)²"


def test_annotations_need_no_hash() -> None:
    def f(x: Annotated[float, []]) -> float:
        return x**2

    f.__annotations__["x"] = Annotated[float, []]
    assert str(ad.formula(ad.grad(f))) == "2x"


def test_a_dimension_is_no_parameter_of_f() -> None:
    with pytest.raises(ArgumentValueError) as caught:
        ad.formula(lambda x, n: x.sum() / n, x="n")
    assert "got n as a dimension, and n is a parameter of f" in str(caught.value)
    assert "name the dimension by another letter" in str(caught.value)


def test_a_forgotten_shape_is_asked_for() -> None:
    with pytest.raises(ShapeMismatchError) as caught:
        ad.formula(lambda x: x @ x)
    assert 'what has no shape is a number, here x; pass x="n".' in str(caught.value)
    with pytest.raises(ShapeMismatchError) as caught:
        ad.formula(lambda A, x: A @ x, A="n n", x="m")
    assert "what has no shape" not in str(caught.value)


@pytest.mark.parametrize("called", ["dimension_report", "chain"])
def test_lambdas_are_told_apart_by_their_jacobian(called: str) -> None:
    composed = getattr(ad, called)(lambda x: np.ones((2, 3)) @ x, lambda x: x[:2])
    with pytest.raises(ShapeMismatchError) as caught:
        composed(np.ones(3))
    message = str(caught.value)
    assert "the λ of J2 takes f64[3], but the λ of J1 returns f64[2]" in message
    assert "the λ of J2 itself says" in message
