"""Loops that stay loops: scan and while_loop, forward and reverse, compiled, and JAX.

    OPENBLAS_NUM_THREADS=1 taskset -c 1 python -m benchmarks loops

The same functions go to both libraries; JAX computes in float64.  Times are medians of rounds in
which all contestants take turns, on the wall clock, since JAX has threads of its own.
"""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy

import adjoint as ad
from benchmarks.measure import duration, has, heading, line, medians, verdict

STEPS = 1000
LONG = 100_000
WIDTH = 100


class Case(NamedTuple):
    """One row: a function of our library or of JAX, from its NumPy, loops and transforms."""

    label: str
    make: Callable[[Any, Any, Any], Callable[..., Any]]
    arguments: tuple[Any, ...]
    peer: bool = True


def logistic(np: Any, control: Any) -> Callable[..., Any]:
    """The logistic map."""
    step = lambda r: lambda c, _: (r * c * (1 - c), None)  # noqa: E731
    return lambda r, x: control.scan(step(r), x, None, length=STEPS)[0]


def newton(np: Any, control: Any) -> Callable[..., Any]:
    """√a by Newton's method."""
    return lambda a: control.while_loop(
        lambda x: np.abs(x * x - a) > 1e-12 * a, lambda x: (x + a / x) / 2, a
    )


def contraction(np: Any, control: Any) -> Callable[..., Any]:
    """A thousand steps of a while loop towards a fixed point."""
    return lambda a: control.while_loop(
        lambda c: c[1] < STEPS, lambda c: (np.cos(c[0]) * a, c[1] + 1), (a, 0)
    )[0]


def recurrent(np: Any, control: Any) -> Callable[..., Any]:
    """A recurrent network: 32 hidden units, 100 steps, batch 1."""

    def loss(w: Any, u: Any, h: Any, xs: Any) -> Any:
        def step(h: Any, x: Any) -> Any:
            h = np.tanh(h @ w + x @ u)
            return h, h

        return np.sum(control.scan(step, h, xs)[1] ** 2)

    return loss


def runge_kutta(np: Any, control: Any) -> Callable[..., Any]:
    """y′ = A y − y³/10 in four dimensions, by Runge-Kutta's method of order 4."""

    def loss(y: Any, a: Any) -> Any:
        h = 0.01

        def slope(y: Any) -> Any:
            return a @ y - 0.1 * y**3

        def step(y: Any, _: Any) -> Any:
            k1 = slope(y)
            k2 = slope(y + h / 2 * k1)
            k3 = slope(y + h / 2 * k2)
            k4 = slope(y + h * k3)
            return y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4), None

        return np.sum(control.scan(step, y, None, length=STEPS)[0] ** 2)

    return loss


def cases() -> Iterator[Case]:
    """Value, forward and reverse, where JAX can."""
    rng = numpy.random.default_rng(0)
    skew = rng.normal(size=(4, 4))
    network = (rng.normal(size=(32, 32)) * 0.15, rng.normal(size=(8, 32)) * 0.3,
               numpy.zeros(32), rng.normal(size=(100, 8)))  # fmt: skip
    field = (rng.normal(size=4), skew - skew.T)
    for label, make, arguments in (
        (f"logistic map, {STEPS} steps", logistic, (2.7, 0.3)),
        ("recurrent network", recurrent, network),
        (f"Runge-Kutta, {STEPS} steps", runge_kutta, field),
    ):
        yield Case(f"{label}: value", lambda np, c, t, m=make: m(np, c), arguments)
        yield Case(f"{label}: reverse", _reverse(make), arguments)
    for label, make, start in (
        ("Newton's method", newton, 2e6),
        (f"while, {STEPS} steps", contraction, 0.9),
    ):
        yield Case(f"{label}: forward", _forward(make), (start,))
        yield Case(f"{label}: reverse", _reverse(make), (start,), peer=False)


