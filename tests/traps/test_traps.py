"""What automatic differentiation gets wrong, and the answer we give: one test per trap.

Each value is checked in forward and in reverse mode, evaluated and compiled, and where it has a
meaning in second order, in every combination of modes.
"""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint.errors import EscapedTracerError, TracedConversionError

NAN = float("nan")
INF = float("inf")


def assert_first(f: Callable[..., Any], x: Any, expected: Any, rtol: float = 1e-12) -> None:
    """∂f/∂x in both modes."""
    with np.errstate(all="ignore"):
        for mode in ("forward", "reverse"):
            slope = ad.jacobian(f, mode=mode)  # type: ignore[arg-type]
            np.testing.assert_allclose(slope(x), expected, rtol, 1e-13, err_msg=mode)
            assert_compiled(slope, x, expected, rtol, f"{mode}, compiled")


def assert_compiled(f: Callable[..., Any], x: Any, expected: Any, rtol: float, what: str) -> None:
    """The same from machine code: the second call does not trace."""
    compiled = ad.compile(f)
    compiled(x)
    np.testing.assert_allclose(compiled(x), expected, rtol, 1e-12, err_msg=what)


def assert_second(f: Callable[..., Any], x: Any, expected: Any, rtol: float = 1e-10) -> None:
    """∂²f/∂x² in every combination of modes."""
    with np.errstate(all="ignore"):
        for inner in ("forward", "reverse"):
            for outer in ("forward", "reverse"):
                found = ad.jacobian(ad.jacobian(f, mode=inner), mode=outer)(x)  # type: ignore[arg-type]
                message = f"{outer} over {inner}"
                np.testing.assert_allclose(found, expected, rtol, 1e-12, err_msg=message)
        assert_compiled(ad.hessian(f), x, expected, rtol, "Hessian, compiled")


def test_nested_derivatives_are_not_confused() -> None:
    assert_first(lambda x: x * ad.derivative(lambda y: x + y)(1.0), 1.0, 1.0)
    assert_first(lambda x: x * ad.grad(lambda y: x + y)(1.0), 1.0, 1.0)
    assert_first(lambda x: x * ad.grad(lambda y: x * y)(x), 3.0, 6.0)


def masked_root(x: Any) -> Any:
    return np.where(x > 0, np.sqrt(x), 0.0)


def test_where_sinks_into_the_branch_taken() -> None:
    assert_first(masked_root, 0.0, 0.0)
    assert_second(masked_root, 0.0, 0.0)
    assert_second(lambda x: np.where(x == 0, 1.0, np.sin(x) / x), 0.0, 0.0)
    assert_first(lambda x: np.where(x > 0, x * np.log(x), 0.0), np.zeros(2), np.zeros((2, 2)))
    batched = ad.vmap(ad.grad(masked_root))(np.array([0.0, 4.0]))
    np.testing.assert_array_equal(batched, [0.0, 0.25])


@pytest.mark.parametrize(
    "f", [np.linalg.norm, lambda x: np.sqrt(np.sum(x**2)), lambda x: np.sqrt(x @ x)]
)
def test_norm_at_zero(f: Any) -> None:
    assert_first(f, np.zeros(2), np.zeros(2))
    assert_second(f, np.array([3.0, 4.0]), [[0.128, -0.096], [-0.096, 0.072]])
    assert_first(lambda x: f(x) ** 2, np.zeros(2), np.zeros(2))
    assert_second(lambda x: f(x) ** 2, np.zeros(2), 2 * np.eye(2))


def test_square_root_at_zero() -> None:
    assert_first(np.sqrt, 0.0, INF)


def test_absolute_value_at_zero() -> None:
    assert_first(np.abs, 0.0, 0.0)
    assert_second(np.abs, 0.0, 0.0)


def test_relu_and_maximum_at_zero() -> None:
    assert_first(lambda x: np.maximum(x, 0.0), 0.0, 0.5)
    assert_first(lambda x: np.where(x > 0, x, 0.0), 0.0, 0.0)
    assert_first(lambda x: x * (x > 0), 0.0, 0.0)
    assert_second(lambda x: np.maximum(x, 0.0), 0.0, 0.0)


