"""Native code against NumPy: calls, networks and compile time, as ratios in one run on one core.

    OPENBLAS_NUM_THREADS=1 taskset -c 1 python -m benchmarks native

Every figure is the median of interleaved rounds: each round times every contestant once, so that a
slow moment of the machine touches all of them.
"""

from __future__ import annotations

import itertools
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

import adjoint as ad

Call = Callable[[], Any]


@dataclass
class Work:
    """One line of the table: NumPy's value, the compiled value and gradient, what to reach."""

    name: str
    value: Call
    compiled: Call
    reach: float
    bound: Call | None = None


def worked(x: Any) -> Any:
    """The worked example of the documentation."""
    a = x**2
    c = a + np.exp(a)
    return np.sqrt(c) + np.cos(c)


def rosenbrock(x: Any) -> Any:
    """Rosenbrock's function of n variables."""
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def network(parameters: Any, x: Any, y: Any) -> Any:
    """Mean square error of a tanh network."""
    *hidden, (w, b) = parameters
    for v, c in hidden:
        x = np.tanh(x @ v + c)
    return np.mean((x @ w + b - y) ** 2)


def network_data(sizes: tuple[int, ...], batch: int, dtype: Any) -> tuple[Any, Any, Any]:
    """Parameters, inputs and targets of a network."""
    rng = np.random.default_rng(0)

    def normal(*shape: int) -> Any:
        return (rng.normal(size=shape) / np.sqrt(shape[0])).astype(dtype)

    parameters = [(normal(m, n), normal(n)) for m, n in itertools.pairwise(sizes)]
    return parameters, normal(batch, sizes[0]), normal(batch, sizes[-1])


def products_of(sizes: tuple[int, ...], batch: int, dtype: Any) -> Call:
    """The matrix products alone of one gradient: no code with BLAS can be faster."""
    layers = []
    for k, (m, n) in enumerate(itertools.pairwise(sizes)):
        x, w, z = (np.ones(s, dtype) for s in ((batch, m), (m, n), (batch, n)))
        layers.append((x, w, z, k > 0))

    def run() -> None:
        for x, w, z, inner in layers:
            np.dot(x, w, out=z)
            np.dot(x.T, z)
            if inner:
                np.dot(z, w.T)

    return run


def works() -> Iterator[Work]:
    """The lines of the table."""
    number = ad.compile(ad.value_and_grad(worked))
    yield Work("worked example, scalar", lambda: worked(1.1), lambda: number(1.1), 0.15e-6)
    x = np.linspace(-1.0, 1.0, 10)
    ten = ad.compile(ad.value_and_grad(rosenbrock))
    yield Work("Rosenbrock n=10", lambda: rosenbrock(x), lambda: ten(x), 0.6e-6)
    hess = ad.compile(ad.hessian(rosenbrock))
    yield Work("Hessian of Rosenbrock n=10", lambda: rosenbrock(x), lambda: hess(x), 1.5e-6)
    for dtype in (np.float64, np.float32):
        half = 1.0 if dtype is np.float64 else 0.5
        yield from array_works(dtype, half)


def array_works(dtype: Any, half: float) -> Iterator[Work]:
    """The works on arrays, in one dtype."""
    label = np.dtype(dtype).name
    large = np.linspace(-1.5, 1.5, 1_000_000).astype(dtype)
    total = ad.compile(ad.value_and_grad(lambda x: np.sum(worked(x))), parallel=False)
    each = ad.compile(lambda x: ad.jvp(worked, (x,), (np.ones_like(x),)), parallel=False)
    # The second returns two fresh arrays, whose pages the system has to provide at every call.
    for what, call in (("sum and gradient", total), ("value and derivative", each)):
        yield Work(
            f"worked example on 10^6, {what}, {label}",
            lambda: worked(large),
            lambda call=call: call(large),  # type: ignore[misc]
            3e-3 * half,
        )
    for sizes, batch, reach in (
        ((8, 32, 32, 1), 32, 15e-6), ((64, 256, 256, 10), 128, 1.25e-3),
        ((784, 512, 512, 10), 256, 17e-3),
    ):  # fmt: skip
        data = network_data(sizes, batch, dtype)
        fast = ad.compile(ad.value_and_grad(network))
        yield Work(
            f"tanh {'-'.join(map(str, sizes))} batch {batch}, {label}",
            lambda data=data: network(*data),  # type: ignore[misc]
            lambda fast=fast, data=data: fast(*data),  # type: ignore[misc]
            reach * half,
            products_of(sizes, batch, dtype),
        )


def measure(calls: list[Call], budget: float) -> list[float]:
    """Median seconds per call, in interleaved rounds."""
    repeats = []
    for call in calls:
        call()
        start = time.perf_counter()
        call()
        once = max(time.perf_counter() - start, 1e-8)
        repeats.append(max(1, int(1e-3 / once)))
    times: list[list[float]] = [[] for _ in calls]
    stop = time.perf_counter() + budget
    while time.perf_counter() < stop or len(times[0]) < 5:
        for call, count, found in zip(calls, repeats, times, strict=True):
            start = time.perf_counter()
            for _ in range(count):
                call()
            found.append((time.perf_counter() - start) / count)
    return [statistics.median(t) for t in times]


def chain(x: Any) -> Any:
    """A thousand sines, one after the other."""
    for _ in range(1000):
        x = np.sin(x)
    return x


def compile_times() -> Iterator[tuple[str, float, float]]:
    """Name, seconds for the first call of freshly compiled functions, and what to reach."""
    data = network_data((8, 32, 32, 1), 32, np.float64)
    cases: list[tuple[str, Call, float]] = [
        ("worked example", lambda: ad.compile(ad.value_and_grad(worked))(1.1), 20e-3),
        ("3-layer network", lambda: ad.compile(ad.value_and_grad(network))(*data), 60e-3),
        ("sine chain of 1000", lambda: ad.compile(ad.value_and_grad(chain))(1.1), 0.15),
    ]
    for name, call, reach in cases:
        call()
        times = []
        for _ in range(5):
            start = time.process_time()
            call()
            times.append(time.process_time() - start)
        yield name, statistics.median(times), reach


def readable(seconds: float) -> str:
    """A time with three digits and a unit."""
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        if seconds * factor >= 1 or unit == "µs":
            return f"{seconds * factor:.3g} {unit}"
    return ""


def main() -> None:
    """Print the table."""
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    print(f"{'value and gradient':60}{'NumPy value':>12}{'compiled':>11}{'ratio':>7}{'reach':>9}")
    for work in works():
        if wanted not in work.name:
            continue
        calls = [work.value, work.compiled] + ([work.bound] if work.bound else [])
        value, compiled, *rest = measure(calls, 1.0)
        line = f"{work.name:60}{readable(value):>12}{readable(compiled):>11}"
        line += f"{compiled / value:>7.2f}{readable(work.reach):>9}"
        print(line + (f"  products alone {readable(rest[0])}" if rest else ""), flush=True)
    for name, seconds, reach in compile_times():
        print(f"compile {name:52}{'':>12}{readable(seconds):>11}{'':>7}{readable(reach):>9}")


if __name__ == "__main__":
    main()
