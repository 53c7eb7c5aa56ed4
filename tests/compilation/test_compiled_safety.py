"""No call crashes the process, and no call leaks."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import adjoint as ad

ROOT = Path(__file__).resolve().parents[2]


def run(program: str, *arguments: str) -> list[int]:
    """The numbers that a program prints, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-m", f"tests.compilation.{program}", *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([*sys.path, str(ROOT)])},
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return [int(number) for number in done.stdout.split()]


@pytest.mark.parametrize("seed", [1])
def test_random_calls_end_in_a_result_or_an_exception(seed: int) -> None:
    raised, refused, count = run("junk_compiled_calls", str(seed), "10000")
    assert raised < 0.5 * count
    assert refused < 0.01 * count


def test_a_million_calls_leave_nothing_behind() -> None:
    grown, blocks = run("million_calls")
    assert grown < 1 << 20
    assert blocks < 1000


def peak() -> int:
    """The most memory this process has had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def test_memory_does_not_grow() -> None:
    number = ad.compile(ad.value_and_grad(lambda x: np.sin(x) * x))
    array = ad.compile(lambda x: {"y": [x * 2, np.sum(x)]})
    mixed = ad.compile(lambda x: np.sort(x * 2)[::-1] + 1)  # NumPy between native code
    x, strided = np.ones(50), np.ones(100)[::2]

    def calls(count: int) -> None:
        for _ in range(count):
            number(1.5)
            array(x)
        for _ in range(count // 10):
            array(strided)
            mixed(x)

    calls(30_000)
    before = peak()
    tracemalloc.start()
    calls(2_000)
    first, _ = tracemalloc.get_traced_memory()
    calls(10_000)
    second, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert second - first < 60_000
    calls(200_000)
    assert peak() - before < 16 << 20
