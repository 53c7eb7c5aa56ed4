"""The evaluator of graphs: same values as the traced function, for other inputs."""

import gc
import tracemalloc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint.graph.binding import variable
from adjoint.graph.evaluate import evaluate, program
from adjoint.graph.ir import Graph
from adjoint.graph.scope import Scope
from adjoint.primitives.control.body import as_node


def graph_of(f: Callable[..., Any], *examples: Any) -> Graph:
    with Scope("a test") as scope:
        variables = [variable(scope, x) for x in examples]
        results = f(*variables)
        nodes = [as_node(r) for r in (results if isinstance(results, tuple) else (results,))]
        return Graph(scope, [v.node for v in variables], nodes)


A = np.array([[2.0, 0.5], [0.5, 1.0]])


def mixed(x: Any, y: Any) -> Any:
    z = np.sin(x) @ A + y
    (last, n), ys = ad.scan(lambda c, t: ((c[0] * t, c[1] + 1), c[0]), (z, 0), np.ones(3) * 1.5)
    slope = ad.grad(lambda t: np.sum(np.exp(t) * x))(z)
    return z[::-1], last / (n - y), np.sum(ys), slope, x, 3.0


def test_values_are_those_of_the_function() -> None:
    graph = graph_of(mixed, np.ones(2), 0.5)
    for _ in range(2):
        x, y = np.array([0.3, -2.0]), 0.25
        found = evaluate(graph, [x, y])
        for got, expected in zip(found, mixed(x, y), strict=True):
            np.testing.assert_array_equal(got, expected)
            assert np.asarray(got).dtype == np.asarray(expected).dtype


def chain(x: Any, n: int) -> Any:
    for i in range(n):
        x = np.sin(x) * 1.5 + 0.01 * i
    return x


@pytest.mark.parametrize("n", [100, 1000])
def test_short_and_long_programs(n: int) -> None:
    graph = graph_of(lambda x: chain(x, n), 0.1)
    assert evaluate(graph, [np.float64(0.7)]) == [chain(np.float64(0.7), n)]
    assert program(graph) is program(graph)


@pytest.mark.parametrize("n", [100, 1000])
def test_values_are_dropped_after_their_last_use(n: int) -> None:
    graph = graph_of(lambda x: chain(x, n), 0.1)
    x = np.ones(50_000)
    evaluate(graph, [x])
    tracemalloc.start()
    evaluate(graph, [x])
    top = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert top < 5 * x.nbytes


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_operators_on_scalars_are_the_ufuncs(dtype: Any) -> None:
    def f(x: Any, y: Any) -> Any:
        return x + y, x - 2.0, x * y, x / y, 1.0 / x

    x, y = dtype(0.1), dtype(0.7)
    graph = graph_of(f, x, y)
    for got, expected in zip(evaluate(graph, [x, y]), f(x, y), strict=True):
        assert got == expected and got.dtype == expected.dtype == dtype
    with np.errstate(divide="ignore"):
        assert evaluate(graph, [dtype(0.0), dtype(1.0)])[4] == np.inf
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        evaluate(graph, [dtype(0.0), dtype(1.0)])


def test_integers_keep_their_arithmetic() -> None:
    graph = graph_of(lambda n, m: (n + m, n * m, n / m, n // m), np.int64(7), np.int64(2))
    found = evaluate(graph, [np.int64(9), np.int64(4)])
    assert found == [13, 36, 2.25, 2] and found[0].dtype == np.int64


def test_programs_go_with_their_graphs() -> None:
    from adjoint.graph.evaluate import _programs

    graph = graph_of(np.sin, 0.1)
    evaluate(graph, [0.2])
    assert graph in _programs
    gone = weakref.ref(graph)
    del graph
    gc.collect()
    assert gone() is None  # no program holds the graph that it is the key of
