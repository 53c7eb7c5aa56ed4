"""A reduction of a number, or over no axes, is compiled like any other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import adjoint as ad

NAMES = ("any", "all", "max", "min", "prod", "count_nonzero", "sum", "mean")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("x", [np.float64(0.5), np.array([0.5]), np.ones((1, 1)), np.ones((2, 1))],
                         ids=np.shape)  # fmt: skip
def test_a_reduction_is_that_of_numpy(name: str, x: Any) -> None:
    reduce = getattr(np, name)
    whole = ad.compile(lambda x: reduce(x) * x)
    nothing = ad.compile(lambda x: reduce(x, axis=()) * x)
    assert np.array_equal(whole(x), reduce(x) * x)
    assert np.array_equal(nothing(x), reduce(x, axis=()) * x)
