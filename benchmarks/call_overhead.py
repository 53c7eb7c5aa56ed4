"""What a call costs: compiled kernels behind the native entry, against NumPy computing the value.

Run it pinned to one core, or the figures mean nothing:

    OPENBLAS_NUM_THREADS=1 taskset -c 0 python benchmarks/call_overhead.py

Each figure is the median over rounds in which all contestants take turns, so that a slow moment
of the machine hits them alike, less the empty loop.  The clock is the processor time of this
thread, which on an idle core is wall time; on a busy one, wall time mostly measures who was
interrupted.  The kernels are written by hand in LLVM IR with libm's functions: this measures the
entry, not the code generator.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from adjoint.codegen.entry import Argument, Entry, NativeCallable, TypeSpec, build_entry

ROUNDS = 41

WORKED_EXAMPLE = """
declare double @llvm.exp.f64(double)
declare double @llvm.sin.f64(double)
declare double @llvm.cos.f64(double)
declare double @llvm.sqrt.f64(double)
define i32 @example(ptr %in, ptr %out, ptr %arena) {
  %p = load ptr, ptr %in
  %x = load double, ptr %p
  %a = fmul double %x, %x
  %e = call double @llvm.exp.f64(double %a)
  %c = fadd double %a, %e
  %root = call double @llvm.sqrt.f64(double %c)
  %cos = call double @llvm.cos.f64(double %c)
  %sin = call double @llvm.sin.f64(double %c)
  %y = fadd double %root, %cos
  %half = fdiv double 5.0e-1, %root
  %dydc = fsub double %half, %sin
  %onee = fadd double %e, 1.0
  %dyda = fmul double %dydc, %onee
  %x2 = fadd double %x, %x
  %dydx = fmul double %dyda, %x2
  %q0 = load ptr, ptr %out
  store double %y, ptr %q0
  %o1 = getelementptr ptr, ptr %out, i64 1
  %q1 = load ptr, ptr %o1
  store double %dydx, ptr %q1
  ret i32 0
}
"""

ROSENBROCK = """
define i32 @rosenbrock(ptr %in, ptr %out, ptr %arena) {
start:
  %x = load ptr, ptr %in
  %valuep = load ptr, ptr %out
  %o1 = getelementptr ptr, ptr %out, i64 1
  %g = load ptr, ptr %o1
  br label %loop
loop:
  %i = phi i64 [0, %start], [%j, %loop]
  %sum = phi double [0.0, %start], [%sum2, %loop]
  %carry = phi double [0.0, %start], [%r200, %loop]
  %j = add i64 %i, 1
  %pi = getelementptr double, ptr %x, i64 %i
  %pj = getelementptr double, ptr %x, i64 %j
  %xi = load double, ptr %pi
  %xj = load double, ptr %pj
  %sq = fmul double %xi, %xi
  %r = fsub double %xj, %sq
  %u = fsub double 1.0, %xi
  %r200 = fmul double %r, 2.0e2
  %rr = fmul double %r200, %r
  %half = fmul double %rr, 5.0e-1
  %uu = fmul double %u, %u
  %s1 = fadd double %sum, %half
  %sum2 = fadd double %s1, %uu
  %m = fmul double %r200, %xi
  %m2 = fmul double %m, -2.0
  %u2 = fmul double %u, -2.0
  %g1 = fadd double %m2, %u2
  %g2 = fadd double %g1, %carry
  %pg = getelementptr double, ptr %g, i64 %i
  store double %g2, ptr %pg
  %go = icmp ult i64 %j, 9
  br i1 %go, label %loop, label %done
done:
  %pl = getelementptr double, ptr %g, i64 9
  store double %r200, ptr %pl
  store double %sum2, ptr %valuep
  ret i32 0
}
"""

LARGE = 1_000_000

TWO_RESULTS = f"""
define i32 @two(ptr %in, ptr %out, ptr %arena) {{
start:
  %x = load ptr, ptr %in
  %y = load ptr, ptr %out
  %o1 = getelementptr ptr, ptr %out, i64 1
  %z = load ptr, ptr %o1
  br label %loop
loop:
  %i = phi i64 [0, %start], [%j, %loop]
  %px = getelementptr double, ptr %x, i64 %i
  %v = load double, ptr %px
  %w = fadd double %v, %v
  %py = getelementptr double, ptr %y, i64 %i
  store double %w, ptr %py
  %u = fmul double %v, %v
  %pz = getelementptr double, ptr %z, i64 %i
  store double %u, ptr %pz
  %j = add i64 %i, 1
  %go = icmp ult i64 %j, {LARGE}
  br i1 %go, label %loop, label %done
done:
  ret i32 0
}}
"""

NUMBER = TypeSpec((), np.dtype(np.float64), scalar=True)
TEN = TypeSpec((10,), np.dtype(np.float64))


def example_value(x: Any) -> Any:
    """The worked example in NumPy."""
    a = x**2
    c = a + np.exp(a)
    return np.sqrt(c) + np.cos(c)


def rosenbrock_value(x: Any) -> Any:
    """The Rosenbrock function in NumPy."""
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


def refuse(*args: object, **kwargs: object) -> object:
    """No call here may need the fallback: it would be measured instead of the entry."""
    raise AssertionError(f"the native entry refused {args} {kwargs}")


def build(
    ir: str, kernel: str, inputs: list[Argument], outputs: list[TypeSpec], **options: Any
) -> Entry:
    """The entry of one of the kernels above, which returns all its outputs."""
    return build_entry(ir, kernel, inputs, outputs, fallback=refuse, result="tuple", **options)


def seconds_per_call(function: Callable[[Any], Any], x: Any, calls: int) -> float:
    """One round, in a plain Python loop, less what the empty loop takes."""
    turns = range(calls)
    start = time.thread_time()
    for _ in turns:
        pass
    middle = time.thread_time()
    for _ in turns:
        function(x)
    return (time.thread_time() - middle - (middle - start)) / calls


def compare(contestants: dict[str, tuple[Callable[[Any], Any], Any]], calls: int) -> None:
    """Print the median per contestant, and the first one's as the unit."""
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(ROUNDS):
        for name, (function, x) in contestants.items():
            times[name].append(seconds_per_call(function, x, calls))
    medians = {name: statistics.median(found) for name, found in times.items()}
    unit = next(iter(medians.values()))
    for name, median in medians.items():
        print(f"  {name:52s} {1e9 * median:8.1f} ns   {unit / median:6.1f} x faster")


