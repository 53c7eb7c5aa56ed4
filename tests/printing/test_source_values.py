"""Printed source computes what the function does, in value and in shape."""

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import adjoint as ad

RNG = np.random.default_rng(3)
x, y = RNG.normal(size=(2, 4)) * 3


def check(f: Callable[..., Any], *arrays: np.ndarray) -> None:
    """What the source of f returns is what f returns."""
    shapes = [" ".join(map(str, a.shape)) for a in arrays]
    got = ad.formula(f, *shapes, layout="argument").function()(*arrays)
    expected = f(*arrays)
    assert np.shape(got) == np.shape(expected)
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-12)


CONVERSIONS = {
    "comparison": lambda x, y: np.sum(x > y) * x,
    "comparison with a number": lambda x, y: (x > 0.5).astype(np.int64) @ x,
    "conjunction": lambda x, y: ((x > y) & (x > 0)).astype(np.int64) @ x,
    "negation": lambda x, y: (~(x > y)).astype(np.int64) @ x,
    "sum": lambda x, y: (x + y).astype(np.int64) @ x,
    "difference": lambda x, y: (x - y).astype(np.int64) * x,
    "product": lambda x, y: (x * y).astype(np.int64) @ x,
    "quotient": lambda x, y: (x / y).astype(np.int64) @ x,
    "sign": lambda x, y: (-x).astype(np.int64) @ x,
    "power": lambda x, y: (x**2).astype(np.int64) @ x,
    "inner product": lambda x, y: (x @ y).astype(np.int64) * x,
    "single precision": lambda x, y: (x > 0).astype(np.float32).astype(float) * x,
}


@pytest.mark.parametrize("f", CONVERSIONS.values(), ids=CONVERSIONS.keys())
def test_a_conversion_is_of_all_that_is_converted(f: Callable[..., Any]) -> None:
    check(f, x, y)
    check(ad.jacobian(f), x, y)


def test_a_number_of_python_is_converted() -> None:
    F = ad.formula(lambda t: t.astype(np.int64) * 2.5, "")
    assert F.function()(3.7) == 7.5


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="needs JAX to run")
def test_conversions_run_in_jax() -> None:
    scope: dict[str, Any] = {}
    f = CONVERSIONS["comparison with a number"]
    exec(ad.formula(f, "4", "4").source("jax"), scope)
    np.testing.assert_allclose(scope["f"](x, y), f(x, y))


A, B, E = RNG.normal(size=(3, 3, 3))
z, t, u = RNG.normal(size=3), RNG.normal(size=1), RNG.normal(size=3)
UNIFORM = {
    "rows of a gradient": (ad.grad(lambda X, x: (x @ x) * np.sum(X[-1])), B, z),
    "row of a square": (ad.grad(lambda X: np.sum(X[-1]) ** 2), B),
    "rows of a tensor": (ad.jacobian(lambda A, x: np.sum(A) * (A[:, 0] + x)), B[:2, :2], z[:2]),
    "row of length 1": (ad.jacobian(lambda X, x: 2 * X[-1] * x / 3), B[:, :1], t),
    "sum": (ad.grad(lambda X, x: np.mean(X) * (x @ x) + np.sum(X) * x[0]), B, z),
    "sum with a number": (ad.grad(lambda X, x: np.mean(X + x[0] * X)), B, z),
    "difference of length 1": (ad.grad(lambda x: np.tanh(3 * x[0])), t),
    "entry of a clipped number": (
        lambda x, y: np.minimum(np.maximum(1 / np.sum(np.exp(x)) * y, -0.5), 0.5)[0] * y,
        z,
        np.ones(3),
    ),
    "entry of the only place": (
        ad.jacobian(lambda x: np.minimum(np.exp(t) / np.sum(np.exp(x)), 0.5) * x * x[::-1]),
        t,
    ),
    "choice by one number": (
        ad.hessian(lambda A: np.where(np.vdot(A, E) > 0.1, np.vdot(A, E), np.vdot(A, E) ** 2)),
        B,
    ),
    "choice of numbers": (lambda x: np.where(x @ x > 0, np.zeros((3, 3)) + x @ x, 0.0), z),
    "choice of numbers, reshaped": (
        lambda x: np.reshape(np.where(x @ x > 0, np.ones((3, 3)) * x[0], 0.0), 9),
        z,
    ),
    "function of two numbers": (lambda x, y: np.hypot(x @ x, x @ y + np.zeros(3)), z, u),
    "comparison": (lambda x, y: np.stack([x @ x + np.zeros(3) > y @ y, x > y]), z, u),
    "power": (lambda x, y: (x @ x + y @ y) ** (x @ y + np.zeros(3)), z, u),
    "concatenation": (lambda x, y: np.concatenate([x @ x * np.ones(3), y]), z, u),
    "index": (lambda x, y: (np.zeros(3) + x @ x + y @ y)[np.array([0, 1])], z, u),
    "one of its places": (lambda x, y: np.cumsum(x @ x + y @ y + np.zeros(3))[::2], z, u),
}


