"""One check for a function of a matrix: value, both modes, second order in both, and batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import adjoint as ad
from tests.primitives.agreement import assert_value, differences

STEP = 1e-6


def symmetric(a: Any) -> Any:
    """The symmetric or Hermitian part, over the last two axes."""
    t = np.swapaxes(a, -1, -2)
    return (a + (np.conj(t) if a.dtype.kind == "c" else t)) / 2


def weighted(f: Callable[..., Any]) -> Callable[..., Any]:
    """A scalar made of all elements of f, no two with the same weight."""

    def total(a: Any) -> Any:
        y = f(a)
        return np.sum(np.cos(1.0 + np.arange(np.size(y))).reshape(np.shape(y)) * y)

    return total


def assert_close(got: Any, expected: Any, what: str, tolerance: float = 2e-6) -> None:
    scale = 1 + np.max(np.abs(expected), initial=0.0)
    np.testing.assert_allclose(
        got, expected, rtol=tolerance, atol=tolerance * scale, err_msg=what, equal_nan=False
    )


def assert_matrix_rule(f: Callable[..., Any], a: Any, batched: bool = True) -> None:
    """f at a real matrix against NumPy, central differences, and a loop over examples."""
    assert_value(f, a)
    expected = differences(f, a)
    for mode in ("forward", "reverse"):
        assert_close(ad.jacobian(f, mode=mode)(a), expected, mode)
    total = weighted(f)
    gradient = ad.grad(total)
    second = differences(gradient, a)
    for mode in ("forward", "reverse"):
        assert_close(ad.jacobian(gradient, mode=mode)(a), second, f"second order, {mode}")
    if batched:
        examples = np.stack([a, a * 1.01, a + 0.01 * np.cos(a)])
        for g in (f, gradient):
            loop = np.stack([g(e) for e in examples])
            np.testing.assert_allclose(ad.vmap(g)(examples), loop, rtol=1e-9, atol=1e-10)


def complex_differences(f: Callable[..., Any], z: Any) -> Any:
    """∂f/∂Re z + i ∂f/∂Im z of a real function."""
    out = np.zeros_like(z)
    for i in np.ndindex(*z.shape):
        step = np.zeros(z.shape)
        step[i] = STEP
        along = (f(z + step) - f(z - step)) / (2 * STEP)
        across = (f(z + 1j * step) - f(z - 1j * step)) / (2 * STEP)
        out[i] = along + 1j * across
    return out


def real_part_of(f: Callable[..., Any]) -> Callable[..., Any]:
    """A real scalar that depends on the real and imaginary parts of f."""
    total = weighted(f)
    return lambda z: np.real((2.0 - 1.0j) * total(z))


def assert_complex_rule(f: Callable[..., Any], z: Any) -> None:
    """Gradient, forward derivative and second derivative at a complex matrix."""
    loss = real_part_of(f)
    gradient = ad.grad(loss)
    assert_close(gradient(z), complex_differences(loss, z), "gradient")
    step = np.cos(np.arange(z.size)).reshape(z.shape) * (0.5 + 1j)
    found = ad.jvp(loss, (z,), (step,))[1]
    assert_close(found, (loss(z + STEP * step) - loss(z - STEP * step)) / (2 * STEP), "forward")
    second = ad.jvp(gradient, (z,), (step,))[1]
    change = (gradient(z + STEP * step) - gradient(z - STEP * step)) / (2 * STEP)
    assert_close(second, change, "second order")
