"""Products of vectors and matrices: the fused loop, the routine of BLAS, and NumPy.

    OPENBLAS_NUM_THREADS=1 taskset -c 1 python -m benchmarks products

The compiled product is made twice: as it is, and with the sizes from which on BLAS is called set so
that the other form is made.  A line shows both, NumPy, and which of the two `compile` chooses.
`dot` and `ger` have no compiled form by BLAS: NumPy's is theirs, and for `ger` SciPy's on an array
that is zero already.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest import mock

import numpy
import scipy.linalg.blas

import adjoint as ad
from adjoint.codegen import blas, patterns
from benchmarks.measure import duration, heading, line, medians

Call = Callable[[], Any]
NEVER = 1 << 62


def main() -> None:
    """Print the tables."""
    heading("matrix and vector (gemv)")
    line("", "loop", "gemv", "NumPy", "gemv/loop", "chosen")
    for name, f in (("A x", lambda a, x: a @ x), ("xᵀA", lambda a, x: x @ a)):
        for dtype in (numpy.float64, numpy.float32):
            for n in (10, 50, 100, 250, 500, 1000, 4000):
                _gemv(f"{name}, n={n}, {numpy.dtype(dtype)}", f, n, dtype)
    heading("two products with one matrix, n=1000")
    line("", "one loop", "two gemv", "NumPy", "gemv/loop", "chosen")
    _pair()
    heading("vector and vector (dot, ger)")
    line("", "loop", "BLAS", "NumPy", "BLAS/loop", "chosen")
    for n in (100, 10_000, 1_000_000):
        _dot(n)
    for n in (10, 100, 1000):
        _ger(n)
    heading("symmetric results (syrk, and gemm on one half), n observations: 2n")
    line("", "gemm", "one half", "NumPy", "half/gemm", "chosen")
    for n in (30, 100, 300, 1000):
        _symmetric(f"XᵀX, n={n}", lambda x, v: x.T @ x, n)
        _symmetric(f"Xᵀdiag(v)X, n={n}", lambda x, v: x.T @ (v[:, None] * x), n)


@contextmanager
def _limits(module: Any, **limits: int) -> Iterator[None]:
    """Other sizes from which on a form is chosen."""
    with mock.patch.multiple(module, **limits):
        yield


def _compiled(f: Any, *args: Any) -> Call:
    made = ad.compile(f)
    made(*args)
    return lambda: made(*args)


def _line(label: str, calls: Mapping[str, Call], chosen: str) -> None:
    names = list(calls)
    expected = calls[names[-1]]()
    for name in names[:-1]:
        if not numpy.allclose(calls[name](), expected, rtol=1e-3, atol=1e-3):
            raise AssertionError(f"{label}: {name} computes something else")
    found = medians(calls, rounds=9, seconds=0.01)
    loop, other = found[names[0]], found[names[1]]
    line(label, *(duration(found[n]) for n in names), f"{other / loop:.2f}", chosen)


def _gemv(label: str, f: Any, n: int, dtype: Any) -> None:
    rng = numpy.random.default_rng(0)
    a, x = rng.normal(size=(n, n)).astype(dtype), rng.normal(size=n).astype(dtype)
    with _limits(patterns, LARGE_MATRIX=NEVER):
        loop = _compiled(f, a, x)
    with _limits(patterns, LARGE_MATRIX=0):
        gemv = _compiled(f, a, x)
    chosen = "gemv" if n * n >= patterns.LARGE_MATRIX else "loop"
    _line(label, {"loop": loop, "gemv": gemv, "numpy": lambda: f(a, x)}, chosen)


def _pair() -> None:
    rng = numpy.random.default_rng(0)
    a, (x, y) = rng.normal(size=(1000, 1000)), rng.normal(size=(2, 1000))
    product = ad.compile(lambda a, x: a @ x)
    shared = _compiled(lambda a, x, y: (a @ x, a @ y), a, x, y)
    two = {"loop": shared, "gemv": lambda: (product(a, x), product(a, y)),
           "numpy": lambda: (a @ x, a @ y)}  # fmt: skip
    _line("A x and A y", two, "loop")


def _dot(n: int) -> None:
    x, y = numpy.random.default_rng(0).normal(size=(2, n))
    routine = scipy.linalg.blas.ddot
    loop = _compiled(lambda x, y: x @ y, x, y)
    _line(f"x·y, n={n}", {"loop": loop, "dot": lambda: routine(x, y), "numpy": lambda: x @ y},
          "loop")  # fmt: skip


def _ger(n: int) -> None:
    x, y = numpy.random.default_rng(0).normal(size=(2, n))
    routine = scipy.linalg.blas.dger

    def ger() -> Any:
        out = numpy.zeros((n, n)).T
        return routine(1.0, y, x, a=out, overwrite_a=1).T

    loop = _compiled(numpy.outer, x, y)
    _line(f"x yᵀ, n={n}", {"loop": loop, "ger": ger, "numpy": lambda: numpy.outer(x, y)}, "loop")


def _symmetric(label: str, f: Any, n: int) -> None:
    rng = numpy.random.default_rng(0)
    x, v = rng.normal(size=(2 * n, n)), rng.normal(size=2 * n)
    with _limits(blas, SYRK_WORK=NEVER, HALF_ROWS=NEVER):
        whole = _compiled(f, x, v)
    with _limits(blas, SYRK_WORK=0, HALF_ROWS=0, HALF_DEPTH=0, SYRK_DEPTH=0):
        half = _compiled(f, x, v)
    made = ad.compile(f)
    made(x, v)
    text = made.explain()
    chosen = next(name for name in ("syrk", "half gemm", "gemm") if name in text)
    _line(label, {"gemm": whole, "half": half, "numpy": lambda: f(x, v)}, chosen)
