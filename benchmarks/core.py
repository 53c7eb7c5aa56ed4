"""The core: what importing costs, derivatives evaluated by NumPy, and a long loop.

    OPENBLAS_NUM_THREADS=1 taskset -c 1 python -m benchmarks core

The peer is autograd, which differentiates NumPy code too and evaluates the derivative with NumPy.
It is compared with our gradient evaluated in the same way; the compiled one stands beside them.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy

import adjoint as ad
from benchmarks.measure import apart, duration, has, heading, line, medians, verdict

IMPORT_ROUNDS = 9
LOOP = 100_000

_IMPORT = """
import json, sys, time
before = set(sys.modules)
start = time.perf_counter()
import {package}
seconds = time.perf_counter() - start
added = set(sys.modules) - before
heavy = [p for p in ("scipy", "llvmlite", "matplotlib") if p in sys.modules]
print(json.dumps(dict(seconds=seconds, modules=len(added), heavy=heavy)))
"""

_LOOP = """
import json, resource, time
import numpy as np
import {module} as library
{numpy}

def f(x):
    y = x
    for i in range({steps} // 4):
        y = np.sin(y) * 0.9 + x / (1.0 + i)
    return y

def megabytes():
    # The peak of this process; getrusage would count the process that started it as well.
    try:
        with open("/proc/self/status") as status:
            return next(int(l.split()[1]) for l in status if l.startswith("VmHWM")) / 1024
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

library.grad(lambda x: np.sin(x) * x)(0.5)
before, start = megabytes(), time.perf_counter()
slope = library.grad(f)(0.5)
seconds = time.perf_counter() - start
print(json.dumps(dict(
    seconds=seconds, peak=megabytes(), added=megabytes() - before, slope=float(slope)
)))
"""
"""Each turn of the loop is four scalar operations on traced values: sin, product, quotient, sum."""


def main() -> None:
    """Print the tables."""
    imports()
    gradients()
    loop()


# -- import ---------------------------------------------------------------------------------------


def imports() -> None:
    """Import time of each package in a fresh interpreter, in turns."""
    heading("import, in a fresh interpreter (figure: 0.2 s, nothing heavy)")
    packages = [p for p in ("numpy", "adjoint", "autograd", "jax") if p == "numpy" or has(p)]
    found: dict[str, list[dict[str, Any]]] = {package: [] for package in packages}
    with tempfile.TemporaryDirectory() as bytecode:
        for _ in range(IMPORT_ROUNDS + 1):
            for package in packages:
                found[package].append(apart(_IMPORT.format(package=package), bytecode))
    line("", "time", "modules", "heavy ones", "figure")
    for package, (_first, *runs) in found.items():  # the first run compiles to bytecode
        seconds = statistics.median(run["seconds"] for run in runs)
        heavy = ", ".join(runs[0]["heavy"]) or "none"
        cells = [duration(seconds), f"{runs[0]['modules']}", heavy]
        if package == "adjoint":
            cells.append(verdict(seconds <= 0.2 and heavy == "none"))
        line(f"import {package}", *cells)
    print("  (heavy: SciPy, llvmlite, matplotlib)")
    _note_missing("autograd", "jax")


def _note_missing(*peers: str) -> None:
    missing = [peer for peer in peers if not has(peer)]
    if missing:
        print(f"  ({', '.join(missing)} not installed: no row; pip install '.[bench]')")


# -- gradients ------------------------------------------------------------------------------------


def gradients() -> None:
    """`grad` evaluated by NumPy against autograd's, on the same functions."""
    heading("gradient, traced and evaluated at every call (figure: they/we at least 1)")
    line("", "NumPy, value", "Adjoint", "autograd", "they/we", "figure", "(compiled)")
    problems = {
        "worked example, scalar": worked_example,
        "tanh network 8-32-32-1, batch 32": small_network,
        "tanh network 64-256-256-10, batch 128": large_network,
    }
    for label, make in problems.items():
        _compare(label, make)
    _note_missing("autograd")


def _compare(label: str, make: Callable[[Any], tuple[Any, Any]]) -> None:
    f, x = make(numpy)
    ours = ad.grad(f)
    native = ad.compile(ours)
    calls: dict[str, Callable[[], Any]] = {
        "value": lambda: f(x),
        "adjoint": lambda: ours(x),
        "native": lambda: native(x),
    }
    if has("autograd"):
        import autograd
        import autograd.numpy

        theirs = autograd.grad(make(autograd.numpy)[0])
        calls["autograd"] = lambda: theirs(x)
        _require_equal(ours(x), theirs(x), label)
    times = medians(calls)
    cells = [duration(times["value"]), duration(times["adjoint"])]
    if "autograd" in times:
        ratio = times["autograd"] / times["adjoint"]
        cells += [duration(times["autograd"]), f"{ratio:.2f}", verdict(ratio >= 1)]
    else:
        cells += ["", "", ""]
    line(label, *cells, duration(times["native"]))


def _require_equal(ours: Any, theirs: Any, label: str) -> None:
    pairs = zip(ours, theirs, strict=True) if isinstance(ours, list) else [(ours, theirs)]
    for a, b in pairs:
        if not numpy.allclose(a, b, rtol=1e-9, atol=1e-12):
            raise AssertionError(f"{label}: the two gradients differ")


def worked_example(np: Any) -> tuple[Any, Any]:
    """√(x² + eˣ²) + cos(x² + eˣ²) at 1.1."""

    def f(x: Any) -> Any:
        a = x**2
        c = a + np.exp(a)
        return np.sqrt(c) + np.cos(c)

    return f, 1.1


def network(np: Any, sizes: tuple[int, ...], batch: int) -> tuple[Any, Any]:
    """The mean squared error of a tanh network, as a function of its weights and biases."""
    rng = numpy.random.default_rng(0)
    parameters: list[Any] = []
    for n, m in pairwise(sizes):
        parameters += [rng.normal(0.0, n**-0.5, (n, m)), numpy.zeros(m)]
    inputs, targets = rng.normal(size=(batch, sizes[0])), rng.normal(size=(batch, sizes[-1]))

    def loss(p: Any) -> Any:
        h = inputs
        for k in range(0, len(p) - 2, 2):
            h = np.tanh(np.dot(h, p[k]) + p[k + 1])
        return np.mean((np.dot(h, p[-2]) + p[-1] - targets) ** 2)

    return loss, parameters


def small_network(np: Any) -> tuple[Any, Any]:
    """8-32-32-1, where overhead decides."""
    return network(np, (8, 32, 32, 1), 32)


def large_network(np: Any) -> tuple[Any, Any]:
    """64-256-256-10, where the products decide."""
    return network(np, (64, 256, 256, 10), 128)


# -- a long loop ----------------------------------------------------------------------------------


def loop() -> None:
    """Time and memory of the gradient of a loop of scalar operations, in a process of its own."""
    heading(f"gradient of a loop of {LOOP} scalar operations (figures: 5 s, 1 GB)")
    line("", "time", "peak memory", "of it graph", "figure")
    for name, module, alias in (
        ("Adjoint", "adjoint", ""),
        ("autograd", "autograd", "import autograd.numpy as np"),
    ):
        if not has(module):
            continue
        found = apart(_LOOP.format(module=module, numpy=alias, steps=LOOP))
        cells = [f"{found['seconds']:.2f} s", f"{found['peak']:.0f} MB", f"{found['added']:.0f} MB"]
        if module == "adjoint":
            good = found["seconds"] <= 5 and found["peak"] < 1024
            cells.append(verdict(good))
        line(name, *cells)
    _note_missing("autograd")


if __name__ == "__main__":
    main()