def _reverse(make: Callable[..., Any]) -> Callable[..., Any]:
    return lambda np, control, transforms: transforms.value_and_grad(make(np, control))


def _forward(make: Callable[..., Any]) -> Callable[..., Any]:
    return lambda np, control, transforms: lambda a: transforms.jvp(make(np, control), (a,), (1.0,))


def main() -> None:
    """Print the tables."""
    os.environ.setdefault(
        "XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    )
    heading("loops")
    line("", "evaluated", "compiled", "eval/comp", "JAX, jit", "JAX/compiled")
    for case in cases():
        _one(case)
    if not has("jax"):
        print("  (jax not installed: no column for it; pip install '.[bench]')")
    memory()


def _one(case: Case) -> None:
    ours = case.make(numpy, ad, ad)
    fast = ad.compile(ours)
    fast(*case.arguments)
    expected = ours(*case.arguments)
    _require_equal(fast(*case.arguments), expected, case.label)
    calls: dict[str, Callable[[], Any]] = {"compiled": lambda: fast(*case.arguments)}
    if case.peer and has("jax"):
        calls["jax"] = _jax(case)
        _require_equal(calls["jax"](), expected, case.label)
    times = medians(calls, clock=time.perf_counter)
    slow = medians({"ours": lambda: ours(*case.arguments)}, rounds=3)["ours"]
    cells = [duration(slow), duration(times["compiled"]), f"{slow / times['compiled']:.0f}"]
    if "jax" in times:
        ratio = times["jax"] / times["compiled"]
        cells += [duration(times["jax"]), f"{ratio:.1f} {verdict(ratio >= 1)}"]
    elif not case.peer:
        cells += ["cannot", ""]
    line(case.label, *cells)


def _jax(case: Case) -> Callable[[], Any]:
    jax = importlib.import_module("jax")
    jax.config.update("jax_enable_x64", True)
    run = jax.jit(case.make(jax.numpy, jax.lax, jax))
    given = [jax.numpy.asarray(a) for a in case.arguments]
    return lambda: jax.block_until_ready(run(*given))


def _require_equal(got: Any, expected: Any, label: str) -> None:
    for a, b in zip(_leaves(got), _leaves(expected), strict=True):
        if not numpy.allclose(a, b, rtol=1e-8, atol=1e-11):
            raise AssertionError(f"{label}: the results differ")


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, tuple | list):
        return [leaf for part in value for leaf in _leaves(part)]
    return [numpy.asarray(value)]


def memory() -> None:
    """What reverse mode needs besides arguments and results."""
    heading(f"working memory of a reverse sweep, {LONG} steps of {WIDTH} numbers")
    line("", "kept", "memory", "of all carries")
    x = numpy.linspace(0, 1, WIDTH)
    whole = LONG * x.nbytes
    for label, every in (("scan", None), ("scan, checkpoint_every=316", 316)):
        line(label, str(every or "all"), *_arena(_scanned(every), x, whole))
    line("while_loop", "≤ 768", *_arena(_repeated, x, whole))


def _step(c: Any) -> Any:
    return numpy.sin(c) + 0.01 * c


def _scanned(every: int | None) -> Callable[[Any], Any]:
    return lambda x: numpy.sum(
        ad.scan(lambda c, _: (_step(c), None), x, length=LONG, checkpoint_every=every)[0]
    )


def _repeated(x: Any) -> Any:
    turn = lambda c: (_step(c[0]), c[1] + 1)  # noqa: E731
    return numpy.sum(ad.while_loop(lambda c: c[1] < LONG, turn, (x, 0))[0])


def _arena(f: Callable[[Any], Any], x: Any, whole: int) -> tuple[str, str]:
    fast = ad.compile(ad.grad(f))
    fast(x)
    found = [s for s in fast.explain().splitlines() if s.startswith("  arena of ")]
    size = int(found[-1].split()[2].replace(",", ""))
    return f"{size / 1e6:.2f} MB", f"{size / whole:.2%}"


if __name__ == "__main__":
    main()