@pytest.mark.parametrize("f", [np.max, np.amax, lambda x: x.max(), np.maximum.reduce])
def test_ties_of_the_maximum_share(f: Any) -> None:
    assert_first(f, np.array([1.0, 1.0, 0.0]), [0.5, 0.5, 0.0])
    assert_first(lambda x: -f(-x), np.array([1.0, 1.0, 1.0, 2.0]), [1 / 3, 1 / 3, 1 / 3, 0.0])


def test_clip_is_closed() -> None:
    for edge in (0.0, 1.0):
        assert_first(lambda x: np.clip(x, 0.0, 1.0), edge, 1.0)
    assert_first(lambda x: np.clip(x, 0.0, 1.0), 1.5, 0.0)


def test_zeroth_power_at_zero() -> None:
    assert_first(lambda x: x**0.0, 0.0, 0.0)
    assert_first(lambda x: np.sum(x ** np.array([0.0, 0.0])), np.zeros(2), np.zeros(2))
    assert_second(lambda x: x**0.0, 0.0, 0.0)


def test_power_of_zero_in_the_exponent() -> None:
    for y in (2.0, 0.0):
        assert_first(lambda y: 0.0**y, y, 0.0)
        assert_second(lambda y: 0.0**y, y, 0.0)


def test_an_exponent_that_varies_through_a_whole_number() -> None:
    """n xⁿ⁻¹ at n = 0 is 0, but its derivatives are not those of a constant."""
    known = {1.0: [1, 1, 2, 3, 8, 10, 54, -42]}  # of xˣ at 1 (OEIS A005727)
    for x, values in known.items():
        for k, expected in enumerate(values):
            assert ad.derivative(lambda x: x**x, k)(x) == pytest.approx(expected, rel=1e-12)
        nested = ad.grad(ad.grad(ad.grad(lambda x: x**x)))
        assert nested(x) == pytest.approx(values[3], rel=1e-12)
        assert_compiled(nested, x, values[3], 1e-12, "third derivative, compiled")
    log2 = np.log(2.0)
    for n in (0.0, 1.0, 2.0):
        # ∂²/∂x² and then ∂/∂n of 2ⁿ, the exponent whole: ∂/∂n of n (n − 1) xⁿ⁻².
        slope = ad.grad(lambda n: ad.derivative(lambda x: x**n, 2)(2.0))(n)
        expected = 2 ** (n - 2) * (2 * n - 1 + n * (n - 1) * log2)
        assert slope == pytest.approx(expected, rel=1e-12)


def test_power_of_a_negative_base_has_no_derivative_in_the_exponent() -> None:
    assert_first(lambda y: (-2.0) ** y, 2.0, NAN)
    assert_first(lambda x: x**2.0, -2.0, -4.0)


@pytest.mark.parametrize("two", [2, 2.0, np.array(2), np.float64(2.0)])
def test_higher_derivatives_of_powers_at_zero(two: Any) -> None:
    assert_second(lambda x: x**two, 0.0, 2.0)
    three = two + 1
    assert_second(lambda x: x**three, 0.0, 0.0)
    with np.errstate(all="ignore"):
        assert ad.derivative(lambda x: x**three, 3)(0.0) == 6.0
        assert ad.derivative(lambda x: x**three, 4)(0.0) == 0.0


def test_x_log_x_at_zero() -> None:
    assert_first(lambda x: x * np.log(x), 0.0, -INF)


def test_arctan2_at_the_origin() -> None:
    assert_first(lambda v: np.arctan2(v[0], v[1]), np.zeros(2), np.zeros(2))
    assert_first(lambda v: np.arctan2(v[0], v[1]), np.array([1.0, 1.0]), [0.5, -0.5])


def test_hypot_at_zero() -> None:
    assert_first(lambda v: np.hypot(v[0], v[1]), np.zeros(2), np.zeros(2))


