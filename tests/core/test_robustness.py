"""What a user may do to a transform without breaking it, or the next one."""

import copy
import gc
import math
import sys
import threading
import time
import tracemalloc
from collections import OrderedDict, namedtuple
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint.errors import AbstractValueError, ArgumentError, EscapedTracerError

Pair = namedtuple("Pair", "a b")


def assert_close(got: Any, expected: Any) -> None:
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12)


# -- exceptions, threads, depth, memory -----------------------------------------------------------


@pytest.mark.parametrize(
    "transform",
    [
        ad.grad,
        ad.hessian,
        ad.jacobian,
        ad.derivative,
        ad.vmap,
        lambda f: lambda x: ad.jvp(f, (x,), (x,)),
        lambda f: lambda x: ad.vjp(f, x),
        lambda f: lambda x: ad.linearize(f, x),
        lambda f: ad.grad(lambda x: np.sum(ad.grad(f)(x))),
    ],
)
def test_an_exception_of_the_user_arrives_and_breaks_nothing(transform: Any) -> None:
    kept: list[Any] = []

    def f(x: Any) -> Any:
        kept.append(np.sin(x) * 2)
        raise KeyError("the user's own")

    with pytest.raises(KeyError, match="the user's own"):
        transform(f)(np.ones(2))
    with pytest.raises(EscapedTracerError):
        kept[0] + 1
    assert_close(ad.grad(lambda x: np.sum(np.sin(x)))(np.zeros(2)), [1.0, 1.0])


def test_eight_threads_at_once() -> None:
    failures: list[BaseException] = []

    def work(k: int) -> None:
        @dataclass
        class Parameters:
            a: Any
            b: Any

        x = np.array([k + 1.0, 2.0, 3.0])
        expected = ad.hessian(lambda x: np.sum(np.exp(-x * x) * x))(x)
        try:
            for _ in range(20):
                gradient = ad.grad(lambda p: p.a * p.b)(Parameters(float(k), 2.0))
                assert (gradient.a, gradient.b) == (2.0, k)
                assert_close(ad.vmap(ad.grad(lambda x: x**3))(x), 3 * x**2)
                again = ad.hessian(lambda x: np.sum(np.exp(-x * x) * x))(x)
                np.testing.assert_array_equal(again, expected)
        except BaseException as error:
            failures.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert not failures, failures[0]


def iterated(n: int) -> Any:
    def f(x: Any) -> Any:
        for _ in range(n):
            x = np.sin(x)
        return x

    return f


def test_depth_needs_no_recursion() -> None:
    n = 100_000
    slope = ad.grad(iterated(n))(0.5)
    x, expected = 0.5, 1.0
    for _ in range(n):
        expected *= np.cos(x)
        x = np.sin(x)
    assert slope == pytest.approx(expected, rel=1e-9)
    assert np.isfinite(ad.hessian(iterated(5_000))(0.5))
    assert np.all(np.isfinite(ad.vmap(iterated(5_000))(np.ones(2))))


def test_a_loop_over_elements_costs_one_array() -> None:
    def f(x: Any) -> Any:
        total = 0.0
        for i in range(x.shape[0]):
            total = total + x[i] * x[i]
        return total

    x = np.arange(20_000.0)
    start = time.perf_counter()
    assert_close(ad.grad(f)(x), 2 * x)
    assert time.perf_counter() - start < 30


def test_a_reverse_pass_drops_what_it_has_used() -> None:
    x = np.ones(100_000)
    deep = 50
    tracemalloc.start()
    ad.grad(lambda x: np.sum(iterated(deep)(x)))(x)
    peak = tracemalloc.get_traced_memory()[1]
    gc.collect()
    left = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    # The values themselves, and a few arrays at work; not one cotangent for each step.
    assert peak < (deep + 12) * x.nbytes
    assert left < 2 * x.nbytes


# -- aliasing and mutation ------------------------------------------------------------------------


