"""scan against the same loop in Python: values, derivatives, batches, memory, types."""

import tracemalloc
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import adjoint as ad
from adjoint.primitives.control.scan import SCAN
from adjoint.transforms.control_rules import scan as rules
from tests.control.agreement import (
    assert_agree,
    assert_batches,
    assert_close,
    assert_differences,
    assert_left_out,
)

W = np.array([[0.3, -0.2, 0.5], [0.1, 0.4, -0.6], [-0.3, 0.2, 0.7]])
XS = np.cos(np.arange(21.0)).reshape(7, 3)
C = np.array([0.2, -0.4, 0.6])


def recurrent(reverse: bool = False, **options: Any) -> Callable[..., Any]:
    def f(w: Any, c: Any, xs: Any) -> Any:
        def step(c: Any, x: Any) -> Any:
            h = np.tanh(c @ w + x)
            return 1.1 * h, np.sum(h)

        last, ys = ad.scan(step, c, xs, reverse=reverse, **options)
        return np.sum(ys**2 * np.arange(1.0, 8.0)) + np.sum(last)

    return f


def python_loop(reverse: bool = False) -> Callable[..., Any]:
    def f(w: Any, c: Any, xs: Any) -> Any:
        total = 0.0
        for i in reversed(range(7)) if reverse else range(7):
            h = np.tanh(c @ w + xs[i])
            c, total = 1.1 * h, total + np.sum(h) ** 2 * (i + 1)
        return total + np.sum(c)

    return f


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("options", [{}, {"checkpoint_every": 3}, {"checkpoint_every": 7}])
def test_a_recurrent_network_is_its_loop(reverse: bool, options: dict[str, Any]) -> None:
    assert_agree(recurrent(reverse, **options), python_loop(reverse), W, C, XS)


def test_differences_see_the_same_slopes() -> None:
    assert_differences(lambda w: recurrent()(w, C, XS), W)


@pytest.mark.parametrize("options", [{}, {"checkpoint_every": 2}])
def test_batches(options: dict[str, Any]) -> None:
    args = (np.stack([W, 0.5 * W]), np.stack([C, -C]), np.stack([XS, XS[::-1]]))
    assert_batches(recurrent(**options), python_loop(), *args)


def test_a_derivative_of_a_batch() -> None:
    xs = np.stack([XS, 0.3 * XS])
    f = ad.grad(lambda w: np.sum(ad.vmap(lambda x: recurrent()(w, C, x))(xs) ** 2))
    g = ad.grad(lambda w: sum(python_loop()(w, C, x) ** 2 for x in xs))
    assert_close(f(W), g(W))


def test_products() -> None:
    f, g = recurrent(), python_loop()
    assert_close(ad.hvp(lambda w: f(w, C, XS), W, W), ad.hvp(lambda w: g(w, C, XS), W, W))
    dots = (W, C, XS)
    assert_close(ad.jvp(f, dots, dots)[1], ad.jvp(g, dots, dots)[1])
    assert_close(ad.linearize(f, *dots)[1](*dots), ad.jvp(g, dots, dots)[1])

    def through_vjp(w: Any) -> Any:
        return ad.vjp(lambda c: f(w, c, XS), C)[1](2.0)[0]

    def reference(w: Any) -> Any:
        return ad.vjp(lambda c: g(w, c, XS), C)[1](2.0)[0]

    assert_close(ad.jvp(through_vjp, (W,), (W,))[1], ad.jvp(reference, (W,), (W,))[1])


def test_third_derivative() -> None:
    def f(x: Any) -> Any:
        return ad.scan(lambda c, a: (np.sin(c) * x + a, None), x, np.array([0.1, 0.2]))[0]

    def g(x: Any) -> Any:
        return np.sin(np.sin(x) * x + 0.1) * x + 0.2

    assert_close(ad.grad(ad.grad(ad.grad(f)))(0.7), ad.grad(ad.grad(ad.grad(g)))(0.7))


def test_taylor_coefficients_of_a_loop() -> None:
    def f(x: Any) -> Any:
        return ad.scan(lambda c, _: (np.sin(c), None), x, length=3)[0]

    got = ad.derivative(f, 4)(0.3)
    assert_close(got, ad.derivative(lambda x: np.sin(np.sin(np.sin(x))), 4)(0.3))


class State(NamedTuple):
    position: Any
    parts: dict[str, Any]


def test_containers() -> None:
    def step(s: State, x: dict[str, Any]) -> tuple[State, list[Any]]:
        speed = s.parts["speed"] - 0.1 * s.position * x["k"]
        return State(s.position + 0.1 * speed, {"speed": speed, "n": s.parts["n"] + 1}), [speed]

    def f(k: Any) -> Any:
        last, (speeds,) = ad.scan(step, State(1.0, {"speed": 0.0, "n": 0}), {"k": k})
        assert isinstance(last, State)
        assert np.shape(speeds) == (5,)
        return last.position + last.parts["speed"] + last.parts["n"]

    def g(k: Any) -> Any:
        p, v = 1.0, 0.0
        for i in range(5):
            v = v - 0.1 * p * k[i]
            p = p + 0.1 * v
        return p + v + 5

    assert_agree(f, g, np.linspace(1.0, 2.0, 5))