def scipys_logsumexp(x: Any) -> Any:
    import adjoint.scipy.special

    return adjoint.scipy.special.logsumexp(x)


@pytest.mark.parametrize(
    "f", [scipys_logsumexp, np.logaddexp.reduce, lambda x: np.logaddexp(x[0], x[1])]
)
def test_logsumexp_of_large_and_of_masked_rows(f: Any) -> None:
    assert_first(f, np.array([1000.0, 1000.0]), [0.5, 0.5])
    assert_second(f, np.array([1000.0, 1000.0]), [[0.25, -0.25], [-0.25, 0.25]])
    assert_first(f, np.array([-INF, -INF]), [0.0, 0.0])
    assert_first(f, np.array([-INF, 3.0]), [0.0, 1.0])


def test_logistic_function_far_out() -> None:
    def logistic(x: Any) -> Any:
        return 1 / (1 + np.exp(-x))

    assert_first(logistic, -1000.0, 0.0)
    assert_second(logistic, -1000.0, 0.0)
    assert_first(logistic, 0.0, 0.25)


def test_log1p_expm1_and_softplus_are_recognised() -> None:
    assert_first(lambda x: np.log(1 + np.exp(x)), 1000.0, 1.0)
    assert_first(lambda x: np.log(1 + np.exp(x)), -1000.0, 0.0)
    assert ad.value_and_grad(lambda x: np.log(1 + x))(1e-18)[0] == 1e-18
    assert ad.value_and_grad(lambda x: np.exp(x) - 1)(1e-18)[0] == 1e-18


def test_product_with_zeros() -> None:
    assert_first(np.prod, np.array([0.0, 2.0, 3.0]), [6.0, 0.0, 0.0])
    assert_second(np.prod, np.array([0.0, 2.0, 3.0]), [[0, 3, 2], [3, 0, 0], [2, 0, 0]])
    assert_second(np.prod, np.array([0.0, 0.0, 3.0]), [[0, 3, 0], [3, 0, 0], [0, 0, 0]])


def test_cumulative_product_with_a_zero() -> None:
    expected = [[1, 0, 0], [2, 0, 0], [6, 0, 0]]
    assert_first(np.cumprod, np.array([0.0, 2.0, 3.0]), expected)
    last = ad.hessian(lambda x: np.cumprod(x)[2])(np.array([0.0, 2.0, 3.0]))
    np.testing.assert_allclose(last, [[0, 3, 2], [3, 0, 0], [2, 0, 0]], atol=1e-12)


def test_determinant_of_singular_matrices() -> None:
    one_short = np.diag([1.0, 2.0, 0.0])
    assert_first(np.linalg.det, one_short, np.diag([0.0, 0.0, 2.0]))
    two_short = np.diag([3.0, 0.0, 0.0])
    assert_first(np.linalg.det, two_short, np.zeros((3, 3)))
    hessian = np.zeros((3, 3, 3, 3))
    hessian[1, 1, 2, 2] = hessian[2, 2, 1, 1] = 3.0
    hessian[1, 2, 2, 1] = hessian[2, 1, 1, 2] = -3.0
    assert_second(np.linalg.det, two_short, hessian)


def test_sum_of_repeated_eigenvalues() -> None:
    assert_first(lambda a: np.sum(np.linalg.eigvalsh(a)), np.eye(3), np.eye(3))
    assert_first(lambda a: np.sum(np.linalg.eigh(a)[0]), np.eye(3), np.eye(3))


def test_matrix_function_with_repeated_eigenvalues() -> None:
    direction = np.array([[1.0, 2.0], [2.0, -1.0]])

    def exponential(t: Any) -> Any:
        values, vectors = np.linalg.eigh(np.eye(2) + t * direction)
        return (vectors * np.exp(values)) @ vectors.T

    assert_first(exponential, 0.0, np.e * direction)
    assert_second(exponential, 0.0, np.e * direction @ direction)


