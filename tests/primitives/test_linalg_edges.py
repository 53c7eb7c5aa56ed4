"""Linear algebra where derivatives are easily wrong: singular, repeated, deficient, arbitrary."""

from __future__ import annotations

import gc
import warnings
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint.errors import UndefinedDerivativeError, UndefinedDerivativeWarning
from adjoint.primitives.linalg import spectral_products
from adjoint.scipy import linalg
from tests.primitives.matrix_agreement import symmetric

L: Any = np.linalg
RNG = np.random.default_rng(5)
Q = L.qr(RNG.normal(size=(4, 4)))[0]
WEIGHTS = RNG.normal(size=(4, 4))
REPEATED = {
    "identity": np.eye(4),
    "three of four": Q @ np.diag([1.0, 1.0, 1.0, 3.0]) @ Q.T,
    "two pairs": Q @ np.diag([1.5, 1.5, 4.0, 4.0]) @ Q.T,
    "distinct": Q @ np.diag([0.5, 1.5, 3.0, 4.0]) @ Q.T,
}


def expanded_det(a: Any) -> Any:
    """det of a 3×3 matrix as the polynomial it is."""
    return (
        a[0, 0] * (a[1, 1] * a[2, 2] - a[1, 2] * a[2, 1])
        - a[0, 1] * (a[1, 0] * a[2, 2] - a[1, 2] * a[2, 0])
        + a[0, 2] * (a[1, 0] * a[2, 1] - a[1, 1] * a[2, 0])
    )


SINGULAR = {
    "rank 2": np.arange(1.0, 10.0).reshape(3, 3),
    "rank 1": np.outer([1.0, 2.0, 3.0], [1.0, 0.0, 2.0]),
    "rank 0": np.zeros((3, 3)),
    "rank 3": RNG.normal(size=(3, 3)),
}


@pytest.mark.parametrize("name", SINGULAR)
def test_det_has_exact_derivatives_at_every_rank(name: str) -> None:
    a = SINGULAR[name]
    for order in (1, 2, 3):
        got = ad.derivative_tensor(L.det, order)(a)
        expected = ad.derivative_tensor(expanded_det, order)(a)
        np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-13)
    assert not np.any(ad.derivative_tensor(L.det, 4)(a))
    second = ad.jacobian(ad.grad(L.det), mode="reverse")(a)
    np.testing.assert_allclose(second, ad.hessian(expanded_det)(a), atol=1e-13)


def test_derivative_of_a_stack_of_determinants() -> None:
    stack = np.stack(list(SINGULAR.values()))
    expected = np.stack([ad.grad(expanded_det)(a) for a in stack])
    np.testing.assert_allclose(ad.grad(lambda a: np.sum(L.det(a)))(stack), expected, atol=1e-13)


def test_slogdet_at_a_singular_matrix_is_an_error() -> None:
    with pytest.raises(UndefinedDerivativeError, match=r"log\|det A\| is -inf"):
        ad.grad(lambda a: L.slogdet(a)[1])(np.zeros((2, 2)))


def test_sum_of_repeated_eigenvalues() -> None:
    for mode in ("forward", "reverse"):
        found = ad.jacobian(lambda a: np.sum(L.eigvalsh(a)), mode=mode)(np.eye(3))
        np.testing.assert_array_equal(found, np.eye(3))


FUNCTIONS = {
    "exp": (np.exp, lambda a: linalg.expm(a)),
    "sqrt": (np.sqrt, lambda a: linalg.sqrtm(a)),
    "reciprocal": (lambda w: 1 / w, lambda a: L.inv(a)),
    "cube": (lambda w: w**3, lambda a: a @ a @ a),
    "one": (lambda w: w * 0 + 1.0, lambda a: a @ L.inv(a)),
}

FORMS = {
    "scaled": lambda w, v, f: (v * f(w)) @ v.T,
    "diag": lambda w, v, f: v @ np.diag(f(w)) @ v.T,
    "einsum": lambda w, v, f: np.einsum("ij,j,kj->ik", v, f(w), v),
    "rows": lambda w, v, f: v @ (f(w)[:, None] * v.T),
    "columns": lambda w, v, f: (v * f(w)[None, :]).dot(v.conj().T),
    "divided": lambda w, v, f: -((-v / (1 / f(w))) @ np.transpose(v)),
}


