"""Random nests of loops, branches and recomputed functions, drawn from a seed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import adjoint as ad

Block = Callable[[Any], Any]

SIZE = 3
_PLAIN: list[Block] = [
    np.sin, np.tanh, lambda v: v * v - 0.5, lambda v: 1 / (1 + v * v), lambda v: v[::-1] * 0.9,
    lambda v: np.where(v > 0.1, v, 0.3 * v), lambda v: np.cumsum(v) * 0.4, lambda v: v**3 - v,
    lambda v: np.maximum(v, -0.2), lambda v: v + np.sum(v) * 0.1, np.negative,
]  # fmt: skip


def random_nest(seed: int) -> tuple[Block, Any]:
    """A function of a vector of `SIZE`, and an argument; the same for the same seed."""
    rng = np.random.default_rng(seed)
    blocks = [_block(rng, 3) for _ in range(2)]

    def nest(v: Any) -> Any:
        for block in blocks:
            v = np.tanh(block(v))
        return v

    return nest, rng.normal(size=SIZE)


def _block(rng: Any, depth: int) -> Block:
    if depth == 0:
        return _PLAIN[int(rng.integers(len(_PLAIN)))]
    make = (_plain, _matrix, _gather, _scan, _while, _cond, _checkpoint, _custom)
    weights = np.array([1, 1, 1, 3, 3, 2, 2, 1.0])
    return make[int(rng.choice(len(make), p=weights / weights.sum()))](rng, depth - 1)


def _plain(rng: Any, depth: int) -> Block:
    first, second = _block(rng, depth), _block(rng, 0)
    return lambda v: second(first(v))


def _matrix(rng: Any, depth: int) -> Block:
    inner, matrix = _block(rng, depth), rng.normal(size=(SIZE, SIZE)) * 0.5
    return lambda v: matrix @ inner(v)


def _gather(rng: Any, depth: int) -> Block:
    inner, index = _block(rng, depth), rng.integers(-SIZE, SIZE, size=SIZE)
    return lambda v: inner(v)[index] * 0.8


def _scan(rng: Any, depth: int) -> Block:
    inner, length = _block(rng, depth), int(rng.integers(0, 5))
    xs = rng.normal(size=(length, SIZE))
    every = [None, None, 2][int(rng.integers(3))]
    backwards, counts = bool(rng.integers(2)), bool(rng.integers(2))

    def block(v: Any) -> Any:
        def step(carry: Any, x: Any) -> Any:
            c, k = carry
            c = np.tanh(inner(c) + x * v)
            return (c, k + 1), c * x if counts else k

        (last, count), ys = ad.scan(
            step, (v, 0), xs, reverse=backwards, checkpoint_every=every
        )  # fmt: skip
        return last + np.sum(ys * 1.0) * 0.1 + count * 0.01

    return block


def _while(rng: Any, depth: int) -> Block:
    inner, most = _block(rng, depth), int(rng.integers(0, 6))
    bound = float(rng.normal() + 1)

    def block(v: Any) -> Any:
        def proceed(carry: Any) -> Any:
            c, k, going = carry
            return np.logical_and(going, np.logical_and(k < most, np.sum(c) < bound))

        def step(carry: Any) -> Any:
            c, k, going = carry
            c = np.tanh(inner(c) + 0.3 * v)
            return c, k + 1, np.logical_and(going, c[0] < 0.95)

        last, count, _ = ad.while_loop(proceed, step, (v, 0, True))
        return last + count * 0.1

    return block


def _cond(rng: Any, depth: int) -> Block:
    yes, no = _block(rng, depth), _block(rng, depth)
    bound = float(rng.normal())
    return lambda v: ad.cond(np.sum(v) > bound, yes, no, v)


def _checkpoint(rng: Any, depth: int) -> Block:
    inner = _block(rng, depth)
    return ad.checkpoint(lambda v: np.sin(inner(v)))


def _custom(rng: Any, depth: int) -> Block:
    inner = _block(rng, depth)
    bent = ad.custom_derivative(
        lambda v: np.tanh(v), jvp=lambda p, t: (np.tanh(p[0]), t[0] * (1 - np.tanh(p[0]) ** 2))
    )
    return lambda v: bent(inner(v))