def test_single_vector_of_a_repeated_eigenvalue() -> None:
    a = np.diag([1.0, 1.0, 4.0])
    with pytest.raises(ad.errors.UndefinedDerivativeError, match=r"repeat|equal|eigenvalue"):
        ad.grad(lambda a: np.linalg.eigh(a)[1][0, 0])(a)
    # The vector of the well separated eigenvalue has a derivative.
    found = ad.jacobian(lambda a: np.linalg.eigh(a)[1][:, 2] ** 2)(a)
    assert np.all(np.isfinite(found))


def test_singular_values_repeated_and_zero() -> None:
    a = np.eye(3)[:, :2]

    def total(a: Any) -> Any:
        return np.sum(np.linalg.svd(a, compute_uv=False))

    assert_first(total, a, a)
    subgradient = ad.grad(total)(np.zeros((2, 2)))
    assert np.all(np.isfinite(subgradient)) and np.linalg.norm(subgradient, 2) <= 1 + 1e-12


def test_triangles_are_read_as_a_symmetric_matrix() -> None:
    a = np.array([[4.0, 1.0], [1.0, 3.0]])
    lower = ad.jacobian(np.linalg.cholesky)(a)
    np.testing.assert_allclose(lower, np.swapaxes(lower, 2, 3), atol=1e-14)
    values = ad.jacobian(np.linalg.eigvalsh)(a)
    np.testing.assert_allclose(values, np.swapaxes(values, 1, 2), atol=1e-14)


def test_pseudoinverse_of_constant_rank_warns() -> None:
    a = np.outer([1.0, 2.0], [3.0, 1.0])
    with pytest.warns(ad.errors.UndefinedDerivativeWarning):
        found = ad.jacobian(np.linalg.pinv)(a)
    # Along a direction that keeps the rank, the constant-rank formula is the derivative.
    direction = np.outer([0.3, -0.2], [3.0, 1.0])
    step = 1e-6
    expected = np.linalg.pinv(a + step * direction) - np.linalg.pinv(a - step * direction)
    got = np.einsum("ijkl,kl->ij", found, direction)
    np.testing.assert_allclose(got, expected / (2 * step), rtol=1e-6, atol=1e-9)


def test_least_squares_of_deficient_rank_warns() -> None:
    a = np.outer([1.0, 2.0, 0.5], [3.0, 1.0])
    with pytest.warns(ad.errors.UndefinedDerivativeWarning):
        found = ad.grad(lambda a: np.sum(np.linalg.lstsq(a, np.ones(3))[0]))(a)
    assert np.all(np.isfinite(found))


def test_wide_qr_and_gauge_check_of_general_vectors() -> None:
    a = np.array([[1.0, 2.0, 0.5], [0.3, -1.0, 2.0]])
    ad.check_derivatives(lambda a: np.linalg.qr(a)[1] ** 2, a)
    b = np.array([[2.0, 0.3], [0.1, 1.0]]) + 0j
    with pytest.raises(ad.errors.UndefinedDerivativeError, match="phase"):
        ad.grad(lambda b: np.imag(np.linalg.eig(b)[1][0, 0]))(b)
    ad.check_derivatives(lambda b: np.abs(np.linalg.eig(b)[1]) ** 2, b)


def test_sinc_at_zero() -> None:
    assert_first(np.sinc, 0.0, 0.0)
    assert_second(np.sinc, 0.0, -(np.pi**2) / 3)
    fourth = ad.derivative(np.sinc, 4)(0.0)
    np.testing.assert_allclose(fourth, np.pi**4 / 5, rtol=1e-12)


def test_deviation_of_constants() -> None:
    assert_first(np.std, np.ones(3), np.zeros(3))
    assert_second(np.var, np.ones(3), 2 / 3 * (np.eye(3) - 1 / 3))


def test_repeated_indices_add_up() -> None:
    index = np.array([0, 0, 1])
    assert_first(lambda x: np.sum(x[index] ** 2), np.array([1.0, 2.0, 3.0]), [4.0, 4.0, 0.0])
    assert_second(lambda x: np.sum(x[index] ** 2), np.ones(3), np.diag([4.0, 2.0, 0.0]))

    def scattered(x: Any) -> Any:
        out = np.zeros_like(x)
        np.add.at(out, index, x)
        return np.sum(out**2)

    assert_first(scattered, np.array([1.0, 2.0, 3.0]), [6.0, 6.0, 6.0])