def compile_seconds(ir: str, kernel: str, specs: list[Argument], outputs: list[TypeSpec]) -> float:
    """Median time to build an entry: generate, compile, link, and make the builtin."""
    found = []
    for _ in range(15):
        start = time.thread_time()
        build(ir, kernel, specs, outputs)
        found.append(time.thread_time() - start)
    return statistics.median(found)


def two_results(recycle: bool) -> Entry:
    """2x and x² of many elements, with results in recycled memory or in NumPy's own."""
    before = os.environ.get("ADJOINT_RECYCLE")
    os.environ["ADJOINT_RECYCLE"] = str(int(recycle))
    try:
        spec = TypeSpec((LARGE,), np.dtype(np.float64))
        return build(TWO_RESULTS, "two", [spec], [spec, spec], out="written")
    finally:
        del os.environ["ADJOINT_RECYCLE"]
        if before is not None:
            os.environ["ADJOINT_RECYCLE"] = before


def large_results() -> None:
    """Where the memory of results of eight megabytes comes from."""
    recycled, fresh = two_results(True).call, two_results(False).call
    x, given = np.ones(LARGE), (np.empty(LARGE), np.empty(LARGE))
    print(f"2x and x², n = {LARGE:,}: two results of 8 MB")
    compare(
        {
            "NumPy": (lambda v: (np.add(v, v), np.multiply(v, v)), x),
            "native, memory fresh from the system": (fresh, x),
            "native, recycled memory": (recycled, x),
            "native, out=": (lambda v: recycled(v, out=given), x),
        },
        10,
    )


def main() -> None:
    """Print the four tables."""
    start = time.thread_time()
    example = build(WORKED_EXAMPLE, "example", [NUMBER], [NUMBER, NUMBER]).call
    first = time.thread_time() - start
    unlocked = build(WORKED_EXAMPLE, "example", [NUMBER], [NUMBER, NUMBER], release_gil=True).call
    arrays = build(ROSENBROCK, "rosenbrock", [TEN], [NUMBER, TEN], out="written").call
    targets = (np.empty(()), np.empty(10))
    x, point = 1.1, np.linspace(0.1, 1.9, 10)
    print("worked example, scalar")
    compare(
        {
            "NumPy, value": (example_value, np.float64(x)),
            "native, value and derivative, Python float": (example, x),
            "native, value and derivative, NumPy scalar": (example, np.float64(x)),
            "native, the same, GIL released": (unlocked, x),
            "native, the same, through an object": (NativeCallable(example), x),
        },
        20_000,
    )
    print("Rosenbrock, n = 10")
    compare(
        {
            "NumPy, value": (rosenbrock_value, point),
            "native, value and gradient": (arrays, point),
            "native, the same, out=": (lambda p: arrays(p, out=targets), point),
            "a function of Python that passes it on": (lambda p: arrays(p), point),
            "np.empty(10), for scale": (np.empty, 10),
        },
        10_000,
    )
    large_results()
    print("time to build")
    print(f"  {'first entry of the process':52s} {1e3 * first:8.2f} ms")
    pairs: list[Any] = [
        ("worked example", WORKED_EXAMPLE, "example", [NUMBER], [NUMBER, NUMBER]),
        ("Rosenbrock", ROSENBROCK, "rosenbrock", [TEN], [NUMBER, TEN]),
    ]
    for label, *request in pairs:
        print(f"  {label:52s} {1e3 * compile_seconds(*request):8.2f} ms")


if __name__ == "__main__":
    main()
