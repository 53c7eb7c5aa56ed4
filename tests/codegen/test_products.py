"""Products by BLAS: what NumPy says, by which routine, and without copies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest import mock

import numpy as np
import pytest

import adjoint as ad
from adjoint.codegen import blas, patterns

F64, F32 = np.float64, np.float32


def numbers(*shape: int, dtype: Any = F64) -> Any:
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(dtype)


def assert_product(f: Callable[..., Any], *args: Any) -> str:
    """The compiled product is NumPy's, at the first call and later ones; its explanation."""
    compiled = ad.compile(f)
    for _ in range(2):
        got, expected = compiled(*args), f(*args)
        assert got.dtype == expected.dtype
        assert got.shape == expected.shape
        scale = np.abs(expected).max(initial=1e-300)
        eps = np.finfo(expected.dtype).eps
        np.testing.assert_allclose(got, expected, rtol=0, atol=50 * eps * scale)
    return str(compiled.explain())


def steps(explanation: str) -> list[str]:
    """The loops and the routines of BLAS, in order."""
    words = [line.split() for line in explanation.splitlines()]
    return [w[1].rstrip(",") if w[0] == "BLAS" else w[0] for w in words if w[0] in ("BLAS", "loop")]


A, B, C = numbers(101, 67), numbers(101, 53), numbers(67, 53)
WIDE = numbers(300, 303)
X, Y = numbers(303), numbers(300)
STACK = numbers(3, 260, 263)

WITHOUT_COPY: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "dgemm A.T @ B": (lambda a, b: a.T @ b, (A, B)),
    "dgemm of Fortran order": (lambda a, b: a.T @ b, (np.asfortranarray(A), np.asfortranarray(B))),
    "dgemm A[::2] @ C": (lambda a, c: a[::2] @ c, (A, C)),
    "dgemm A[:, 1:60] @ C": (lambda a, c: a[:, 1:60] @ c[:59], (A, C)),
    "dgemm A @ C.T": (lambda a, c: a @ c.T, (A, numbers(54, 67))),
    "dgemm C.T @ A.T": (lambda a, c: c.T @ a.T, (A, C)),
    "dgemm (A @ C).T": (lambda a, c: (a @ c).T, (A, C)),
    "dgemm of one axis of length 1": (lambda a, c: a[:, None] @ c, (A, C)),
    "sgemm": (lambda a, c: a @ c, (A.astype(F32), C.astype(F32))),
    "dgemv A @ x": (lambda a, x: a @ x, (WIDE, X)),
    "dgemv A.T @ x": (lambda a, x: a.T @ x, (WIDE, Y)),
    "dgemv x @ A": (lambda a, x: x @ a, (WIDE, Y)),
    "dgemv of a part": (lambda a, x: a[1:, 2:] @ x[2:], (WIDE, X)),
    "dgemv with a stride": (lambda a, x: a @ x[1::3], (WIDE, numbers(908))),
    "dgemv backwards": (lambda a, x: a @ x[::-1], (WIDE, X)),
    "dgemv backwards with a stride": (lambda a, x: a @ x[::-2], (WIDE, numbers(605))),
    "dgemv with a column": (lambda a, b: a @ b[:, 1], (WIDE, numbers(303, 4))),
    "dgemv with its own row": (lambda a: a @ a[7], (WIDE,)),
    "sgemv": (lambda a, x: a @ x, (WIDE.astype(F32), X.astype(F32))),
    "dgemv for each of a stack": (lambda t, x: t @ x, (STACK, numbers(263))),
    "dsyrk A.T @ A": (lambda a: a.T @ a, (WIDE,)),
    "dsyrk A @ A.T": (lambda a: a @ a.T, (WIDE,)),
    "dsyrk of a part": (lambda a: a[5:, 3:].T @ a[5:, 3:], (WIDE,)),
    "dsyrk for each of a stack": (lambda t: t @ np.swapaxes(t, 1, 2), (STACK,)),
    "ssyrk": (lambda a: a.T @ a, (WIDE.astype(F32),)),
}


