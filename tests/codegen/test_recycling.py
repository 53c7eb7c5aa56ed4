"""Large results in recycled memory: ordinary arrays, never shared, and little of it kept."""

from __future__ import annotations

import copy
import gc
import json
import os
import pickle
import subprocess
import sys
import threading
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy._core.multiarray import get_handler_name

from adjoint.codegen.entry import TypeSpec, build_entry, recycling
from adjoint.codegen.entry.recycling import MOST_BYTES, PLACES, RECYCLED_FROM, kept_bytes
from tests.codegen.entry_kernels import F64, copier, scaled

ROOT = Path(__file__).parents[2]
LENGTH = RECYCLED_FROM // 8


def maker(length: int, dtype: Any = F64, shape: tuple[int, ...] | None = None, **more: Any) -> Any:
    spec = TypeSpec((length,) if shape is None else shape, np.dtype(dtype))
    return copier([spec], [spec], **more).call


def test_results_are_ordinary_arrays() -> None:
    for shape, dtype in (((LENGTH,), "f8"), ((3, LENGTH), "f4"), ((5, LENGTH, 2), "c16")):
        x = np.ones(shape, dtype)
        made, usual = maker(0, dtype, shape)(x), np.empty(shape, dtype)
        assert get_handler_name(made) == "adjoint"
        assert (made.flags.num, made.strides, made.base) == (usual.flags.num, usual.strides, None)
        assert made.dtype is usual.dtype
        assert made.ctypes.data % 4096 == 0
        assert sys.getsizeof(made) == sys.getsizeof(usual)
        np.testing.assert_array_equal(made, x)
        np.testing.assert_array_equal(pickle.loads(pickle.dumps(made)), x)
        np.testing.assert_array_equal(copy.deepcopy(made), x)


