"""Compiled derivatives beside JAX, autograd and CasADi: medians in turns, as ratios in one run.

    python -m benchmarks peers                # one core, one thread
    python -m benchmarks peers --all-cores    # whatever each library makes of the cores

A cell shows a library's time per call and how many times Adjoint's that is.  The clock on one core
is the processor time of the whole process, for JAX computes in a thread of its own; with all cores
it is wall time.  Small calls take and return NumPy values in every library; large ones leave JAX
its own arrays.  The contestants' results are compared before they are timed.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import time
from collections.abc import Callable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy

import adjoint as ad
from benchmarks import workloads
from benchmarks.measure import cores, duration, has, heading, medians, verdict

Call = Callable[[], Any]
PEERS = ("jax", "autograd", "casadi")
ONE_CORE = os.environ.get("OPENBLAS_NUM_THREADS") == "1"


class Row(NamedTuple):
    """One line: contestants by name, Adjoint among them, and what Adjoint has to reach."""

    name: str
    calls: Mapping[str, Call]
    seconds: float | None = None
    """The figure as a time, or"""
    times: tuple[str, float] | None = None
    """as how many times faster than which contestant."""
    rounds: int = 15


def main() -> None:
    """Print the tables."""
    _set_up()
    table("value and derivative, compiled", "NumPy value", values())
    table("Hessians, compiled", "NumPy value", hessians())
    table("from the function to the first result", "", compile_times(), 0.0)
    table("derivatives of orders 1 to 10, compiled", "nested", taylor())
    notes()


def _set_up() -> None:
    """JAX reads its flags when it first computes, and its precision before the first array."""
    if ONE_CORE:
        flags = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {flags}".strip()
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    if has("jax"):
        _module("jax").config.update("jax_enable_x64", True)
    found = [f"{p} {importlib.metadata.version(p)}" for p in ("adjoint", *PEERS) if has(p)]
    print(f"{', '.join(found)}, {'one core' if ONE_CORE else f'{cores()} cores'}")


def _module(name: str) -> Any:
    return importlib.import_module(name)


def table(title: str, first: str, rows: Iterator[Row], seconds: float = 0.03) -> None:
    """Check and time each row's contestants, and print times and ratios."""
    heading(title)
    _line("", first, "Adjoint", "JAX", "autograd", "CasADi", "figure")
    clock = time.process_time if ONE_CORE else time.perf_counter
    for row in rows:
        _require_equal(row)
        found = medians(row.calls, row.rounds, seconds, clock=clock)
        ours = found["adjoint"]
        cells = [duration(found["base"]) if "base" in found else "", duration(ours)]
        for peer in PEERS:
            cells.append(_cell(found[peer], ours) if peer in found else "-")
        _line(row.name, *cells, _figure(row, found))


def _line(label: str, base: str, ours: str, *others: str) -> None:
    print(f"  {label:<38}{base:>12}{ours:>12}" + "".join(f"{o:>20}" for o in others), flush=True)


def _cell(seconds: float, ours: float) -> str:
    return f"{duration(seconds)} {seconds / ours:.3g}×"


def _figure(row: Row, found: Mapping[str, float]) -> str:
    if not ONE_CORE:  # that is what the figures are for
        return ""
    if row.seconds is not None:
        return f"{duration(row.seconds)} {verdict(found['adjoint'] <= row.seconds)}"
    if row.times is None or row.times[0] not in found:
        return ""
    peer, factor = row.times
    return f"{factor:g}× {verdict(found[peer] / found['adjoint'] >= factor)}"


def notes() -> None:
    """What was not compared, and why."""
    print("\n  n×: n times Adjoint's time; -: not compared")
    print("  figure: a time, or how many times faster than JAX (than the nested passes)")
    missing = [peer for peer in PEERS if not has(peer)]
    if missing:
        print(f"  ({', '.join(missing)} not installed: no column; pip install '.[bench]')")


# -- results are compared first -------------------------------------------------------------------


def _require_equal(row: Row) -> None:
    ours = _leaves(row.calls["adjoint"]())
    for peer in PEERS:
        if peer in row.calls:
            theirs = _leaves(row.calls[peer]())
            for a, b in zip(ours, theirs, strict=True):
                scale = max(1.0, float(numpy.abs(a).max()))
                if not numpy.allclose(a, b.reshape(a.shape), rtol=1e-8, atol=1e-10 * scale):
                    raise AssertionError(f"{row.name}: {peer} computes something else")


def _leaves(result: Any) -> list[Any]:
    if isinstance(result, tuple | list):
        return [leaf for part in result for leaf in _leaves(part)]
    return [numpy.asarray(result)]


# -- contestants ----------------------------------------------------------------------------------


def _adjoint(transform: Callable[..., Any], make: Any, args: tuple[Any, ...]) -> Call:
    compiled = ad.compile(transform(ad, make(numpy)))
    return lambda: compiled(*args)


