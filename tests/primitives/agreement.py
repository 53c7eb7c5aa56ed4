"""One check for a function of one real array: against NumPy, differences, and a loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import adjoint as ad

STEP = 1e-6


def leaves(value: Any) -> list[Any]:
    return list(value) if isinstance(value, tuple | list) else [value]


def assert_same(got: Any, expected: Any, rtol: float = 1e-13, dtypes: bool = True) -> None:
    """The same structure, shapes, dtypes and numbers, NaN equal to NaN."""
    assert len(leaves(got)) == len(leaves(expected))
    for g, e in zip(leaves(got), leaves(expected), strict=True):
        g, e = np.asarray(g), np.asarray(e)
        assert g.shape == e.shape, f"shape {g.shape}, not {e.shape}"
        assert not dtypes or g.dtype == e.dtype, f"dtype {g.dtype}, not {e.dtype}"
        np.testing.assert_allclose(g, e, rtol=rtol, atol=rtol)


def assert_value(f: Callable[..., Any], x: Any, rtol: float = 1e-13) -> None:
    """Traced, f gives what NumPy gives: shape, dtype and numbers."""
    seen: list[Any] = []

    def traced(v: Any) -> Any:
        found = leaves(f(v))
        # Some results are plain: indices whose number depends on values.
        seen.extend(leaf.node.value if hasattr(leaf, "node") else leaf for leaf in found)
        return v

    ad.jvp(traced, (x,), (np.zeros_like(x),))
    assert_same(seen, leaves(f(x)), rtol)


def differences(f: Callable[..., Any], x: Any) -> Any:
    """The Jacobian by central differences."""
    columns = []
    for i in range(x.size):
        step = np.zeros(x.size)
        step[i] = STEP
        step = step.reshape(x.shape)
        columns.append((np.asarray(f(x + step)) - np.asarray(f(x - step))) / (2 * STEP))
    return np.stack(columns, axis=-1).reshape(np.shape(f(x)) + x.shape)


def assert_derivatives(f: Callable[..., Any], x: Any, second: bool = True) -> None:
    """Forward and reverse Jacobian, and the Hessian of a weighted sum, against differences."""
    expected = differences(f, x)
    for mode in ("forward", "reverse"):
        got = ad.jacobian(f, mode=mode)(x)
        np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-7, err_msg=mode)
    if not second:
        return
    weights = np.cos(np.arange(np.size(f(x)))).reshape(np.shape(f(x)))

    def total(v: Any) -> Any:
        return np.sum(weights * f(v * v + v))

    got = ad.hessian(total)(x)
    np.testing.assert_allclose(got, differences(ad.grad(total), x), rtol=1e-6, atol=1e-6)


def assert_batches(f: Callable[..., Any], x: Any) -> None:
    """vmap is a loop over examples."""
    batch = np.stack([x, x[::-1] * 1.25 if x.ndim else x * 1.25, np.cos(x) + x])
    expected = [leaves(f(example)) for example in batch]
    got = leaves(ad.vmap(f)(batch))
    assert_same(got, [np.stack(parts) for parts in zip(*expected, strict=True)])


def assert_agrees(f: Callable[..., Any], x: Any, second: bool = True) -> None:
    """All of the above for a function with one differentiable result."""
    assert_value(f, x)
    assert_derivatives(f, x, second)
    assert_batches(f, x)


def spread(shape: tuple[int, ...]) -> Any:
    """Elements of both signs, no two nearer than 0.1, none nearer to 0 than 0.2, in no order."""
    size = int(np.prod(shape))
    ladder = 0.25 + 0.13 * np.arange(size)
    ladder = ladder * np.where(np.arange(size) % 3 == 1, -1.0, 1.0)
    return np.random.default_rng(7).permutation(ladder).reshape(shape)
