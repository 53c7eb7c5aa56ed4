"""The rows of scipy.special against outside witnesses: differences, mpmath, and a tiny forward mode.

The forward mode here is independent of the package's own: dual numbers that meet every partial
through __array_ufunc__, as a traced value would, so a partial that leaves the ufuncs is found out.
"""

from __future__ import annotations

import subprocess
import sys
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import mpmath as mp
import numpy as np
import pytest
from scipy import special as sc

from adjoint.errors import ArgumentValueError, DtypeError
from adjoint.primitives.special import WITHOUT_DERIVATIVE, Kernel, SpecialRow, load_kernels, load_rows
from adjoint.primitives.special import row as row_module

Entry = SpecialRow | Kernel
ROWS, KERNELS = load_rows(), load_kernels()
SCALAR_ROWS = {name: row for name, row in ROWS.items() if not row.components}
ENTRIES: dict[str, Entry] = {**SCALAR_ROWS, **{"kernel " + k: v for k, v in KERNELS.items()}}
CASES = [
    pytest.param(entry, index, id=f"{name}-{index}")
    for name, entry in ENTRIES.items()
    for index, partial in enumerate(entry.partials)
    if not isinstance(partial, str)
]


@pytest.fixture(autouse=True)
def _quiet() -> Any:
    # The tracer evaluates partials without floating-point warnings: an infinite slope is a value.
    with np.errstate(all="ignore"):
        yield


def function_of(entry: Entry) -> Callable[..., Any]:
    return entry.ufunc() if isinstance(entry, SpecialRow) else entry.evaluate


def sample(entry: Entry, name: str, count: int = 6) -> list[Any]:
    """Points of the declared domain; operands whose interval is a point are whole numbers there."""
    random = np.random.default_rng(zlib.crc32(name.encode()))
    points: list[Any] = []
    for lo, hi in entry.domain:
        values = lo + (hi - lo) * random.uniform(0.05, 0.95, count)
        points.append(int(lo) if lo == hi and lo == int(lo) else values)
    return points


def ridders(f: Callable[[Any], Any], x: Any, h: Any) -> tuple[Any, Any]:
    """f'(x) by extrapolated central differences and an estimate of its error (Ridders 1982)."""
    shrink = 1.6
    table: list[list[Any]] = []
    best = error = None
    for i in range(9):
        new = [(f(x + h) - f(x - h)) / (2 * h)]
        for j in range(1, i + 1):
            factor = shrink ** (2 * j)
            new.append((factor * new[j - 1] - table[-1][j - 1]) / (factor - 1))
            guess = np.maximum(abs(new[j] - new[j - 1]), abs(new[j] - table[-1][j - 1]))
            if best is None:
                best, error = new[j], guess
            best, error = np.where(guess < error, new[j], best), np.minimum(guess, error)
        table.append(new)
        h = h / shrink
    return best, error


def step_of(entry: Entry, index: int, x: Any) -> Any:
    lo, hi = entry.domain[index]
    if lo == hi:
        return 0.05 * abs(lo)
    return np.minimum(0.15 * (hi - lo), np.maximum(np.minimum(x - lo, hi - x), 0.02 * (hi - lo)))


def assert_agrees(entry: Entry, index: int, got: Any, f: Callable[[Any], Any], points: list[Any],
                  tolerance: float) -> None:  # fmt: skip
    x = points[index]
    want, error = ridders(f, x, step_of(entry, index, x))
    assert np.all(np.isfinite(got)), (entry.name, points, got)
    lo, hi = entry.domain[index]
    scale = np.abs(want) + 1e-2 * np.abs(f(x)) / max(hi - lo, 0.1 * abs(lo))
    # The witness itself has to be good, as far as SciPy's own digits allow.
    assert np.all(error <= np.maximum(10 * tolerance, 1e4 * entry.accuracy) * scale), (
        f"differences of {entry.name} are no witness: error {error}, scale {scale}"
    )
    gap = np.abs(got - want)
    assert np.all(gap <= tolerance * scale + 10 * error), (
        f"∂{entry.name}/∂x{index} at {points}: got {got}, differences give {want} ± {error}"
    )


def moved(f: Callable[..., Any], points: list[Any], index: int) -> Callable[[Any], Any]:
    return lambda t: f(*points[:index], t, *points[index + 1 :])


def first_order(entry: Entry, index: int, tolerance: float = 1e-8) -> None:
    f, points = function_of(entry), sample(entry, entry.name)
    partial = entry.partials[index]
    assert callable(partial)
    got = np.broadcast_to(partial(*points, f(*points)), np.shape(f(*points)))
    assert_agrees(entry, index, got, moved(f, points, index), points, tolerance)


# Differences ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("entry", "index"), CASES)
def test_partial_agrees_with_differences(entry: Entry, index: int) -> None:
    first_order(entry, index)


@pytest.mark.parametrize("name", ["gammainc", "jv", "erf", "ellipk", "hyp2f1", "expi", "expit",
                                  "stdtr", "eval_jacobi"])  # fmt: skip
def test_planted_wrong_partial_is_caught(name: str) -> None:
    row = ROWS[name]
    index = len(row.partials) - 1
    right = row.partials[index]
    assert callable(right)
    wrong = replace(
        row, partials=(*row.partials[:index], lambda *z: right(*z) * (1 + 1e-6))
    )  # fmt: skip
    first_order(row, index)
    with pytest.raises(AssertionError, match="differences give"):
        first_order(wrong, index)


# Second order, by dual numbers ------------------------------------------------------------------


