"""Taylor mode: order 10 against nested forward passes, growth with the order, compiled, and JAX.

    OPENBLAS_NUM_THREADS=1 taskset -c 1 python -m benchmarks taylor

The functions are compositions of a dozen operations.  Times are medians of rounds in which all
contestants take turns.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy

import adjoint as ad
from benchmarks.measure import duration, has, heading, line, medians, verdict

ORDER = 10
ORDERS = (10, 20, 40)
POINTS = 1000


def worked(np: Any) -> Callable[[Any], Any]:
    """√(x² + eˣ²) + cos(x² + eˣ²)."""

    def f(x: Any) -> Any:
        a = x**2
        c = a + np.exp(a)
        return np.sqrt(c) + np.cos(c)

    return f


def mixed(np: Any) -> Callable[[Any], Any]:
    """tanh(sin x · e^(−x²))/(1 + log(1 + x²))."""

    def f(x: Any) -> Any:
        return np.tanh(np.sin(x) * np.exp(-x * x)) / (1 + np.log1p(x * x))

    return f


PROBLEMS = {"worked example": worked, "tanh, sin, exp, log1p": mixed}


def main() -> None:
    """Print the tables."""
    against_nested()
    growth()
    compiled()


def nested(f: Callable[[Any], Any], k: int) -> Callable[[Any], Any]:
    """The k-th derivative by k forward passes, each through the one before."""
    if k == 0:
        return f
    return lambda x: ad.jvp(nested(f, k - 1), (x,), (1.0,))[1]


def against_nested() -> None:
    """One series against ten nested forward passes."""
    heading(f"derivative of order {ORDER}, evaluated")
    line("", f"{ORDER} passes", "series", "passes/series", "figure")
    for label, make in PROBLEMS.items():
        f = make(numpy)
        passes, series = nested(f, ORDER), ad.derivative(f, ORDER)
        _require_equal(passes(1.1), series(1.1), label)
        calls = {"passes": partial(passes, 1.1), "series": partial(series, 1.1)}
        times = medians(calls, rounds=5)
        ratio = times["passes"] / times["series"]
        cells = [duration(times["passes"]), duration(times["series"]), f"{ratio:.0f}"]
        line(label, *cells, f"≥ 10 {verdict(ratio >= 10)}")


def growth() -> None:
    """The time by order: polynomial, so doubling the order multiplies it by a fixed factor."""
    heading("time by order, evaluated")
    line("", *(f"order {n}" for n in ORDERS), f"{ORDERS[2]}/{ORDERS[1]}", "figure")
    for label, make in PROBLEMS.items():
        f = make(numpy)
        times = medians({str(n): partial(ad.derivative(f, n), 1.1) for n in ORDERS})
        ratio = times[str(ORDERS[2])] / times[str(ORDERS[1])]
        cells = [*(duration(times[str(n)]) for n in ORDERS), f"{ratio:.1f}"]
        line(label, *cells, f"≤ 8 {verdict(ratio <= 8)}")


def compiled() -> None:
    """All coefficients to order 10: evaluated, compiled, and JAX's jet under jit."""
    heading(f"all derivatives to order {ORDER}")
    line("", "evaluated", "compiled", "eval/comp", "JAX, jit", "JAX/compiled")
    for label, make in PROBLEMS.items():
        for size in (0, POINTS):
            _one(label, make, size)
    if not has("jax"):
        print("  (jax not installed: no column for it; pip install '.[bench]')")


def _one(label: str, make: Callable[[Any], Any], size: int) -> None:
    f = make(numpy)
    x = numpy.linspace(0.5, 1.2, size) if size else numpy.float64(1.1)
    curve = [numpy.ones_like(x)] + [numpy.zeros_like(x)] * (ORDER - 1)

    def series(x: Any) -> Any:
        return ad.jet(f, (x,), (curve,))[1]

    fast = ad.compile(series)
    calls: dict[str, Callable[[], Any]] = {
        "evaluated": lambda: series(x), "compiled": lambda: fast(x)
    }  # fmt: skip
    for a, b in zip(series(x), fast(x), strict=True):
        _require_equal(a, b, label)
    if has("jax"):
        theirs = _jax_jet(make, x, curve)
        for a, b in zip(series(x), theirs(), strict=True):
            _require_equal(a, numpy.asarray(b), label)
        calls["jax"] = theirs
    times = medians(calls)
    cells = [duration(times["evaluated"]), duration(times["compiled"]),
             f"{times['evaluated'] / times['compiled']:.0f}"]  # fmt: skip
    if "jax" in times:
        ratio = times["jax"] / times["compiled"]
        cells += [duration(times["jax"]), f"{ratio:.1f} {verdict(ratio >= 1)}"]
    line(f"{label}, {size or 'one'} point{'s' if size else ''}", *cells)


def _jax_jet(make: Callable[[Any], Any], x: Any, curve: Any) -> Callable[[], Any]:
    jax = importlib.import_module("jax")
    jet = importlib.import_module("jax.experimental.jet")
    jax.config.update("jax_enable_x64", True)
    f = make(jax.numpy)
    point, terms = jax.numpy.asarray(x), [jax.numpy.asarray(c) for c in curve]
    run = jax.jit(lambda x: jet.jet(f, (x,), (terms,))[1])
    return lambda: jax.block_until_ready(run(point))


def _require_equal(ours: Any, theirs: Any, label: str) -> None:
    size = numpy.max(numpy.abs(ours))
    if not numpy.allclose(ours, theirs, rtol=1e-7, atol=1e-7 * size):
        raise AssertionError(f"{label}: the derivatives differ")


if __name__ == "__main__":
    main()
