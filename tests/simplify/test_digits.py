"""Formulas keep their digits where the derivative has them: no exponential overflows that was
shifted, and no difference of two numbers that are 1 stands for a small one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import adjoint as ad


def softmax(x: Any) -> Any:
    powers = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return powers / np.sum(powers, axis=-1, keepdims=True)


def expected_log(x: Any, y: Any) -> Any:
    return np.log(softmax(x) @ y)


def impurity(x: Any) -> Any:
    return 1 - np.sum(softmax(x) ** 2)


def attention_loss(Q: Any, K: Any, V: Any, W: Any) -> Any:
    return np.sum(W * (softmax(Q @ K.T) @ V))


def logistic(z: Any) -> Any:
    return 1 / (1 + np.exp(-z))


def loss(w: Any, X: Any, y: Any) -> Any:
    return np.sum(np.log1p(np.exp(-y * (X @ w))))


def stable_loss(w: Any, X: Any, y: Any) -> Any:
    return np.sum(np.logaddexp(0, -y * (X @ w)))


FAR = np.array([1000.0, 0.0, -1000.0])
NEAR = np.array([0.3, -0.2, 1.0])
Y = np.array([1.0, 2.0, 3.0])
DATA = {"w": "d", "X": "n d", "y": "n"}
MATRICES = {"Q": "n d", "K": "m d", "V": "m p", "W": "n p"}

TEXTS: list[tuple[Callable[..., Any], dict[str, str], str]] = [
    (ad.grad(expected_log), {"x": "n", "y": "n"},
     "(p ∘ (y − yᵀp))ᵀ / (yᵀp)\nwhere p = softmax(x)"),
    (ad.grad(impurity), {"x": "n"}, "2(p ∘ (‖p‖² − p))ᵀ\nwhere p = softmax(x)"),
    (ad.grad(attention_loss), MATRICES,
     "(P ∘ (WVᵀ − (W ∘ PV)𝟏𝟏ᵀ))K\nwhere P = softmax(QKᵀ)"),
    (ad.grad(loss), DATA, "−(y ∘ σ(−y ∘ Xw))ᵀX"),
    (ad.grad(stable_loss), DATA, "−(y ∘ σ(−y ∘ Xw))ᵀX"),
    (ad.grad(lambda x: np.sum(np.logaddexp2(0, x))), {"x": "n"}, "σ(log(2) x)ᵀ"),
    (ad.hessian(loss), DATA, "Xᵀdiag(v)X\nwhere v = σ(y ∘ Xw) ∘ σ(−y ∘ Xw) ∘ y²"),
    (ad.hessian(logistic), {"z": ""}, "σ(z) σ(−z)(1 − 2σ(z))"),
    (ad.hessian(lambda x, y: np.sum(np.logaddexp(x, y))), {"x": "n", "y": "n"},
     "diag(σ(x − y) ∘ σ(y − x))"),
]  # fmt: skip


@pytest.mark.parametrize(("f", "shapes", "text"), TEXTS)
def test_texts(f: Callable[..., Any], shapes: dict[str, str], text: str) -> None:
    assert str(ad.formula(f, **shapes)) == text


@pytest.mark.parametrize("x", [NEAR, FAR])
@pytest.mark.parametrize("derivative", [ad.grad, ad.hessian])
@pytest.mark.parametrize(("f", "rest"), [(expected_log, (Y,)), (impurity, ())])
def test_shifted_exponentials_do_not_overflow(
    derivative: Any, f: Any, rest: tuple[Any, ...], x: Any
) -> None:
    shapes = {"x": "n", "y": "n"} if rest else {"x": "n"}
    printed = ad.formula(derivative(f), **shapes).function()
    np.testing.assert_allclose(printed(x, *rest), derivative(f)(x, *rest), 1e-12, 1e-15)


@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_attention_does_not_overflow(scale: float) -> None:
    rng = np.random.default_rng(0)
    given = [scale * rng.standard_normal(s) for s in ((3, 2), (4, 2), (4, 5), (3, 5))]
    printed = ad.formula(ad.grad(attention_loss), **MATRICES).function()
    expected = ad.grad(attention_loss)(*given)
    np.testing.assert_allclose(printed(*given), expected, 1e-9, 1e-13 * scale**3)


def test_what_is_shifted_stays_so_where_nothing_is_divided() -> None:
    def f(x: Any) -> Any:
        return np.sum(np.exp(x - np.max(x)))

    printed = ad.formula(ad.grad(f), x="n").function()
    np.testing.assert_allclose(printed(FAR), ad.grad(f)(FAR), 1e-12)


@pytest.mark.parametrize("f", [loss, stable_loss])
@pytest.mark.parametrize("z", [-700.0, -40.0, 0.5, 40.0, 700.0])
def test_logistic_derivatives_keep_their_digits(f: Any, z: float) -> None:
    w, X, y = np.array([z]), np.ones((1, 1)), np.ones(1)
    gradient = ad.formula(ad.grad(f), **DATA).function()(w, X, y)
    second = ad.formula(ad.hessian(f), **DATA).function()(w, X, y)
    small = np.exp(-abs(z))
    np.testing.assert_allclose(gradient, [-(small if z > 0 else 1.0) / (1 + small)], 1e-13)
    np.testing.assert_allclose(second, [[small / (1 + small) ** 2]], 1e-13)


def test_polynomials_of_the_logistic_function() -> None:
    for f in (
        lambda z: logistic(z) - logistic(z) ** 2,
        lambda z: logistic(z) ** 3 - logistic(z) ** 2,
        lambda z: z * logistic(z) - z * logistic(z) ** 4,
        lambda z: (1 - logistic(z)) ** 2 + logistic(z) - 1,
    ):
        printed = ad.formula(f, z="").function()
        np.testing.assert_allclose(printed(0.7), f(0.7), 1e-14)
        assert 0 < abs(printed(40.0)) < 1e-15


def test_what_has_no_derivative_by_decree_is_a_value_in_a_derivative() -> None:
    def f(x: Any) -> Any:
        return x * ad.stop_gradient(np.sin(x))

    assert str(ad.formula(ad.grad(f), x="")) == "sin(x)"
    assert "stop_gradient" in str(ad.formula(f, x=""))
