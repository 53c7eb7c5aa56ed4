"""The callable object with attributes: it passes calls on, whatever happens to its target."""

from __future__ import annotations

import copy
import gc
import sys
import threading
import time
import weakref
from typing import Any

import numpy as np
import pytest

from adjoint.codegen.entry import NativeCallable
from tests.codegen.entry_kernels import scaled


class Compiled(NativeCallable):
    note = "class attribute"

    def explain(self) -> str:
        return f"passes on to {self.target.__name__}"


def everything(*args: Any, **kwargs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    return args, kwargs


@pytest.mark.parametrize("kind", [NativeCallable, Compiled])
def test_arguments_arrive_unchanged(kind: type[NativeCallable]) -> None:
    call = kind(everything)
    assert call() == ((), {})
    assert call(1, "a", k=2) == ((1, "a"), {"k": 2})
    assert call(*range(50), x=1) == (tuple(range(50)), {"x": 1})
    assert list(map(call, [1, 2])) == [((1,), {}), ((2,), {})]


def test_calls_need_no_tuple_of_arguments() -> None:
    assert Compiled.__flags__ & (1 << 11)  # Py_TPFLAGS_HAVE_VECTORCALL


def test_attributes_methods_and_weak_references() -> None:
    call = Compiled(len)
    call.extra = 1
    assert (call.extra, call.note, call.explain()) == (1, "class attribute", "passes on to len")
    assert weakref.ref(call)() is call
    assert callable(call)


def test_it_leads_to_a_native_entry() -> None:
    call = Compiled(scaled().call)
    y, total = call(2.0, np.arange(5.0))
    assert total == 20.0
    np.testing.assert_array_equal(y, 2 * np.arange(5.0))
    assert call("junk")[0] == "refused"


def test_the_target_may_be_replaced_while_it_runs() -> None:
    call = NativeCallable(len)

    def first(x: int) -> str:
        call.target = lambda x: "second"
        gc.collect()
        return f"first {x}"

    call.target = first
    del first
    assert call(1) == "first 1"
    assert call(1) == "second"


def test_without_a_target_it_is_an_error() -> None:
    call = NativeCallable(len)
    del call.target
    with pytest.raises(TypeError, match=r"this object has no target\."):
        call(1)
    unborn = NativeCallable.__new__(NativeCallable)
    with pytest.raises(TypeError, match="has no target"):
        unborn(1)
    with pytest.raises(TypeError, match="cannot pickle"):
        copy.copy(call)


def test_a_target_that_cannot_be_called_is_an_error() -> None:
    with pytest.raises(TypeError, match="'int' object is not callable"):
        NativeCallable(3)(1)  # type: ignore[arg-type]


def test_a_chain_to_itself_ends_in_an_exception() -> None:
    call = NativeCallable(len)

    def again(*args: object) -> object:
        return call(*args)

    call.target = again
    with pytest.raises(RecursionError):
        call(1)


def test_subclasses_keep_away_from_call() -> None:
    with pytest.raises(TypeError, match="Wrong needs to set `target`; it defines __call__"):

        class Wrong(NativeCallable):
            def __call__(self) -> None: ...


def test_cycles_are_collected_and_counts_exact() -> None:
    call = Compiled(len)
    call.target = lambda: call
    gone = weakref.ref(call)
    del call
    gc.collect()
    assert gone() is None
    argument = object()
    call = Compiled(everything)
    before = sys.getrefcount(argument), sys.getrefcount(everything), sys.getrefcount(Compiled)
    for _ in range(1000):
        call(argument, k=argument)
    assert before == (
        sys.getrefcount(argument),
        sys.getrefcount(everything),
        sys.getrefcount(Compiled),
    )


def test_targets_change_under_many_threads() -> None:
    targets = [scaled().call for _ in range(20)]
    call = NativeCallable(targets[0])
    x = np.arange(5.0)
    stop = threading.Event()
    totals: set[float] = set()

    def work() -> None:
        while not stop.is_set():
            totals.add(float(call(2.0, x)[1]))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    while targets:
        call.target = targets.pop()  # the one before is dropped, perhaps while it runs
        time.sleep(0.001)
    stop.set()
    for thread in threads:
        thread.join()
    assert totals == {20.0}
