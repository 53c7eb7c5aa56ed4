"""Arrays that a compiled function closes over are inputs: read at every call, under every
transform, and whatever the rules of differentiation make of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import adjoint as ad

VECTOR = np.empty(4)
MATRIX = np.empty((4, 4))
NUMBER = np.array(0.0)
POINT = np.array([0.5, 1.0, 1.5, 0.7])

FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "factor": lambda x: np.sum(VECTOR * x**4),
    "exponent": lambda x: np.sum(x**VECTOR),
    "quadratic form": lambda x: x @ MATRIX @ x * np.sum(x),
    "array of no axes": lambda x: np.sum(NUMBER * x**3),
    "inside a loop": lambda x: (
        ad.scan(lambda h, z: (h * z * np.sum(VECTOR * z), h), np.sum(x), x)[0] ** 2
    ),
    "choice": lambda x: np.sum(np.where(x + 1.5 > VECTOR, x**3, VECTOR * x**2)),
    "array like": lambda x: np.sum(np.array(VECTOR, like=x) * x**3),
    "array of arrays": lambda x: np.sum(np.array([VECTOR, x], like=x) ** 3 * x),
    "filled like": lambda x: np.sum(np.full_like(x, VECTOR) * x**3),
    "index": lambda x: np.sum(x[VECTOR.astype(int) % 4] ** 2) + VECTOR @ x,
}
TRANSFORMS: dict[str, Callable[[Any], Any]] = {
    "value": lambda f: f,
    "grad": ad.grad,
    "hessian": ad.hessian,
    "jacobian": lambda f: ad.jacobian(lambda x: f(x) * x),
    "jvp": lambda f: lambda x: ad.jvp(f, (x,), (VECTOR,))[1],
    "vjp": lambda f: lambda x: ad.vjp(lambda z: f(z) * z, x)[1](VECTOR)[0],
    "hvp": lambda f: lambda x: ad.hvp(f, (x,), (VECTOR,)),
    "jet": lambda f: lambda x: ad.jet(f, (x,), ([VECTOR, np.zeros(4), np.zeros(4)],))[1][2],
    "vmap": lambda f: lambda x: ad.vmap(ad.grad(f))(np.stack([x, 2 * x])),
}


def fill(seed: int) -> None:
    """Other numbers in the same arrays."""
    rng = np.random.default_rng(seed)
    VECTOR[...] = rng.permutation(4) + rng.uniform(1.0, 1.2)
    MATRIX[...] = rng.normal(size=(4, 4))
    NUMBER[...] = rng.normal()


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("name", [n for n in FUNCTIONS if n != "index"])
def test_a_change_of_contents_is_seen(name: str, transform: str) -> None:
    function = TRANSFORMS[transform](FUNCTIONS[name])
    fill(0)
    fast = ad.compile(function)
    for seed in range(3):
        fill(seed)
        np.testing.assert_allclose(fast(POINT), function(POINT), rtol=1e-10, atol=1e-12)


def test_an_index_computed_from_such_an_array_alone_is_computed_once() -> None:
    # What is promised: NumPy does that without anybody looking on.
    fill(0)
    fast = ad.compile(ad.grad(FUNCTIONS["index"]))
    np.testing.assert_allclose(fast(POINT), ad.grad(FUNCTIONS["index"])(POINT))


def test_uniform_arrays_and_identities_may_become_others() -> None:
    weights, eye = np.ones(4), np.eye(4)

    def f(x: Any) -> Any:
        return np.sum(weights * x**4) + (x @ eye @ x) ** 2

    fast = ad.compile(ad.hessian(f))
    for value in (1.0, 2.0):
        weights[:] = value
        np.testing.assert_allclose(fast(POINT), ad.hessian(f)(POINT))
        weights[1] = 7.0
        np.testing.assert_allclose(fast(POINT), ad.hessian(f)(POINT))
    eye[0, 1] = 3.0
    np.testing.assert_allclose(fast(POINT), ad.hessian(f)(POINT))


def test_a_buffer_that_the_function_fills_is_its_own() -> None:
    buffer = np.zeros(4)

    def f(x: Any) -> Any:
        buffer[:] = 2.0
        first = np.sum(buffer * x**2)
        buffer[:] = 3.0
        return first + np.sum(buffer * x**3)

    fast = ad.compile(ad.grad(f))
    for _ in range(2):
        np.testing.assert_allclose(fast(POINT), ad.grad(f)(POINT))


def test_a_custom_rule_closes_over_arrays_too() -> None:
    scale = np.array([1.0, 2.0, 3.0, 4.0])

    @ad.custom_derivative
    def f(x: Any) -> Any:
        return np.sum(x**2)

    f.defvjp(lambda x: (np.sum(x**2), lambda ct: (ct * scale * x,)))
    fast = ad.compile(ad.grad(lambda x: f(x) * 2.0))
    for factor in (1.0, 5.0):
        scale[:] = factor * np.arange(1.0, 5.0)
        np.testing.assert_allclose(fast(POINT), 2.0 * scale * POINT)


@pytest.mark.parametrize("inner", [ad.hessian, ad.grad, ad.jacobian])
def test_a_traced_value_from_outside_is_differentiated(inner: Any) -> None:
    def outer(a: Any) -> Any:
        compiled = ad.compile(inner(lambda x: a * np.sum(x**3)))
        return np.sum(compiled(POINT))

    expected = ad.grad(lambda a: np.sum(inner(lambda x: a * np.sum(x**3))(POINT)))(2.0)
    np.testing.assert_allclose(ad.grad(outer)(2.0), expected)
    assert expected != 0.0


def test_a_compiled_function_inside_another() -> None:
    inner = ad.compile(lambda x: x**3)
    outer = ad.compile(ad.grad(lambda x: np.sum(inner(x) * VECTOR)))
    fill(1)
    for _ in range(2):
        np.testing.assert_allclose(outer(POINT), 3 * POINT**2 * VECTOR)
        fill(2)


def test_index_arrays_and_masks_are_read_anew_in_closed_forms() -> None:
    index = np.array([0, 2, 1, 1])
    mask = np.array([True, False, True, True])

    def f(x: Any, k: Any) -> Any:
        chosen = np.sum(x[index] ** 2) + np.sum(np.where(mask, x**3, x * np.sum(x**2)))
        return chosen + np.sum(x**2 * k[::-1] * np.sum(x))

    fast = ad.compile(ad.hessian(f))
    steps = [([0, 2, 1, 1], [1, 0, 1, 1], 1), ([3, 0, 2, 0], [0, 0, 1, 0], 2), ([1, 1, 1, 1],) * 2]
    for places, chosen, *scale in steps:
        index[:], mask[:] = places, chosen
        k = np.arange(4) * (scale or [3])[0]
        np.testing.assert_allclose(fast(POINT, k), ad.hessian(f)(POINT, k), rtol=1e-10)
    index[3] = 9
    with pytest.raises(IndexError):
        fast(POINT, np.arange(4))


@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_precisions_that_meet_in_a_jacobian(mode: Any) -> None:
    def f(x: Any, a: Any) -> Any:
        return (a @ x)[::-1]

    x, a = np.array([0.3, 0.1]), np.array([[0.5, 1.0], [2.0, 3.0]], np.float32)
    for function in (f, lambda x, a: f(x, a) * 1.0 + np.sum(x)):
        jacobian = ad.jacobian(function, mode=mode)
        fast = ad.compile(jacobian)
        for factor in (1, 2):
            b = a * np.float32(factor)
            np.testing.assert_allclose(fast(x, b), jacobian(x, b), rtol=1e-6)
