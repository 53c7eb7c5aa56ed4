"""Ordinary NumPy functions with arguments: what compiled and evaluated code are compared on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import adjoint as ad

A = np.random.default_rng(0).normal(size=(4, 3))
SQUARE = np.random.default_rng(1).normal(size=(4, 4)) + 4 * np.eye(4)
V3, V4 = np.linspace(0.3, 1.7, 3), np.linspace(-1.2, 1.1, 4)
X = np.array([-2.0, -0.0, 0.0, 0.5, np.inf, -np.inf, np.nan, 1e300, 5e-324])
INTS = np.array([[3, -1, 2], [0, 5, -7]])
BOOLS = np.array([True, False, True])


def worked(x: Any) -> Any:
    a = x**2
    c = a + np.exp(a)
    return np.sqrt(c) + np.cos(c)


def rosenbrock(x: Any) -> Any:
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def network(x: Any, w1: Any, b1: Any, w2: Any) -> Any:
    return np.mean((np.tanh(x @ w1 + b1) @ w2) ** 2)


def filled(x: Any) -> Any:
    out = np.zeros_like(x)
    out[1:] = x[:-1] * 2
    out[0] += x[-1]
    out[::2] *= 3.0
    return out


def scattered(x: Any) -> Any:
    out = np.zeros(5, like=x)
    out[np.array([0, 2, 2, -1])] = x
    return out * 2 + np.sum(x[np.array([1, 1, 0])])


def newton(x: Any) -> Any:
    y = x
    for _ in range(4):
        y = y - (y * y - x) / (2 * y)
    return y


def softmax_loss(x: Any) -> Any:
    z = x - np.max(x, axis=1, keepdims=True)
    return -np.mean(z[:, 0] - np.log(np.sum(np.exp(z), axis=1)))


Case = tuple[Callable[..., Any], tuple[Any, ...]]

PLAIN: dict[str, Case] = {
    "worked": (worked, (1.1,)),
    "worked array": (worked, (A,)),
    "rosenbrock": (rosenbrock, (np.linspace(-1, 1, 10),)),
    "network": (network, (A, A.T.copy(), V4, SQUARE)),
    "filled": (filled, (np.arange(6.0),)),
    "scattered": (scattered, (V4,)),
    "newton": (newton, (2.0,)),
    "softmax": (softmax_loss, (A,)),
    "zero size": (lambda x: (x * 2, np.sum(x), np.exp(x).T), (np.zeros((0, 3)),)),
    "empty product": (lambda x, y: x @ y, (np.zeros((2, 0)), np.zeros((0, 3)))),
    "size one axes": (lambda x, y: x * y + np.sum(x, axis=0), (np.ones((4, 1)), V3[None])),
    "broadcast": (lambda x, y: np.exp(x)[:, None] * y + x[0], (V3, np.ones((3, 5)))),
    "negative steps": (lambda x: x[::-1] * x[::-2].sum() + x[-1:0:-1].mean(), (V4,)),
    "reshapes": (lambda x: (x.reshape(2, 6).T.reshape(3, 4) * 2).reshape(-1)[::3] + 1, (A,)),
    "reshape of sum": (lambda x: np.sum(x, axis=1).reshape(2, 2) @ np.ones((2, 1)), (A,)),
    "transposes": (lambda x: (x.T @ x, x @ x.T, np.trace(x[:3]), x.T.copy()), (A,)),
    "einsum": (lambda x, y: np.einsum("ij,kj,k->i", x, y, V4), (A, A * 2)),
    "batched": (lambda x, y: x @ y, (np.ones((2, 4, 3)), np.arange(24.0).reshape(2, 3, 4))),
    "outer": (lambda x, y: np.outer(x, y) + np.multiply.outer(x, y), (V3, V4)),
    "diagonal": (lambda x: (np.diag(x), np.diag(np.diag(x)), np.trace(x)), (SQUARE,)),
    "stack": (lambda x: np.stack([x, x * 2], axis=1), (V4,)),
    "concatenate": (lambda x, y: np.concatenate([x, y * 2, x[:1]], axis=0), (A, A[:2])),
    "gather": (lambda x: x[[0, 2, 2, -1]] * x[[1, 1, 0, 0], [0, 1, 2, 0]][:, None], (A,)),
    "truth values as indices": (lambda x: (x[True] * 2, x[False], x[None, True]), (V4,)),
    "mask": (lambda x: x[x > 0] ** 2, (V4,)),
    "where": (lambda x: np.where(x > 0, np.sqrt(np.abs(x)), -x), (X,)),
    "extremes": (lambda x: (np.maximum(x, 0.0), np.minimum(x, V3[0]), np.clip(x, -1, 1)), (X,)),
    "fmax": (lambda x: (np.fmax(x, 0.0), np.fmin(0.5, x)), (X,)),
    "comparisons": (lambda x: (x > 0, x == x, x != x, x <= 0.5, ~(x < 0) & (x < 9)), (X,)),
    "predicates": (lambda x: (np.isnan(x), np.isinf(x), np.isfinite(x), np.signbit(x)), (X,)),
    "rounding": (lambda x: (np.floor(x), np.ceil(x), np.rint(x), np.trunc(x), np.sign(x)), (X,)),
    "reductions": (lambda x: (x.max(), x.min(axis=0), x.prod(axis=1), x.mean(), x.var(0)), (A,)),
    "nan reductions": (lambda x: (x.max(), x.min(), x.sum(), np.argmax(x)), (X,)),
    "positions": (lambda x: (np.argmax(x, axis=1), np.argmin(x), x.argmax(0)), (A,)),
    "cumulative": (lambda x: (np.cumsum(x, axis=1), np.cumprod(x), np.diff(x, axis=0)), (A,)),
    "facts": (lambda x: (np.any(x > 0, axis=0), np.all(x > 0), np.count_nonzero(x > 0)), (A,)),
    "sorted": (lambda x: (np.sort(x, axis=0), np.argsort(x, axis=1)), (A,)),
    "norms": (lambda x: (np.linalg.norm(x), np.linalg.norm(x, axis=1)), (A,)),
    "solve": (lambda a, b: np.linalg.solve(a, b) * 2, (SQUARE, V4)),
    "inverse": (lambda a: (np.linalg.inv(a), np.linalg.det(a), np.linalg.slogdet(a)[1]), (SQUARE,)),
    "cholesky": (lambda a: np.linalg.cholesky(a @ a.T + np.eye(4)), (SQUARE,)),
    "complex": (lambda z: (z * z.conj(), np.abs(z), np.exp(z).real), (V4 + 1j * V4[::-1],)),
    "complex from real": (lambda x: (np.exp(1j * x) * 2).imag + x, (V4,)),
    "fft": (lambda x: np.abs(np.fft.fft(x)) ** 2, (V4,)),
    "float32": (lambda x: np.tanh(x) * 2.5 + np.sum(x), (A.astype("f4"),)),
    "float32 number": (lambda x, y: x * y + np.float32(0.1), (np.float32(1.1), 0.3)),
    "float32 and 64": (lambda x, y: x * y + np.float64(0.1) * x, (A.astype("f4"), A)),
    "float32 product": (lambda x: x @ x.T, (A.astype("f4"),)),
    "float16": (lambda x: np.exp(x) + 1, (V4.astype("f2"),)),
    "integers": (lambda n: (n * n + 1, n / 2, n // 2, n % 3, -n, np.abs(n), n.sum(0)), (INTS,)),
    "integer power": (lambda n: (n**2, np.abs(n) ** 3, 2.0**n), (INTS,)),
    "integer extremes": (lambda n: (np.maximum(n, 1), n.max(), np.sign(n), n.min(0)), (INTS,)),
    "integer division": (
        lambda n, m: (n // m, n % m, np.sign(n), np.maximum(n, m), np.abs(n), n & m, ~n),
        (np.array([7, -7, 7, -7, 0, 5, -(2**63)]), np.array([2, 2, -2, -2, 3, 0, -1])),
    ),
    "integer logic": (lambda n: (np.logical_and(n, 1), np.logical_not(n), np.isnan(n)), (INTS,)),
    "cast of nonsense": (lambda x: x.astype(np.int64), (X,)),
    "general contractions": (
        lambda x, y: (
            np.einsum("ij,jk->ki", x, y),
            np.einsum("ij,kl->", x, y),
            np.einsum("ij,ij->j", x, x),
            np.einsum("ijk,kl,j->il", x[None] * x[..., None], y, x[0]),
            np.einsum("ii->i", y),
        ),
        (np.ones((5, 5)) + np.eye(5), np.arange(25.0).reshape(5, 5)),
    ),
    "large contractions": (
        lambda x, y: (
            np.einsum("bij,jk->bki", x, y),
            np.einsum("bij,bkj->ikb", x, x),
            x[:, ::2] @ y,
            np.einsum("bij,jk->b", x, y),
            x.transpose(2, 0, 1).reshape(17, -1) @ x.reshape(-1, 17),
            np.einsum("bij,jk,bl->lk", x, y, x[:, 0]),
            x[:, :, ::-1] @ y[::-1],
            np.tensordot(x, y, axes=([2], [0])),
            np.einsum("bii->b", x[:, :, :4]),
        ),
        (np.linspace(-1, 1, 6 * 4 * 17).reshape(6, 4, 17), np.eye(17) + 0.5),
    ),
    "reductions over axes": (
        lambda x: (
            x.max(axis=(0, 2)),
            x.min(axis=1, keepdims=True),
            x.prod(axis=(0, 1)),
            x.sum(axis=0),
            np.any(x > 0.9, axis=1),
            np.all(x > -2, axis=(0, 2)),
            np.count_nonzero(x > 0, axis=0),
            np.cumsum(x, axis=0),
            np.cumsum(x, axis=2),
            np.cumprod(x, axis=1),
            np.argmax(x, axis=0),
            np.argmin(x, axis=2),
            np.maximum.accumulate(x, axis=1),
        ),
        (np.sin(np.arange(60.0)).reshape(3, 4, 5),),
    ),
    "reductions of integers": (
        lambda n: (n.max(0), n.min(), n.prod(1), np.cumsum(n), np.argmax(n, 1), n.sum(1), n.any(0)),
        (INTS,),
    ),
    "reductions with nan": (
        lambda x: (
            x.max(1),
            x.min(0),
            np.argmax(x, 0),
            np.argmin(x, 1),
            np.cumsum(x, 1),
            np.maximum.accumulate(x, axis=0),
            x.max(initial=3.0),
        ),
        (np.array([[1.0, np.nan, -2.0, 5.0], [np.nan, np.inf, -np.inf, 0.0], [0, -0.0, 1, 5]]),),
    ),
    "small integers": (lambda n: (n + n, n * 2.0, n.sum(), n << 1), (INTS.astype("i1"),)),
    "unsigned": (lambda n: (n + n, n * 2.0, n.sum()), (np.arange(5, dtype="u1") + 250,)),
    "booleans": (lambda b: (b * 2.0, b & ~b, b.sum(), b + b, b ^ True, b.mean()), (BOOLS,)),
    "int and float": (lambda n, x: n * x + n[0, 0], (INTS, V3)),
    "to integer": (lambda x: (x.astype(int), x.astype(np.float32), x.astype(bool)), (V4 * 3,)),
    "powers": (lambda x: (x**3, x**0.5, x**-1, x**1.7, x**0, 2.0**x), (np.abs(X[:6]),)),
    "array powers": (lambda x, y: x**y + np.float_power(x, 2), (V3, V3[::-1])),
    "scalar powers": (lambda x: (x**2, x**3, x**0.5, x**-2.5), (1.7,)),
    "sigmoids": (
        lambda x: (1 / (1 + np.exp(-x)), np.logaddexp(0, x), np.log1p(np.exp(-np.abs(x)))),
        (X,),
    ),
    "trigonometry": (
        lambda x: (np.sin(x), np.cos(x), np.tan(x), np.arctan(x), np.arctan2(x, 2.0)),
        (X[:5].clip(-9, 9),),
    ),
    "hyperbolic": (lambda x: (np.sinh(x), np.arcsinh(x), np.expm1(x), np.cbrt(x)), (V4,)),
    "x log x": (lambda x: x * np.log(x), (V3,)),
    "division by zero": (lambda x: (1 / x, x / 0.0, np.log(x)), (np.abs(X),)),
    "constants": (lambda x: (x, 2.0, A, 3, np.ones(2), x), (V3,)),
    "identity": (lambda x: x, (A,)),
    "duplicates": (lambda x: [x, x * 2, (x * 2).T, {"a": x * 2}], (A,)),
    "numbers": (lambda x, y: {"sum": x + y, "parts": [x, (y, x * y)]}, (1.5, np.float64(2.5))),
    "python int": (lambda x, n: sum(x**k for k in range(n)), (V3, 4)),
    "int argument": (lambda n: n * 2 + n / 2, (7,)),
    "mode": (lambda x, mode: np.sin(x) if mode == "sin" else np.cos(x), (V3, "sin")),
    "none and flags": (lambda x, a, b: x if a is None and b else -x, (V3, None, True)),
    "branch": (lambda x: x * 2 if x > 0 else -x, (1.5,)),
    "loop until": (lambda x: next(x / 2**k for k in range(99) if x / 2**k < 1), (37.0,)),
    "truncated": (lambda x: x * int(x), (2.7,)),
    "traced index": (lambda x: x[np.argmax(x)] * 2, (V4,)),
    "take": (lambda x: np.take(x, [0, 2]) + np.repeat(x, 2)[:2] + np.roll(x, 1)[:2], (V4,)),
    "tile and pad": (lambda x: np.pad(np.tile(x, 2), 1), (V3,)),
    "kron": (lambda x: np.kron(x, x), (V3,)),
    "interp": (lambda x: np.interp(x, [-2.0, 0.0, 2.0], [1.0, 3.0, 0.0]), (V4,)),
    "cross": (lambda x, y: np.cross(x, y), (V3, V3[::-1] ** 2)),
    "moveaxis": (lambda x: np.moveaxis(x[None] * np.ones((2, 1, 1)), 0, -1).sum(1), (A,)),
    "triangles": (lambda x: np.tril(x) + np.triu(x, 1) * 2, (SQUARE,)),
    "flip": (lambda x: np.flip(x) + np.rot90(x, 2) + np.fliplr(x), (A,)),
    "scalar array": (lambda x: np.exp(x) * 2, (np.array(1.3),)),
    "list input": (lambda x: x[0] * x[1]["k"], ([V3, {"k": 2.0}],)),
    "no data": (lambda mode: np.ones(2) * len(mode), ("abc",)),
    "scan": (lambda x: ad.scan(lambda c, t: (np.sin(c) + t, c * t), x[0], x), (V4,)),
    "while": (
        lambda x: ad.while_loop(lambda c: c[0] < 50.0, lambda c: (c[0] * 2, c[1] + 1), (x, 0.0)),
        (1.7,),
    ),
    "cond": (lambda x: ad.cond(np.sum(x) > 0, np.sin, np.cos, x), (V3,)),
}

SMOOTH: dict[str, Case] = {
    "worked": (worked, (1.1,)),
    "rosenbrock": (rosenbrock, (np.linspace(-1, 1, 5),)),
    "network": (lambda w: network(A, w, V4, SQUARE), (A.T.copy(),)),
    "filled": (lambda x: np.sum(filled(x) ** 3), (np.arange(6.0),)),
    "scattered": (lambda x: np.sum(scattered(x) ** 2), (V4,)),
    "softmax": (softmax_loss, (A,)),
    "gather": (lambda x: np.sum(x[[0, 2, 2, -1]] ** 3) + x[1, 1] ** 2, (A,)),
    "extremes": (lambda x: np.sum(np.maximum(x, 0.3) * np.minimum(x, 0.1)) + np.max(x), (V4,)),
    "cumulative": (lambda x: np.sum(np.cumsum(x) ** 2) + np.prod(x), (V4,)),
    "norm": (lambda x: np.linalg.norm(x) + np.linalg.norm(x[:2]), (V4,)),
    "solve": (lambda x: x @ np.linalg.solve(SQUARE + np.outer(x, x), x), (V4,)),
    "logdet": (lambda x: np.linalg.slogdet(SQUARE + np.outer(x, x))[1], (V4,)),
    "where": (lambda x: np.sum(np.where(x > 0, np.sqrt(np.abs(x)), x**3)), (V4,)),
    "powers": (lambda x: np.sum(x**3 + x**1.5 + 2.0**x), (V3,)),
    "x log x": (lambda x: np.sum(x * np.log(x)), (V3,)),
    "reshape": (lambda x: np.sum(x.reshape(2, 2) @ x.reshape(2, 2).T * V4.reshape(2, 2)), (V4,)),
    "scan": (lambda x: np.sum(ad.scan(lambda c, t: (np.sin(c * t), c + t), 1.0, x)[1]), (V4,)),
    "while": (lambda x: ad.while_loop(lambda c: c < 50.0, lambda c: c * c + x, x), (1.7,)),
    "cond": (lambda x: np.sum(ad.cond(np.sum(x) > 0, np.sin, np.cos, x) ** 2), (V3,)),
    "float32": (lambda x: np.sum(np.tanh(x) ** 2), (V4.astype("f4"),)),
}