def function_of(form: str, f: str) -> tuple[Any, Any]:
    """The weighted sum of V f(w) Vᵀ, and the same without a decomposition."""
    of_values, of_matrix = FUNCTIONS[f]

    def composed(a: Any) -> Any:
        w, v = L.eigh(symmetric(a))
        return np.sum(WEIGHTS * FORMS[form](w, v, of_values))

    return composed, lambda a: np.sum(WEIGHTS * of_matrix(symmetric(a)))


@pytest.mark.parametrize("where", REPEATED)
@pytest.mark.parametrize("f", FUNCTIONS)
def test_matrix_function_where_eigenvalues_repeat(where: str, f: str) -> None:
    a = REPEATED[where]
    composed, reference = function_of("scaled", f)
    expected = ad.grad(reference)(a)
    for mode in ("forward", "reverse"):
        np.testing.assert_allclose(ad.jacobian(composed, mode=mode)(a), expected, atol=1e-10)
    second = ad.hessian(reference)(a)
    for mode in ("forward", "reverse"):
        got = ad.jacobian(ad.grad(composed), mode=mode)(a)
        np.testing.assert_allclose(got, second, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("form", FORMS)
def test_matrix_function_however_it_is_written(form: str) -> None:
    a = REPEATED["three of four"]
    composed, reference = function_of(form, "sqrt")
    np.testing.assert_allclose(ad.grad(composed)(a), ad.grad(reference)(a), atol=1e-12)
    np.testing.assert_allclose(ad.hessian(composed)(a), ad.hessian(reference)(a), atol=1e-11)


def test_third_derivative_where_eigenvalues_repeat() -> None:
    composed, reference = function_of("scaled", "exp")
    got = ad.derivative_tensor(composed, 3)(np.eye(4))
    np.testing.assert_allclose(got, ad.derivative_tensor(reference, 3)(np.eye(4)), atol=1e-12)


def test_series_where_eigenvalues_repeat() -> None:
    step = symmetric(WEIGHTS)
    for f in FUNCTIONS:
        composed, reference = function_of("einsum", f)
        got = ad.derivative(lambda t, g=composed: g(2.0 * np.eye(4) + t * step), 3)(0.0)
        expected = ad.derivative(lambda t, g=reference: g(2.0 * np.eye(4) + t * step), 3)(0.0)
        np.testing.assert_allclose(got, expected, rtol=1e-11, atol=1e-12)


def test_series_of_distinct_eigenvalues() -> None:
    step = symmetric(WEIGHTS)
    got = ad.derivative(lambda t: np.sum(L.eigvalsh(REPEATED["distinct"] + t * step) ** 3), 3)(0.1)
    np.testing.assert_allclose(got, 6 * np.trace(step @ step @ step), rtol=1e-10)


def test_quadratic_form_and_parameter_where_eigenvalues_repeat() -> None:
    x = WEIGHTS[0]

    def composed(a: Any, t: Any) -> Any:
        w, v = L.eigh(symmetric(a))
        y = v.T @ x
        return np.sum(np.exp(t * w) * y**2)

    def reference(a: Any, t: Any) -> Any:
        return x @ linalg.expm(t * symmetric(a)) @ x

    for a in REPEATED.values():
        got, expected = (ad.grad(f, (0, 1))(a, 0.3) for f in (composed, reference))
        for g, e in zip(got, expected, strict=True):
            np.testing.assert_allclose(g, e, atol=1e-11)


def test_matrix_functions_of_stacks_and_batches_where_eigenvalues_repeat() -> None:
    composed, reference = function_of("scaled", "exp")
    stack = np.stack(list(REPEATED.values()))
    expected = np.stack([ad.grad(reference)(a) for a in stack])
    np.testing.assert_allclose(ad.vmap(ad.grad(composed))(stack), expected, rtol=1e-10, atol=1e-9)

    def stacked(a: Any) -> Any:
        w, v = L.eigh(symmetric(a))
        return np.sum(WEIGHTS * ((v * np.exp(w)[..., None, :]) @ np.swapaxes(v, -1, -2)))

    np.testing.assert_allclose(ad.grad(stacked)(stack), expected, rtol=1e-10, atol=1e-9)


def test_hermitian_function_where_eigenvalues_repeat() -> None:
    def composed(a: Any) -> Any:
        w, v = L.eigh(symmetric(a))
        return np.real(np.sum(WEIGHTS * ((v * np.exp(w)) @ v.conj().T)))

    a = np.eye(4) + 0j
    expected = ad.grad(lambda a: np.real(np.sum(WEIGHTS * linalg.expm(symmetric(a)))))(a)
    np.testing.assert_allclose(ad.grad(composed)(a), expected, atol=1e-13)


def test_eigenvalue_functions_have_exact_hessians_where_values_repeat() -> None:
    def trace_of_cube(a: Any) -> Any:
        s = symmetric(a)
        return np.trace(s @ s @ s)

    for a in REPEATED.values():
        got = ad.hessian(lambda a: np.sum(L.eigvalsh(symmetric(a)) ** 3))(a)
        np.testing.assert_allclose(got, ad.hessian(trace_of_cube)(a), atol=1e-11)


def test_a_decomposition_is_watched_no_longer_than_it_lives() -> None:
    composed, _ = function_of("scaled", "exp")
    gc.collect()
    before = len(spectral_products._watched)
    ad.grad(composed)(np.eye(4))
    gc.collect()
    assert len(spectral_products._watched) <= before


LONE: dict[str, Any] = {
    "one element": lambda a: L.eigh(a)[1][0, 0],
    "one vector": lambda a: np.sum(WEIGHTS[0] * L.eigh(a)[1][:, 1]),
    "different weights": lambda a: np.sum((L.eigh(a)[1] * [1.0, 2.0, 3.0, 4.0]) @ L.eigh(a)[1].T
                                          * WEIGHTS),
    "left vectors": lambda a: np.sum(WEIGHTS[0] * L.svd(a)[0][:, 1]),
    "eig": lambda a: np.sum(np.abs(L.eig(a)[1][:, 0]) ** 2 * WEIGHTS[0]),
}  # fmt: skip


@pytest.mark.parametrize("name", LONE)
def test_lone_vector_of_a_repeated_value_is_an_error(name: str) -> None:
    with pytest.raises(UndefinedDerivativeError, match="any rotation of"):
        ad.grad(LONE[name])(np.eye(4))


@pytest.mark.parametrize("name", LONE)
def test_lone_vector_of_a_repeated_value_is_an_error_in_forward_mode(name: str) -> None:
    direction = np.arange(16.0).reshape(4, 4) ** 2
    f = LONE[name]
    for transform in (
        lambda a: ad.jvp(f, (a,), (direction,)),
        ad.jacobian(f, mode="forward"),
        lambda a: ad.linearize(f, a)[1](direction),
        lambda a: ad.directional(f, a, direction),
        lambda a: ad.vmap(ad.jacobian(f, mode="forward"))(a[None]),
        ad.jacobian(ad.jacobian(f, mode="forward"), mode="forward"),
    ):
        with pytest.raises(UndefinedDerivativeError, match="any rotation of"):
            transform(np.eye(4))
    # What is left of the reason does not reach a later result that is NaN for another.
    assert np.isnan(ad.jacobian(lambda x: x * np.nan, mode="forward")(1.0))


@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_separated_vector_stays_finite(mode: Any) -> None:
    a = REPEATED["three of four"]
    found = ad.jacobian(lambda a: L.eigh(symmetric(a))[1][:, 3] ** 2, mode=mode)(a)
    step = symmetric(WEIGHTS) * 1e-6
    change = L.eigh(a + step)[1][:, 3] ** 2 - L.eigh(a - step)[1][:, 3] ** 2
    np.testing.assert_allclose(np.tensordot(found, step), change / 2, atol=1e-13)


def test_singular_values_that_repeat_or_vanish() -> None:
    def total(a: Any) -> Any:
        return np.sum(L.svdvals(a))

    np.testing.assert_allclose(ad.grad(total)(np.eye(3)), np.eye(3), atol=1e-15)
    rotation = Q * 2.0
    np.testing.assert_allclose(ad.grad(total)(rotation), Q, atol=1e-14)
    found = ad.grad(total)(np.diag([2.0, 1.0, 0.0]))
    np.testing.assert_allclose(found, np.diag([1.0, 1.0, 0.0]), atol=1e-15)


def test_spectral_norm_shares_among_equal_singular_values() -> None:
    found = ad.grad(lambda a: L.norm(a, 2))(np.eye(2))
    np.testing.assert_allclose(found, np.eye(2) / 2, atol=1e-15)


def test_vectors_of_a_deficient_matrix_that_are_determined_stay_finite() -> None:
    a = np.outer([1.0, 2.0, 2.0], [0.6, 0.8])
    found = ad.grad(lambda a: L.svd(a, full_matrices=False).U[0, 0] ** 2)(a)
    step = 1e-6 * np.outer([1.0, 2.0, 2.0], [0.3, -0.1]) + 1e-6 * np.outer([1.0, 0, 1], [0.6, 0.8])

    def value(a: Any) -> Any:
        return L.svd(a, full_matrices=False).U[0, 0] ** 2

    np.testing.assert_allclose(
        np.sum(found * step), (value(a + step) - value(a - step)) / 2, rtol=1e-5
    )


DEFICIENT = np.outer([1.0, 2.0, 3.0], [1.0, 1.0])


@pytest.mark.parametrize(
    "f",
    [
        lambda a: np.sum(WEIGHTS[:2, :3] * L.pinv(a)),
        lambda a: np.sum(WEIGHTS[0, :2] * L.lstsq(a, WEIGHTS[1, :3])[0]),
    ],
)
def test_deficient_rank_warns_once_a_derivative_is_taken(f: Any) -> None:
    f(DEFICIENT)
    with pytest.warns(UndefinedDerivativeWarning, match=r"rank-deficient.*f64\[3,2\] of rank 1"):
        gradient = ad.grad(f)(DEFICIENT)
    for u, v in ((WEIGHTS[0, :3], [1.0, 1.0]), ([1.0, 2.0, 3.0], WEIGHTS[0, :2])):
        step = 1e-6 * np.outer(u, v)
        change = (f(DEFICIENT + step) - f(DEFICIENT - step)) / 2e-6
        np.testing.assert_allclose(np.sum(gradient * step) * 1e6, change, rtol=1e-6)


def test_full_rank_does_not_warn() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ad.grad(lambda a: np.sum(L.pinv(a)))(WEIGHTS[:, :2])
        ad.grad(lambda a: np.sum(L.lstsq(a, WEIGHTS[0])[0]))(WEIGHTS[:, :2])


ARBITRARY: dict[str, tuple[Any, Any, str]] = {
    "eig phase": (lambda a: np.real(L.eig(a)[1][0, 0]), np.array([[0.0, 1.0], [-2.0, 0.3]]),
                  "phase is arbitrary"),
    "eigh phase": (lambda a: np.real((1 + 1j) * L.eigh(a)[1][0, 1]),
                   np.array([[2.0, 1j], [-1j, 1.0]]),
                   "phase is arbitrary"),
    "svd phase": (lambda a: np.imag((1 + 1j) * L.svd(a)[0][0, 1]),
                  np.array([[2.0, 1j], [1.0, 1.0 - 1j]]),
                  "phase is arbitrary"),
    "qr complete": (lambda a: np.sum(WEIGHTS * L.qr(a, mode="complete").Q), WEIGHTS[:, :2],
                    "arbitrary basis"),
    "svd full": (lambda a: np.sum(WEIGHTS * L.svd(a).U), WEIGHTS[:, :2], "arbitrary basis"),
    "qr dependent": (lambda a: np.sum(L.qr(a).Q), np.zeros((3, 2)), "linearly dependent"),
    "eig defective": (lambda a: np.sum(np.abs(L.eig(a)[1])), np.array([[1.0, 1.0], [0.0, 1.0]]),
                      "not a basis"),
}  # fmt: skip


@pytest.mark.parametrize("name", ARBITRARY)
def test_dependence_on_what_is_arbitrary_is_an_error(name: str) -> None:
    f, a, message = ARBITRARY[name]
    with pytest.raises(UndefinedDerivativeError, match=message) as caught:
        ad.grad(f)(a)
    assert "test_linalg_edges.py" in str(caught.value)


def test_derivatives_of_the_one_eigenvalue_and_singular_value() -> None:
    """Of one value none repeats: nothing is raised, and nothing is left out."""
    a = np.array([[3.0]])
    for f in (
        lambda a: np.sum(np.linalg.eigvalsh(a) ** 3),
        lambda a: np.sum(np.linalg.svd(a)[1] ** 3),
        lambda a: (lambda w, v: np.sum((v * w**3) @ v.T))(*np.linalg.eigh(a)),
    ):
        for hessian in (ad.hessian(f), ad.compile(ad.hessian(f))):
            np.testing.assert_allclose(hessian(a), [[[[18.0]]]], rtol=1e-14)
        np.testing.assert_allclose(ad.vmap(ad.hessian(f))(a[None]), [[[[[18.0]]]]], rtol=1e-14)
