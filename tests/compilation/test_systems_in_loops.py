"""Linear algebra in the body of a native loop."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import adjoint as ad


def test_systems_inside_loops() -> None:
    matrix = np.random.default_rng(5).normal(size=(4, 4)) + 4.0 * np.eye(4)

    def f(x: Any, a: Any, z: Any) -> Any:
        def body(h: Any, factor: Any) -> Any:
            h = np.linalg.solve(a * factor, h) + x
            return h, np.linalg.det(a * factor)

        h, ys = ad.scan(body, x, z)
        return np.sum(h**2) + np.sum(ys)

    x, z = np.arange(4.0), np.arange(1.0, 4.0)
    for function in (f, ad.grad(f), ad.hessian(f), ad.grad(f, 1)):
        fast = ad.compile(function)
        for _ in range(2):
            np.testing.assert_allclose(fast(x, matrix, z), function(x, matrix, z), rtol=1e-9)
        assert "by NumPy" not in fast.explain()
    fast = ad.compile(f)
    fast(x, matrix, z)
    for _ in range(2):
        with pytest.raises(np.linalg.LinAlgError, match="Singular matrix"):
            fast(x, matrix, np.array([1.0, 0.0, 2.0]))
    assert repr(fast).endswith(", 1 paths>")
