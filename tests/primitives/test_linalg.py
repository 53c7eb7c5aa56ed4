"""np.linalg: values, derivatives in both modes and orders, stacks, complex, float32."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint.errors import AdjointError, ArgumentValueError, ShapeMismatchError
from tests.primitives.agreement import assert_value
from tests.primitives.matrix_agreement import (
    assert_complex_rule,
    assert_matrix_rule,
    symmetric,
)

L: Any = np.linalg
RNG = np.random.default_rng(11)
SQUARE = RNG.normal(size=(3, 3)) + 2 * np.eye(3)
TALL = RNG.normal(size=(4, 3))
WIDE = TALL.T.copy()
STACK = RNG.normal(size=(2, 3, 3)) + 2 * np.eye(3)
POSITIVE = SQUARE @ SQUARE.T + np.diag([0.5, 1.0, 2.0])
POSITIVES = STACK @ np.swapaxes(STACK, -1, -2) + np.diag([0.5, 1.0, 2.0])
VECTOR = RNG.normal(size=4)

RULES: dict[str, tuple[Any, Any]] = {
    "solve": (lambda a: L.solve(a, WIDE), SQUARE),
    "solve vector": (lambda a: L.solve(a, VECTOR[:3]), SQUARE),
    "solve right side": (lambda b: L.solve(SQUARE, b), WIDE),
    "solve stack": (lambda a: L.solve(a, a @ a + 1), STACK),
    "solve broadcast": (lambda a: L.solve(a, STACK), SQUARE),
    "solve stack of one side": (lambda b: L.solve(STACK, b), VECTOR[:3]),
    "inv": (lambda a: L.inv(a), SQUARE),
    "inv stack": (lambda a: L.inv(a), STACK),
    "det": (lambda a: L.det(a), SQUARE),
    "det stack": (lambda a: L.det(a), STACK),
    "slogdet": (lambda a: L.slogdet(a)[1], STACK),
    "slogdet sign": (lambda a: L.slogdet(a).sign * L.slogdet(a).logabsdet, SQUARE),
    "cholesky": (lambda a: L.cholesky(symmetric(a)), POSITIVE),
    "cholesky upper": (lambda a: L.cholesky(symmetric(a), upper=True), POSITIVE),
    "cholesky stack": (lambda a: L.cholesky(symmetric(a)), POSITIVES),
    "qr q": (lambda a: L.qr(a).Q, TALL),
    "qr r": (lambda a: L.qr(a, mode="r"), TALL),
    "qr square": (lambda a: L.qr(a)[0] + L.qr(a)[1], SQUARE),
    "qr wide q": (lambda a: L.qr(a).Q, WIDE),
    "qr wide r": (lambda a: L.qr(a).R, WIDE),
    "qr stack": (lambda a: L.qr(a[..., :2]).Q, STACK),
    "qr complete": (lambda a: L.qr(a, mode="complete").Q[:, :3], TALL),
    "qr complete r": (lambda a: L.qr(a, mode="complete").R, TALL),
    "qr rest": (lambda a: (lambda q: q @ q.T)(L.qr(a, mode="complete").Q[:, 3:]), TALL),
    "eigvalsh": (lambda a: L.eigvalsh(symmetric(a)), POSITIVE),
    "eigvalsh upper": (lambda a: L.eigvalsh(symmetric(a), UPLO="U"), POSITIVE),
    "eigvalsh stack": (lambda a: L.eigvalsh(symmetric(a)), POSITIVES),
    "eigh vectors": (lambda a: L.eigh(symmetric(a)).eigenvectors ** 2, POSITIVE),
    "eigh stack": (lambda a: L.eigh(symmetric(a))[1] ** 2, POSITIVES),
    "eigh function": (lambda a: (lambda w, v: (v * np.log(w)) @ v.T)(*L.eigh(symmetric(a))),
                      POSITIVE),
    "eigvals": (lambda a: np.real(L.eigvals(a)), SQUARE),
    "eig vectors": (lambda a: np.abs(L.eig(a)[1]) ** 2, SQUARE),
    "eig real": (lambda a: np.real(L.eig(a)[1] ** 2),
                 SQUARE @ np.diag([1.0, 2.0, 4.0]) @ L.inv(SQUARE)),
    "svdvals": (lambda a: L.svdvals(a), TALL),
    "svd values": (lambda a: L.svd(a, compute_uv=False), STACK),
    "svd u": (lambda a: L.svd(a, full_matrices=False).U ** 2, TALL),
    "svd vh": (lambda a: L.svd(a, full_matrices=False).Vh ** 2, TALL),
    "svd wide": (lambda a: L.svd(a, full_matrices=False).Vh ** 2, WIDE),
    "svd full": (lambda a: L.svd(a).U[:, 3:] ** 2, TALL),
    "svd full wide": (lambda a: L.svd(a).U ** 2 + L.svd(a).S, WIDE),
    "svd stack": (lambda a: L.svd(a).U ** 2, STACK),
    "svd hermitian": (lambda a: L.svd(symmetric(a), hermitian=True).S, POSITIVE),
    "svd product": (lambda a: (lambda u, s, vh: (u * s**2) @ vh)(*L.svd(a, full_matrices=False)),
                    TALL),
    "pinv": (lambda a: L.pinv(a), TALL),
    "pinv wide": (lambda a: L.pinv(a), WIDE),
    "pinv stack": (lambda a: L.pinv(a[..., :2]), STACK),
    "pinv hermitian": (lambda a: L.pinv(symmetric(a), hermitian=True), POSITIVE),
    "pinv rtol": (lambda a: L.pinv(a, rtol=1e-9), TALL),
    "lstsq": (lambda a: L.lstsq(a, VECTOR)[0], TALL),
    "lstsq matrix": (lambda a: L.lstsq(a, np.outer(VECTOR, [1.0, 2.0]))[0], TALL),
    "lstsq wide": (lambda a: L.lstsq(a, VECTOR[:3])[0], WIDE),
    "lstsq side": (lambda b: L.lstsq(TALL, b)[0], VECTOR),
    "lstsq residuals": (lambda a: L.lstsq(a, VECTOR)[1], TALL),
    "lstsq values": (lambda a: L.lstsq(a, VECTOR)[3], TALL),
    "tensorsolve": (lambda a: L.tensorsolve(a.reshape(3, 1, 3), VECTOR[:3].reshape(3, 1)), SQUARE),
    "tensorsolve axes": (lambda a: L.tensorsolve(a.reshape(3, 3, 1), VECTOR[:3], axes=(0,)),
                         SQUARE),
    "tensorinv": (lambda a: L.tensorinv(a.reshape(3, 3, 1), ind=1), SQUARE),
    "matrix_power 0": (lambda a: L.matrix_power(a, 0) + a, SQUARE),
    "matrix_power 1": (lambda a: L.matrix_power(a, 1), STACK),
    "matrix_power 5": (lambda a: L.matrix_power(a / 4, 5), SQUARE),
    "matrix_power -2": (lambda a: L.matrix_power(a, -2), STACK),
    "multi_dot": (lambda a: L.multi_dot([VECTOR, a, a.T, a, VECTOR[:3]]), TALL),
    "multi_dot matrices": (lambda a: L.multi_dot([a, a.T]), TALL),
    "cond": (lambda a: L.cond(a), STACK),
    "cond -2": (lambda a: L.cond(a, -2), TALL),
    "cond 1": (lambda a: L.cond(a, 1), SQUARE),
    "cond fro": (lambda a: L.cond(a, "fro"), STACK),
    "matrix_transpose": (lambda a: L.matrix_transpose(a) ** 2, STACK),
    "outer": (lambda v: L.outer(v, v**2), VECTOR),
    "cross": (lambda a: L.cross(a, a[::-1] ** 2), TALL),
    "cross axis": (lambda a: L.cross(a, a[:, ::-1] ** 2, axis=0), WIDE),
    "trace": (lambda a: L.trace(a**2, offset=1), STACK),
    "diagonal": (lambda a: L.diagonal(a**2, offset=-1), STACK),
    "vecdot": (lambda a: L.vecdot(a, a[::-1] ** 2), TALL),
    "vecdot axis": (lambda a: L.vecdot(a, VECTOR[:, None], axis=0), TALL),
    "matmul": (lambda a: L.matmul(a, a), STACK),
    "tensordot": (lambda a: L.tensordot(a, a, axes=((0, 2), (0, 1))), STACK),
}  # fmt: skip

VECTOR_ORDERS = (None, 2, 1, 3, 4, 0.5, -1, -2.5, 0, np.inf, -np.inf)
MATRIX_ORDERS = (None, "fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf)


@pytest.mark.parametrize("name", RULES)
def test_rule(name: str) -> None:
    f, a = RULES[name]
    assert_matrix_rule(f, a)


@pytest.mark.parametrize("order", VECTOR_ORDERS)
def test_vector_norms(order: Any) -> None:
    assert_matrix_rule(lambda a: L.norm(a, order, axis=0), TALL)
    assert_value(lambda a: L.norm(a, order, axis=-1, keepdims=True), STACK)
    assert_value(lambda a: L.vector_norm(a, ord=order or 0, axis=(0, 2), keepdims=True), STACK)


@pytest.mark.parametrize("order", MATRIX_ORDERS)
def test_matrix_norms(order: Any) -> None:
    assert_matrix_rule(lambda a: L.norm(a, order), TALL)
    assert_value(lambda a: L.norm(a, order, axis=(2, 0), keepdims=True), STACK)
    assert_value(lambda a: L.matrix_norm(a, ord=order or "fro", keepdims=True), STACK)


@pytest.mark.parametrize("order", VECTOR_ORDERS)
def test_vector_norm_at_zero_has_derivative_zero(order: Any) -> None:
    zero = np.zeros(3)
    for f in (lambda v: L.norm(v, order), lambda v: L.vector_norm(v, ord=order or 2)):
        for mode in ("forward", "reverse"):
            np.testing.assert_array_equal(ad.jacobian(f, mode=mode)(zero), zero)


@pytest.mark.parametrize("order", MATRIX_ORDERS)
def test_matrix_norm_at_zero_has_derivative_zero(order: Any) -> None:
    zero = np.zeros((3, 2))
    np.testing.assert_array_equal(ad.grad(lambda a: L.norm(a, order))(zero), zero)


def test_squared_norm_at_zero() -> None:
    np.testing.assert_array_equal(
        ad.hessian(lambda v: L.norm(v) ** 2)(np.zeros(3)), 2.0 * np.eye(3)
    )


def test_norm_with_zero_elements_is_finite() -> None:
    v = np.array([0.0, 3.0, 4.0])
    for order in VECTOR_ORDERS:
        assert np.all(np.isfinite(ad.grad(lambda v, p=order: L.norm(v, p))(v))), order


COMPLEX_SQUARE = SQUARE + 1j * RNG.normal(size=(3, 3))
COMPLEX_TALL = TALL + 1j * RNG.normal(size=(4, 3))
HERMITIAN = COMPLEX_SQUARE @ COMPLEX_SQUARE.conj().T + np.diag([0.5, 1.0, 2.0])

COMPLEX_RULES: dict[str, tuple[Any, Any]] = {
    "solve": (lambda a: L.solve(a, a.T @ COMPLEX_SQUARE), COMPLEX_SQUARE),
    "inv": (lambda a: L.inv(a), COMPLEX_SQUARE),
    "det": (lambda a: L.det(a), COMPLEX_SQUARE),
    "slogdet": (lambda a: L.slogdet(a)[1], COMPLEX_SQUARE),
    "slogdet sign": (lambda a: L.slogdet(a)[0], COMPLEX_SQUARE),
    "cholesky": (lambda a: L.cholesky(symmetric(a)), HERMITIAN),
    "cholesky upper": (lambda a: L.cholesky(symmetric(a), upper=True), HERMITIAN),
    "qr": (lambda a: L.qr(a)[0], COMPLEX_SQUARE),
    "qr tall": (lambda a: L.qr(a)[1], COMPLEX_TALL),
    "qr wide": (lambda a: L.qr(a.T)[1], COMPLEX_TALL),
    "pinv": (lambda a: L.pinv(a), COMPLEX_TALL),
    "lstsq": (lambda a: L.lstsq(a, COMPLEX_TALL[:, ::-1] ** 2)[0], COMPLEX_TALL),
    "eigvalsh": (lambda a: L.eigvalsh(symmetric(a)), HERMITIAN),
    "eigh": (lambda a: np.abs(L.eigh(symmetric(a))[1]) ** 2, HERMITIAN),
    "eigh function": (
        lambda a: (lambda w, v: (v * np.log(w)) @ v.conj().T)(*L.eigh(symmetric(a))), HERMITIAN),
    "eig": (lambda a: np.abs(L.eig(a)[1]) ** 2, COMPLEX_SQUARE),
    "eigvals": (lambda a: L.eigvals(a), COMPLEX_SQUARE),
    "svd": (lambda a: np.abs(L.svd(a, full_matrices=False)[0]) ** 2, COMPLEX_TALL),
    "svd full": (lambda a: np.abs(L.svd(a)[0][:, 3:]) ** 2, COMPLEX_TALL),
    "svd product": (lambda a: (lambda u, s, vh: (u * np.exp(s / 4)) @ vh)(*L.svd(a)),
                    COMPLEX_SQUARE),
    "svdvals": (lambda a: L.svdvals(a), COMPLEX_TALL),
    "matrix_power": (lambda a: L.matrix_power(a, -2), COMPLEX_SQUARE),
    "norm": (lambda a: L.norm(a), COMPLEX_SQUARE),
    "norm 3": (lambda a: L.norm(a, 3, axis=1), COMPLEX_SQUARE),
    "norm nuc": (lambda a: L.norm(a, "nuc"), COMPLEX_TALL),
    "norm 1": (lambda a: L.norm(a, 1), COMPLEX_TALL),
    "vecdot": (lambda a: L.vecdot(a, COMPLEX_SQUARE), COMPLEX_SQUARE),
}  # fmt: skip


@pytest.mark.parametrize("name", COMPLEX_RULES)
def test_complex_rule(name: str) -> None:
    f, z = COMPLEX_RULES[name]
    assert_value(f, z)
    assert_complex_rule(f, z)


SINGLE: dict[str, Any] = {
    "inv": L.inv, "det": L.det, "slogdet": lambda a: L.slogdet(a)[1], "cholesky": L.cholesky,
    "solve": lambda a: L.solve(a, a @ a), "qr": lambda a: L.qr(a)[0], "eigvalsh": L.eigvalsh,
    "eigh": lambda a: L.eigh(a)[1], "eig": lambda a: np.abs(L.eig(a)[1]), "svdvals": L.svdvals,
    "svd": lambda a: L.svd(a)[0], "pinv": L.pinv, "lstsq": lambda a: L.lstsq(a, a)[0],
    "norm": L.norm, "norm 3": lambda a: L.norm(a, 3, axis=0), "norm 2": lambda a: L.norm(a, 2),
    "norm 0": lambda a: L.norm(a, 0, axis=0), "cond": L.cond,
}  # fmt: skip


@pytest.mark.parametrize("name", SINGLE)
def test_single_precision_stays(name: str) -> None:
    f, a = SINGLE[name], POSITIVE.astype(np.float32)
    y, y_dot = ad.jvp(f, (a,), (a,))
    assert y.dtype == y_dot.dtype == f(a).dtype == np.float32
    for derivative in (ad.grad, ad.hessian):
        assert derivative(lambda a: np.sum(f(a)))(a).dtype == np.float32


def test_integers_become_floats() -> None:
    a = np.array([[2, 1], [1, 3]])
    np.testing.assert_allclose(ad.grad(L.det)(a), [[3.0, -1.0], [-1.0, 2.0]], rtol=1e-14)


def test_only_one_operand_is_traced() -> None:
    b = np.ones(3)
    inverse = L.inv(SQUARE)
    np.testing.assert_allclose(ad.jacobian(lambda b: L.solve(SQUARE, b))(b), inverse, rtol=1e-12)
    found = ad.jacobian(lambda t: L.solve(t * np.diag([1.0, 2.0]), [1.0, 1.0]))(4.0)
    np.testing.assert_allclose(found, [-1 / 16, -1 / 32], atol=1e-15)


def test_lstsq_returns_everything() -> None:
    for a, b in ((TALL, VECTOR), (WIDE, VECTOR[:3]), (TALL, TALL[:, :2])):
        found: list[Any] = []

        def keep(x: Any, a: Any = a, found: list[Any] = found) -> Any:
            found.extend(L.lstsq(a * (1 + 0 * np.sum(x)), x))
            return x

        ad.jvp(keep, (b,), (b,))
        for mine, theirs in zip(found, L.lstsq(a, b), strict=True):
            value = getattr(getattr(mine, "node", None), "value", mine)
            np.testing.assert_allclose(value, theirs, rtol=1e-10, atol=1e-12)


def test_matrix_rank_is_flat_and_right() -> None:
    def f(a: Any) -> Any:
        return L.matrix_rank(a) * np.sum(a)

    a = np.outer([1.0, 2.0, 3.0], [1.0, 0.0, 1.0])
    np.testing.assert_array_equal(ad.grad(f)(a), np.ones((3, 3)))
    np.testing.assert_array_equal(ad.grad(f)(SQUARE), np.full((3, 3), 3.0))
    assert_value(lambda a: L.matrix_rank(a, tol=2.0), STACK)
    assert_value(lambda a: L.matrix_rank(a, rtol=0.5), TALL)


def test_results_keep_their_names() -> None:
    def f(a: Any) -> Any:
        u, s, vh = L.svd(a)
        assert L.svd(a)._fields == ("U", "S", "Vh")
        assert L.eigh(a)._fields == ("eigenvalues", "eigenvectors")
        assert L.slogdet(a)._fields == ("sign", "logabsdet")
        assert L.qr(a)._fields == ("Q", "R")
        return np.sum((u * s) @ vh)

    np.testing.assert_allclose(ad.grad(f)(SQUARE), np.ones((3, 3)), rtol=1e-12)


def test_gradients_of_symmetric_functions_are_symmetric() -> None:
    for f in (lambda a: np.sum(L.cholesky(a)), lambda a: np.sum(L.eigvalsh(a) ** 3)):
        found = ad.grad(f)(POSITIVE)
        np.testing.assert_allclose(found, found.T, rtol=1e-13)


BAD_CALLS: dict[str, tuple[Any, type[Exception], str]] = {
    "inv": (lambda: ad.grad(lambda a: np.sum(L.inv(a)))(TALL), L.LinAlgError,
            r"np.linalg.inv\(a\) needs a square matrix.*f64\[4,3\]"),
    "det": (lambda: ad.grad(L.det)(VECTOR), ShapeMismatchError, r"got f64\[4\]"),
    "solve": (lambda: ad.grad(lambda a: np.sum(L.solve(a, VECTOR)))(SQUARE), ShapeMismatchError,
              r"one row of b per row of a; it got f64\[3,3\] and f64\[4\]"),
    "lstsq": (lambda: ad.grad(lambda a: np.sum(L.lstsq(a, a)[0]))(STACK), ShapeMismatchError,
              r"needs one matrix.*f64\[2,3,3\]"),
    "qr": (lambda: ad.grad(lambda a: np.sum(L.qr(a, mode="raw")[0]))(TALL), ArgumentValueError,
           r"needs mode 'reduced', 'complete' or 'r'; got 'raw'"),
    "norm": (lambda: ad.grad(lambda a: L.norm(a, "euclid"))(TALL), ArgumentValueError,
             r"got 'euclid'"),
    "traced ord": (lambda: ad.grad(lambda p: L.norm(VECTOR * p, p))(2.0), ArgumentValueError,
                   r"needs a plain ord"),
    "outer": (lambda: ad.grad(lambda a: np.sum(L.outer(a, a)))(TALL), ShapeMismatchError,
              r"needs two vectors"),
    "cross": (lambda: ad.grad(lambda a: np.sum(L.cross(a, a)))(WIDE), ShapeMismatchError,
              r"vectors of length 3"),
    "multi_dot": (lambda: ad.grad(lambda a: np.sum(L.multi_dot([a, a])))(TALL),
                  ShapeMismatchError, r"f64\[4,3\] before f64\[4,3\]"),
    "tensorsolve": (lambda: ad.grad(lambda a: np.sum(L.tensorsolve(a, VECTOR)))(TALL),
                    ShapeMismatchError, r"prod\(a.shape\[b.ndim:\]\) == b.size"),
    "tensorinv": (lambda: ad.grad(lambda a: np.sum(L.tensorinv(a, ind=1)))(TALL),
                  ShapeMismatchError, r"it got f64\[4,3\] and ind=1"),
    "eigh": (lambda: ad.grad(lambda a: np.sum(L.eigvalsh(a, UPLO="X")))(SQUARE),
             ArgumentValueError, r"UPLO argument must be 'L' or 'U'; got 'X'"),
    "cholesky": (lambda: ad.grad(lambda a: np.sum(L.cholesky(a)))(-np.eye(2)), L.LinAlgError,
                 r"not positive definite"),
    "singular": (lambda: ad.grad(lambda a: np.sum(L.inv(a)))(np.zeros((2, 2))), L.LinAlgError,
                 r"Singular matrix"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_CALLS)
def test_bad_call(name: str) -> None:
    call, error, message = BAD_CALLS[name]
    with pytest.raises(error, match=message) as caught:
        call()
    if isinstance(caught.value, AdjointError):
        assert "test_linalg.py" in str(caught.value)
