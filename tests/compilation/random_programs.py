"""Random NumPy programs: straight-line functions of a few arrays, drawn from a seed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

UNARY: list[Callable[[Any], Any]] = [
    np.sin, np.cos, np.tanh, np.exp, np.abs, np.negative, np.square, np.floor, np.sign, np.arctan,
    lambda a: np.sqrt(np.abs(a)), lambda a: np.log1p(np.abs(a)), lambda a: a > 0.1,
    lambda a: np.isfinite(a), lambda a: np.logical_not(a), lambda a: a.astype(np.float32),
    lambda a: np.clip(a, -0.5, 0.75), lambda a: 1 / (1 + a * a), lambda a: np.isnan(a) * 2.0,
    lambda a: a**3, lambda a: a * 2, lambda a: 3 - a, lambda a: a.astype(np.float64),
]  # fmt: skip

BINARY: list[Callable[[Any, Any], Any]] = [
    np.add, np.subtract, np.multiply, np.maximum, np.minimum, np.hypot, np.arctan2, np.less,
    np.equal, np.logical_and, np.logical_xor, np.copysign, np.fmax,
    lambda a, b: np.where(a > 0, a, b), lambda a, b: np.where(b, a * 2, -1.0),
    lambda a, b: a / (1 + b * b), np.greater_equal, np.logaddexp, np.not_equal,
]  # fmt: skip


def _axis(rng: Any, a: Any) -> int:
    return int(rng.integers(-a.ndim, a.ndim))


def _sliced(rng: Any, a: Any) -> Any:
    parts: list[Any] = []
    if not a.shape:
        return a
    for n in a.shape:
        kind = rng.integers(5)
        if kind == 0 and n:
            parts.append(int(rng.integers(-n, n)))
        elif kind == 1:
            parts.append(slice(None, None, int(rng.choice([-1, 2, -2]))))
        elif kind == 2:
            parts.append(slice(int(rng.integers(0, 2)), None))
        elif kind == 3 and n and rng.random() < 0.3:
            parts += [None, slice(None)]
        else:
            parts.append(slice(None))
    return a[tuple(parts)]


def _written(rng: Any, a: Any) -> Any:
    out = a * 1.0
    if not out.shape:
        return out
    part = slice(None, None, int(rng.choice([1, 2, -1])))
    if rng.random() < 0.5:
        out[part] = out[part] * 2 + 1
    else:
        out[part] += 0.5
    return out


def _gathered(rng: Any, a: Any) -> Any:
    if not a.shape or 0 in a.shape:
        return a
    return a[rng.integers(-a.shape[0], a.shape[0], size=int(rng.integers(0, 5)))]


def _reshaped(rng: Any, a: Any) -> Any:
    if not a.shape:
        return a
    shape = [n for n in a.shape if n != 1]
    choice = rng.integers(4)
    if choice == 0:
        return a.reshape(-1)
    if choice == 1:
        return a[..., None] * 1.0
    if choice == 2 and len(shape) == len(a.shape) > 1:
        return a.reshape(a.shape[1:] + a.shape[:1])
    return a.T


def _reduced(rng: Any, a: Any) -> Any:
    if not a.shape:
        return a
    f = rng.choice(np.array(["sum", "mean", "max", "min", "prod", "any", "cumsum", "argmax"]))
    axis = _axis(rng, a) if rng.random() < 0.7 else None
    n = a.size if axis is None else a.shape[axis]
    if n == 0 and f in ("max", "min", "mean", "argmax"):
        f = "sum"
    if f in ("cumsum", "argmax"):
        return getattr(np, f)(a, axis=axis)
    return getattr(np, f)(a, axis=axis, keepdims=bool(rng.integers(2)))


def _product(rng: Any, a: Any, b: Any) -> Any:
    a, b = a * 1.0, b * 1.0
    if a.ndim == 2 and b.ndim == 2:
        if a.shape[1] == b.shape[0]:
            return a @ b
        if a.shape[0] == b.shape[0]:
            return a.T @ b
    if a.ndim == 1 and b.ndim == 1:
        return np.outer(a, b) if rng.random() < 0.5 or a.shape != b.shape else a @ b
    return a.sum() * b


def _joined(rng: Any, a: Any, b: Any) -> Any:
    if a.shape != b.shape or not a.shape:
        return a
    join = np.stack if rng.random() < 0.5 else np.concatenate
    return join([a, b], axis=int(rng.integers(0, a.ndim)))


def random_inputs(rng: Any) -> list[Any]:
    """Some arrays and numbers that broadcast or nearly so."""
    shapes = [(3,), (2, 3), (2, 1), (), (1, 3), (3, 3), (0, 3), (2, 3, 2)]
    special = np.array([0.0, -0.0, np.nan, np.inf, -np.inf, 1e300, 1.0, -2.0])
    found: list[Any] = []
    for _ in range(int(rng.integers(1, 4))):
        shape = shapes[int(rng.integers(len(shapes)))]
        value = np.asarray(rng.normal(size=shape))
        dtype = rng.choice(np.array(["f8", "f8", "f8", "f4", "i8", "?"]))
        if dtype == "f8" and rng.random() < 0.15:
            value = np.asarray(rng.choice(special, size=shape))
        found.append((value * 3 if dtype == "i8" else value).astype(dtype))
    return [v if v.shape or rng.random() < 0.5 else np.float64(v) for v in found]


def random_program(seed: int) -> tuple[Callable[..., Any], list[Any]]:
    """A function and arguments for it; the same for the same seed."""
    inputs = random_inputs(np.random.default_rng(seed))
    steps = int(np.random.default_rng(seed + 1).integers(2, 14))

    def program(*args: Any) -> Any:
        rng = np.random.default_rng(seed + 2)
        pool: list[Any] = list(args)
        for _ in range(steps):
            a, b = (pool[int(rng.integers(len(pool)))] for _ in range(2))
            kind = int(rng.integers(12))
            try:
                pool.append(_step(rng, kind, a, b))
            except (ValueError, TypeError, IndexError):
                continue  # shapes or dtypes that do not fit; the same ones however it is run
        return tuple(pool[len(args) :][-4:]) or pool[0]

    return program, inputs


def _step(rng: Any, kind: int, a: Any, b: Any) -> Any:
    if kind < 3:
        return UNARY[int(rng.integers(len(UNARY)))](a)
    if kind < 6:
        return BINARY[int(rng.integers(len(BINARY)))](a, b)
    single = {6: _sliced, 7: _reshaped, 8: _reduced, 9: _written, 10: _gathered}
    if kind in single:
        return single[kind](rng, a)
    return _product(rng, a, b) if rng.random() < 0.6 else _joined(rng, a, b)
