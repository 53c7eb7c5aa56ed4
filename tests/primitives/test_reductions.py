"""Reductions and cumulative functions: values, derivatives, batches, and the edges."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import adjoint as ad
from tests.primitives.agreement import (
    assert_agrees,
    assert_batches,
    assert_same,
    assert_value,
    differences,
    spread,
)

SMOOTH = [np.max, np.min, np.prod, np.mean, np.var, np.std, np.ptp, np.sum, np.median,
          np.nansum, np.nanprod, np.nanmax, np.nanmin, np.nanmean, np.nanvar, np.nanstd,
          np.nanmedian]  # fmt: skip
FLAT = [np.argmax, np.argmin, np.nanargmax, np.nanargmin, np.all, np.any, np.count_nonzero]
CUMULATIVE = [np.cumsum, np.cumprod, np.nancumsum, np.nancumprod]

SHAPES_AND_AXES: list[tuple[tuple[int, ...], Any]] = [
    ((5,), None), ((5,), 0), ((1,), -1), ((2, 3), None), ((2, 3), 0), ((2, 3), -1),
    ((2, 3), (0, 1)), ((2, 1, 3), (2, 0)), ((2, 2, 2), 1), ((), None), ((2, 3), ()),
]  # fmt: skip


def name(value: Any) -> str:
    return str(getattr(value, "__name__", value))


@pytest.mark.parametrize(("shape", "axis"), SHAPES_AND_AXES, ids=str)
@pytest.mark.parametrize("function", SMOOTH, ids=name)
def test_a_reduction_agrees(function: Any, shape: tuple[int, ...], axis: Any) -> None:
    if axis == () and function in (np.median, np.nanmedian):
        pytest.skip("NumPy's own median of no axes goes over all of them")
    x = spread(shape)
    # The deviation of one element is |0|: differences have no derivative there.
    single = "std" in name(function) and (x.size == 1 or axis == ())
    for keepdims in (False, True):
        assert_value(lambda v, k=keepdims: function(v, axis=axis, keepdims=k), x)
    if not single:
        assert_agrees(lambda v: function(v, axis=axis), x)


@pytest.mark.parametrize(("shape", "axis"), SHAPES_AND_AXES, ids=str)
@pytest.mark.parametrize("function", FLAT, ids=name)
def test_a_flat_reduction_agrees_and_has_derivative_zero(
    function: Any, shape: tuple[int, ...], axis: Any
) -> None:
    if isinstance(axis, tuple) and "arg" in name(function):
        pytest.skip("an argument has one axis")
    x = spread(shape)
    for keepdims in (False, True):
        f = lambda v, k=keepdims: function(v, axis=axis, keepdims=k)  # noqa: E731
        assert_value(f, x)
        if function is not np.count_nonzero or axis is not None:
            assert_batches(f, x)
    gradient = ad.grad(lambda v: np.sum(v * v) + np.sum(function(v, axis=axis)))(x)
    assert_same(gradient, 2 * x)


@pytest.mark.parametrize("axis", [None, 0, 1, -1])
@pytest.mark.parametrize("function", CUMULATIVE, ids=name)
def test_a_cumulative_function_agrees(function: Any, axis: Any) -> None:
    assert_agrees(lambda v: function(v, axis=axis), spread((2, 3)))


@pytest.mark.parametrize("function", [np.cumulative_sum, np.cumulative_prod], ids=name)
@pytest.mark.parametrize("initial", [False, True])
def test_array_api_names_of_cumulative_functions(function: Any, initial: bool) -> None:
    assert_agrees(lambda v: function(v, include_initial=initial), spread((4,)))
    assert_agrees(lambda v: function(v, axis=0, include_initial=initial), spread((2, 3)))
    with pytest.raises(ValueError, match="``axis`` argument is required"):
        ad.grad(lambda v: function(v).sum())(spread((2, 2)))


MORE = {
    "max initial": lambda x: np.max(x, axis=0, initial=0.4),
    "min where": lambda x: np.min(x, axis=1, initial=9.0, where=[True, False, True]),
    "prod where": lambda x: np.prod(x, axis=1, initial=2.0, where=[True, False, True]),
    "mean where": lambda x: np.mean(x, axis=0, where=np.array([[True], [False]])),
    "mean dtype": lambda x: np.mean(x, axis=0, dtype=np.float64),
    "var ddof": lambda x: np.var(x, axis=1, ddof=1),
    "var correction": lambda x: np.var(x, axis=1, correction=1, keepdims=True),
    "var where": lambda x: np.var(x, where=[True, True, False]),
    "var mean": lambda x: np.var(x, axis=1, mean=np.mean(x, axis=1, keepdims=True)),
    "std ddof": lambda x: np.std(x, axis=1, ddof=1),
    "std mean": lambda x: np.std(x, axis=0, mean=np.zeros((1, 3))),
    "nanvar ddof": lambda x: np.nanvar(x, axis=1, ddof=1),
    "average": lambda x: np.average(x, axis=1, weights=[1.0, 2.0, 4.0]),
    "average of all": lambda x: np.average(x),
    "average by traced weights": lambda x: np.average(x, weights=x * x + 1),
    "diff": lambda x: np.diff(x),
    "diff twice": lambda x: np.diff(x, n=2, axis=-1),
    "diff prepend": lambda x: np.diff(x, axis=0, prepend=1.0, append=np.ones((2, 3))),
    "diff 0": lambda x: np.diff(x, n=0),
    "ediff1d": lambda x: np.ediff1d(x, to_begin=[9.0, 8.0], to_end=7.0),
    "logaddexp.reduce": lambda x: np.logaddexp.reduce(x, axis=None),
    "add.reduce": lambda x: np.add.reduce(x),
    "method mean": lambda x: x.mean(0) + x.max(0) * x.std(axis=0, ddof=1),
    "methods of running results": lambda x: x.cumsum(1).ravel() * x.cumprod(),
}


@pytest.mark.parametrize("case", MORE)
def test_arguments_of_reductions(case: str) -> None:
    assert_agrees(MORE[case], spread((2, 3)))


WITH_NAN = {
    "nansum": np.nansum, "nanprod": np.nanprod, "nanmax": np.nanmax, "nanmin": np.nanmin,
    "nanmean": np.nanmean, "nanvar": np.nanvar, "nanstd": np.nanstd, "nanmedian": np.nanmedian,
    "nancumsum": np.nancumsum, "nancumprod": np.nancumprod,
    "nanquantile": lambda x, axis=None: np.nanquantile(x, [0.2, 0.75], axis=axis),
    "nanpercentile": lambda x, axis=None: np.nanpercentile(x, 40.0, axis=axis),
    "nanquantile hazen": lambda x, axis=None: np.nanquantile(x, 0.4, axis=axis, method="hazen"),
    "nanquantile higher": lambda x, axis=None: np.nanquantile(x, 0.4, axis=axis, method="higher"),
}  # fmt: skip


@pytest.mark.parametrize("axis", [None, 0, 1])
@pytest.mark.parametrize("case", WITH_NAN)
def test_nan_functions_leave_nan_out(case: str, axis: Any) -> None:
    mask = np.zeros((3, 4), bool)
    mask[[0, 1, 2], [1, 1, 3]] = True
    assert_agrees(lambda v: WITH_NAN[case](np.where(mask, np.nan, v), axis=axis), spread((3, 4)))


def test_the_derivative_of_a_missing_element_is_zero() -> None:
    x = np.array([1.0, np.nan, 3.0])
    assert_same(ad.grad(np.nansum)(x), np.array([1.0, 0.0, 1.0]))
    assert_same(ad.grad(np.nanstd)(np.array([2.0, np.nan, 2.0])), np.zeros(3))
    assert_same(ad.grad(np.nanmax)(np.array([3.0, np.nan, 3.0])), np.array([0.5, 0.0, 0.5]))


@pytest.mark.parametrize("function", [np.nanmax, np.nanmean, np.nanmedian, np.nanvar], ids=name)
def test_nothing_but_nan_warns_as_numpy_does(function: Any) -> None:
    x = np.full(2, np.nan)
    with pytest.warns(RuntimeWarning):
        expected = function(x)
    with pytest.warns(RuntimeWarning):
        got = ad.jvp(function, (x,), (x * 0,))[0]
    assert_same(got, expected)


@pytest.mark.parametrize("function", [np.nanargmax, np.nanargmin], ids=name)
def test_an_argument_among_nan_only_is_an_error(function: Any) -> None:
    with pytest.raises(ValueError, match="All-NaN slice encountered"):
        ad.grad(lambda v: v.sum() + function(v))(np.full(2, np.nan))


# -- edges ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_ties_share_equally(mode: str) -> None:
    x = np.array([1.0, 1.0, 0.0])
    assert_same(ad.jacobian(np.max, mode=mode)(x), np.array([0.5, 0.5, 0.0]))
    assert_same(ad.jacobian(np.min, mode=mode)(-x), np.array([0.5, 0.5, 0.0]))
    assert_same(ad.jacobian(lambda v: np.max(v, axis=()), mode=mode)(x), np.eye(3))
    rows = np.array([[2.0, 2.0, 2.0, 1.0], [0.0, 5.0, 0.0, 5.0]])
    got = ad.jacobian(lambda v: np.max(v, axis=1).sum(), mode=mode)(rows)
    third = 1.0 / 3.0
    assert_same(got, np.array([[third, third, third, 0.0], [0.0, 0.5, 0.0, 0.5]]))
    assert_same(ad.hessian(np.max)(x), np.zeros((3, 3)))


def test_ties_share_in_a_running_maximum() -> None:
    got = ad.jacobian(np.maximum.accumulate)(np.array([1.0, 1.0, 1.0, 3.0, 2.0, 3.0]))
    third = 1.0 / 3.0
    expected = np.zeros((6, 6))
    expected[0, 0] = 1.0
    expected[1, :2] = 0.5
    expected[2, :3] = third
    expected[3, 3] = expected[4, 3] = 1.0
    expected[5, [3, 5]] = 0.5
    assert_same(got, expected)


@pytest.mark.parametrize("mode", ["forward", "reverse"])
@pytest.mark.parametrize("zeros", [(), (0,), (1, 2), (0, 1, 3)], ids=str)
def test_products_are_exact_with_zeros(zeros: tuple[int, ...], mode: str) -> None:
    x = np.array([2.0, 3.0, 5.0, 7.0])
    x[list(zeros)] = 0.0
    expected = np.array([np.prod(np.delete(x, i)) for i in range(4)])
    assert_same(ad.jacobian(np.prod, mode=mode)(x), expected)
    second = np.array(
        [[np.prod(np.delete(x, [i, j])) if i != j else 0.0 for j in range(4)] for i in range(4)]
    )
    assert_same(ad.hessian(np.prod)(x), second)
    prefixes = ad.jacobian(np.cumprod, mode=mode)(x)
    for k in range(4):
        row = [np.prod(np.delete(x[: k + 1], i)) if i <= k else 0.0 for i in range(4)]
        assert_same(prefixes[k], np.array(row))


def test_the_third_derivative_of_a_product_of_zeros() -> None:
    third = ad.derivative_tensor(np.prod, 3)(np.zeros(3))
    expected = np.zeros((3, 3, 3))
    for i, j, k in np.ndindex(3, 3, 3):
        expected[i, j, k] = len({i, j, k}) == 3
    assert_same(third, expected)


@pytest.mark.parametrize("mode", ["forward", "reverse"])
@pytest.mark.parametrize("axis", [None, 0, 1])
def test_the_deviation_of_constants_has_derivative_zero(mode: str, axis: Any) -> None:
    x = np.full((2, 3), 1.5)
    assert_same(ad.jacobian(lambda v: np.std(v, axis=axis), mode=mode)(x).sum(), 0.0)
    got = ad.jacobian(lambda v: np.std(v, axis=axis, ddof=1, keepdims=True), mode=mode)(x)
    assert np.all(got == 0.0)
    masked = ad.jacobian(lambda v: np.std(v, axis=axis, where=v > 0), mode=mode)(x)
    assert np.all(masked == 0.0)


def test_a_root_that_does_not_win_has_no_say() -> None:
    # d√x is infinite at 0, but the maximum does not depend on that element.
    got = ad.grad(lambda v: np.max(v * np.where(v > 0, np.sqrt(np.where(v > 0, v, 1)), 0)))(
        np.array([0.0, 4.0])
    )
    assert_same(got, np.array([0.0, 3.0]))
    with np.errstate(divide="ignore"):
        assert_same(ad.grad(lambda v: np.max(np.sqrt(v)))(np.array([0.0, 4.0])),
                    np.array([0.0, 0.25]))  # fmt: skip


def test_a_nan_passes_through_the_maximum() -> None:
    x = np.array([1.0, np.nan])
    value, gradient = ad.value_and_grad(np.max)(x)
    assert np.isnan(value)
    assert_same(gradient, np.array([0.0, 1.0]))


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int64, np.int8, np.bool_, complex])
@pytest.mark.parametrize(
    "function",
    [np.max, np.prod, np.mean, np.var, np.std, np.cumsum, np.cumprod, np.all, np.argmax, np.median,
     np.count_nonzero, np.diff, np.sum, np.nansum, np.nanmean, np.nanmax, np.average],
    ids=name,
)  # fmt: skip
def test_dtypes_are_numpys(function: Any, dtype: Any) -> None:
    if function is np.median and dtype is complex:
        pytest.skip("its sort order is lexicographic in both")
    values = np.array([[1, 0, 2], [3, 1, 1]]).astype(dtype)
    expected = function(values, axis=0)
    seen = []

    def f(x: Any) -> Any:
        found = function((x + 0 * values.real).astype(dtype), axis=0)
        seen.append(found.node.value)
        return np.sum(x)

    ad.grad(f)(values.real.astype(float))
    assert_same(seen[0], expected, rtol=1e-3 if dtype in (np.float16,) else 1e-6)


def test_complex_variance_is_real() -> None:
    def f(x: Any) -> Any:
        return np.var(x[:3] + 1j * x[3:])

    x = spread((6,))
    np.testing.assert_allclose(ad.grad(f)(x), differences(f, x), rtol=1e-6)


@pytest.mark.parametrize("function", [np.max, np.min, np.argmax, np.argmin, np.ptp], ids=name)
def test_an_empty_array_has_no_extremum(function: Any) -> None:
    with pytest.raises(ValueError, match=r"zero-size array|empty sequence"):
        ad.grad(lambda v: np.sum(v) + function(v[:0]))(np.ones(2))


def test_an_empty_axis_beside_another() -> None:
    x = np.ones((2, 3))
    assert_value(lambda v: np.max(v[:0], axis=1), x)
    assert_value(lambda v: np.argmax(v[:0], axis=1), x)
    assert_value(lambda v: np.prod(v[:0], axis=0), x)
    assert_value(lambda v: np.max(v[:0], axis=0, initial=3.0), x)
    assert_value(lambda v: np.cumprod(v[:0], axis=0), x)
    assert_same(ad.grad(lambda v: np.sum(np.prod(v[:0], axis=0)))(x), np.zeros((2, 3)))
    with (
        pytest.warns(RuntimeWarning, match="invalid value"),
        pytest.warns(RuntimeWarning, match="Mean of empty slice"),
    ):
        ad.grad(lambda v: np.sum(v) + np.mean(v[:0]))(x)


@pytest.mark.parametrize("function", [*SMOOTH, *CUMULATIVE, np.argmax, np.all], ids=name)
def test_axes_out_of_bounds(function: Any) -> None:
    with pytest.raises(np.exceptions.AxisError):
        ad.grad(lambda v: np.sum(function(v, axis=2)))(np.ones((2, 2)))


def test_out_receives_the_result() -> None:
    def f(x: Any) -> Any:
        buffer = np.zeros_like(x[0])
        np.max(x, axis=0, out=buffer)
        view = buffer[1:]
        np.cumsum(x[0, 1:], out=view)
        return np.sum(buffer * x[1])

    x = spread((2, 3))
    np.testing.assert_allclose(ad.grad(f)(x), differences(f, x), rtol=1e-6, atol=1e-9)


def test_weights_that_sum_to_zero() -> None:
    with pytest.raises(ZeroDivisionError, match="Weights sum to zero"):
        ad.grad(lambda v: np.average(v, weights=[1.0, -1.0]))(np.ones(2))


def test_average_returns_the_weights_too() -> None:
    x = spread((2, 3))
    f = lambda v: np.average(v, axis=1, weights=v[0] ** 2, returned=True)  # noqa: E731
    assert_value(f, x)
    assert_value(lambda v: np.average(v, axis=0, returned=True), x)


def test_a_mask_needs_an_initial_value() -> None:
    with pytest.raises(ValueError, match="does not have an identity"):
        ad.grad(lambda v: np.max(v, where=[True, False]))(np.ones(2))
