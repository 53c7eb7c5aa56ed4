"""What `explain` says: the tree of decisions, and each path's loops, BLAS calls and costs."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

import adjoint as ad


def branches(x: Any) -> Any:
    if np.all(x > 0):
        return np.log(x)
    if x[0] > -1:
        return x * 2
    return -x


def tree_of(text: str) -> list[str]:
    """The lines of the tree, without the numbers of lines."""
    lines = text.splitlines()
    start = next(k for k, line in enumerate(lines) if line.startswith("decisions"))
    found = []
    for line in lines[start + 1 :]:
        if not line.startswith("  "):
            break
        found.append(re.sub(r"test_explain\.py:\d+", "test_explain.py", line[2:]))
    return found


def test_decisions_form_a_tree() -> None:
    fast = ad.compile(branches)
    for x in ([1.0, 2.0], [0.5, -1.0], [-3.0, 1.0]):
        fast(np.array(x))
    text = fast.explain()
    assert text.startswith("3 paths compiled\ndecisions for (f64[2])\n")
    assert tree_of(text) == [
        "all at test_explain.py:  if np.all(x > 0):",
        "  True: path 1",
        "  False:",
        "    greater at test_explain.py:  if x[0] > -1:",
        "      True: path 2",
        "      False: path 3",
    ]
    line = branches.__code__.co_firstlineno + 1
    assert f"test_explain.py:{line}:  if np.all" in text


def test_what_one_path_decided_stands_in_order() -> None:
    fast = ad.compile(branches)
    fast(np.array([0.5, -1.0]))
    assert tree_of(fast.explain()) == [
        "all at test_explain.py:  if np.all(x > 0): is False",
        "greater at test_explain.py:  if x[0] > -1: is True",
        "path 1",
    ]


def test_turns_of_a_loop_are_counted() -> None:
    def halved(x: Any) -> Any:
        while x > 1:
            x = x / 2
        return x

    fast = ad.compile(halved)
    fast(100.0)
    assert tree_of(fast.explain()) == [
        "greater at test_explain.py:  while x > 1: is True, 7 times",
        "greater at test_explain.py:  while x > 1: is False",
        "path 1",
    ]
    fast(1000.0)
    assert tree_of(fast.explain()) == [
        "greater at test_explain.py:  while x > 1: is True, 7 times",
        "greater at test_explain.py:  while x > 1:",
        "  False: path 1",
        "  True:",
        "    greater at test_explain.py:  while x > 1: is True, 2 times",
        "    greater at test_explain.py:  while x > 1: is False",
        "    path 2",
    ]


def test_decisions_on_an_argument_and_on_integers() -> None:
    def repeated(n: Any, x: Any) -> Any:
        for _ in range(int(n)):
            x = np.sin(x)
        return x

    fast = ad.compile(repeated)
    for n in (2.0, 3.0):
        fast(n, 0.5)
    first, *ways = tree_of(fast.explain())
    assert first.startswith("argument")
    assert ways == ["  2: path 1", "  3: path 2"]


def test_decisions_on_arrays() -> None:
    fast = ad.compile(lambda x: x[np.nonzero(x > 0)] * 2)
    fast(np.array([1.0, -1.0]))
    fast(np.array([-1.0, 1.0]))
    first, *ways = tree_of(fast.explain())
    assert first.startswith("greater at test_explain.py:  ")
    assert ways == ["  [ True, False]: path 1", "  [False,  True]: path 2"]
    large = np.arange(100.0) - 50
    fast(large)
    large[50] = 1
    fast(large)
    assert "4 paths compiled" in fast.explain()
    shown = [line for line in fast.explain().splitlines() if "..." in line]
    assert [line.split(": ")[-1] for line in shown] == ["path 1", "path 2"]


def test_kinds_of_arguments_have_trees_of_their_own() -> None:
    fast = ad.compile(branches)
    fast(np.ones(2))
    fast(np.ones(3))
    text = fast.explain()
    assert [w for w in ("f64[2]", "f64[3]") if f"decisions for ({w})" in text] == [
        "f64[2]", "f64[3]",
    ]  # fmt: skip
    without = ad.compile(np.sin)
    without(0.5)
    assert "decisions" not in without.explain()


def test_each_step_says_what_it_costs() -> None:
    x, y = np.ones((300, 300)), np.ones(300)
    fast = ad.compile(lambda x, y: (x @ x, x @ y, x.T @ x, np.tanh(y) + y))
    fast(x, y)
    text = fast.explain()
    n = 300
    for line in (
        f"BLAS dgemm, ij,jk->ik -> f64[300,300]; {2 * n**3:,} operations, {16 * n * n:,} bytes",
        f"BLAS dgemv, ij,j->i -> f64[300]; {2 * n * n:,} operations, {8 * n * n + 16 * n:,} bytes",
        f"BLAS dsyrk, ji,jk->ik -> f64[300,300]; {n * n * (n + 1):,} operations, "
        f"{16 * n * n:,} bytes",
        f"loop over [300]: add -> f64[300]; {2 * n:,} operations, {16 * n:,} bytes",
    ):
        assert f"\n  {line}\n" in text
    total = 2 * n**3 + 2 * n * n + n * n * (n + 1) + 2 * n
    assert f"about {total:,} operations" in text
    assert re.search(r"\n  traced in [\d.]+ ms, compiled in [\d.]+ ms, of which LLVM [\d.]+ ms$",
                     text)  # fmt: skip


def test_calls_and_halves() -> None:
    x, v = np.ones((300, 257), np.float32), np.ones(300, np.float32)
    fast = ad.compile(lambda x, v: (x.T * v) @ x)
    fast(x, v)
    computed = 257 * 128 + 129 * 128 + 1
    assert (
        f"BLAS sgemm for one half in 3 calls, ji,jk->ik -> f32[257,257]; {600 * computed:,} op"
        in (fast.explain())
    )
    stack = ad.compile(lambda a, b: a @ b)
    stack(np.ones((5, 40, 40)), np.ones((5, 40, 40)))
    assert "BLAS dgemm in 5 calls, " in stack.explain()


def test_native_loops_and_what_numpy_computes() -> None:
    fast = ad.compile(lambda x: ad.scan(lambda c, t: (c * t, c), 1.0, x)[0])
    fast(np.ones(7))
    text = fast.explain()
    assert re.search(r"\n  scan as a native loop or branch, with bodies; \d+ operations", text)
    assert "\n    numbers: multiply -> f64; 1 operations, " in text
    mixed = ad.compile(lambda x: np.sort(x) * 2)
    mixed(np.arange(8.0))
    assert "by NumPy between native segments: argsort" in mixed.explain()