def test_plain_values_give_plain_results() -> None:
    init = np.zeros(2)
    last, ys = ad.scan(lambda c, x: (c, x), init, XS[:, :2])
    assert type(last) is np.ndarray and type(ys) is np.ndarray
    last += 1.0
    assert not init.any(), "the result is the caller's own"


def test_no_steps_and_no_ys() -> None:
    last, ys = ad.scan(lambda c, x: (c * x, c), 2.0, np.zeros(0))
    assert last == 2.0 and ys.shape == (0,)
    assert ad.scan(lambda c, _: (c * 2, None), 1.0, length=3) == (8.0, None)
    assert ad.grad(lambda a: ad.scan(lambda c, x: (c * x, None), a, np.zeros(0))[0])(3.0) == 1.0


@pytest.mark.parametrize(
    ("init", "x", "dtype"),
    [
        (0, np.ones(2), np.float64),
        (0.0, np.ones(2, np.float32), np.float32),
        (0, np.ones(2, int), np.int64),
        (np.zeros(()), np.ones(2, np.float32), np.float64),
        (np.int64(0), np.ones(2) * 1j, np.complex128),
    ],
)
def test_the_carry_has_the_type_of_the_python_loop(init: Any, x: Any, dtype: Any) -> None:
    expected = init
    for i in range(2):
        expected = expected + x[i]
    assert np.result_type(expected) == dtype
    last, _ = ad.scan(lambda c, x: (c + x, None), init, x)
    assert last.dtype == dtype and last == expected


def test_integer_carries_count_and_have_no_derivative() -> None:
    def f(x: Any) -> Any:
        (n, c), _ = ad.scan(lambda s, _: ((s[0] + 1, s[1] * x + s[0]), None), (0, x), length=3)
        return c + n

    assert_agree(f, lambda x: ((x * x + 0) * x + 1) * x + 2 + 3, 1.5)


def test_complex_carries() -> None:
    def f(z: Any) -> Any:
        w = ad.scan(lambda c, _: (c * c + z, None), z, length=3)[0]
        return np.abs(w) ** 2

    def g(z: Any) -> Any:
        c = z
        for _ in range(3):
            c = c * c + z
        return np.abs(c) ** 2

    z = 0.3 + 0.4j
    assert_close(ad.grad(f)(z), ad.grad(g)(z))


def test_a_loop_is_one_node_whatever_its_length() -> None:
    def nodes(length: int) -> int:
        calls = []

        def step(c: Any, _: Any) -> Any:
            calls.append(1)
            return np.sin(c), None

        ad.grad(lambda x: ad.scan(step, x, length=length)[0])(1.0)
        return len(calls)

    assert nodes(3) == nodes(3000) == 1


def test_memory_is_bounded_by_checkpoints() -> None:
    w = np.linspace(0.5, 1.5, 100)
    n = 10_000

    def peak(**options: Any) -> tuple[int, Any]:
        def f(w: Any) -> Any:
            return np.sum(ad.scan(lambda c, _: (np.tanh(c * w), None), w, length=n, **options)[0])

        ad.grad(f)(w)
        tracemalloc.start()
        gradient = ad.grad(f)(w)
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top, gradient

    every, expected = peak()
    sparse, gradient = peak(checkpoint_every=100)
    assert_close(gradient, expected)
    assert every > n * w.nbytes, "without checkpoints every carry is kept"
    assert sparse < 10 * 100 * w.nbytes, "with them about two hundred"


def test_large_loops_choose_checkpoints_by_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = ad.grad(recurrent())(W, C, XS)
    lengths = []
    evaluate = type(SCAN).evaluate

    def watched(self: Any, *operands: Any, **params: Any) -> Any:
        lengths.append(params["length"])
        return evaluate(self, *operands, **params)

    monkeypatch.setattr(rules, "KEPT_BYTES", 100)
    monkeypatch.setattr(type(SCAN), "evaluate", watched)
    assert_close(ad.grad(recurrent())(W, C, XS), expected)
    assert 7 in lengths and 2 in lengths and 3 in lengths


def test_a_planted_wrong_rule_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    right = type(SCAN).pull_back

    def wrong(self: Any, *args: Any, **params: Any) -> Any:
        terms = right(self, *args, **params)
        return [None if t is None else 0.999 * t for t in terms]

    monkeypatch.setattr(type(SCAN), "pull_back", wrong)
    with pytest.raises(AssertionError):
        assert_agree(recurrent(), python_loop(), W, C, XS)


def test_where_leaves_out_what_a_loop_has_no_derivative_of() -> None:
    def roots(x: Any, **options: Any) -> Any:
        return ad.scan(lambda c, _: (np.sqrt(c), None), x, length=3, **options)[0]

    assert_left_out(roots)
    assert_left_out(lambda x: roots(x, checkpoint_every=2))