@pytest.mark.parametrize("case", UNIFORM.values(), ids=UNIFORM.keys())
def test_what_is_one_number_everywhere_has_its_shape(case: Any) -> None:
    check(*case)


def test_one_number_everywhere_is_printed_with_its_ones() -> None:
    gradient = ad.grad(lambda X, x: np.mean(X) * (x @ x) + np.sum(X) * x[0])
    assert str(ad.formula(gradient, "3 3", "2")) == "(x₀ + 1/9 ‖x‖²)𝟏𝟏ᵀ"
    assert str(ad.formula(lambda x, y: np.hypot(x, y @ y), "3", "3")) == "hypot(x, ‖y‖²)"


FACTS = {
    "sum": lambda x, y: (x > y) * 1.0 + (y > 0) * 1.0,
    "inner product": lambda x, y: ((x > y) * 1.0) @ ((y > -9) * 1.0),
    "matrix product": lambda x, y: ((x[:, None] > y) * 1.0) @ ((y > -9) * 1.0),
    "contraction": lambda x, y: np.einsum(
        "i,ij,j,k->k", (x > -9) * 1.0, np.ones((4, 4)), (y > -9) * 1.0, (x > y) * 1.0
    ),
    "minus": lambda x, y: -np.sum((x > 0.5) * y),
    "minus an elementwise product": lambda x, y: -((x > 0.5) * y),
    "minus a negation": lambda x, y: y - (~(x > y)) * 2.0 * y,
    "difference": lambda x, y: (x > y) * 1.0 - (y > 0) * 1.0,
    "exponential": lambda x, y: np.exp((x > y) * 1.0),
    "function of a product": lambda x, y: np.exp((x > y) * (y > 0) * 1.0),
    "sign": lambda x, y: np.sign((x > y) * 1.0),
    "square": lambda x, y: ((x > y) * 2.0) ** 2,
    "root": lambda x, y: np.sqrt((x > y) * 1.0) / 3,
    "part": lambda x, y: ((x > y) * 1.0)[1:] + ((y > 0) * 1.0)[:-1],
    "named part": lambda x, y: np.exp(np.sin(x) > np.cos(y)) - np.sum((np.sin(x) > np.cos(y)) * y),
    "count": lambda x, y: np.count_nonzero(x > y) * y,
    "count along an axis": lambda x, y: np.count_nonzero(x[:, None] > y, axis=1) * y,
    "differences": lambda x, y: np.diff((x > y) * 1.0),
    "negation of a known fact": lambda x, y: (~((x > 0) & (np.arange(4) > 9))) * y,
}


@pytest.mark.parametrize("f", FACTS.values(), ids=FACTS.keys())
def test_facts_in_arithmetic_are_numbers(f: Callable[..., Any]) -> None:
    check(f, x, y)
    check(ad.jacobian(f, argnums=1), x, y)


def test_facts_beside_numbers_are_left_to_numpy() -> None:
    F = ad.formula(lambda x, y: x - 2 * (x > y), "4", "4")
    assert "return x - 2 * (x > y)" in F.source()


def test_arrays_may_contain_infinity() -> None:
    check(lambda x: np.minimum(x, np.array([np.inf, -np.inf, 1.0, 0.3])), x)


PRODUCTS = {
    "square": lambda x, y: np.prod(x) ** 2,
    "reciprocal": lambda x, y: y / np.prod(x),
    "product of two": lambda x, y: np.prod(x) * np.prod(y - 1) * np.exp(y),
    "product of rows": lambda x, y: np.prod(np.outer(x, y) - 1, axis=1)[:, None] ** 2 * np.eye(4),
    "product of one number": lambda x, y: np.prod(np.full(3, 1.0) * x[0]) * y,
}


@pytest.mark.parametrize("f", PRODUCTS.values(), ids=PRODUCTS.keys())
def test_a_power_of_a_product_of_negative_numbers(f: Callable[..., Any]) -> None:
    assert "log" not in str(ad.formula(f, "4", "4"))
    check(f, -np.abs(x), y)
    check(ad.jacobian(f), -np.abs(x), y)
