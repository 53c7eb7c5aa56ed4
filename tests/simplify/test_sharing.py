"""Formulas of repeated steps are no longer, and cost no more, than the steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import adjoint as ad


def steps(n: int, factor: float = 0.5) -> Callable[[Any], Any]:
    def f(x: Any) -> Any:
        for _ in range(n):
            x = np.sin(x) + x * factor
        return x

    return f


def test_a_sum_that_is_needed_anyway_stays_whole() -> None:
    assert (
        str(ad.formula(steps(3), x=""))
        == "sin(d) + ½d\nwhere c = sin(x) + ½x\n      d = sin(c) + ½c"
    )


@pytest.mark.parametrize("factor", [0.5, 1.0, -1.0])
@pytest.mark.parametrize("f", [steps, lambda n, c: ad.grad(steps(n, c))])
def test_repeated_steps_are_not_dearer_simplified(f: Any, factor: float) -> None:
    short, long = (ad.formula(f(n, factor), x="") for n in (10, 20))
    assert long.after.flops <= long.before.flops
    assert len(long.source()) < 2.5 * len(short.source())
    np.testing.assert_allclose(long.function()(0.3), f(20, factor)(0.3), 1e-12)


def test_vectors_and_short_sums() -> None:
    def f(x: Any, y: Any) -> Any:
        return np.sin(x - 3 * y) + x - 3 * y

    assert str(ad.formula(f, x="n", y="n")) == "sin(x − 3y) + x − 3y"
    printed = ad.formula(lambda x, y: f(x, y) + np.cos(0.5 * x - 1.5 * y), x="n", y="n")
    x, y = np.array([0.1, 0.2]), np.array([0.4, -0.3])
    expected = f(x, y) + np.cos(0.5 * x - 1.5 * y)
    np.testing.assert_allclose(printed.function()(x, y), expected, 1e-14)