def test_arguments_may_change_before_the_pullback() -> None:
    x, scale = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    _, pullback = ad.vjp(lambda x: x * x * scale, x)
    _, linear = ad.linearize(lambda x: x * x * scale, x)
    x[:], scale[:] = 7.0, 7.0
    assert_close(pullback(np.ones(2))[0], [6.0, 16.0])
    assert_close(linear(np.ones(2)), [6.0, 16.0])


def test_a_buffer_of_the_user_that_is_filled_in_a_loop() -> None:
    row = np.zeros(2)

    def f(x: Any) -> Any:
        total = 0.0
        for i in range(3):
            row[:] = i
            total = total + np.sum(row * x**2)
        return total

    assert_close(ad.grad(f)(np.array([1.0, 2.0])), [6.0, 12.0])


def test_results_share_no_memory_with_arguments() -> None:
    x, c = np.ones(2), np.full(2, 3.0)
    y, pullback = ad.vjp(lambda x: x, x)
    ct = np.array([1.0, 2.0])
    back = pullback(ct)[0]
    y[0] = back[1] = 9.0
    assert_close(x, np.ones(2))
    assert_close(ct, [1.0, 2.0])
    out, _ = ad.vjp(lambda x: c, x)
    out[0] = 9.0
    assert_close(c, np.full(2, 3.0))


def test_views_reach_and_see_each_other() -> None:
    def f(x: Any) -> Any:
        y = x.copy()
        view = y[1:]
        view *= 2
        last = view[::-1]
        last[0] = x[0]
        y.reshape(3, 1)[0, 0] = x[2] ** 2
        return y * np.arange(1.0, 4.0)

    for mode in ("forward", "reverse"):
        found = ad.jacobian(f, mode=mode)(np.array([1.0, 2.0, 3.0]))  # type: ignore[arg-type]
        assert_close(found, [[0, 0, 6], [0, 4, 0], [3, 0, 0]])


def test_copies_of_traced_values() -> None:
    assert ad.grad(lambda x: copy.copy(x) * copy.deepcopy(x))(3.0) == 6.0

    def f(x: Any) -> Any:
        y = copy.deepcopy([x, x])[0]
        y[0] = 5.0
        return np.sum(x**2) + np.sum(y)

    assert_close(ad.grad(f)(np.ones(2)), [2.0, 3.0])


def test_a_write_of_an_inner_variable_into_an_outer_buffer_is_an_error() -> None:
    def f(x: Any) -> Any:
        buffer = np.zeros_like(x)

        def inner(y: Any) -> Any:
            buffer[0] = y
            return y * y

        ad.grad(inner)(x[0])
        return np.sum(buffer)

    with pytest.raises(EscapedTracerError):
        ad.grad(f)(np.ones(2))


# -- what functions take and return ---------------------------------------------------------------


def test_functions_may_return_their_argument_a_constant_or_containers() -> None:
    assert_close(ad.jacobian(lambda x: x)(np.ones(2)), np.eye(2))
    assert ad.grad(lambda x: 3)(1.0) == 0.0
    assert_close(ad.jacobian(lambda x: np.ones(3))(np.ones(2)), np.zeros((3, 2)))
    found = ad.jacobian(lambda x: {"s": np.sum(x), "p": (x[0] * x[1], [x])})(np.array([2.0, 3.0]))
    assert_close(found["s"], [1.0, 1.0])
    assert_close(found["p"][0], [3.0, 2.0])
    assert_close(found["p"][1][0], np.eye(2))
    objects = ad.jacobian(lambda x: np.array([[np.sin(x[0])], [x[1] ** 2]]))(np.array([0.0, 3.0]))
    assert_close(objects, [[[1.0, 0.0]], [[0.0, 6.0]]])


