"""Simplifying beside tracing: what it costs to make a derivative cheaper, and how much cheaper.

    OPENBLAS_NUM_THREADS=1 taskset -c 1 python -m benchmarks simplification

Both times are of one graph, traced anew for every round, and medians over the rounds.  The figure
is how many times as long as tracing simplifying may take; the last columns are what the graph costs
to evaluate, as `formula` counts it.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy

import adjoint as ad
from adjoint.graph.binding import variable
from adjoint.graph.containers import flatten, unflatten
from adjoint.graph.ir import Graph
from adjoint.graph.scope import Scope
from adjoint.graph.tracing import Outputs
from adjoint.simplify.graphs import Simplified, simplify_graph
from benchmarks import workloads
from benchmarks.measure import duration, heading, verdict

ROUNDS = 15


class Row(NamedTuple):
    """One derivative, its arguments, and how many times as long as tracing simplifying may take."""

    name: str
    derivative: Callable[..., Any]
    arguments: tuple[Any, ...]
    times: float = 1.0
    rounds: int = ROUNDS


def main() -> None:
    """Print the table."""
    heading("simplifying, as a multiple of tracing")
    _line("", "nodes", "trace", "simplify", "ratio", "figure", "before", "after")
    for row in rows():
        traced, simplified, graph, found = measured(row)
        ratio = simplified / traced
        figure = f"{row.times:g}× {verdict(ratio <= row.times)}"
        cells = (duration(traced), duration(simplified), f"{ratio:.3g}×", figure)
        _line(row.name, str(len(graph.nodes)), *cells, str(found.before), str(found.after))


def _line(label: str, *cells: str) -> None:
    widths = (6, 11, 11, 9, 13, 22, 22)
    columns = "".join(f"{c:>{w}}" for c, w in zip(cells, widths, strict=True))
    print(f"  {label:<40}{columns}", flush=True)


def measured(row: Row) -> tuple[float, float, Graph, Simplified]:
    """Seconds for tracing and for simplifying, the graph, and what was made of it.

    Full derivatives are symbols in the graph, as they are when `compile` looks on.
    """
    traced, simplified = [], []
    leaves, structure = flatten(row.arguments)
    for _ in range(row.rounds + 1):  # the first one fills caches
        scope = Scope("compile(f)", records=True, symbolic=True)
        start = time.thread_time()
        data = [variable(scope, leaf) for leaf in leaves]
        with scope:
            outputs = Outputs(row.derivative(*unflatten(structure, data)), "compile(f)")
            graph = Graph(scope, [d.node for d in data], outputs.nodes)
            assert graph.captured is not None  # its nodes in order, which every use of it needs
            between = time.thread_time()
            found = simplify_graph(graph)
            end = time.thread_time()
        traced.append(between - start)
        simplified.append(end - between)
    return statistics.median(traced[1:]), statistics.median(simplified[1:]), graph, found


def rows() -> Iterator[Row]:
    """Gradients and Hessians, small and large."""
    point = numpy.linspace(0.0, 1.0, 10)
    network = workloads.network_data((8, 32, 32, 1), 32)
    for name, make, data in (
        ("worked example", workloads.worked_example, (1.1,)),
        ("Rosenbrock n=10", workloads.rosenbrock, (point,)),
        ("tanh 8-32-32-1, batch 32", workloads.tanh_network, network),
        ("logistic regression n=10", workloads.logistic_regression, workloads.logistic_data(10)),
        ("factorisation n=10 k=3, in U", workloads.factorisation,
         workloads.factorisation_data(10, 3)),
    ):  # fmt: skip
        f = make(numpy)
        yield Row(f"{name}, gradient", ad.value_and_grad(f), data)
        if make is not workloads.tanh_network:
            yield Row("  Hessian", ad.hessian(f), data)
    deep = ad.hessian(workloads.deep_network(numpy))
    yield Row("10 layers n=10, in the first, Hessian", deep, workloads.deep_data(10, 10), rounds=7)
    chain = ad.value_and_grad(workloads.sine_chain(numpy))
    yield Row("sine chain of 1000, gradient", chain, (1.1,), times=10.0, rounds=5)


if __name__ == "__main__":
    main()
