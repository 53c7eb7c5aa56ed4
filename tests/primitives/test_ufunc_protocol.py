"""Ufuncs with keyword arguments, their methods, and ufuncs with several results."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint.errors import (
    AbstractValueError,
    ArgumentError,
    TracedConversionError,
    UntraceableFunctionError,
)
from adjoint.primitives.ufunc_methods import ASSOCIATIVE
from tests.primitives.agreement import (
    assert_agrees,
    assert_batches,
    assert_derivatives,
    assert_same,
    assert_value,
    differences,
    spread,
)

MASK = np.array([True, False, True])


def filled(ufunc: np.ufunc, *others: Any, where: Any = True) -> Any:
    """A function that writes the ufunc's result into a view of a buffer."""

    def f(x: Any) -> Any:
        buffer = np.ones_like(x) * x
        view = buffer[1:]
        returned = ufunc(x[1:], *others, out=view, where=where)
        assert returned is view
        return buffer * 2

    return f


def wide_out(x: Any) -> Any:
    buffer = np.zeros_like(x)
    np.exp(x[0], out=buffer)
    np.add(buffer, x, buffer)
    return buffer


def updated(name: str) -> Any:
    def f(x: Any) -> Any:
        y = x.copy()
        z = y[0]
        if name == "+=":
            y += x
            z += 1
        elif name == "-=":
            y -= x * x
        elif name == "*=":
            y[:, 1:] *= x[:, :2]
        elif name == "/=":
            y /= 2 + x * x
        else:
            y **= 2
        return y + z

    return f


CALLS = {
    "out a view": filled(np.multiply, 3.0),
    "out and where": filled(np.exp, where=MASK),
    "out by broadcasting": wide_out,
    "in place +=": updated("+="),
    "in place -=": updated("-="),
    "in place *=": updated("*="),
    "in place /=": updated("/="),
    "in place **=": updated("**="),
    "where and no out": lambda x: np.sin(x, where=MASK, out=None),
    "where by traced mask": lambda x: np.exp(x, where=x > 0, out=np.zeros_like(x)),
    "dtype": lambda x: np.multiply(x, 2, dtype=np.float64),
    "signature": lambda x: np.add(x, 1, signature=(np.float64, np.float64, np.float64)),
    "signature text": lambda x: np.add(x, 1, signature="dd->d"),
    "order and subok": lambda x: np.add(x, 1, order="F", subok=False),
    "divmod": lambda x: np.divmod(x, 0.371)[1],
    "operator divmod": lambda x: divmod(x, 0.371)[1] + divmod(9.1, x)[1],
    "modf": lambda x: np.modf(x)[0] + np.modf(x)[1] * x,
    "frexp": lambda x: np.frexp(1.1 * x)[0] * np.frexp(1.1 * x)[1],
    "matmul axes": lambda x: np.matmul(x, x, axes=[(1, 0), (0, 1), (1, 0)]),
    "matmul axes of vectors": lambda x: np.matmul(x, x[0], axes=[(-2, -1), (0,), (0,)]),
    "outer": lambda x: np.multiply.outer(x[0], x),
    "outer of arctan2": lambda x: np.arctan2.outer(x[0], x[1] ** 2 + 1),
    "outer with dtype": lambda x: np.subtract.outer(x[0], x[1], dtype=np.float64),
}


@pytest.mark.parametrize("case", CALLS)
def test_calls_with_arguments(case: str) -> None:
    f, x = CALLS[case], spread((2, 3))
    if "where and no" in case:  # NumPy leaves the other elements undefined; ours are 0
        expected = np.where(MASK, np.sin(x), 0)
        assert_same(ad.jvp(f, (x,), (x,))[0], expected)
        f = lambda v: np.where(MASK, np.sin(v), 0.0)  # noqa: E731
    assert_agrees(f, x)


@pytest.mark.skipif(not hasattr(np, "vecmat"), reason="ufuncs of NumPy 2.2")
def test_vector_and_matrix_ufuncs() -> None:
    x = spread((2, 3, 3))
    v = spread((3,))
    for f in (
        lambda a: np.vecdot(a, v),
        lambda a: np.vecdot(a, a, axis=0),
        lambda a: np.vecdot(a, v, keepdims=True),
        lambda a: np.vecdot(a[0], a[1], axes=[0, 1, ()]),
        lambda a: np.matvec(a, v),
        lambda a: np.matvec(a[:, None], a),
        lambda a: np.vecmat(a[0, 0], a),
        lambda a: np.vecmat(a, a[0]),
        lambda a: np.matvec(a[0], a[1], axes=[(1, 0), (0,), (1,)]),
    ):
        assert_agrees(f, x, second=False)
    with pytest.raises(ValueError, match="core dimension n has sizes 3 and 2"):
        ad.grad(lambda a: np.vecdot(a, a[:2]))(v)
    with pytest.raises(ValueError, match="do not have enough axes"):
        ad.grad(lambda a: np.matvec(a, a))(v)


