"""A recorded loop or branch agrees with the same mathematics written in Python and traced."""

from collections.abc import Callable
from typing import Any

import numpy as np

import adjoint as ad

MODES = ("forward", "reverse")
Function = Callable[..., Any]


def assert_close(got: Any, expected: Any, tolerance: float = 1e-10) -> None:
    got, expected = np.asarray(got), np.asarray(expected)
    assert got.shape == expected.shape
    assert np.all(np.isfinite(expected)), "the reference has to be finite"
    np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance)


def assert_agree(f: Function, reference: Function, *args: Any) -> None:
    """Value, gradient in both modes, and second derivatives in all four, for every argument."""
    assert_close(f(*args), reference(*args), 1e-14)
    for i in range(len(args)):
        expected = ad.grad(reference, i)(*args)
        assert_close(ad.grad(f, i)(*args), expected)
        assert_close(ad.jacobian(f, i, mode="forward")(*args), expected)
        second = ad.hessian(reference, i)(*args)
        for outer in MODES:
            for inner in MODES:
                found = ad.jacobian(ad.jacobian(f, i, mode=inner), i, mode=outer)(*args)
                assert_close(found, second)


def assert_batches(f: Function, reference: Function, *args: Any) -> None:
    """Under vmap the function, its gradient and its Hessian are those of a Python loop."""
    size = len(args[0])
    for i in range(len(args)):
        for g, h in (
            (f, reference),
            (ad.grad(f, i), ad.grad(reference, i)),
            (ad.hessian(f, i), ad.hessian(reference, i)),
        ):
            rows = [h(*(a[k] for a in args)) for k in range(size)]
            assert_close(ad.vmap(g)(*args), np.stack(rows))
            axes = tuple(0 if j == i else None for j in range(len(args)))
            shared = tuple(a if j == i else a[0] for j, a in enumerate(args))
            rows = [h(*(a[k] if j == i else a[0] for j, a in enumerate(args))) for k in range(size)]
            assert_close(ad.vmap(g, in_axes=axes)(*shared), np.stack(rows))


def assert_differences(f: Function, x: Any, tolerance: float = 1e-6) -> None:
    """The gradient agrees with central differences of the function."""
    x = np.asarray(x, float)
    step = 1e-5
    expected = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        e = np.zeros_like(x)
        e[index] = step
        expected[index] = (f(x + e) - f(x - e)) / (2 * step)
    assert_close(ad.grad(f)(x), expected, tolerance)


def assert_left_out(f: Function) -> None:
    """A `where` around f leaves an element out of every derivative, at 0 where f has none."""
    x = np.array([0.0, 4.0])

    def masked(x: Any) -> Any:
        return np.sum(np.where(x > 0, f(x), 0.0))

    slope = ad.grad(lambda x: np.sum(f(x)))(np.array([1.0, 4.0]))[1]
    assert_close(ad.grad(masked)(x), [0.0, slope])
    assert_close(ad.jacobian(masked, mode="forward")(x), [0.0, slope])