@pytest.mark.parametrize("name", WITHOUT_COPY)
def test_one_call_and_no_copy(name: str) -> None:
    f, args = WITHOUT_COPY[name]
    explanation = assert_product(f, *args)
    assert steps(explanation) == [name.split()[0]]


@pytest.mark.parametrize(
    ("f", "args", "expected"),
    [
        (lambda a, c: a[:, ::2] @ c[::2], (A, C), ["loop", "dgemm"]),
        (lambda a, c: a[::-1] @ c[::-1], (A, numbers(67, 53)), ["loop", "loop", "dgemm"]),
        (lambda a, b: np.einsum("ijk,jl->ikl", a, b), (numbers(8, 12, 9), numbers(12, 20)),
         ["loop", "dgemm"]),
        (lambda a, x: np.tensordot(a, x, ([1], [0])), (numbers(60, 50, 40), numbers(50)),
         ["loop"]),
    ],
)  # fmt: skip
def test_what_blas_cannot_walk_is_copied_first(f: Any, args: Any, expected: list[str]) -> None:
    assert steps(assert_product(f, *args)) == expected


def test_arrays_that_are_closed_over_keep_their_strides() -> None:
    fortran = np.asfortranarray(WIDE)
    assert steps(assert_product(lambda x: fortran @ x, X)) == ["dgemv"]
    assert steps(assert_product(lambda x: x @ fortran, Y)) == ["dgemv"]
    assert steps(assert_product(lambda b: fortran @ b, numbers(303, 20))) == ["dgemm"]
    sparse, repeated = numbers(600, 606)[::2, ::2], np.broadcast_to(X, (300, 303))
    for odd in (sparse, repeated):
        assert steps(assert_product(lambda b, odd=odd: odd @ b, numbers(303, 20))) == [
            "loop", "dgemm",
        ]  # fmt: skip
        assert steps(assert_product(lambda x, odd=odd: odd @ x, X)) == ["loop"]


def test_a_change_of_an_array_that_is_copied_is_seen() -> None:
    held = numbers(600, 606)[::2, ::2]
    compiled, b = ad.compile(lambda b: held @ b), numbers(303, 20)
    compiled(b)
    held *= 2
    np.testing.assert_allclose(compiled(b), held @ b)


def test_small_products_stay_loops() -> None:
    assert steps(assert_product(lambda a, x: a @ x, numbers(20, 30), numbers(30))) == ["loop"]
    assert steps(assert_product(lambda x, y: x @ y, X, X)) == ["loop"]
    assert steps(assert_product(np.outer, X, Y)) == ["loop"]


def test_a_matrix_that_is_computed_is_not_stored_for_gemv() -> None:
    assert steps(assert_product(lambda a, x: np.tanh(a) @ x, WIDE, X)) == ["loop"]


def test_products_of_one_matrix_with_several_vectors_read_it_once() -> None:
    def both(a: Any, x: Any, y: Any) -> Any:
        return np.concatenate([a @ x, a @ y])

    assert steps(assert_product(both, WIDE, X, 2 * X)) == ["loop"]

    def one_after_the_other(a: Any, x: Any) -> Any:
        return a @ (a @ x)

    square = numbers(301, 301)
    assert steps(assert_product(one_after_the_other, square, numbers(301))) == ["dgemv"] * 2


# -- symmetric results -----------------------------------------------------------------------------

V = numbers(300)

HALVES: dict[str, Callable[..., Any]] = {
    "scaled second": lambda a, v: a.T @ (v[:, None] * a),
    "scaled first": lambda a, v: (a.T * v) @ a,
    "divided": lambda a, v: (a.T / (v + 9)) @ a,
    "negative": lambda a, v: -a.T @ (a * v[:, None]),
    "scaled twice": lambda a, v: (a.T * v) @ (a * v[:, None]),
    "in one contraction": lambda a, v: np.einsum("ki,k,kj->ij", a, v, a),
    "the other way": lambda a, v: (a[:, :300] * v) @ a[:, :300].T,
    "with a unit axis": lambda a, v: ((a.T * v)[:, None, :] @ a)[:, 0],
}