def test_broadcasting_and_repeated_operands_of_einsum() -> None:
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert_first(lambda a: np.sum(a[:, None] * x), np.ones(2), [3.0, 7.0])
    assert_first(lambda a: np.einsum("ii", a), x, np.eye(2))
    assert_first(lambda a: np.einsum("ii->i", a), x, [[[1, 0], [0, 0]], [[0, 0], [0, 1]]])
    assert_first(lambda a: np.einsum("ij,ij->", a, a), x, 2 * x)
    assert_second(lambda a: np.einsum("i,i->", a, a), np.ones(2), 2 * np.eye(2))


def test_integers_are_promoted_but_indices_stay() -> None:
    found = ad.grad(lambda x: x * x / 2)(3)
    assert found == 3.0 and found.dtype == np.float64
    np.testing.assert_array_equal(ad.grad(lambda x: np.sum(x * x))(np.array([1, 2])), [2.0, 4.0])
    assert ad.grad(lambda x, n, i: np.ones(n)[i] * x[i] ** n)(np.array([2.0, 3.0]), 2, 1)[1] == 6.0


def test_complex_gradient_is_steepest_ascent() -> None:
    for f in (lambda z: np.abs(z) ** 2, lambda z: np.real(z * np.conj(z)), lambda z: z.real**2
              + z.imag**2):  # fmt: skip
        np.testing.assert_allclose(ad.grad(f)(1 + 2j), 2 + 4j)


def test_complex_modulus_and_branch() -> None:
    assert ad.grad(np.abs)(0j) == 0
    assert ad.grad(lambda z: np.real(np.log(z)))(-1 + 0j) == pytest.approx(-1)
    assert ad.derivative(np.log)(-1 + 0j) == pytest.approx(-1)
    with pytest.raises(ad.errors.NotHolomorphicError):
        ad.jacobian(np.conj)(np.array([1 + 1j]))


def test_writes_are_functional_and_views_see_them() -> None:
    def f(x: Any) -> Any:
        y = x.copy()
        view = y[1:]
        y[1] = 5 * x[0]
        view *= 2.0
        return np.sum(y * np.array([1.0, 10.0, 100.0])) + view[0]

    x = np.array([1.0, 2.0, 3.0])
    assert_first(f, x, [1 + 100 + 10, 0.0, 200.0])
    np.testing.assert_array_equal(x, [1.0, 2.0, 3.0])


def test_escaping_values_name_their_line() -> None:
    kept: list[Any] = []
    ad.grad(lambda x: (kept.append(x * 2), np.sum(x))[1])(np.ones(2))
    with pytest.raises(EscapedTracerError, match=r"made at test_traps\.py:\d+:.*kept\.append"):
        kept[0] + 1
    for use in (
        np.asarray,
        lambda x: np.zeros(2).__setitem__(slice(None), x),
        lambda x: float(x[0]),
    ):
        with pytest.raises(TracedConversionError, match=r"at test_traps\.py"):
            ad.grad(lambda x, use=use: (use(x), np.sum(x))[1])(np.ones(2))
    plain = np.array([[1.0, 2.0], [3.0, 4.0]])
    np.testing.assert_array_equal(
        ad.grad(lambda x: np.sum(np.tensordot(plain, x, 1)))(np.ones(2)), [4.0, 6.0]
    )


def test_series_through_custom_rules() -> None:
    f = ad.custom_derivative(np.sin, jvp=lambda p, t: (np.sin(p[0]), np.cos(p[0]) * t[0]))
    assert_first(lambda x: f(x), 0.5, np.cos(0.5))
    assert ad.derivative(lambda x: f(x), 3)(0.5) == pytest.approx(-np.cos(0.5))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_second(lambda x: f(x * x), 0.5, 2 * np.cos(0.25) - np.sin(0.25))