def test_vecdot_conjugates() -> None:
    x = spread((4,))
    assert_value(lambda a: np.vecdot(a[:2] + 1j * a[2:], a[2:] - 1j), x)


def test_what_is_masked_may_be_undefined() -> None:
    x = np.array([0.0, 2.0, -1.0])
    positive = x > 0

    def safe_log(v: Any) -> Any:
        return np.sum(np.log(v, where=v > 0, out=np.zeros_like(v)))

    def safe_quotient(v: Any) -> Any:
        return np.sum(np.divide(1.0, v, where=v != 0, out=np.zeros_like(v)))

    for mode in ("forward", "reverse"):  # no warning either: warnings are errors here
        got = ad.jacobian(safe_log, mode=mode)(x)
        assert_same(got, np.where(positive, 0.5, 0.0))
        assert_same(ad.jacobian(safe_quotient, mode=mode)(x), np.array([0.0, -0.25, -1.0]))
    assert_same(ad.hessian(safe_log)(x), np.diag([0.0, -0.25, 0.0]))


@pytest.mark.parametrize("ufunc", [np.sqrt, np.arccosh, np.arctanh, np.reciprocal, np.cbrt])
def test_a_harmless_point_exists_for_every_domain(ufunc: np.ufunc) -> None:
    x = np.array([0.0, 1.0, -1.0, 5.0])
    got = ad.grad(lambda v: np.sum(ufunc(v, where=np.zeros(4, bool), out=v * 3)))(x)
    assert_same(got, np.full(4, 3.0))


# -- folds ----------------------------------------------------------------------------------------

SEQUENTIAL = [np.subtract, np.divide, np.arctan2, np.power, np.float_power]
REAL_FOLDS = [u for u in ASSOCIATIVE if "f" in "".join(t[0] for t in u.types)]


def positive(x: Any) -> Any:
    return np.sqrt(x * x + 0.5)


@pytest.mark.parametrize("n", [1, 2, 5])
@pytest.mark.parametrize("ufunc", [*sorted(REAL_FOLDS, key=str), *SEQUENTIAL], ids=str)
def test_reduce_and_accumulate(ufunc: np.ufunc, n: int) -> None:
    x = spread((n, 2))
    inside = positive if ufunc in SEQUENTIAL else (lambda v: v)
    for method in (ufunc.reduce, ufunc.accumulate):
        for axis in (0, -1):
            f = lambda v, m=method, a=axis: m(inside(v), axis=a)  # noqa: E731
            assert_value(f, x)
            assert_batches(f, x)
            if ufunc.types[-1][-1] != "?" and "logical" not in str(ufunc):
                assert_derivatives(f, x, second=n == 2)


@pytest.mark.parametrize("ufunc", sorted(ASSOCIATIVE, key=str), ids=str)
def test_folds_of_integers(ufunc: np.ufunc) -> None:
    x = np.array([[12.0, 18.0, 7.0], [6.0, -4.0, 5.0]])
    dtype = np.int64 if ufunc not in (np.logaddexp, np.logaddexp2, np.hypot) else np.int32
    for axis in (0, 1) if ufunc is np.lcm else (0, 1, None, ()):
        f = lambda v, a=axis: ufunc.reduce(v.astype(dtype), axis=a)  # noqa: E731
        assert_value(f, x)
    assert_value(lambda v: ufunc.accumulate(v.astype(dtype), axis=1), x)
    assert_value(lambda v: ufunc.reduce(-v[:1].astype(dtype), axis=0), x)


