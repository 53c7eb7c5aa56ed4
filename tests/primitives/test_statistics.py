"""Quantiles, covariance and correlation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint.errors import UnknownNameError
from adjoint.primitives.quantiles import PLOTTING_POSITIONS, STEPS
from tests.primitives.agreement import (
    assert_agrees,
    assert_batches,
    assert_derivatives,
    assert_same,
    assert_value,
    differences,
    spread,
)

METHODS = (*PLOTTING_POSITIONS, *STEPS)
LEVELS = [0.0, 0.1, 0.25, 1.0 / 3.0, 0.5, 0.55, 0.625, 0.75, 0.9, 1.0]


@pytest.mark.parametrize("n", [1, 2, 4, 5, 8])
@pytest.mark.parametrize("method", METHODS)
def test_every_method_gives_numpys_quantiles(method: str, n: int) -> None:
    x = spread((n,))
    for q in (LEVELS, np.reshape(LEVELS, (2, 5)), 0.4):
        assert_value(lambda v, q=q: np.quantile(v, q, method=method), x)
    assert_value(lambda v: np.nanquantile(np.append(v, np.nan), LEVELS, method=method), x)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_has_derivatives(method: str) -> None:
    assert_agrees(lambda v: np.quantile(v, [0.15, 0.6], axis=1, method=method), spread((2, 4)))


@pytest.mark.parametrize("axis", [None, 0, -1, (0, 1), (1, 2)], ids=str)
def test_axes_of_quantiles(axis: Any) -> None:
    x = spread((2, 3, 2))
    for keepdims in (False, True):
        k = keepdims
        assert_value(lambda v, k=k: np.quantile(v, LEVELS, axis=axis, keepdims=k), x)
        assert_value(lambda v, k=k: np.percentile(v, 30, axis=axis, keepdims=k), x)
        assert_value(lambda v, k=k: np.median(v, axis=axis, keepdims=k), x)
    assert_agrees(lambda v: np.percentile(v, [30, 80], axis=axis), x, second=False)


@pytest.mark.parametrize("method", PLOTTING_POSITIONS)
def test_the_derivative_in_the_level(method: str) -> None:
    data = spread((2, 6))
    q = np.array([0.22, 0.57, 0.81])
    assert_derivatives(lambda v: np.quantile(data, v / 3, axis=1, method=method), q)
    assert_batches(lambda v: np.percentile(data, 20 * v + 10, axis=0, method=method), q)
    both = ad.hessian(lambda v: np.quantile(v[1:], v[0], method=method))(np.append(0.37, data[0]))
    assert np.any(both != 0)


@pytest.mark.parametrize("q", [0.0, 0.2, 0.5, 0.75, 1.0])
def test_weighted_quantiles(q: float) -> None:
    w = np.array([0.0, 1.0, 2.0, 0.5, 3.0])
    x = spread((2, 5))
    f = lambda v: np.quantile(v, q, axis=1, weights=w, method="inverted_cdf")  # noqa: E731
    assert_agrees(f, x)
    full = np.vstack([w, w[::-1]])
    assert_value(lambda v: np.quantile(v, [q, 0.3], weights=full, method="inverted_cdf"), x)
    holes = lambda v: np.where(v[0] > 0.5, np.nan, v[0])  # noqa: E731
    assert_value(lambda v: np.nanquantile(holes(v), q, weights=w, method="inverted_cdf"), x)


def test_a_nan_makes_the_quantile_nan() -> None:
    x = np.array([[1.0, np.nan, 3.0], [1.0, 2.0, 3.0]])
    for f in (lambda v: np.median(v, axis=1), lambda v: np.quantile(v, [0.1, 0.5], axis=1)):
        assert_value(f, x)


@pytest.mark.parametrize("dtype", [np.float32, np.int64, np.float64])
def test_dtypes_of_quantiles(dtype: Any) -> None:
    x = np.array([3.0, 1.0, 2.0, 7.0])
    for f in (
        lambda v: np.quantile(v.astype(dtype), 0.3),
        lambda v: np.quantile(v.astype(dtype), [0.3, 0.4]),
        lambda v: np.quantile(v.astype(dtype), 0.3, method="lower"),
        lambda v: np.percentile(v.astype(dtype), 30),
        lambda v: np.median(v.astype(dtype)),
    ):
        assert_value(f, x, rtol=1e-6)


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda v: np.quantile(v, 1.5), ValueError, r"range \[0, 1\]"),
        (lambda v: np.percentile(v, 101), ValueError, r"range \[0, 100\]"),
        (lambda v: np.quantile(v, 0.5, method="lineal"), UnknownNameError, "Nearest: linear"),
        (lambda v: np.quantile(v, 0.5, weights=v), ValueError, "supports weights"),
        (lambda v: np.quantile(v + 1j, 0.5), TypeError, "real"),
        (
            lambda v: np.quantile(v, 0.5, weights=-v, method="inverted_cdf"),
            ValueError,
            "non-negative",
        ),
        (
            lambda v: np.quantile(v, 0.5, weights=np.ones(3), method="inverted_cdf"),
            TypeError,
            "Axis must be specified",
        ),
        (lambda v: np.quantile(v[:0], 0.5), IndexError, "size 0"),
    ],
)
def test_what_quantiles_refuse(call: Any, kind: Any, message: str) -> None:
    with pytest.raises(kind, match=message):
        ad.grad(lambda v: np.sum(call(v)))(np.array([1.0, 2.0]))


COVARIANCES = {
    "cov": lambda x: np.cov(x),
    "cov columns": lambda x: np.cov(x, rowvar=False),
    "cov biased": lambda x: np.cov(x, bias=True),
    "cov ddof": lambda x: np.cov(x, ddof=2),
    "cov of two": lambda x: np.cov(x[0], x[1]),
    "cov of one": lambda x: np.cov(x[0]),
    "cov frequency": lambda x: np.cov(x, fweights=[1, 2, 1, 3]),
    "cov analytic": lambda x: np.cov(x, aweights=[0.5, 2.0, 1.0, 3.0]),
    "cov both weights": lambda x: np.cov(x, fweights=[1, 2, 1, 3], aweights=[0.5, 2.0, 1.0, 3.0]),
    "cov traced weights": lambda x: np.cov(x, aweights=x[0] ** 2 + 1, ddof=0),
    "corrcoef": lambda x: np.corrcoef(x),
    "corrcoef columns": lambda x: np.corrcoef(x[:, :2], rowvar=False),
    "corrcoef of two": lambda x: np.corrcoef(x[0], x[1]),
}


@pytest.mark.parametrize("case", COVARIANCES)
def test_covariances(case: str) -> None:
    f = COVARIANCES[case]
    x = spread((3, 4)) if case != "corrcoef columns" else spread((4, 3))
    if case == "corrcoef columns":
        assert_value(f, x)
        assert_derivatives(f, x, second=False)
        return
    assert_agrees(f, x)


def test_complex_covariance() -> None:
    x = spread((6,))

    def f(v: Any) -> Any:
        return np.cov((v[:3] + 1j * v[3:]), v[3:])

    assert_value(f, x)
    g = lambda v: np.sum(np.abs(f(v)))  # noqa: E731
    np.testing.assert_allclose(ad.grad(g)(x), differences(g, x), rtol=1e-6, atol=1e-8)


def test_the_diagonal_of_a_correlation_is_constant_in_every_order() -> None:
    x = spread((2, 5))
    assert np.max(np.abs(ad.jacobian(lambda v: np.diagonal(np.corrcoef(v)))(x))) < 1e-14
    # A perfect correlation is the largest there is: gradient zero, Hessian not.
    line = np.array([1.0, 2.0, 4.0])
    g = lambda v: np.corrcoef(v, line)[0, 1]  # noqa: E731
    assert np.max(np.abs(ad.grad(g)(3 * line))) < 1e-14
    np.testing.assert_allclose(
        ad.hessian(g)(3 * line), differences(ad.grad(g), 3 * line), rtol=1e-4, atol=1e-8
    )


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda v: np.cov(v, ddof=0.5), ValueError, "ddof must be integer"),
        (lambda v: np.cov(v, fweights=[0.5, 1, 1]), TypeError, "fweights must be integer"),
        (lambda v: np.cov(v, aweights=[-1.0, 1, 1]), ValueError, "aweights cannot be negative"),
        (lambda v: np.cov(v, aweights=[1.0, 1]), RuntimeError, "incompatible numbers"),
        (lambda v: np.cov(v, fweights=np.ones((3, 1))), RuntimeError, "multidimensional"),
        (lambda v: np.cov(np.ones((1, 1, 1)) * v), ValueError, "more than 2 dimensions"),
        (lambda v: np.var(v, ddof=1, correction=1), ValueError, "simultaneously"),
        (lambda v: np.average(v, weights=[1.0]), TypeError, "Axis must be specified"),
        (lambda v: np.average(v, axis=0, weights=[1.0]), ValueError, "consistent with shape"),
    ],
)
def test_what_statistics_refuse(call: Any, kind: Any, message: str) -> None:
    with pytest.raises(kind, match=message):
        ad.grad(lambda v: np.sum(call(v)))(np.array([1.0, 2.0, 4.0]))


def test_too_few_observations_warn() -> None:
    with (
        pytest.warns(RuntimeWarning, match="Degrees of freedom"),
        pytest.warns(RuntimeWarning, match="divide by zero|invalid value"),
    ):
        got = ad.jvp(lambda v: np.var(v, ddof=2), (np.ones(2),), (np.ones(2),))[0]
    assert np.isnan(got)


def test_the_mean_is_the_sum_over_the_count() -> None:
    assert_same(ad.grad(np.mean)(np.ones(4)), np.full(4, 0.25))
    assert_same(ad.hessian(np.var)(np.arange(2.0)), np.array([[0.5, -0.5], [-0.5, 0.5]]))
