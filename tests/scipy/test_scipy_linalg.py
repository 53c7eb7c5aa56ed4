"""adjoint.scipy.linalg: SciPy's values, and derivatives of both modes and orders."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import scipy.linalg

import adjoint as ad
from adjoint.errors import AdjointError, UndefinedDerivativeError, UntraceableFunctionError
from adjoint.scipy import linalg
from adjoint.scipy.linalg.dispatch import OFFERED
from tests.primitives.matrix_agreement import (
    assert_complex_rule,
    assert_matrix_rule,
    symmetric,
)

RNG = np.random.default_rng(3)
SQUARE = RNG.normal(size=(3, 3)) + 2 * np.eye(3)
SMALL = SQUARE / 4
TALL = RNG.normal(size=(4, 3))
WIDE = TALL.T.copy()
STACK = RNG.normal(size=(2, 3, 3)) / 3
POSITIVE = SQUARE @ SQUARE.T + np.diag([1.0, 2.0, 4.0])
VECTOR = RNG.normal(size=4)
RIGHT = VECTOR[:3]
STABLE = RNG.normal(size=(2, 2)) - 3 * np.eye(2)
SIDE = RNG.normal(size=(3, 2))
TRIANGULAR = np.tril(SQUARE) + np.triu(SQUARE)

RULES: dict[str, tuple[Any, Any]] = {
    "expm": (lambda a: linalg.expm(a), SMALL),
    "expm stack": (lambda a: linalg.expm(a), STACK),
    "logm": (lambda a: linalg.logm(a), POSITIVE),
    "sqrtm": (lambda a: linalg.sqrtm(a), POSITIVE),
    "sinm": (lambda a: linalg.sinm(a), SMALL),
    "cosm": (lambda a: linalg.cosm(a), SMALL),
    "tanm": (lambda a: linalg.tanm(a), SMALL),
    "sinhm": (lambda a: linalg.sinhm(a), SMALL),
    "coshm": (lambda a: linalg.coshm(a), SMALL),
    "tanhm": (lambda a: linalg.tanhm(a), SMALL),
    "fractional_matrix_power": (lambda a: linalg.fractional_matrix_power(a, 0.3), POSITIVE),
    "expm_frechet": (lambda a: linalg.expm_frechet(a, a @ a)[1], SMALL),
    "expm_frechet alone": (lambda a: linalg.expm_frechet(a, a, compute_expm=False), SMALL),
    "solve_sylvester": (
        lambda a: linalg.solve_sylvester(a + 5 * np.eye(3), -STABLE.T, a @ SIDE), SQUARE),
    "solve_sylvester b": (lambda b: linalg.solve_sylvester(POSITIVE, b, SIDE @ b), -STABLE),
    "solve_continuous_lyapunov": (lambda a: linalg.solve_continuous_lyapunov(a, a @ a.T), SQUARE),
    "solve_lyapunov": (lambda a: linalg.solve_lyapunov(a, a + 1), POSITIVE),
    "solve_discrete_lyapunov": (lambda a: linalg.solve_discrete_lyapunov(a, a + 1), SMALL),
    "solve_discrete_lyapunov bilinear": (
        lambda a: linalg.solve_discrete_lyapunov(a, a + 1, method="bilinear"), SMALL),
    "solve_continuous_are": (lambda a: linalg.solve_continuous_are(
        a, a[:, :2], np.eye(3) + a @ a.T, np.eye(2) + a[:2, :2] @ a[:2, :2].T), SQUARE),
    "solve_discrete_are": (lambda a: linalg.solve_discrete_are(
        a, a[:, :2], np.eye(3) + a @ a.T, np.eye(2) + a[:2, :2] @ a[:2, :2].T), SQUARE),
    "solve": (lambda a: linalg.solve(a, RIGHT), SQUARE),
    "solve transposed": (lambda a: linalg.solve(a, WIDE, transposed=True), SQUARE),
    "solve pos": (lambda a: linalg.solve(a, RIGHT, assume_a="pos"), POSITIVE),
    "solve sym lower": (lambda a: linalg.solve(a, RIGHT, assume_a="sym", lower=True), POSITIVE),
    "solve her": (lambda a: linalg.solve(a, a + 1, assume_a="her"), POSITIVE),
    "solve upper": (lambda a: linalg.solve(a, RIGHT, assume_a="upper triangular"), SQUARE),
    "solve lower": (lambda a: linalg.solve(a, a, assume_a="lower triangular"), SQUARE),
    "solve right side": (lambda b: linalg.solve(SQUARE, b), RIGHT),
    "solve_triangular": (lambda a: linalg.solve_triangular(a, RIGHT), TRIANGULAR),
    "solve_triangular lower": (lambda a: linalg.solve_triangular(a, a, lower=True), TRIANGULAR),
    "solve_triangular T": (lambda a: linalg.solve_triangular(a, RIGHT, trans="T"), TRIANGULAR),
    "solve_triangular unit": (
        lambda a: linalg.solve_triangular(a, a, trans=1, unit_diagonal=True), TRIANGULAR),
    "solve_triangular b": (lambda b: linalg.solve_triangular(TRIANGULAR, b), RIGHT),
    "cholesky": (lambda a: linalg.cholesky(symmetric(a)), POSITIVE),
    "cholesky lower": (lambda a: linalg.cholesky(symmetric(a), lower=True), POSITIVE),
    "cho_solve": (lambda a: linalg.cho_solve(linalg.cho_factor(symmetric(a)), RIGHT), POSITIVE),
    "cho_solve lower": (
        lambda a: linalg.cho_solve(linalg.cho_factor(symmetric(a), lower=True), a), POSITIVE),
    "lu l": (lambda a: linalg.lu(a)[1], SQUARE),
    "lu u": (lambda a: linalg.lu(a)[2], SQUARE),
    "lu tall": (lambda a: linalg.lu(a, permute_l=True)[0], TALL),
    "lu tall u": (lambda a: linalg.lu(a, p_indices=True)[2], TALL),
    "lu wide": (lambda a: linalg.lu(a)[2], WIDE),
    "lu wide l": (lambda a: linalg.lu(a, permute_l=True)[0], WIDE),
    "lu_factor": (lambda a: linalg.lu_factor(a)[0], SQUARE),
    "lu_factor tall": (lambda a: linalg.lu_factor(a)[0], TALL),
    "lu_factor wide": (lambda a: linalg.lu_factor(a)[0], WIDE),
    "lu_solve": (lambda a: linalg.lu_solve(linalg.lu_factor(a), RIGHT), SQUARE),
    "lu_solve T": (lambda a: linalg.lu_solve(linalg.lu_factor(a), a, trans=1), SQUARE),
    "qr economic": (lambda a: linalg.qr(a, mode="economic")[0], TALL),
    "qr r": (lambda a: linalg.qr(a, mode="r")[0], TALL),
    "svd": (lambda a: linalg.svd(a, full_matrices=False)[0] ** 2, TALL),
    "svd values": (lambda a: linalg.svd(a, compute_uv=False), WIDE),
    "svdvals": (lambda a: linalg.svdvals(a), TALL),
    "eigh": (lambda a: linalg.eigh(symmetric(a))[1] ** 2, POSITIVE),
    "eigh upper": (lambda a: linalg.eigh(symmetric(a), lower=False)[0], POSITIVE),
    "eigh general": (lambda a: linalg.eigh(symmetric(a), symmetric(a @ a + 20 * np.eye(3)))[0],
                     POSITIVE),
    "eigh general vectors": (
        lambda a: linalg.eigh(symmetric(a), POSITIVE @ POSITIVE, lower=False)[1] ** 2, POSITIVE),
    "eigvalsh part": (lambda a: linalg.eigvalsh(symmetric(a), subset_by_index=[1, 2]), POSITIVE),
    "eig": (lambda a: np.abs(linalg.eig(a)[1]) ** 2, SQUARE),
    "eigvals": (lambda a: np.real(linalg.eigvals(a)), SQUARE),
    "inv": (lambda a: linalg.inv(a), SQUARE),
    "inv pos": (lambda a: linalg.inv(a, assume_a="pos"), POSITIVE),
    "det": (lambda a: linalg.det(a), SQUARE),
    "pinv": (lambda a: linalg.pinv(a), TALL),
    "pinv rtol": (lambda a: linalg.pinv(a, rtol=1e-8, return_rank=True)[0], TALL),
    "pinvh": (lambda a: linalg.pinvh(a), POSITIVE),
    "lstsq": (lambda a: linalg.lstsq(a, VECTOR)[0], TALL),
    "lstsq residual": (lambda a: linalg.lstsq(a, VECTOR)[1], TALL),
    "norm": (lambda a: linalg.norm(a, "nuc"), TALL),
    "norm axis": (lambda a: linalg.norm(a, 1, axis=0), TALL),
    "block_diag": (lambda a: linalg.block_diag(a, a[0], a.T @ a), TALL),
    "toeplitz": (lambda v: linalg.toeplitz(v), VECTOR),
    "toeplitz two": (lambda v: linalg.toeplitz(v, v[1:] ** 2), VECTOR),
    "hankel": (lambda v: linalg.hankel(v), VECTOR),
    "hankel two": (lambda v: linalg.hankel(v[:2], v[1:] ** 2), VECTOR),
    "circulant": (lambda v: linalg.circulant(v), VECTOR),
    "companion": (lambda v: linalg.companion(v), VECTOR),
    "kron": (lambda a: linalg.kron(a, a.T), SIDE),
    "khatri_rao": (lambda a: linalg.khatri_rao(a, a**2), TALL),
    "polar u": (lambda a: linalg.polar(a)[0], TALL),
    "polar p": (lambda a: linalg.polar(a)[1], SQUARE),
    "polar left": (lambda a: linalg.polar(a, side="left")[1], TALL),
    "polar wide": (lambda a: linalg.polar(a)[0], WIDE),
    "orth": (lambda a: linalg.orth(a) ** 2, TALL),
    "null_space": (lambda a: linalg.null_space(a) @ linalg.null_space(a).T, WIDE),
}  # fmt: skip


@pytest.mark.parametrize("name", RULES)
def test_rule(name: str) -> None:
    f, a = RULES[name]
    assert_matrix_rule(f, a, batched=name != "expm stack")


COMPLEX = SQUARE + 1j * RNG.normal(size=(3, 3))
OTHER = COMPLEX[::-1] * (1 - 0.5j)
HERMITIAN = COMPLEX @ COMPLEX.conj().T + np.diag([1.0, 2.0, 4.0])

COMPLEX_RULES: dict[str, tuple[Any, Any]] = {
    "expm": (lambda a: linalg.expm(a / 4), COMPLEX),
    "sqrtm": (lambda a: linalg.sqrtm(a), COMPLEX),
    "logm": (lambda a: linalg.logm(a), HERMITIAN),
    "sylvester": (lambda a: linalg.solve_sylvester(a, HERMITIAN, a @ OTHER), COMPLEX),
    "lyapunov": (lambda a: linalg.solve_continuous_lyapunov(a, a @ OTHER), COMPLEX),
    "discrete": (lambda a: linalg.solve_discrete_lyapunov(a / 9, a @ OTHER), COMPLEX),
    "riccati": (lambda a: linalg.solve_continuous_are(
        a, a[:, :2], symmetric(np.eye(3) + a @ a.conj().T), np.eye(2)), COMPLEX),
    "triangular": (lambda a: linalg.solve_triangular(a, OTHER, trans="C"), COMPLEX),
    "solve her": (lambda a: linalg.solve(a, OTHER, assume_a="her"), HERMITIAN),
    "cho_solve": (lambda a: linalg.cho_solve(linalg.cho_factor(symmetric(a)), OTHER), HERMITIAN),
    "lu": (lambda a: linalg.lu(a)[2], COMPLEX),
    "lu_solve": (lambda a: linalg.lu_solve(linalg.lu_factor(a), OTHER, trans=2), COMPLEX),
    "polar": (lambda a: linalg.polar(a)[0], COMPLEX),
    "eigh general": (lambda a: linalg.eigh(symmetric(a), HERMITIAN @ HERMITIAN)[0],
                     HERMITIAN),
    "toeplitz": (lambda a: linalg.toeplitz(a[0]), COMPLEX),
}  # fmt: skip


@pytest.mark.parametrize("name", COMPLEX_RULES)
def test_complex_rule(name: str) -> None:
    assert_complex_rule(*COMPLEX_RULES[name])


@pytest.mark.parametrize("name", ["expm", "sqrtm", "polar", "lu", "cholesky"])
def test_single_precision_stays(name: str) -> None:
    def f(a: Any) -> Any:
        found = getattr(linalg, name)(a)
        return found[-1] if isinstance(found, tuple) else found

    a = (POSITIVE / 4).astype(np.float32)
    y, y_dot = ad.jvp(f, (a,), (a,))
    assert y.dtype == y_dot.dtype == np.float32
    assert ad.hessian(lambda a: np.sum(f(a)))(a).dtype == np.float32


def test_functions_of_matrices_without_eigenvector_basis() -> None:
    jordan = np.array([[0.0, 1.0], [0.0, 0.0]])
    found = ad.jacobian(linalg.expm)(jordan)
    expected = [scipy.linalg.expm_frechet(jordan, e)[1] for e in np.eye(4).reshape(4, 2, 2)]
    np.testing.assert_allclose(found.reshape(4, 4), np.reshape(expected, (4, 4)).T, atol=1e-14)


def test_third_derivative_of_the_exponential() -> None:
    found = ad.derivative_tensor(lambda t: linalg.expm(t * SMALL), 3)(0.7)
    cube = SMALL @ SMALL @ SMALL
    np.testing.assert_allclose(found, cube @ scipy.linalg.expm(0.7 * SMALL), rtol=1e-12)


def test_polar_factor_where_singular_values_repeat() -> None:
    def newton_schulz(a: Any) -> Any:
        u = a
        for _ in range(3):
            u = 1.5 * u - 0.5 * u @ u.T @ u
        return u

    expected = ad.jacobian(newton_schulz)(np.eye(3))
    np.testing.assert_allclose(
        ad.jacobian(lambda a: linalg.polar(a)[0])(np.eye(3)), expected, atol=1e-14
    )


def test_qr_with_pivoting() -> None:
    def f(a: Any) -> Any:
        q, r, order = linalg.qr(a, mode="economic", pivoting=True)
        return np.sum(q @ r * np.arange(3.0)), order

    gradient, order = ad.grad(f, has_aux=True)(TALL)
    expected = scipy.linalg.qr(TALL, mode="economic", pivoting=True)[2]
    np.testing.assert_array_equal(order, expected)
    np.testing.assert_allclose(gradient[:, order], np.tile(np.arange(3.0), (4, 1)), atol=1e-12)


@pytest.mark.parametrize("name", sorted(OFFERED))
def test_plain_values_go_to_scipy(name: str) -> None:
    plain = getattr(scipy.linalg, name, None)
    if plain is None:
        assert name == "kron"  # gone from newer versions of SciPy
        return
    arguments: dict[str, tuple[Any, ...]] = {
        "cho_solve": ((np.linalg.cholesky(POSITIVE), True), RIGHT),
        "lu_solve": (scipy.linalg.lu_factor(SQUARE), RIGHT),
        "solve_continuous_are": (SQUARE, SIDE, np.eye(3), np.eye(2)),
        "solve_discrete_are": (SQUARE, SIDE, np.eye(3), np.eye(2)),
        "solve_sylvester": (SQUARE, SQUARE, SQUARE),
        "fractional_matrix_power": (POSITIVE, 0.5),
    }  # fmt: skip
    vectors = ("toeplitz", "hankel", "circulant", "companion")
    pairs = ("solve", "solve_triangular", "lstsq", "khatri_rao", "expm_frechet",
             "solve_continuous_lyapunov", "solve_lyapunov", "solve_discrete_lyapunov")  # fmt: skip
    default = (VECTOR,) if name in vectors else (POSITIVE / 9,) * (2 if name in pairs else 1)
    given = arguments.get(name, default)
    got, expected = getattr(linalg, name)(*given), plain(*given)
    pieces = zip(got, expected, strict=True) if isinstance(got, tuple) else [(got, expected)]
    for g, e in pieces:
        np.testing.assert_array_equal(g, e)


def test_options_that_only_tune_are_accepted() -> None:
    found = ad.grad(
        lambda a: (
            np.sum(linalg.svd(a, full_matrices=False, lapack_driver="gesvd")[1])
            + np.sum(linalg.inv(a, overwrite_a=True, check_finite=False))
        )
    )(SQUARE)
    assert found.shape == (3, 3)


def test_other_functions_refuse_traced_values_only() -> None:
    assert linalg.LinAlgError is scipy.linalg.LinAlgError
    np.testing.assert_array_equal(linalg.schur(SQUARE)[0], scipy.linalg.schur(SQUARE)[0])
    with pytest.raises(
        UntraceableFunctionError, match=r"signm has no rule.*Nearest: sinm"
    ) as caught:
        ad.grad(lambda a: np.sum(linalg.signm(a)))(SQUARE)
    assert "test_scipy_linalg.py" in str(caught.value)
    with pytest.raises(AttributeError, match="no attribute 'expmm'"):
        _ = linalg.expmm


BAD_CALLS: dict[str, tuple[Any, type[Exception], str]] = {
    "expm": (lambda a: linalg.expm(a[:2]), ValueError, r"needs a square matrix.*f64\[2,3\]"),
    "sylvester": (lambda a: linalg.solve_sylvester(a, a, a[:2]), ValueError,
                  r"as many rows as a and columns as b; it got"),
    "power": (lambda a: linalg.fractional_matrix_power(a, a[0, 0]), ValueError, "a plain number t"),
    "are": (lambda a: linalg.solve_continuous_are(a, a, a, a, e=np.eye(3)), ValueError,
            "e=None and s=None"),
    "solve": (lambda a: linalg.solve(a, VECTOR), ValueError, "one row of b per row of a"),
    "assume": (lambda a: linalg.solve(a, RIGHT, assume_a="spd"), ValueError, "got 'spd'"),
    "trans": (lambda a: linalg.solve_triangular(a, RIGHT, trans="X"), ValueError, "got 'X'"),
    "qr": (lambda a: linalg.qr(a, mode="raw")[1], ValueError, "'full', 'r' or 'economic'"),
    "eigh": (lambda a: linalg.eigh(a, a, type=2)[0], ValueError, "type=1"),
    "eig": (lambda a: linalg.eig(a, left=True)[0], ValueError, "left=False"),
    "polar": (lambda a: linalg.polar(a, side="up")[0], ValueError, "got 'up'"),
    "toeplitz": (lambda a: linalg.toeplitz(a), ValueError, "needs a vector"),
    "companion": (lambda a: linalg.companion(a[0, :1]), ValueError, "at least 2"),
    "khatri_rao": (lambda a: linalg.khatri_rao(a, a[:, :2]), ValueError, "as many columns"),
    "block_diag": (lambda a: linalg.block_diag(a[None]), ValueError, "needs matrices"),
    "null_space": (lambda a: linalg.null_space(a * 0), UndefinedDerivativeError, "full rank"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_CALLS)
def test_bad_call(name: str) -> None:
    f, error, message = BAD_CALLS[name]
    with pytest.raises(error, match=message) as caught:
        ad.grad(lambda a: np.real(np.sum(f(a))))(SQUARE)
    assert not isinstance(caught.value, AdjointError) or "test_scipy" in str(caught.value)


def test_scipy_is_loaded_when_first_used() -> None:
    code = (
        "import sys, adjoint, adjoint.scipy.linalg\n"
        "assert not any(m.split('.')[0] == 'scipy' for m in sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