@pytest.mark.parametrize("name", HALVES)
@pytest.mark.parametrize("dtype", [F64, F32])
def test_one_half_of_a_scaled_product_with_the_transpose(name: str, dtype: Any) -> None:
    f, args = HALVES[name], (WIDE.astype(dtype), V.astype(dtype))
    explanation = assert_product(f, *args)
    letter = "d" if dtype is F64 else "s"
    assert f"{letter}gemm" in steps(explanation)
    assert "one half" in explanation
    compiled = ad.compile(f)
    compiled(*args)
    result = compiled(*args)
    np.testing.assert_array_equal(result, result.T)


def test_both_operands_scaled_alike_are_one_array() -> None:
    explanation = assert_product(lambda a, v: (a * v[:, None]).T @ (a * v[:, None]), WIDE, V)
    assert steps(explanation) == ["loop", "dsyrk"]


UNLIKE: dict[str, Callable[..., Any]] = {
    "another matrix": lambda a, v: a.T @ np.tanh(a),
    "a factor along the result": lambda a, v: a.T[:, :300] @ (a[:, :300] * v),
    "a matrix as factor": lambda a, v: a.T @ (a * a),
    "two parts": lambda a, v: a[:150].T @ a[150:],
    "not transposed": lambda a, v: a[:, :300] @ a[:, :300],
    "a divisor": lambda a, v: a.T @ (v[:, None] / (9 + a * a)),
}


@pytest.mark.parametrize("name", UNLIKE)
def test_products_that_only_look_symmetric(name: str) -> None:
    explanation = assert_product(UNLIKE[name], WIDE, V)
    assert "dgemm" in steps(explanation)
    assert "half" not in explanation
    assert "syrk" not in explanation


def test_pairs_of_axes_of_the_result() -> None:
    t = numbers(70, 12, 12)
    assert steps(assert_product(lambda t: np.einsum("kab,kcd->abcd", t, t), t)) == ["dsyrk"]
    # These are the same products in another order, which only moves elements.
    for result in ("abdc", "acbd", "dcba"):
        crossed = assert_product(lambda t, r=result: np.einsum(f"kab,kcd->{r}", t, t), t)
        assert steps(crossed) == ["dsyrk", "loop"]
    turned = assert_product(lambda t: np.einsum("kab,kdc->abcd", t, np.tanh(t)), t)
    assert "syrk" not in turned


@pytest.mark.parametrize("rows", [1, 2, 7, 8, 9, 33, 127, 128, 129, 257])
def test_the_halves_meet_for_every_size(rows: int) -> None:
    limits = {"SYRK_WORK": 0, "SYRK_DEPTH": 0, "HALF_ROWS": 2, "HALF_DEPTH": 0}
    x, v = numbers(37, rows), numbers(37)
    with mock.patch.multiple(blas, **limits), mock.patch.object(patterns, "SMALL_PRODUCT", 0):
        assert_product(lambda x: x.T @ x, x)
        assert_product(lambda x, v: (x.T * v) @ x, x, v)


def test_nothing_finite_is_made_of_what_is_not() -> None:
    a, v = WIDE.copy(), V.copy()
    a[3, 5], v[7] = np.nan, np.inf
    f = HALVES["scaled first"]
    compiled = ad.compile(f)
    compiled(WIDE, V)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(np.isfinite(compiled(a, v)), np.isfinite(f(a, v)))


def logistic(w: Any, x: Any, y: Any) -> Any:
    return np.sum(np.log(np.exp(-y * (x @ w)) + 1.0))


def test_the_hessian_of_a_logistic_regression_computes_one_half() -> None:
    w, x, y = 0.1 * numbers(203), numbers(406, 203), np.sign(numbers(406))
    explanation = assert_product(ad.hessian(logistic), w, x, y)
    assert "one half" in explanation
    assert steps(explanation)[-1] == "dgemm"  # nothing is transposed or copied after it


@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (0, 0), (1, 1), (300, 1), (1, 300)])
def test_empty_and_thin_matrices(shape: tuple[int, int]) -> None:
    a = numbers(*shape)
    assert_product(lambda a: a.T @ a, a)
    assert_product(lambda a, x: a @ x, a, numbers(shape[1]))
    assert_product(lambda a, x: x @ a, a, numbers(shape[0]))