def _jax(transform: Callable[..., Any], make: Any, args: tuple[Any, ...], small: bool) -> Call:
    jax = _module("jax")
    compiled = jax.jit(transform(jax, make(jax.numpy)))
    if small:
        return lambda: _to_numpy(compiled(*args))
    placed = jax.device_put(args)
    return lambda: jax.block_until_ready(compiled(*placed))


def _to_numpy(result: Any) -> Any:
    if isinstance(result, tuple | list):
        return [_to_numpy(part) for part in result]
    return numpy.asarray(result)


def _casadi(make: Any, x: Any, hessian: bool = False) -> Call:
    casadi = _module("casadi")
    names = SimpleNamespace(
        exp=casadi.exp, sin=casadi.sin, cos=casadi.cos, sqrt=casadi.sqrt, sum=casadi.sum1
    )
    variable = casadi.SX.sym("x", numpy.size(x))
    y = make(names)(variable)
    results = [casadi.hessian(y, variable)[0]] if hessian else [y, casadi.gradient(y, variable)]
    function = casadi.Function("f", [variable], results)
    return lambda: _casadi_result(function(x))


def _casadi_result(result: Any) -> Any:
    """NumPy in and out; `full` gives the array of one of CasADi's matrices."""
    return [r.full() for r in result] if isinstance(result, tuple) else result.full()


def _casadi_buffers(make: Any, x: float) -> Call:
    """CasADi's fastest call: arguments and results stay in memory that both know."""
    casadi = _module("casadi")
    variable = casadi.SX.sym("x")
    y = make(casadi)(variable)
    function = casadi.Function("f", [variable], [y, casadi.gradient(y, variable)])
    places = [numpy.array([x]), numpy.zeros(1), numpy.zeros(1)]
    buffer, trigger = function.buffer()
    buffer.set_arg(0, memoryview(places[0].data))
    for i in range(2):
        buffer.set_res(i, memoryview(places[1 + i].data))

    def call(buffer: Any = buffer) -> Any:  # the buffer has to live as long as its trigger
        places[0][0] = x
        trigger()
        return places[1][0], places[2][0]

    return call


def contestants(
    transform: Callable[..., Any], make: Any, args: tuple[Any, ...], *, small: bool = False,
    autograd: Callable[..., Any] | None = None,
) -> dict[str, Call]:  # fmt: skip
    """NumPy's value, Adjoint and JAX with one transform, and autograd with its own."""
    value = make(numpy)
    calls: dict[str, Call] = {
        "base": lambda: value(*args),
        "adjoint": _adjoint(transform, make, args),
    }
    if has("jax"):
        calls["jax"] = _jax(transform, make, args, small)
    if autograd is not None and has("autograd"):
        theirs = autograd(_module("autograd"), make(_module("autograd.numpy")))
        calls["autograd"] = lambda: theirs(*args)
    return calls


# -- the rows -------------------------------------------------------------------------------------


def _value_and_grad(library: Any, f: Any) -> Any:
    return library.value_and_grad(f)


def _hessian(library: Any, f: Any) -> Any:
    return library.hessian(f)


def _elementwise(library: Any, f: Any) -> Any:
    return lambda x: library.jvp(f, (x,), (_numpy_of(library).ones_like(x),))


def _numpy_of(library: Any) -> Any:
    return numpy if library is ad else library.numpy


def _elementwise_autograd(library: Any, f: Any) -> Any:
    def value_and_derivative(x: Any) -> Any:
        pullback, y = library.make_vjp(f)(x)
        return y, pullback(numpy.ones_like(y))

    return value_and_derivative


def values() -> Iterator[Row]:
    """Values and gradients."""
    both = _value_and_grad
    make = workloads.worked_example
    calls = contestants(both, make, (1.1,), small=True, autograd=both)
    if has("casadi"):
        calls["casadi"] = _casadi(make, 1.1)
    yield Row("worked example, scalar", calls, 0.15e-6)
    if has("casadi"):
        calls = {"adjoint": calls["adjoint"], "casadi": _casadi_buffers(make, 1.1)}
        yield Row("  CasADi through its buffers", calls)
    x = numpy.linspace(-1.0, 1.0, 10)
    calls = contestants(both, workloads.rosenbrock, (x,), small=True, autograd=both)
    if has("casadi"):
        calls["casadi"] = _casadi(workloads.rosenbrock, x)
    yield Row("Rosenbrock n=10", calls, 0.6e-6)
    large = (numpy.linspace(-1.5, 1.5, 1_000_000),)
    calls = contestants(_elementwise, make, large, autograd=_elementwise_autograd)
    yield Row("worked example on 10⁶ elements", calls, 3e-3)
    for sizes, batch, seconds in (
        ((8, 32, 32, 1), 32, 15e-6), ((64, 256, 256, 10), 128, 1.25e-3),
        ((784, 512, 512, 10), 256, 17e-3),
    ):  # fmt: skip
        data = workloads.network_data(sizes, batch)
        calls = contestants(both, workloads.tanh_network, data, autograd=both)
        yield Row(f"tanh {'-'.join(map(str, sizes))}, batch {batch}", calls, seconds)


