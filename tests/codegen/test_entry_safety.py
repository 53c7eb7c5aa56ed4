"""The native entry: exact reference counts, constant memory, many threads, no crash."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adjoint.codegen.entry import Argument, Structure, TypeSpec, build_entry
from tests.codegen.entry_kernels import F64, NUMBER, VECTOR, copier, refused, scale_and_sum, scaled

X = np.arange(5.0)
ROOT = Path(__file__).parents[2]


def virtual_kib() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * 4


def resident_kib() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4


# -- memory ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("arena_bytes", [8, 1 << 17])
def test_reference_counts_are_exact(arena_bytes: int) -> None:
    call = scaled(arena_bytes=arena_bytes).call
    x, s = np.arange(5.0), float("2.5")
    things = [x, s, F64, np.ndarray, np.float64, float, call]
    gc.collect()
    before = [sys.getrefcount(thing) for thing in things]
    for _ in range(1000):
        call(s, x)
        call(s, x, 1)
        call(s, x=x)
        call(-1.0, x)
    assert [sys.getrefcount(thing) for thing in things] == before
    y, total = call(s, x)
    assert sys.getrefcount(y) == 2
    assert sys.getrefcount(total) == 2


def test_a_million_calls_do_not_grow() -> None:
    calls = [scaled(arena_bytes=size).call for size in (8, 1 << 17)]
    listed = copier([[VECTOR], {"k": NUMBER}], [VECTOR, NUMBER], result=[1, {"k": (0,)}]).call
    x = np.arange(5.0)
    inner, named = [x], {"k": 1.0}

    def turns(count: int) -> None:
        for _ in range(count):
            for call in calls:
                call(2.0, x)
            listed(inner, named)

    turns(20_000)
    before = resident_kib()
    turns(500_000)
    assert resident_kib() - before < 1024


def starved(call: Callable[[], Any], first: int) -> Any:
    """The result of a call in which one allocation fails; None if that was a MemoryError."""
    memory = pytest.importorskip("_testcapi")
    kept = [call() for _ in range(2500)]  # empties CPython's stores of containers ready for use
    memory.set_nomemory(first, first + 1)
    try:
        return call()
    except MemoryError:
        return None
    finally:
        memory.remove_mem_hooks()
        kept.clear()


def test_running_out_of_memory_is_an_exception_and_loses_nothing() -> None:
    arguments: list[Argument] = [[VECTOR], {"k": NUMBER}]
    # In the second, the list is already in its place when an entry of the dict may fail.
    structures: list[tuple[Structure, Callable[[Any], float]]] = [
        ((0, [{"k": 1}]), lambda found: found[1][0]["k"]),
        ({"a": [1], "b": 0}, lambda found: found["a"][0]),
    ]
    x = np.arange(5.0)
    for arena_bytes in (8, 1 << 17):
        for structure, number_in in structures:
            entry = copier(arguments, [VECTOR, NUMBER], result=structure, arena_bytes=arena_bytes)
            call = partial(entry.call, [x], {"k": float("1.5")})
            gc.collect()  # what other tests left behind must not be collected in between
            before = sys.getrefcount(x), sys.getrefcount(F64)
            results = [starved(call, first) for first in range(12)]
            assert results.count(None) >= 6
            assert all(found is None or number_in(found) == 1.5 for found in results)
            del results
            assert (sys.getrefcount(x), sys.getrefcount(F64)) == before


def test_a_dropped_entry_frees_its_arena() -> None:
    def use_once() -> None:
        spinning(1, arena_bytes=64 << 20)()

    use_once()
    before = virtual_kib()
    for _ in range(10):
        use_once()
    assert virtual_kib() - before < 128 << 10


def test_a_dropped_entry_frees_everything_it_held() -> None:
    class Fallback:
        entry: object = None

        def __call__(self, *_: object) -> None: ...

    fallback = Fallback()
    entry = scaled(fallback, arena_bytes=1 << 17)
    fallback.entry = entry.call  # a cycle through the builtin
    entry.call(1.0, X)
    anchor, gone = weakref.ref(entry.module.anchor), weakref.ref(fallback)
    del entry, fallback
    gc.collect()
    assert gone() is None
    assert anchor() is None


def test_the_builtin_works_until_the_last_finalizer() -> None:
    # Garbage that calls the entry while the collector takes the cycle apart.
    results: list[Any] = []

    class Fallback:
        call: Any = None

        def __call__(self, *_: object) -> None: ...

        def __del__(self) -> None:
            results.append(self.call(2.0, X)[1])

    for _ in range(20):
        fallback = Fallback()
        fallback.call = scaled(fallback, arena_bytes=1 << 17).call
        del fallback
        gc.collect()
    assert results == [20.0] * 20


def test_the_builtin_alone_keeps_the_code() -> None:
    call = scaled().call
    gc.collect()
    assert call(2.0, X)[1] == 20.0


# -- threads --------------------------------------------------------------------------------------


@pytest.mark.parametrize("release_gil", [False, True])
@pytest.mark.parametrize("arena_bytes", [8, 1 << 17])
def test_many_threads(release_gil: bool, arena_bytes: int) -> None:
    spec = TypeSpec((200,), F64)
    call = build_entry(
        scale_and_sum(200),
        "kernel",
        [NUMBER, spec],
        [spec, NUMBER],
        fallback=refused,
        result="tuple",
        arena_bytes=arena_bytes,
        release_gil=release_gil,
    ).call
    wrong: list[Any] = []
    start = threading.Barrier(8)

    def work(seed: int) -> None:
        x = np.full(200, float(seed))
        start.wait()
        for turn in range(1500):
            y, total = call(float(turn), x)
            if total != turn * seed * 200.0 or not (y == turn * seed).all():
                wrong.append((seed, turn))
            if call(x)[0] != "refused":
                wrong.append(seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def spinning(turns: int, **options: Any) -> Any:
    """A call that computes for `turns` square roots with the GIL released."""
    ir = f"""
declare double @llvm.sqrt.f64(double)
define i32 @spin(ptr %in, ptr %out, ptr %arena) {{
start:
  br label %loop
loop:
  %i = phi i64 [0, %start], [%j, %loop]
  %v = phi double [2.0, %start], [%w, %loop]
  %w = call double @llvm.sqrt.f64(double %v)
  %j = add i64 %i, 1
  %go = icmp ult i64 %j, {turns}
  br i1 %go, label %loop, label %done
done:
  %o = load ptr, ptr %out
  store double %w, ptr %o
  ret i32 0
}}"""
    return build_entry(ir, "spin", [], [NUMBER], fallback=refused, release_gil=True, **options).call


def test_a_long_kernel_lets_other_threads_run() -> None:
    call = spinning(40_000_000)
    done = threading.Event()
    ticks = 0

    def work() -> None:
        call()
        done.set()

    thread = threading.Thread(target=work)
    thread.start()
    while not done.is_set():
        ticks += 1
    thread.join()
    assert ticks > 1000


def test_of_the_arenas_of_simultaneous_calls_one_is_kept() -> None:
    call = spinning(2_000_000, arena_bytes=64 << 20)

    def two_at_once() -> None:
        threads = [threading.Thread(target=call) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    two_at_once()
    before = virtual_kib()
    for _ in range(10):
        two_at_once()
    assert virtual_kib() - before < 128 << 10


# -- junk -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [1, 2])
def test_junk_never_crashes(seed: int) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-X",
            "faulthandler",
            "-m",
            "tests.codegen.junk_calls",
            str(seed),
            "50000",
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    fast, refused_calls = map(int, done.stdout.split())
    assert fast > 7_000
    assert refused_calls > 7_000
