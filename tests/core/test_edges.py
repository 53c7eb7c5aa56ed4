"""Derivatives at points and of patterns where a rule applied blindly gives a wrong number."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint.errors import ArgumentError, ArgumentValueError, DtypeError, NotHolomorphicError


def assert_gradient(f: Callable[..., Any], x: Any, expected: Any) -> None:
    """In forward and in reverse mode."""
    for mode in ("forward", "reverse"):
        found = ad.jacobian(f, mode=mode)(x)  # type: ignore[arg-type]
        np.testing.assert_allclose(found, expected, rtol=1e-13, err_msg=mode)


def test_the_branch_not_taken_is_silent_also_behind_an_index() -> None:
    def f(x: Any) -> Any:
        return np.where(x[0] > 0, np.sqrt(x)[0], 0.0) + x[1]

    assert_gradient(f, np.array([0.0, 1.0]), [0.0, 1.0])


def test_second_derivative_of_a_complex_modulus() -> None:
    found = ad.hessian(lambda x: np.abs(x[0] + 1j * x[1]))(np.array([3.0, 4.0]))
    np.testing.assert_allclose(found, [[0.128, -0.096], [-0.096, 0.072]], rtol=1e-13)


def test_the_sign_of_a_complex_number_varies() -> None:
    assert_gradient(lambda x: np.real(np.sign(x + 1j * x**2)), 2.0, -2.0 * 5.0**-1.5)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.sqrt(np.sum(x**2)) ** 2,
        lambda x: (lambda r: r * r)(np.sqrt(x @ x)),
        lambda x: np.square(np.sqrt(np.sum(x * x))),
        lambda x: np.sum(np.abs(x) ** 2),
        lambda x: np.sum(np.abs(x) * np.abs(x)),
        lambda x: np.abs(x[0] + 1j * x[1]) ** 2,
    ],
)
@pytest.mark.parametrize("point", [[0.0, 0.0], [1.0, -2.0]])
def test_a_squared_norm_is_smooth_at_zero(f: Any, point: Any) -> None:
    x = np.array(point)
    assert_gradient(f, x, 2 * x)
    np.testing.assert_allclose(ad.hessian(f)(x), 2 * np.eye(2), atol=1e-14)


def test_the_norm_of_a_row_at_zero() -> None:
    assert_gradient(lambda x: np.sqrt(np.sum(x**2, axis=1)[0]), np.zeros((2, 2)), np.zeros((2, 2)))


@pytest.mark.parametrize("f", [lambda x: x * np.log(x), lambda x: np.log(x) * x])
def test_x_log_x(f: Any) -> None:
    with np.errstate(all="ignore"):
        assert_gradient(f, 0.0, -np.inf)
    assert_gradient(f, 2.0, np.log(2.0) + 1)
    assert ad.derivative(f, 2)(2.0) == pytest.approx(0.5, rel=1e-14)


@pytest.mark.parametrize("ufunc", [np.remainder, np.fmod])
def test_remainder_counts_as_numpy_does(ufunc: Any) -> None:
    # 1.0 / 0.1 rounds to 10, but the remainder took 9 away.
    assert ufunc(1.0, 0.1) > 0.09
    assert_gradient(lambda b: ufunc(1.0, b), 0.1, -9.0)
    assert_gradient(lambda b: ufunc(-7.5, b), 2.0, 4.0 if ufunc is np.remainder else 3.0)


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
def test_arrays_with_operators_of_their_own_are_refused() -> None:
    for x in (np.matrix([[1.0, 2.0], [3.0, 4.0]]), np.ma.array([1.0, 2.0], mask=[0, 1])):
        with pytest.raises(DtypeError, match=rf"got a {type(x).__name__}.*\n.*test_edges"):
            ad.grad(lambda x: np.sum(x * x))(x)
        with pytest.raises(DtypeError, match=type(x).__name__):
            ad.grad(lambda t, x=x: np.sum(t * x))(1.0)


def test_a_subclass_that_only_adds_names_is_an_array() -> None:
    class Named(np.ndarray):
        label = "x"

    x = np.array([1.0, 2.0]).view(Named)
    np.testing.assert_array_equal(ad.grad(lambda x: np.sum(x**2))(x), [2.0, 4.0])


def test_argnums_are_checked() -> None:
    def f(x: float, y: float) -> float:
        return x * y

    assert ad.grad(f, np.int64(1))(2.0, 3.0) == 2.0
    assert ad.grad(f, [0, 1])(2.0, 3.0) == (3.0, 2.0)
    with pytest.raises(ArgumentValueError, match=r"each argument once.*\(0, -2\)"):
        ad.grad(f, (0, -2))(2.0, 3.0)
    for wrong in ("x", 1.5, True, (0, "y"), None):
        with pytest.raises(ArgumentError, match="argnums as an integer"):
            ad.grad(f, wrong)  # type: ignore[arg-type]
        with pytest.raises(ArgumentError, match="argnums as an integer"):
            ad.jacobian(f, wrong)  # type: ignore[arg-type]


def test_a_complex_derivative_needs_a_holomorphic_function() -> None:
    with pytest.raises(NotHolomorphicError, match=r"along 1 is .*along 1j it is"):
        ad.derivative(lambda z: np.conj(z))(1 + 2j)
    assert ad.derivative(lambda z: z**3)(1 + 2j) == pytest.approx(3 * (1 + 2j) ** 2)


def test_the_row_layout_is_for_scalars() -> None:
    def curve(x: Any) -> Any:
        return np.stack([x, x**2, x])

    assert ad.jacobian(curve, layout="row")(2.0).shape == (3,)
    assert ad.jacobian(lambda x: x @ x, layout="row")(np.ones(3)).shape == (1, 3)
    assert ad.jacobian(lambda x: x * x, layout="row")(np.ones(3)).shape == (3, 3)


def test_out_axes_name_an_axis() -> None:
    for wrong in (None, 2):
        with pytest.raises(ArgumentError, match="out_axes to name an axis"):
            ad.vmap(lambda x: x * 2, out_axes=wrong)(np.ones(3))
    with pytest.raises(ArgumentError, match="integers or None as axes of argument 1"):
        ad.vmap(lambda x, y: x, in_axes=(0, "b"))(np.ones(2), np.ones(2))


def test_a_read_only_view_of_a_buffer_that_changes() -> None:
    buffer = np.ones(3)
    rows = np.broadcast_to(buffer, (2, 3))
    _, pullback = ad.vjp(lambda x: x * rows, np.ones((2, 3)))
    buffer[:] = 5.0
    np.testing.assert_array_equal(pullback(np.ones((2, 3)))[0], np.ones((2, 3)))


def test_a_complex_number_does_not_fit_into_a_real_array() -> None:
    def f(x: Any) -> Any:
        buffer = np.zeros_like(x)
        buffer[0] = x[0] * 1j
        return buffer.sum()

    with pytest.raises(TypeError, match="imaginary part would be lost"):
        ad.grad(f)(np.ones(2))


def test_extra_results_may_be_arrays_of_traced_numbers() -> None:
    slope, extra = ad.grad(lambda x: (x**2, {"a": np.array([x, 2 * x]), "b": "text"}), 0, True)(3.0)
    assert slope == 6.0 and extra["b"] == "text"
    assert extra["a"].dtype == np.float64
    np.testing.assert_array_equal(extra["a"], [3.0, 6.0])
