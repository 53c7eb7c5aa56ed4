"""checkpoint and stop_gradient."""

import math
import tracemalloc
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from tests.control.agreement import assert_agree, assert_batches, assert_close, assert_left_out

W = np.array([[0.3, -0.2], [0.1, 0.4]])
X = np.array([0.7, -1.2])


def network(wrap: Any) -> Any:
    layer = wrap(lambda w, x: np.tanh(x @ w) + x)

    def f(w: Any, x: Any) -> Any:
        return np.sum(layer(w, layer(w, x)) ** 2)

    return f


def plain(f: Any) -> Any:
    return f


def test_derivatives_are_those_of_the_function() -> None:
    assert_agree(network(ad.checkpoint), network(plain), W, X)
    assert_batches(
        network(ad.checkpoint), network(plain), np.stack([W, -W]), np.stack([X, 2.0 * X])
    )


def test_it_branches_on_values() -> None:
    def piece(x: Any) -> Any:
        return np.sin(np.exp(x)) if x > 0 else x**3

    f = ad.checkpoint(piece)
    assert_agree(lambda x: f(f(x) * 2.0), lambda x: piece(piece(x) * 2.0), 0.3)
    assert_agree(f, piece, -0.4)
    with pytest.raises(ad.errors.AbstractValueError, match="vmap computes it for all examples"):
        ad.vmap(f)(np.array([1.0, -1.0]))


def test_closed_over_values_containers_and_options() -> None:
    def f(a: Any, x: Any) -> Any:
        @ad.checkpoint
        def g(d: dict[str, Any], kind: str, *, scale: float = 1.0) -> tuple[Any, Any]:
            y = np.sin(d["x"]) * a if kind == "sin" else d["x"]
            return y * scale, y + a

        u, v = g({"x": x}, "sin", scale=3.0)
        return np.sum(u * v)

    def h(a: Any, x: Any) -> Any:
        y = np.sin(x) * a
        return np.sum(y * 3.0 * (y + a))

    assert_agree(f, h, 1.3, X)


def test_f_is_computed_again_and_not_kept() -> None:
    x = np.ones(100_000)

    def peak(wrap: Any) -> int:
        h = wrap(lambda x: np.sin(np.cos(np.exp(np.sin(x * 1.01)))))

        def f(x: Any) -> Any:
            for _ in range(10):
                x = h(x)
            return np.sum(x)

        tracemalloc.start()
        ad.grad(f)(x)
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top

    # Five arrays per step without it; with it one, and those of one step at a time.
    assert peak(plain) > 45 * x.nbytes
    assert peak(ad.checkpoint) < 28 * x.nbytes


def test_plain_arguments_call_f() -> None:
    f = ad.checkpoint(lambda x: math.sin(x))
    assert f(0.5) == math.sin(0.5)


def test_an_exception_in_f_leaves_nothing_broken() -> None:
    def fails(x: Any) -> Any:
        raise KeyError("from inside")

    with pytest.raises(KeyError, match="from inside"):
        ad.grad(ad.checkpoint(fails))(1.0)
    assert ad.grad(ad.checkpoint(np.sin))(0.0) == 1.0


def test_stop_gradient_is_a_constant_for_every_derivative() -> None:
    def f(x: Any) -> Any:
        return x * ad.stop_gradient(x)

    assert ad.grad(f)(3.0) == 3.0
    assert ad.jvp(f, (3.0,), (1.0,))[1] == 3.0
    assert ad.grad(ad.grad(f))(3.0) == 0.0
    assert_close(ad.vmap(ad.grad(f))(np.array([1.0, 2.0])), [1.0, 2.0])
    inner = ad.grad(lambda x: ad.grad(lambda y: ad.stop_gradient(x * y) * y)(x))
    assert inner(3.0) == 0.0


def test_stop_gradient_keeps_containers_and_plain_values() -> None:
    x = np.array([1.0, 2.0])
    assert ad.stop_gradient(x) is x
    assert ad.stop_gradient({"a": (1.0, x)})["a"][1] is x
    found = ad.grad(lambda d: np.sum(ad.stop_gradient(d)["a"] * d["a"]))({"a": x})
    assert_close(found["a"], x)


def test_where_leaves_out_what_f_has_no_derivative_of() -> None:
    assert_left_out(ad.checkpoint(np.sqrt))