class Dual:
    """A value with one tangent; ufuncs are differentiated by this module's rows."""

    def __init__(self, value: Any, tangent: Any) -> None:
        self.value, self.tangent = value, tangent

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *operands: Any, **options: Any) -> Any:
        assert method == "__call__"
        operands = tuple(x for x in operands if x is not None)
        return lift(ufunc, operands)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        assert function is np.where, f"a partial called {function.__name__}"
        condition, a, b = args
        choose = value_of(condition)
        return Dual(np.where(choose, value_of(a), value_of(b)),
                    np.where(choose, tangent_of(a), tangent_of(b)))  # fmt: skip

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError("a partial coerced a traced value to an array")


for _symbol, _ufunc in {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "truediv": np.divide, "pow": np.power
}.items():  # fmt: skip
    setattr(Dual, f"__{_symbol}__", lambda s, o, u=_ufunc: lift(u, (s, o)))
    setattr(Dual, f"__r{_symbol}__", lambda s, o, u=_ufunc: lift(u, (o, s)))
for _symbol, _ufunc in {
    "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal, "eq": np.equal
}.items():  # fmt: skip
    setattr(Dual, f"__{_symbol}__", lambda s, o, u=_ufunc: lift(u, (s, o)))
Dual.__neg__ = lambda s: lift(np.negative, (s,))  # type: ignore[attr-defined]


def value_of(x: Any) -> Any:
    return x.value if isinstance(x, Dual) else x


def tangent_of(x: Any) -> Any:
    return x.tangent if isinstance(x, Dual) else 0.0


NUMPY_PARTIALS: dict[np.ufunc, tuple[Callable[..., Any], ...]] = {
    np.add: (lambda a, b, y: 1.0, lambda a, b, y: 1.0),
    np.subtract: (lambda a, b, y: 1.0, lambda a, b, y: -1.0),
    np.multiply: (lambda a, b, y: b, lambda a, b, y: a),
    np.divide: (lambda a, b, y: 1 / b, lambda a, b, y: -y / b),
    np.power: (lambda a, b, y: b * a ** (b - 1.0), lambda a, b, y: sc.xlogy(y, a)),
    np.hypot: (lambda a, b, y: a / y, lambda a, b, y: b / y),
    np.maximum: (lambda a, b, y: 1.0 * (a >= b), lambda a, b, y: 1.0 * (a < b)),
    np.negative: (lambda a, y: -1.0,), np.absolute: (lambda a, y: np.sign(a),),
    np.sign: (lambda a, y: 0.0,), np.rint: (lambda a, y: 0.0,), np.floor: (lambda a, y: 0.0,),
    np.exp: (lambda a, y: y,), np.log: (lambda a, y: 1 / a,), np.sqrt: (lambda a, y: 0.5 / y,),
    np.log1p: (lambda a, y: 1 / (1 + a),), np.expm1: (lambda a, y: y + 1,),
    np.sin: (lambda a, y: np.cos(a),), np.cos: (lambda a, y: -np.sin(a),),
    np.cosh: (lambda a, y: np.sinh(a),), np.sinh: (lambda a, y: np.cosh(a),),
    np.square: (lambda a, y: 2 * a,),
}  # fmt: skip
PREDICATES = {np.less, np.less_equal, np.greater, np.greater_equal, np.equal, np.logical_and,
              np.logical_or, np.isneginf}  # fmt: skip


def push(partials: Any, operands: tuple[Any, ...], value: Any) -> Dual:
    plain = [value_of(x) for x in operands]
    tangent: Any = 0.0
    for partial, x in zip(partials, operands, strict=True):
        if isinstance(x, Dual) and np.any(x.tangent):
            assert callable(partial), partial
            tangent = tangent + partial(*plain, value) * x.tangent
    return Dual(value, tangent)


def lift(ufunc: np.ufunc, operands: tuple[Any, ...]) -> Any:
    plain = [value_of(x) for x in operands]
    if ufunc in PREDICATES:
        return ufunc(*plain)
    if ufunc in NUMPY_PARTIALS:
        return push(NUMPY_PARTIALS[ufunc], operands, ufunc(*plain))
    row = ROWS[ufunc.__name__]
    if row.components:
        return tuple(apply_to_duals(kernel, operands) for kernel in row.components)
    return push(row.partials, operands, ufunc(*plain))


def apply_to_duals(kernel: Kernel, operands: tuple[Any, ...]) -> Any:
    value = kernel.evaluate(*(value_of(x) for x in operands))
    if not any(isinstance(x, Dual) for x in operands):
        return value
    return push(kernel.partials, operands, value)


# np.isneginf is a Python function: through it a dual arrives as __array_function__ would.
SINGLE = {"smirnov", "smirnovi", "_smirnovp"}


@pytest.mark.parametrize(("entry", "index"), CASES)
def test_second_derivative_of_a_partial(
    entry: Entry, index: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if entry.name in SINGLE:
        pytest.skip("the second derivative has a written reason instead")
    f, points = function_of(entry), sample(entry, entry.name, count=4)
    partial = entry.partials[index]
    assert callable(partial)

    def first(*z: Any) -> Any:
        return np.broadcast_to(partial(*z, f(*z)), np.shape(f(*z)))

    plain_first = {j: moved(first, points, j) for j in range(len(points))}
    for j, other in enumerate(entry.partials):
        if isinstance(other, str):
            continue
        with monkeypatch.context() as patch:
            patch.setattr(row_module, "apply_kernel", apply_to_duals)
            duals = [Dual(p, 1.0) if k == j else p for k, p in enumerate(points)]
            value = push(entry.partials, tuple(duals), f(*points))
            got = tangent_of(partial(*duals, value))
        got = np.broadcast_to(got, np.shape(f(*points)))
        assert_agrees(entry, j, got, plain_first[j], points, 1e-7)