def test_they_may_be_resized_and_reshaped_in_place() -> None:
    call = maker(LENGTH)
    x = np.arange(float(LENGTH))
    for size in (3, LENGTH - 1, LENGTH + 1, 10 * LENGTH, 0, 1):
        made = call(x)
        made.resize(size)
        kept = min(size, LENGTH)
        np.testing.assert_array_equal(made[:kept], x[:kept])
        assert not made[kept:].any()
        made[...] = 7.0
        del made
        np.testing.assert_array_equal(call(x), x)
    made = call(x)
    made.shape = (2, LENGTH // 2)
    state = np.arange(6.0).__reduce__()[2]
    made.__setstate__(state)  # frees what it had
    np.testing.assert_array_equal(made, np.arange(6.0))


def test_a_block_serves_again_and_is_never_shared() -> None:
    size = 7 * LENGTH + 777  # of no other test
    call = maker(size)
    x = np.arange(float(size))
    first = call(x)
    address = first.ctypes.data
    view = first[5:]
    del first
    assert call(x).ctypes.data != address  # a view keeps it
    np.testing.assert_array_equal(view, x[5:])
    del view
    held = [call(x) for _ in range(3)]
    assert address in [h.ctypes.data for h in held]
    del held
    assert kept_bytes() >= 8 * size
    held = [call(x * k) for k in range(40)]
    assert len({h.ctypes.data for h in held}) == 40
    for k, h in enumerate(held):
        np.testing.assert_array_equal(h, x * k)


def test_the_slow_path_recycles_too() -> None:
    dtype = np.dtype(np.float32)
    made = recycling.empty_array((3, LENGTH), dtype)
    assert get_handler_name(made) == "adjoint"
    assert (made.shape, made.dtype) == ((3, LENGTH), dtype)
    before = sys.getrefcount(dtype)
    for _ in range(100):
        recycling.empty_array((LENGTH,), dtype)
    assert sys.getrefcount(dtype) == before
    spec = TypeSpec((LENGTH,), F64)
    raw = copier([spec], [spec]).raw
    x, outputs = np.arange(float(LENGTH)), raw.empty_outputs()
    assert raw([x], outputs) == 0
    np.testing.assert_array_equal(outputs[0], x)
    assert get_handler_name(outputs[0]) == "adjoint"


def test_small_results_and_failed_calls() -> None:
    assert get_handler_name(maker(LENGTH - 1)(np.zeros(LENGTH - 1))) != "adjoint"
    spec, number = TypeSpec((LENGTH,), F64), TypeSpec((), F64, scalar=True)
    ir = "define i32 @fail(ptr %in, ptr %out, ptr %arena) { ret i32 3 }"
    call = build_entry(ir, "fail", [number], [spec], fallback=lambda *_: "refused").call
    for _ in range(100):
        assert call(1.0) == "refused"
    assert scaled().call(2.0, np.zeros(5))[1] == 0.0


def test_reference_counts_are_exact() -> None:
    call = maker(LENGTH)
    x = np.zeros(LENGTH)
    call(x)
    gc.collect()
    before = sys.getrefcount(F64), sys.getrefcount(np.ndarray), sys.getrefcount(x)
    for _ in range(200):
        call(x)
    assert (sys.getrefcount(F64), sys.getrefcount(np.ndarray), sys.getrefcount(x)) == before
    assert sys.getrefcount(call(x)) == 1 + (sys.version_info < (3, 14))


def test_little_is_kept_whatever_the_sizes() -> None:
    rng = np.random.default_rng(0)
    calls = []
    for _ in range(30):
        length = int(LENGTH * rng.uniform(1, 200))
        calls.append((maker(length), np.zeros(length)))
    for _ in range(3):
        held = [call(x) for call, x in calls]
        del held
        assert 0 <= kept_bytes() <= MOST_BYTES
    huge = MOST_BYTES // 8 + 1
    before = kept_bytes()
    maker(huge)(np.zeros(huge))
    assert kept_bytes() <= before  # it alone is more than may be kept
    assert PLACES * RECYCLED_FROM <= MOST_BYTES


def test_tracemalloc_sees_what_is_in_use() -> None:
    call = maker(LENGTH)
    x = np.zeros(LENGTH)
    call(x)
    tracemalloc.start()
    try:
        held = [call(x) for _ in range(3)]
        inside, _ = tracemalloc.get_traced_memory()
        del held
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert inside - after >= 3 * 8 * LENGTH
    assert after < 8 * LENGTH


@pytest.mark.parametrize("release_gil", [False, True])
def test_many_threads_and_sizes(release_gil: bool) -> None:
    calls = [(maker(n, release_gil=release_gil), n) for n in (LENGTH, LENGTH + 500, 2 * LENGTH)]
    wrong: list[Any] = []
    passed: list[Any] = []

    def work(seed: int) -> None:
        rng = np.random.default_rng(seed)
        held: list[tuple[Any, float]] = []
        for turn in range(120):
            call, length = calls[int(rng.integers(3))]
            value = float(seed * 1000 + turn)
            held.append((call(np.full(length, value)), value))
            if len(held) > 4:
                made, wanted = held.pop(int(rng.integers(5)))
                if not (made == wanted).all():
                    wrong.append((seed, turn))
                passed.append(made)  # freed by another thread, perhaps
            if len(passed) > 10:
                passed.clear()

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert 0 <= kept_bytes() <= MOST_BYTES


def in_a_process(script: str, **environment: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", script], cwd=ROOT, text=True,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}", **environment},
        capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


GROWTH = """
import json, os, numpy as np, adjoint as ad
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
sizes = [100_000 + 60_000 * k for k in range(12)]
fast = ad.compile(lambda x: (x * 2.0, x + 1.0))
data = [np.ones(n) for n in sizes]
for x in data: fast(x)
def turn(count):
    for k in range(count):
        fast(data[k * 7 % 12])
turn(200)
first = resident()
turn(1500)
print(json.dumps([first, resident()]))
"""


def test_memory_does_not_grow() -> None:
    first, last = in_a_process(GROWTH)
    assert last - first < 16 << 20


AT_EXIT = """
import atexit, json, sys, numpy as np, adjoint as ad
class Late:
    def __del__(self):
        self.array = None
fast = ad.compile(lambda x: x * 2.0)
x = np.ones(100_000)
fast(x)
holder = Late(); holder.array = fast(x)
sys.late = Late(); sys.late.array = fast(x); sys.late.cycle = sys.late
kept = [fast(x) for _ in range(40)]
atexit.register(lambda: fast(x))
print(json.dumps(len(kept)))
for name in [n for n in sys.modules if n.startswith("adjoint")]:
    vars(sys.modules[name]).clear()
    del sys.modules[name]
del ad
"""


def test_arrays_may_outlive_everything() -> None:
    assert in_a_process(AT_EXIT.replace("atexit.register(lambda: fast(x))\n", "")) == 40
    assert in_a_process(AT_EXIT.split("for name in")[0]) == 40


def test_it_can_be_switched_off() -> None:
    script = """
import json, numpy as np, adjoint as ad
from numpy._core.multiarray import get_handler_name
from adjoint.codegen.entry.recycling import kept_bytes, recycling_symbols
fast = ad.compile(lambda x: x * 2.0)
x = np.ones(100_000)
fast(x)
print(json.dumps([get_handler_name(fast(x)), kept_bytes(), len(recycling_symbols())]))
"""
    assert in_a_process(script, ADJOINT_RECYCLE="0") == ["default_allocator", 0, 0]
    assert in_a_process(script)[0] == "adjoint"


def test_an_unknown_layout_leaves_results_to_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recycling, "memory_handler_offset", lambda: None)
    assert recycling._code.__wrapped__() is None
    monkeypatch.setattr(recycling, "_code", lambda: None)
    monkeypatch.setattr(recycling, "_maker", lambda: None)
    assert recycling.recycling_symbols() == {}
    assert kept_bytes() == 0
    made = maker(LENGTH)(np.ones(LENGTH))
    assert get_handler_name(made) == "default_allocator"
