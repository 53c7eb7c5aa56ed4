"""Loops and branches stay loops and branches in compiled code, forward and reverse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from tests.compilation.test_agreement import assert_compiled, assert_same

XS = np.linspace(-1.0, 1.5, 12).reshape(6, 2)
W = np.array([[0.3, -0.2], [0.5, 0.9]])


def recurrent(x: Any, w: Any) -> Any:
    def step(h: Any, t: Any) -> Any:
        h = np.tanh(h @ w + t)
        return h, np.sum(h * t)

    last, ys = ad.scan(step, np.zeros(2, like=x), x)
    return np.sum(last) + np.sum(ys**2)


def pair(x: Any) -> Any:
    (a, b), (c, d) = ad.scan(
        lambda c, t: ((c[1] + t[0], c[0] * t[1]), (c[0], np.outer(t, t))), (1.0, x[0, 0]), x
    )
    return a, b, c, d


def backwards(x: Any) -> Any:
    return ad.scan(lambda c, t: (c * 0.5 + t, c), np.zeros(2), x, reverse=True)


def nested(x: Any) -> Any:
    def outer(c: Any, row: Any) -> Any:
        inner, _ = ad.scan(lambda s, t: (np.sin(s) + t, s), c, row)
        return inner, ad.cond(inner > 0, lambda v: v * 2, lambda v: v - 1, inner)

    return ad.scan(outer, 0.1, x)


def collatz(n: Any) -> Any:
    def step(c: Any) -> Any:
        n, k = c
        return np.where(n % 2 == 0, n // 2, 3 * n + 1), k + 1

    return ad.while_loop(lambda c: c[0] != 1, step, (n, 0))


def root(x: Any) -> Any:
    return ad.while_loop(lambda y: np.abs(y * y - x) > 1e-12, lambda y: (y + x / y) / 2, x)


FUNCTIONS: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "recurrent": (recurrent, (XS, W)),
    "its gradient": (ad.value_and_grad(recurrent, argnums=(0, 1)), (XS, W)),
    "its product with a vector": (lambda x, w: ad.hvp(lambda v: recurrent(x, v), (w,), (w,)),
                                  (XS, W)),
    "forward": (lambda x, w: ad.jvp(recurrent, (x, w), (x * 0 + 1, w)), (XS, W)),
    "two carries, two results": (pair, (XS,)),
    "backwards": (backwards, (XS,)),
    "nested": (nested, (XS,)),
    "gradient of nested": (ad.grad(lambda x: nested(x)[0]), (XS,)),
    "batch": (lambda x, w: ad.vmap(recurrent, in_axes=(None, 0))(x, w), (XS, np.stack([W, -W]))),
    "root": (root, (2.0,)),
    "forward through while": (lambda x: ad.jvp(root, (x,), (1.0,)), (2.0,)),
    "choice": (lambda x: ad.cond(np.sum(x) > 0, lambda v: (v * 2, 1.0), lambda v: (-v, 0.0), x),
               (XS,)),
    "gradient of choice": (
        ad.grad(lambda x: np.sum(ad.cond(x[0, 0] > 0, np.sin, lambda v: v**2, x))), (XS,)
    ),
    "float32": (recurrent, (XS.astype("f4"), W.astype("f4"))),
    "no steps": (lambda x: ad.scan(lambda c, t: (c + np.sum(t), c), 1.0, x), (np.zeros((0, 2)),)),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_control(name: str) -> None:
    assert_compiled(*FUNCTIONS[name])


@pytest.mark.parametrize("name", ["recurrent", "its gradient", "nested", "root", "choice"])
def test_control_is_native(name: str) -> None:
    function, args = FUNCTIONS[name]
    fast = ad.compile(function)
    fast(*args)
    report = fast.explain()
    assert "as a native loop or branch" in report
    assert "by NumPy" not in report


def test_both_ways_of_a_branch_are_one_path() -> None:
    fast = ad.compile(lambda x: ad.cond(x > 0, np.sqrt, lambda v: -v, x))
    for x in (4.0, -3.0, 9.0):
        assert fast(x) == (np.sqrt(x) if x > 0 else -x)
    assert fast.explain().startswith("1 path compiled")


def test_while_on_integers() -> None:
    fast = ad.compile(collatz)
    for n in (7, 27, 1):
        assert_same(fast(np.int64(n)), collatz(np.int64(n)))


def test_long_loops_are_fast_to_compile() -> None:
    fast = ad.compile(lambda x: ad.scan(lambda c, t: (np.sin(c) + t, c), 0.0, x)[0])
    x = np.linspace(0, 1, 100_000)
    fast(x[:5])
    value = 0.0
    for t in x:
        value = np.sin(value) + t
    np.testing.assert_allclose(fast(x), value, rtol=1e-12)