def test_containers_of_every_kind() -> None:
    assert ad.grad(lambda p: p.a * p.b)(Pair(2.0, 3.0)) == Pair(3.0, 2.0)
    assert ad.grad(lambda d: d["b"] * d["a"])({"b": 2.0, "a": 3.0}) == {"b": 3.0, "a": 2.0}
    ordered = ad.grad(lambda d: d["b"] ** 2)(OrderedDict(b=2.0, a=3.0))
    assert ordered == OrderedDict(b=4.0, a=0.0)
    assert ad.grad(lambda z: z[0] * 2)((1.0, None)) == (2.0, None)
    assert ad.grad(lambda z: 1.0)([]) == []


def test_generators_and_closures() -> None:
    assert_close(ad.grad(lambda x: sum(v * v for v in x))(np.arange(3.0)), [0.0, 2.0, 4.0])
    counters = [lambda x, k=k: x**k for k in range(1, 4)]
    assert ad.grad(lambda x: sum(f(x) for f in counters))(2.0) == 1 + 4 + 12

    def generator(x: Any) -> Any:
        yield x

    with pytest.raises(ArgumentError, match="got generator"):
        ad.grad(generator)(1.0)


def test_arrays_without_elements() -> None:
    assert ad.grad(lambda x: np.sum(x**2))(np.zeros((0, 3))).shape == (0, 3)
    assert ad.jacobian(lambda x: x**2)(np.zeros(0)).shape == (0, 0)
    assert ad.hessian(lambda x: np.sum(x**2))(np.zeros(0)).shape == (0, 0)
    assert ad.jacobian(lambda x: np.concatenate([x, x]) @ np.ones(0))(np.zeros(0)).shape == (0,)
    assert ad.vmap(lambda x: x * 2)(np.zeros((0, 2))).shape == (0, 2)


def test_numbers_come_back_as_numbers() -> None:
    for found in (
        ad.hessian(lambda a, b: a * b**2, (0, 1))(2.0, 3.0)[1][0],
        ad.jacobian(np.sin)(0.5),
        ad.vjp(np.sin, np.array(0.5))[0],
        ad.grad(lambda d: d["a"] ** 2)({"a": np.array(3.0)})["a"],
        ad.directional(np.sin, 0.5, 1.0),
    ):
        assert isinstance(found, np.float64)


def test_rounding_to_an_integer_is_a_decision() -> None:
    for whole in (round, math.floor, math.ceil, math.trunc, int):
        assert ad.grad(lambda x, whole=whole: whole(x) * x)(1.7) == whole(1.7)
        with pytest.raises(AbstractValueError, match="needs the value of a traced f64"):
            ad.vmap(whole)(np.ones(2))
    assert ad.grad(lambda x: round(x, 1) * x)(1.23) == pytest.approx(1.2)


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        (3, np.float64(6.0)),
        (True, np.float64(2.0)),
        (np.int8(100), np.float64(200.0)),
        (np.array([200], np.uint8), np.array([400.0])),
        (np.array([1, 2], object), np.array([2.0, 4.0])),
        (np.float16(0.5), np.float16(1.0)),
        (np.float32(0.5), np.float32(1.0)),
        (np.longdouble(0.5), np.longdouble(1.0)),
        ([1, 2.5], [np.float64(2.0), np.float64(5.0)]),
    ],
    ids=str,
)
def test_numbers_of_every_kind(x: Any, expected: Any) -> None:
    def f(x: Any) -> Any:
        return np.sum(np.stack(x) ** 2) if isinstance(x, list) else np.sum(x * x)

    found = ad.grad(f)(x)
    assert np.asarray(found).dtype == np.asarray(expected).dtype
    np.testing.assert_array_equal(found, expected)


def test_complex_numbers_keep_their_precision() -> None:
    for kind in (np.complex64, np.complex128, np.clongdouble):
        found = ad.grad(lambda z: np.abs(z) ** 2)(kind(1 + 2j))
        assert found.dtype == kind and found == 2 + 4j
