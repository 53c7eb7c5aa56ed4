"""Orders, searches, distinct elements and histograms."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint.errors import AbstractValueError, ArgumentError, ArgumentValueError
from tests.primitives.agreement import (
    assert_agrees,
    assert_batches,
    assert_derivatives,
    assert_same,
    assert_value,
    spread,
)

WEIGHTS = np.array([0.5, 1.0, 2.0, 0.25, 3.0, 1.5])

DIFFERENTIABLE = {
    "sort": lambda x: np.sort(x),
    "sort axis 0": lambda x: np.sort(x, axis=0),
    "sort all": lambda x: np.sort(x, axis=None),
    "sort stable": lambda x: np.sort(x, stable=True),
    "sort kind": lambda x: np.sort(x, kind="heapsort", axis=-2),
    "partition": lambda x: np.sort(np.partition(x, 1, axis=1)[:, :2]),
    "partition several": lambda x: np.partition(x, (0, 2), axis=1),
    "partition all": lambda x: np.partition(x, (0, 1, 2, 3, 4, 5), axis=None),
    "method argsort": lambda x: np.take_along_axis(x, x.argsort(axis=1), axis=1),
    "bincount": lambda x: np.bincount([0, 2, 2, 5, 0, 1], weights=x.ravel(), minlength=8),
    "histogram of weights": lambda x: np.histogram(WEIGHTS, 4, weights=x.ravel())[0],
    "histogram edges": lambda x: np.histogram(x, bins=3)[1],
    "histogram density": lambda x: np.histogram(x, bins=3, density=True)[0],
    "histogram range": lambda x: np.histogram(WEIGHTS, 3, range=(0, 2), weights=x.ravel())[0],
}


def in_place(x: Any) -> Any:
    y = x.copy()
    y.sort(axis=0)
    y[1:].partition(2)
    return y * x


DIFFERENTIABLE["methods in place"] = in_place


@pytest.mark.parametrize("case", DIFFERENTIABLE)
def test_a_permutation_is_its_own_derivative(case: str) -> None:
    f, x = DIFFERENTIABLE[case], spread((2, 3))
    if case == "methods in place":
        assert_derivatives(f, x)
        assert_batches(f, x)
        return
    assert_agrees(f, x, second=case != "histogram density")


FLAT = {
    "argsort": lambda x: np.argsort(x),
    "argsort all": lambda x: np.argsort(x, axis=None, kind="stable"),
    "argsort stable": lambda x: np.argsort(x, axis=0, stable=True),
    "argpartition": lambda x: np.argpartition(x, (0, 1, 2), axis=1),
    "lexsort": lambda x: np.lexsort((x[0], np.array([1, 0, 1]))),
    "lexsort matrix": lambda x: np.lexsort(np.stack([x, np.round(x)])),
    "searchsorted": lambda x: np.searchsorted(np.array([-1.0, 0.0, 0.5, 1.0]), x),
    "searchsorted in traced": lambda x: np.searchsorted(np.sort(x[0]), x[1], side="right"),
    "searchsorted sorter": lambda x: np.searchsorted(x[0], x[1], sorter=np.argsort(x[0])),
    "searchsorted scalar": lambda x: np.searchsorted(np.sort(x, axis=None), 0.4),
    "digitize": lambda x: np.digitize(x, np.array([-1.0, 0.0, 0.5, 1.0])),
    "digitize falling": lambda x: np.digitize(x, np.array([1.0, 0.5, 0.0])),
    "digitize right": lambda x: np.digitize(x, np.array([1.0, 0.38, 0.0]), right=True),
    "histogram counts": lambda x: np.histogram(x, bins=4)[0],
    "histogram given edges": lambda x: np.histogram(x, bins=np.array([-1.0, 0.0, 0.25, 1.0]))[0],
}


@pytest.mark.parametrize("case", FLAT)
def test_an_order_agrees_and_has_derivative_zero(case: str) -> None:
    f, x = FLAT[case], spread((2, 3))
    assert_value(f, x)
    assert_batches(f, x)
    assert_same(ad.grad(lambda v: np.sum(v * v) + np.sum(f(v)))(x), 2 * x)


BY_VALUE = {
    "nonzero": lambda x: np.nonzero(x > 0),
    "flatnonzero": lambda x: np.flatnonzero(x > 0),
    "argwhere": lambda x: np.argwhere(x > 0.3),
    "where": lambda x: np.where(x > 0),
    "unique": lambda x: np.unique(np.round(x)),
    "unique all": lambda x: np.unique(np.round(x), True, True, True),
    "unique axis": lambda x: np.unique(np.round(x), axis=1, return_inverse=True),
    "unique counts": lambda x: np.unique(np.round(x), return_counts=True),
    "unique_all": lambda x: tuple(np.unique_all(np.round(x))),
    "unique_counts": lambda x: tuple(np.unique_counts(np.round(x))),
    "unique_inverse": lambda x: tuple(np.unique_inverse(np.round(x))),
    "unique_values": lambda x: np.sort(np.unique_values(np.round(x))),
    "extract": lambda x: np.extract(x > 0, x),
    "bincount": lambda x: np.bincount(np.argsort(x, axis=None), minlength=9),
    "union": lambda x: np.union1d(x[0], x[:, 1]),
    "intersection": lambda x: np.intersect1d(x[0], x[:, 1], return_indices=True),
    "difference of sets": lambda x: np.setdiff1d(x, x[:, 1]) * 2,
    "symmetric difference": lambda x: np.setxor1d(x[0], x[:, 1]),
    "histogram rule": lambda x: np.histogram(x, bins="sturges"),
}


@pytest.mark.parametrize("case", BY_VALUE)
def test_shapes_that_depend_on_values(case: str) -> None:
    f, x = BY_VALUE[case], spread((2, 3))
    assert_value(f, x)
    with pytest.raises(AbstractValueError, match=r"vmap computes it for all examples at once"):
        ad.vmap(f)(np.stack([x, x]))


def test_distinct_elements_are_the_first_ones() -> None:
    x = np.array([2.0, 1.0, 2.0, 3.0])
    got = ad.jacobian(np.unique)(x)
    assert_same(got, np.eye(4)[[1, 0, 3]])
    assert_derivatives(lambda v: np.unique(v, axis=0), spread((3, 2)))


@pytest.mark.parametrize("function", [np.union1d, np.intersect1d, np.setdiff1d, np.setxor1d])
def test_sets_choose_elements(function: Any) -> None:
    assert_derivatives(lambda v: function(v * 2, 2 * np.array([0.38, v[1], 9.0])), spread((5,)))


def test_several_nan_are_one() -> None:
    x = np.array([np.nan, 1.0, np.nan])
    assert_value(np.unique, x)
    assert_value(lambda v: np.unique(v, equal_nan=False), x)


def test_ties_in_a_sort_keep_a_permutation() -> None:
    jacobian = ad.jacobian(lambda v: np.sort(v, stable=True))(np.array([1.0, 0.0, 1.0, 0.0]))
    assert_same(jacobian, np.eye(4)[[1, 3, 0, 2]])


def test_a_sorted_root_of_zero_is_left_out() -> None:
    with np.errstate(divide="ignore"):
        got = ad.grad(lambda v: np.max(np.sqrt(v)) + 0 * v[0])(np.array([0.0, 4.0]))
    assert_same(got, np.array([0.0, 0.25]))


def test_sort_of_complex_numbers() -> None:
    x = spread((4,))
    assert_value(lambda v: np.sort(v[:2] + 1j * v[2:]), x)
    assert_value(np.sort_complex, x)


def test_histogram_of_one_value_and_of_none() -> None:
    assert_value(lambda v: np.histogram(v * 0 + 2.0, bins=2), spread((3,)))
    assert_value(lambda v: np.histogram(v[:0], bins=2), spread((3,)))


def test_histogram_weights_are_linear_when_the_data_move_too() -> None:
    def f(v: Any) -> Any:
        return np.histogram(v, bins=2, range=(-3.0, 3.0), weights=v * v)[0]

    assert_agrees(f, spread((4,)))


@pytest.mark.parametrize("function", [np.sort, np.partition, np.argsort, np.argpartition])
def test_axes_and_fields(function: Any) -> None:
    extra = (0,) if "partition" in function.__name__ else ()
    with pytest.raises(np.exceptions.AxisError):
        ad.grad(lambda v: np.sum(function(v, *extra, axis=1)))(np.ones(2))
    with pytest.raises(ArgumentError, match=r"order= sorts by fields"):
        ad.grad(lambda v: np.sum(function(v, *extra, order="a")))(np.ones(2))


def test_numbers_are_not_sorted() -> None:
    for function in (np.sort, lambda v: np.partition(v, 0)):
        with pytest.raises(np.exceptions.AxisError):
            ad.grad(function)(1.0)
    assert_value(np.argsort, np.float64(1.0))


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda v: np.sort(v, kind="stable", stable=True), ValueError, "`kind` and `stable`"),
        (lambda v: np.searchsorted(v, 1.0, side="middle"), ArgumentValueError, "got 'middle'"),
        (lambda v: np.digitize(v, np.array([0.0, 2.0, 1.0])), ValueError, "monotonically"),
        (lambda v: np.searchsorted(v.reshape(1, -1), 1.0), ValueError, "too deep"),
        (lambda v: np.nonzero(v[0]), ValueError, "0d"),
        (lambda v: np.bincount([0, -1], weights=v), ValueError, "no negative elements"),
        (lambda v: np.bincount([0, 1, 1], weights=v), ValueError, "same length"),
        (lambda v: np.bincount(v), TypeError, "Cannot cast array data"),
        (lambda v: np.histogram(v, bins=0), ValueError, "positive"),
        (lambda v: np.histogram(v, bins=np.array([1.0, 0.0])), ValueError, "monotonically"),
        (lambda v: np.histogram(v, bins=np.ones((2, 2))), ValueError, "1d"),
        (lambda v: np.histogram(v, range=(1, 0)), ValueError, "larger than min"),
        (lambda v: np.histogram(v * np.nan), ValueError, "not finite"),
        (lambda v: np.histogram(v, weights=np.ones(3)), ValueError, "same shape as a"),
        (lambda v: np.lexsort(()) + v, TypeError, "need sequence of keys"),
    ],
)
def test_what_orders_refuse(call: Any, kind: Any, message: str) -> None:
    with pytest.raises(kind, match=message):
        ad.vjp(lambda v: np.sum(v) + 0 * np.sum(call(v)), np.array([1.0, 2.0]))