MORE_FOLDS = {
    "keepdims": lambda x: np.logaddexp.reduce(x, axis=1, keepdims=True),
    "tuple of axes": lambda x: np.hypot.reduce(x, axis=(0, 1)),
    "no axes": lambda x: np.logaddexp.reduce(x, axis=()),
    "initial": lambda x: np.logaddexp.reduce(x, axis=0, initial=0.3),
    "initial of a difference": lambda x: np.subtract.reduce(x, axis=1, initial=2.0),
    "initial of a maximum": lambda x: np.maximum.reduce(x, axis=1, initial=0.3),
    "where": lambda x: np.logaddexp.reduce(x, axis=1, where=MASK),
    "where and initial": lambda x: np.fmax.reduce(x, axis=1, where=MASK, initial=-9.0),
    "where of a sum": lambda x: np.add.reduce(x, axis=1, where=MASK),
    "dtype": lambda x: np.hypot.reduce(x, axis=0, dtype=np.float64),
    "dtype of a maximum": lambda x: np.maximum.reduce(x, dtype=np.float64),
    "dtype of a sum": lambda x: np.add.accumulate(x, axis=1, dtype=np.float64),
    "dtype of accumulate": lambda x: np.logaddexp.accumulate(x, axis=1, dtype=np.float64),
    "all": lambda x: np.logical_and.reduce(x, axis=1) * x[:, 0],
    "all initial": lambda x: np.logical_and.reduce(x, axis=1, initial=False) * x[:, 0],
    "empty": lambda x: np.hypot.reduce(x[:0], axis=0) + x[0],
    "empty accumulate": lambda x: np.hypot.accumulate(x[:0], axis=0),
    "reduceat sum": lambda x: np.add.reduceat(x, [0, 2, 1, 1], axis=1),
    "reduceat product": lambda x: np.multiply.reduceat(x, [0, 2, 1], axis=1),
    "reduceat maximum": lambda x: np.maximum.reduceat(x, [1, 0], axis=0),
    "reduceat difference": lambda x: np.subtract.reduceat(x, [0, 1], axis=1),
}


@pytest.mark.parametrize("case", MORE_FOLDS)
def test_arguments_of_folds(case: str) -> None:
    assert_agrees(MORE_FOLDS[case], spread((2, 3)))


def test_folds_write_to_out() -> None:
    def f(x: Any) -> Any:
        buffer = np.zeros_like(x)
        np.add.reduce(x, axis=0, out=buffer[0])
        np.logaddexp.reduce(x, axis=0, out=buffer[1])
        last = np.zeros_like(x)
        np.multiply.accumulate(x, axis=1, out=last)
        np.hypot.accumulate(last, axis=1, out=last)
        np.add.reduceat(x, [0], axis=0, out=last[:1])
        return buffer * last

    assert_agrees(f, spread((2, 3)))


# -- at -------------------------------------------------------------------------------------------


def at(ufunc: np.ufunc, index: Any, *values: Any, of: int = 0) -> Any:
    def f(x: Any) -> Any:
        y = x * 1.0
        seen = y[0]
        ufunc.at(y, index, *(v(x) if callable(v) else v for v in values))
        return y + seen

    return f


ATS = {
    "add": at(np.add, [0, 0, 1], lambda x: x[:, :1]),
    "add scalar": at(np.add, [2, 2], 1.5),
    "add of pairs": at(np.add, ([0, 0, 2], [1, 1, 0]), lambda x: x[:, 1]),
    "add to a slice": at(np.add, (slice(None), [0, 0]), lambda x: x),
    "subtract": at(np.subtract, [0, 0, 1], lambda x: x[:, :1]),
    "multiply repeated": at(np.multiply, [0, 0, 1], lambda x: x[:, :1]),
    "divide": at(np.divide, [1, 1, 1], lambda x: 2 + x[:, :1]),
    "maximum": at(np.maximum, [0, 0, 2], 0.55),
    "power": at(np.power, [0, 0], 2),
    "exp": at(np.exp, [0, 0, 2]),
    "negative by mask": at(np.negative, np.array([True, False, True])),
    "one element": at(np.multiply, (1, 0), lambda x: x[0, 0]),
    "nothing": at(np.multiply, np.array([], int), 3.0),
}


@pytest.mark.parametrize("case", ATS)
def test_at_goes_through_repeated_indices(case: str) -> None:
    f, x = ATS[case], spread((3, 2))
    assert_agrees(f, x)


def test_at_with_zeros_is_exact() -> None:
    def f(x: Any) -> Any:
        y = np.ones_like(x[:1])
        np.multiply.at(y, [0, 0, 0], x)
        return y[0]

    assert_same(ad.grad(f)(np.array([0.0, 2.0, 3.0])), np.array([6.0, 0.0, 0.0]))


def test_at_indices_that_differ_between_examples() -> None:
    def f(x: Any) -> Any:
        y = np.zeros_like(x)
        np.add.at(y, np.argsort(x), x)
        return y

    assert_batches(f, spread((4,)))
    with pytest.raises(AbstractValueError, match=r"np.multiply.at's indices"):
        ad.vmap(lambda x: np.multiply.at(x * 1, np.argsort(x), 2.0))(spread((2, 3)))


# -- what is refused ------------------------------------------------------------------------------


def into_plain_sum(x: Any) -> Any:
    total = np.zeros(2)
    total += x
    return total


def into_plain_out(x: Any) -> Any:
    return np.exp(x, out=np.zeros(2))


