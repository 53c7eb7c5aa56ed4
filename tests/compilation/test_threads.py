"""Loops on several threads give what they give on one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint.codegen import threads
from tests.compilation.functions import worked
from tests.compilation.test_agreement import assert_same

X = np.linspace(-1.0, 1.0, 40_013)

FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "elements": worked,
    "value and gradient": ad.value_and_grad(lambda x: np.sum(worked(x))),
    "extremes": lambda x: (np.max(np.sin(x)), np.min(x * x), np.sin(x)),
    "truth": lambda x: (np.any(x > 0.9), np.all(x < 2), np.count_nonzero(x > 0), x * 2),
    "broadcast": lambda x: np.tanh(x[:40_000].reshape(200, 200) * x[:200] + x[:200, None]),
    "columns": lambda x: np.sum(np.exp(x[:40_000].reshape(200, 200)), axis=0),
    "reversed": lambda x: np.cos(x[::-1]) * x,
    "float32": lambda x: np.sin(x.astype(np.float32)) * 2,
    "numbers": lambda x: np.sin(x[0]) * 2,
}


@pytest.mark.parametrize("count", [2, 5])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_threads_agree(name: str, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adjoint.codegen.kernel.available", lambda: count)
    fast = ad.compile(FUNCTIONS[name], parallel=True)
    for x in (X, X, -X):
        assert_same(fast(x), FUNCTIONS[name](x))
    uses = "pthread_create" in fast.llvm_ir()
    assert uses == (name not in ("numbers", "truth"))


def test_off_below_the_size_where_it_pays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adjoint.codegen.kernel.available", lambda: 4)
    small = np.linspace(0, 1, 500)
    for parallel, x, expected in (
        (None, small, False), (True, small, False), (False, X, False), (True, X, True),
        (None, np.linspace(0, 1, 1_000_000), True),
    ):  # fmt: skip
        fast = ad.compile(lambda v: np.exp(np.sin(v)), parallel=parallel)
        assert_same(fast(x), np.exp(np.sin(x)))
        assert ("pthread_create" in fast.llvm_ir()) == expected


def test_an_index_outside_is_found_by_every_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adjoint.codegen.kernel.available", lambda: 3)
    fast = ad.compile(lambda x, i: x[i] * 2, parallel=True)
    index = np.arange(40_000)
    assert_same(fast(X, index), X[index] * 2)
    for place in (0, 20_000, 39_999):
        bad = index.copy()
        bad[place] = X.size
        with pytest.raises(IndexError, match="out of bounds"):
            fast(X, bad)


def test_the_number_of_threads_is_that_of_the_cpus() -> None:
    assert 1 <= threads.available() <= threads.MOST
