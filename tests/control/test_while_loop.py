"""while_loop against Python's: the number of steps follows from the values."""

import tracemalloc
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint.primitives.control import loops
from tests.control.agreement import (
    MODES,
    assert_agree,
    assert_batches,
    assert_close,
    assert_left_out,
)

W = np.array([[0.3, -0.2, 0.5], [0.1, 0.4, -0.6], [-0.3, 0.2, 0.7]])
X = np.array([0.3, 1.2, 0.5])


def growth(a: Any, x: Any) -> Any:
    def proceed(s: Any) -> Any:
        return (s[1] < 5) & (np.sum(s[0]) < 8.0)

    def step(s: Any) -> Any:
        return np.sin(s[0] @ W) * a + s[0] * a, s[1] + 1

    return np.sum(ad.while_loop(proceed, step, (x, 0))[0])


def python_growth(a: Any, x: Any) -> Any:
    n = 0
    while n < 5 and np.sum(x) < 8.0:
        x = np.sin(x @ W) * a + x * a
        n += 1
    return np.sum(x)


@pytest.mark.parametrize("a", [0.5, 1.9, 30.0])
def test_a_loop_is_pythons(a: float) -> None:
    assert_agree(growth, python_growth, a, X)


def test_examples_stop_at_different_steps() -> None:
    a = np.array([0.5, 1.2, 1.9, 3.0])
    x = np.stack([X, 0.2 * X, 2.0 * X, X])
    assert_batches(growth, python_growth, a, x)


def test_reverse_of_a_batch_and_batch_of_reverse() -> None:
    a = np.array([0.5, 1.9])
    x = np.stack([X, 0.2 * X])
    expected = np.stack([ad.grad(python_growth, 1)(p, q) for p, q in zip(a, x, strict=True)])
    assert_close(ad.grad(lambda x: np.sum(ad.vmap(growth)(a, x)))(x), expected)
    mixed = ad.jacobian(ad.grad(growth, 1), 0, mode="reverse")
    rows = [ad.jacobian(ad.grad(python_growth, 1), 0)(p, q) for p, q in zip(a, x, strict=True)]
    assert_close(ad.vmap(mixed)(a, x), np.stack(rows))


@pytest.mark.parametrize("modes", [(a, b, c) for a in MODES for b in MODES for c in MODES])
def test_third_derivatives(modes: tuple[str, str, str]) -> None:
    def third(f: Any, kinds: Any) -> Any:
        for mode in kinds:
            f = ad.jacobian(f, 0, mode=mode)
        return f(1.3, X)

    assert_close(third(growth, modes), third(python_growth, ("forward",) * 3))


def test_a_condition_on_traced_values_it_closes_over() -> None:
    def f(x: Any, limit: Any) -> Any:
        return ad.while_loop(lambda c: c < limit, lambda c: c * x, x) * limit

    def g(x: Any, limit: Any) -> Any:
        c = x
        while c < limit:
            c = c * x
        return c * limit

    assert_agree(f, g, 1.7, 20.0)
    assert_batches(f, g, np.array([1.7, 3.0, 9.0]), np.array([20.0, 5.0, 8.5]))


def test_newton_finds_a_root_and_its_derivative() -> None:
    def root(a: Any) -> Any:
        return ad.while_loop(lambda x: abs(x * x - a) > 1e-13, lambda x: (x + a / x) / 2, a)

    assert_close(ad.grad(root)(4.0), 0.25, 1e-9)
    assert_close(ad.vmap(ad.grad(root))(np.array([4.0, 9.0])), [0.25, 1 / 6], 1e-9)


def test_no_step_is_the_identity() -> None:
    def f(x: Any) -> Any:
        return ad.while_loop(lambda c: np.sum(c) < 0, lambda c: c * 2, x)

    x = np.array([1.0, 2.0])
    result = f(x)
    result += 1.0
    assert x[0] == 1.0, "the result is the caller's own"
    assert_close(ad.jacobian(f)(x), np.eye(2))


def test_what_stopped_examples_go_on_to_compute_does_not_matter() -> None:
    def f(x: Any) -> Any:
        return ad.while_loop(lambda c: c > 1.0, lambda c: np.sqrt(c - 1.0), x)

    def g(x: Any) -> Any:
        while x > 1.0:
            x = np.sqrt(x - 1.0)
        return x

    x = np.array([0.5, 1.7, 9.0])
    assert_batches(f, g, x)


def test_thinned_carries_give_the_same_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    def f(x: Any, n: int) -> Any:
        return ad.while_loop(lambda s: s[1] < n, lambda s: (np.sin(s[0]) * 1.2, s[1] + 1), (x, 0))[
            0
        ]

    def g(x: Any, n: int) -> Any:
        for _ in range(n):
            x = np.sin(x) * 1.2
        return x

    monkeypatch.setattr(loops, "KEPT_CARRIES", 3)
    for n in (1, 5, 6, 7, 12, 13, 47, 100):
        assert_close(ad.grad(f)(0.8, n), ad.grad(g)(0.8, n), 1e-13)


def test_memory_does_not_grow_with_the_number_of_steps() -> None:
    w = np.linspace(0.5, 1.5, 200)

    def peak(n: int) -> int:
        def f(w: Any) -> Any:
            return np.sum(
                ad.while_loop(lambda s: s[1] < n, lambda s: (np.tanh(s[0] * w), s[1] + 1), (w, 0))[
                    0
                ]
            )

        tracemalloc.start()
        ad.grad(f)(w)
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top

    assert peak(10_000) < 4 * loops.KEPT_CARRIES * w.nbytes


def test_a_planted_wrong_rule_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = type(loops.WHILE_PULLBACK)
    right = kind.evaluate

    def wrong(self: Any, *operands: Any, **params: Any) -> Any:
        return tuple(1.001 * r for r in right(self, *operands, **params))

    monkeypatch.setattr(kind, "evaluate", wrong)
    with pytest.raises(AssertionError):
        assert_agree(growth, python_growth, 1.9, X)


def test_where_leaves_out_what_a_loop_has_no_derivative_of() -> None:
    assert_left_out(lambda x: ad.while_loop(lambda c: np.max(c) > 1.5, np.sqrt, x))