def into_plain_reduction(x: Any) -> Any:
    return np.max(x, axis=0, out=np.zeros(()))


def into_plain_at(x: Any) -> Any:
    np.add.at(np.zeros(3), [0, 1], x)
    return x


@pytest.mark.parametrize("f", [into_plain_sum, into_plain_out, into_plain_reduction, into_plain_at])
def test_a_plain_array_cannot_hold_a_traced_result(f: Any) -> None:
    with pytest.raises(TracedConversionError) as error:
        ad.jacobian(f)(np.ones(2))
    lines = str(error.value).splitlines()
    assert "needs an array that can hold traced values; it got a plain f64" in lines[0]
    assert lines[1].startswith("  at test_ufunc_protocol.py:")
    assert "np.zeros_like(x)" in lines[2]


def test_a_constant_may_go_into_a_plain_array() -> None:
    def f(x: Any) -> Any:
        plain = np.zeros(2)
        plain += np.ones_like(x)
        np.exp(np.zeros_like(x), out=plain, where=[True, False])
        return np.sum(x * plain)

    assert_same(ad.grad(f)(np.ones(2)), np.ones(2))


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda v: np.add(v, 1, out=np.zeros_like(v[:1])), ValueError, "non-broadcastable output"),
        (lambda v: np.add(v, 1j, out=np.zeros_like(v)), TypeError, "Cannot cast ufunc 'add'"),
        (lambda v: np.add(v, 1, dtype=np.int64), TypeError, "[Cc]annot cast|did not contain"),
        (lambda v: np.multiply.at(v * 1, [0], 1j), TypeError, "Cannot cast ufunc 'multiply'"),
        (lambda v: np.add.at(v * 1, [0], 1j), TypeError, "Cannot cast ufunc 'add'"),
        (lambda v: np.subtract.reduce(np.outer(v, v), axis=None), ValueError, "not reorderable"),
        (lambda v: np.hypot.reduce(v[:0]) + np.fmax.reduce(v[:0]), ValueError, "no identity"),
        (lambda v: np.fmax.reduce(v, where=[True, False]), ValueError, "have an identity"),
        (
            lambda v: np.subtract.reduce(v, where=[True, False], initial=0.0),
            UntraceableFunctionError,
            "np.subtract.reduce with where=",
        ),
        (lambda v: np.add.reduceat(v, [0, 2]), IndexError, r"index 2 out-of-bounds"),
        (lambda v: np.add.accumulate(v[0]), TypeError, "cannot accumulate on a scalar"),
        (lambda v: np.matmul(v, v, axes=[(0, 1), (0,), ()]), ValueError, "axes needs entries"),
    ],
)
def test_what_ufuncs_refuse(call: Any, kind: Any, message: str) -> None:
    with pytest.raises(kind, match=message):
        ad.grad(lambda v: np.sum(v) + 0 * np.sum(call(v)))(np.array([1.0, 2.0]))


def test_methods_of_unary_ufuncs_are_refused() -> None:
    for method in (np.exp.reduce, np.exp.accumulate, np.exp.outer):
        with pytest.raises(ValueError, match="only supported for binary functions"):
            ad.grad(lambda v, m=method: np.sum(m(v)))(np.ones(2))


def test_unknown_arguments_are_refused() -> None:
    with pytest.raises((ArgumentError, TypeError), match="axis"):
        ad.grad(lambda v: np.sum(np.add(v, 1, axis=0)))(np.ones(2))


def test_special_values_of_modf_and_frexp() -> None:
    x = np.array([np.inf, -np.inf, -2.0, 2.5, -0.0, 5e-324, 1e308])
    assert_value(np.modf, x)
    assert_value(np.frexp, x)
    for function, own in ((np.modf, x), (np.frexp, x)):
        got = ad.jvp(function, (own,), (np.ones(7),))[0]
        for g, e in zip(got, function(own), strict=True):
            assert np.array_equal(np.signbit(g), np.signbit(e))
    assert_same(ad.grad(lambda v: np.sum(np.modf(v)[0]))(x[2:]), np.ones(5))
    y = np.array([3.0, -0.3])
    f = lambda v: np.sum(np.frexp(v)[0])  # noqa: E731
    np.testing.assert_allclose(ad.grad(f)(y), differences(f, y), rtol=1e-6)


def test_integer_operands_of_ufuncs_with_several_results() -> None:
    x = np.array([7.0, -7.0])
    for function in (np.modf, np.frexp, lambda v: np.divmod(v, 3)):
        assert_value(lambda v, f=function: f(v.astype(np.int64)), x)
    assert_value(lambda v: np.bitwise_count(v.astype(np.int64)), x)
