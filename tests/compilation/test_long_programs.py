"""Straight-line programs that are cut into several functions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import adjoint as ad
from tests.compilation.test_agreement import assert_same


def sines(x: Any, n: int) -> Any:
    for _ in range(n):
        x = np.sin(x)
    return x


def mixture(x: Any, n: int) -> Any:
    """Values from far back, comparisons, and a total that everything adds to."""
    y, early, total = x, [x * 0.5], x * 0.0
    for k in range(n):
        y = y / (1.0 + early[k // 2] ** 2) + 0.5 if k % 3 else y / (1.0 + x * x)
        if k % 7 == 0:
            y = np.where(y > 0.3, y, np.tanh(early[k // 3]) + 0.1)
        early.append(y)
        total = total * 0.9 + y
    return total, y


ARGUMENTS: dict[str, Any] = {
    "number": 0.7,
    "float32": np.float32(0.7),
    "vector": np.array([0.1, 0.2, 0.9]),
    "one element": np.array([[0.4]]),
}


@pytest.mark.parametrize("kind", ARGUMENTS)
def test_long_mixtures(kind: str) -> None:
    x = ARGUMENTS[kind]
    fast = ad.compile(lambda v: mixture(v, 300))
    for scale in (1.0, 1.0, 1.1):
        scaled: Any = (np.asarray(x) * np.asarray(x).dtype.type(scale))[()]
        assert_same(fast(scaled), mixture(scaled, 300))
    assert fast.llvm_ir().count("define internal") > 2


@pytest.mark.parametrize("kind", ["number", "vector"])
def test_gradients_of_long_chains(kind: str) -> None:
    x = ARGUMENTS[kind]
    gradient = ad.value_and_grad(lambda v: np.sum(sines(v, 200)))
    fast = ad.compile(gradient)
    for _ in range(2):
        assert_same(fast(x), gradient(x))


def test_guards_in_long_programs() -> None:
    def f(x: Any) -> Any:
        total, y = mixture(x, 250)
        return total if y > 0.6 else -total

    fast = ad.compile(f)
    for x in (0.1, 0.7, 1.4, 0.2, 0.9):
        assert_same(fast(x), f(x))