def hessians() -> Iterator[Row]:
    """Full second derivatives; autograd goes row by row, and only the small one is asked of it."""
    x = numpy.linspace(-1.0, 1.0, 10)
    calls = contestants(_hessian, workloads.rosenbrock, (x,), small=True, autograd=_hessian)
    if has("casadi"):
        calls["casadi"] = _casadi(workloads.rosenbrock, x, hessian=True)
    yield Row("Rosenbrock n=10", calls, 1.5e-6)
    for name, make, data, factor in (
        ("logistic regression n=1000", workloads.logistic_regression,
         workloads.logistic_data(1000), 2.0),
        ("matrix factorisation n=100 k=5, in U", workloads.factorisation,
         workloads.factorisation_data(100, 5), 300.0),
        ("10 layers n=30, in the first", workloads.deep_network,
         workloads.deep_data(30, 10), 2.5),
    ):  # fmt: skip
        calls = contestants(_hessian, make, data)
        yield Row(name, calls, times=("jax", factor), rounds=7)
        if make is workloads.factorisation:
            closed = {**calls, "adjoint": _closed_form(make, data, u="n k", v="n k", t="n n")}
            yield Row("  the same by its closed form", closed, times=("jax", factor), rounds=7)


def _closed_form(make: Any, args: tuple[Any, ...], **shapes: str) -> Call:
    """The Hessian as its simplified formula, compiled."""
    compiled = ad.compile(ad.formula(ad.hessian(make(numpy)), **shapes).function())
    compiled(*args)
    return lambda: compiled(*args)


def compile_times() -> Iterator[Row]:
    """Everything from the Python function to the first result, nothing kept from before."""
    os.environ["ADJOINT_CACHE"] = "0"
    network = workloads.network_data((8, 32, 32, 1), 32)
    for name, make, args, seconds in (
        ("worked example", workloads.worked_example, (1.1,), 20e-3),
        ("3-layer network 8-32-32-1", workloads.tanh_network, network, 60e-3),
        ("sine chain of 1000", workloads.sine_chain, (1.1,), 0.15),
    ):
        calls: dict[str, Call] = {"adjoint": _anew(_adjoint, make, args)}
        if has("jax"):
            calls["jax"] = _anew(_jax, make, args, True)
        yield Row(name, calls, seconds, rounds=5)


def _anew(contestant: Any, make: Any, args: tuple[Any, ...], *options: Any) -> Call:
    def call() -> Any:
        return contestant(_value_and_grad, make, args, *options)()

    return call


# -- Taylor ---------------------------------------------------------------------------------------

ORDER = 10


def taylor() -> Iterator[Row]:
    """All derivatives up to an order at once, against one pass inside the other."""
    point, points = 0.7, numpy.linspace(-1.0, 1.0, 10_000)
    yield Row("composite function, scalar", _jets(point, small=True), times=("jax", 1.0))
    yield Row("  the same, evaluated by NumPy", _evaluated(point), times=("base", 10.0), rounds=3)
    yield Row("  the same, on 10⁴ elements", _jets(points, small=False), times=("jax", 1.0))


def _jets(x: Any, small: bool) -> dict[str, Call]:
    calls = {"adjoint": _adjoint(_jet_of_adjoint, workloads.composite, (x,))}
    if has("jax"):
        calls["jax"] = _jax(_jet_of_jax, workloads.composite, (x,), small)
    return calls


def _evaluated(x: float) -> dict[str, Call]:
    """Adjoint and JAX without compiling, and ten nested forward passes of Adjoint."""
    f = workloads.composite(numpy)
    jet = _jet_of_adjoint(ad, f)
    nested = f
    for _ in range(ORDER):
        nested = _derivative(nested)
    calls: dict[str, Call] = {"base": lambda: nested(x), "adjoint": lambda: jet(x)}
    if has("jax"):
        jax = _module("jax")
        theirs = _jet_of_jax(jax, workloads.composite(jax.numpy))
        calls["jax"] = lambda: jax.block_until_ready(theirs(x))
    return calls


def _derivative(f: Any) -> Any:
    return lambda x: ad.jvp(f, (x,), (1.0,))[1]


def _jet_of_adjoint(library: Any, f: Any) -> Any:
    return lambda x: library.jet(f, (x,), (_curve(numpy, x),))


def _jet_of_jax(library: Any, f: Any) -> Any:
    jet = _module("jax.experimental.jet")
    return lambda x: jet.jet(f, (x,), (_curve(library.numpy, x),))


def _curve(np: Any, x: Any) -> list[Any]:
    """The curve x + t: its first derivative is 1, the others vanish."""
    return [np.ones_like(x)] + [np.zeros_like(x)] * (ORDER - 1)


if __name__ == "__main__":
    main()
