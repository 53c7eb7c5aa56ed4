"""One compiled function, many threads: new paths, ``out=``, and arrays that all of them read."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint.compilation.compiled import MAX_PATHS
from tests.compilation.test_agreement import assert_same

COUNT = 8


def together(work: Callable[[int], None], count: int = COUNT) -> None:
    """Run it in threads that start at once; the first exception is raised here."""
    start, wrong = threading.Barrier(count), []

    def run(number: int) -> None:
        start.wait()
        try:
            work(number)
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=run, args=(k,)) for k in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if wrong:
        raise wrong[0]


def branching(x: Any, y: Any) -> Any:
    count = int(np.sum(x))
    return {"x": x * y, "parts": (np.sum(x * y) + count, y - x)}


@pytest.mark.parametrize("size", [6, 30_000])
def test_new_paths_while_others_call(size: int) -> None:
    fast = ad.compile(branching)
    shared = np.linspace(0.1, 1.0, size)

    def work(seed: int) -> None:
        rng = np.random.default_rng(seed)
        out = {"x": np.zeros(size), "parts": (np.zeros(()), np.zeros(size))}
        for turn in range(40):
            x = np.full(size, (turn % 10 + 0.5) / size)  # ten ways
            y = shared if rng.random() < 0.7 else rng.uniform(size=size)
            wanted = branching(x, y)
            if rng.random() < 0.5:
                assert fast(x, y, out=out) is out
                assert_same(out["x"], wanted["x"])
                assert_same(out["parts"][0][()], wanted["parts"][0])
                assert_same(out["parts"][1], wanted["parts"][1])
            else:
                assert_same(fast(x, y), wanted)

    together(work)
    assert len(fast._all_paths()) == 10
    assert_same(shared, np.linspace(0.1, 1.0, size))


def test_threads_that_ask_at_once_compile_once() -> None:
    fast = ad.compile(lambda x: np.sin(x) * 2)

    def work(number: int) -> None:
        x = np.full(3, float(number))
        assert_same(fast(x), np.sin(x) * 2)

    together(work, 2 * MAX_PATHS)
    assert len(fast._all_paths()) == 1


def test_all_write_into_what_others_read() -> None:
    # The numbers depend on who comes first, but each is that of some order.
    fast = ad.compile(lambda x: np.where(x > 5.0, x, 7.0))
    fast(np.zeros(100))
    memory = np.full(300, 7.0)

    def work(seed: int) -> None:
        rng = np.random.default_rng(seed)
        for _ in range(300):
            a, b = (int(k) for k in rng.integers(0, 200, 2))
            fast(memory[a : a + 100], out=memory[b : b + 100])
            assert (fast(memory[a : a + 100]) == 7.0).all()

    together(work)
    assert (memory == 7.0).all()


def test_containers_that_change_during_calls() -> None:
    fast = ad.compile(lambda t: t["a"][0] * 2.0 + t["a"][1])
    fast({"a": [np.ones(50), np.ones(50)]})
    tree: Any = {"a": [np.ones(50), np.ones(50)]}
    done = threading.Event()

    def change() -> None:
        for turn in range(4000):
            inner = tree["a"]
            inner[turn % 2] = np.ones(50)
            inner.append(inner.pop())
            tree["a"] = [np.ones(50), np.ones(50)]
        done.set()

    def work(number: int) -> None:
        if number == 0:
            change()
            return
        while not done.is_set():
            try:
                assert_same(fast(tree), np.full(50, 3.0))
            except IndexError:
                continue  # between pop and append it is too short, for NumPy as well

    together(work, 4)
