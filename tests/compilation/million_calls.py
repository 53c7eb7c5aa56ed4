"""A million calls of many kinds; run as a program, it prints what memory they left behind."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import adjoint as ad

CALLS = 1_000_000


def resident() -> int:
    """Bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def branching(x: Any) -> Any:
    if x[0] > 2.0:
        raise ValueError("large")
    return (x * 2.0, np.sum(x)) if x[0] > 0.0 else (x - 1.0, x[0])


def kinds() -> list[tuple[Callable[[], Any], int]]:
    """Calls, and how many of each are made per thousand."""
    x, strided, big = np.ones(20), np.ones(40)[::2], np.ones(40_000)
    point, row = np.float64(0.5), {"a": [x, x], "b": (1.5,)}
    number = ad.compile(ad.value_and_grad(lambda t: np.sin(t) * t))
    array = ad.compile(lambda v: np.tanh(v) * 2.0)
    nested = ad.compile(lambda v: {"y": [v * 2.0, (np.sum(v), v[0] > 0.0)], "z": v - 1.0})
    trees = ad.compile(lambda t: t["a"][0] * t["b"][0] + t["a"][1])
    ways = ad.compile(branching)
    recycled = ad.compile(lambda v: (v + 1.0, v * 2.0))
    mixed = ad.compile(lambda v: np.sort(v * 2.0)[::-1])  # NumPy between native code
    negative, large = -x, 3.0 * x
    out, pair = np.zeros(20), (np.zeros(20), np.zeros(()))
    tree = {"y": [np.zeros(20), (np.zeros(()), np.zeros((), bool))], "z": np.zeros(20)}

    def fails(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Callable[[], None]:
        def tried() -> None:
            try:
                call(*args, **kwargs)
            except (ValueError, TypeError):
                return
            raise AssertionError("no exception")

        return tried

    return [
        (lambda: number(1.5), 250),
        (lambda: number(point), 150),
        (lambda: array(x), 150),
        (lambda: nested(x), 70),
        (lambda: trees(row), 70),
        (lambda: array(x, out=out), 80),
        (lambda: array(x, out=x[:]), 20),
        (lambda: nested(x, out=tree), 50),
        (lambda: ways(x), 40),
        (lambda: ways(negative), 40),
        (lambda: ways(negative, out=pair), 20),
        (lambda: ways(x, out=pair), 20),
        (lambda: recycled(big), 10),
        (lambda: array(strided), 10),
        (lambda: mixed(x), 5),
        (lambda: array(strided, out=strided), 5),
        (fails(array, x, out=tree), 5),
        (fails(array, x, x), 4),
        (fails(ways, large, out=pair), 1),
    ]


def turns(calls: list[tuple[Callable[[], Any], int]], thousands: int) -> None:
    for _ in range(thousands):
        for call, count in calls:
            for _ in range(count):
                call()


def main() -> None:
    """Print the bytes and the objects that a million calls left, after a tenth to warm up."""
    calls = kinds()
    assert sum(count for _, count in calls) == 1000
    turns(calls, CALLS // 10_000)
    gc.collect()
    bytes_before, blocks_before = resident(), sys.getallocatedblocks()
    turns(calls, CALLS // 1000)
    gc.collect()
    print(resident() - bytes_before, sys.getallocatedblocks() - blocks_before)


if __name__ == "__main__":
    main()
