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
