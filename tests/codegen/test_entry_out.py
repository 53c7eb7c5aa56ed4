"""``out=`` on the native path: results in the caller's arrays, whatever they overlap."""

from __future__ import annotations

import gc
import sys
from typing import Any

import numpy as np
import pytest

from adjoint.codegen.entry import Argument, OutArgument, Structure, TypeSpec, build_entry
from adjoint.codegen.entry.spec import numbers
from adjoint.codegen.numpy_abi import SCALAR_DTYPES
from tests.codegen.entry_kernels import F64, NUMBER, VECTOR, Subarray, copier, misaligned, scaled
from tests.codegen.liars import Key

WAYS = pytest.mark.parametrize("out", ["copied", "written"])


def targets() -> tuple[Any, Any]:
    return np.full(5, 9.0), np.full((), 9.0)


@WAYS
@pytest.mark.parametrize("arena_bytes", [8, 1 << 17])
@pytest.mark.parametrize("release_gil", [False, True])
def test_results_go_into_the_arrays(out: OutArgument, arena_bytes: int, release_gil: bool) -> None:
    call = scaled(out=out, arena_bytes=arena_bytes, release_gil=release_gil).call
    given = targets()
    x = np.arange(5.0)
    for scale in (2.0, 3.0):
        assert call(scale, x, out=given) is given
        np.testing.assert_array_equal(given[0], scale * x)
        assert given[1] == 10 * scale
    assert call(2.0, x)[1] == 20.0
    assert given[1] == 30.0


@WAYS
@pytest.mark.parametrize(
    ("structure", "given"),
    [
        (0, np.zeros(())),
        ([0], [np.zeros(())]),
        ({"w": 0, "b": [1, (2,)]}, {"b": [np.zeros(()), (np.zeros(()),)], "w": np.zeros(())}),
        ((2, {"k": 0}, 1), (np.zeros(()), {"k": np.zeros(())}, np.zeros(()))),
        ((), ()),
    ],
)
def test_nested_like_the_result(out: OutArgument, structure: Structure, given: Any) -> None:
    size = len(list(numbers(structure)))
    call = copier([NUMBER] * size, [NUMBER] * size, result=structure, out=out).call
    values = [float(k + 1) for k in range(size)]
    fresh = call(*values)
    assert call(*values, out=given) is given
    assert given == fresh


@WAYS
@pytest.mark.parametrize("dtype", SCALAR_DTYPES, ids=str)
def test_every_dtype(out: OutArgument, dtype: np.dtype[Any]) -> None:
    specs = [TypeSpec((), dtype, scalar=True), TypeSpec((3, 0), dtype), TypeSpec((2, 2), dtype)]
    call = copier([*specs], specs, result="tuple", out=out).call
    array = np.array([[1, 0], [1, 1]]).astype(dtype)
    given = (np.zeros((), dtype), np.zeros((3, 0), dtype), np.zeros((2, 2), dtype))
    assert call(dtype.type(1), np.zeros((3, 0), dtype), array, out=given) is given
    assert given[0] == dtype.type(1)
    np.testing.assert_array_equal(given[2], array, strict=True)


# -- overlap --------------------------------------------------------------------------------------


SHIFT = """
{declaration}
define i32 @shift(ptr %in, ptr %out, ptr %arena) {{
start:
  %x = load ptr, ptr %in
  %y = load ptr, ptr %out
  %o1 = getelementptr ptr, ptr %out, i64 1
  %z = load ptr, ptr %o1
  br label %loop
loop:
  %i = phi i64 [0, %start], [%j, %loop]
  %j = add i64 %i, 1
  %k = sub i64 4, %i
  %px = getelementptr double, ptr %x, i64 %k
  %v = load volatile double, ptr %px
  {take}
  %w = fadd double %v, %c
  %py = getelementptr double, ptr %y, i64 %i
  store volatile double %w, ptr %py
  %u = fadd double %w, %w
  %pz = getelementptr double, ptr %z, i64 %i
  store volatile double %u, ptr %pz
  %go = icmp ult i64 %j, 5
  br i1 %go, label %loop, label %done
done:
  ret i32 0
}}"""


def shift(out: OutArgument, held: Any = None) -> Any:
    """A call y[i] = x[4 - i] + held[i], z[i] = 2 y[i]: wrong wherever y or z overlap anything."""
    declaration, take = "", "%c = fadd double 0.0, 0.0"
    if held is not None:
        declaration = "@captured = external global ptr"
        take = f"""%table = load ptr, ptr @captured
  %offset = mul i64 %i, {held.strides[0]}
  %pc = getelementptr i8, ptr %table, i64 %offset
  %c = load volatile double, ptr %pc"""
    return build_entry(
        SHIFT.format(declaration=declaration, take=take),
        "shift",
        [VECTOR],
        [VECTOR, VECTOR],
        fallback=lambda *_, **__: "refused",
        result="tuple",
        captured=() if held is None else (held,),
        out=out,
    ).call


@WAYS
@pytest.mark.parametrize("first", range(6))
@pytest.mark.parametrize("second", range(6))
def test_overlapping_an_input_or_each_other(out: OutArgument, first: int, second: int) -> None:
    call = shift(out)
    memory = np.arange(11.0)
    x, y, z = memory[3:8], memory[first : first + 5], memory[second : second + 5]
    expected = x[::-1].copy()
    call(x, out=(y, z))
    np.testing.assert_array_equal(z, 2 * expected)  # the later one wins
    shared = np.zeros(11)
    shared[first : first + 5] = expected
    shared[second : second + 5] = 2 * expected
    np.testing.assert_array_equal(y, shared[first : first + 5])


@WAYS
@pytest.mark.parametrize("step", [1, 2, -1, -2])
@pytest.mark.parametrize("place", range(0, 20, 3))
def test_overlapping_a_captured_array(out: OutArgument, step: int, place: int) -> None:
    memory = np.arange(25.0)
    held = memory[6:11] if step == 1 else memory[15:5:step][:5] if step < 0 else memory[5:15:2]
    call = shift(out, held)
    x = np.arange(5.0)
    expected = x[::-1] + held
    y, z = memory[place : place + 5], np.zeros(5)
    assert call(x, out=(y, z)) != "refused"
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(z, 2 * expected)


def test_where_nothing_overlaps_the_kernel_writes_in_place() -> None:
    ir = """
define i32 @where(ptr %in, ptr %out, ptr %arena) {
  %y = load ptr, ptr %out
  %n = ptrtoint ptr %y to i64
  store i64 %n, ptr %y
  ret i32 0
}"""
    spec = TypeSpec((1,), np.dtype(np.int64))
    given, memory = np.zeros(1, np.int64), np.zeros(3)
    ways: list[tuple[OutArgument, bool]] = [("written", True), ("copied", False)]
    for out, direct in ways:
        call = build_entry(
            ir, "where", [TypeSpec((3,), F64)], [spec], fallback=lambda *_, **__: None, out=out
        ).call
        call(memory, out=given)
        assert bool(given[0] == given.ctypes.data) is direct
        inside = memory.view(np.int64)[1:2]
        call(memory, out=inside)
        assert inside[0] != inside.ctypes.data


# -- what is not exactly as compiled ---------------------------------------------------------------


def frozen() -> Any:
    array = np.zeros(5)
    array.flags.writeable = False
    return array


@WAYS
@pytest.mark.parametrize(
    "wrong",
    [
        None, np.zeros(5), (np.zeros(5),), [np.zeros(5), np.zeros(())],
        (np.zeros(5), 0.0), (np.zeros(5), np.float64(0)), (np.zeros(5), np.zeros(1)),
        (np.zeros(5), None), (np.zeros(4), np.zeros(())), (np.zeros((5, 1)), np.zeros(())),
        (np.zeros(5, "f4"), np.zeros(())), (np.zeros(5, ">f8"), np.zeros(())),
        (np.zeros(10)[::2], np.zeros(())), (np.zeros(5)[::-1], np.zeros(())),
        (misaligned(), np.zeros(())), (frozen(), np.zeros(())), (np.zeros(5), frozen()),
        (np.zeros(5).view(Subarray), np.zeros(())), (np.zeros(5, object), np.zeros(())),
    ],
)  # fmt: skip
def test_the_fallback_gets_what_does_not_fit(out: OutArgument, wrong: Any) -> None:
    x = np.arange(5.0)
    got = scaled(out=out).call(2.0, x, out=wrong)
    assert got[0] == "refused"
    assert got[1][1] is x
    assert got[2]["out"] is wrong
    if isinstance(wrong, tuple):
        assert not any(np.any(part) for part in wrong if part is not None)


@WAYS
def test_other_keywords_and_counts_are_the_fallbacks(out: OutArgument) -> None:
    call = scaled(out=out).call
    x, given = np.arange(5.0), targets()
    assert call(2.0, x, ouT=given)[0] == "refused"
    assert call(2.0, x=x, out=given)[0] == "refused"
    assert call(2.0, out=given)[0] == "refused"
    assert call(2.0, x, x, out=given)[0] == "refused"
    assert call(2.0, x, out=given, more=1)[0] == "refused"
    assert call(2.0, x, given)[0] == "refused"
    assert call(out=given)[0] == "refused"
    assert scaled().call(2.0, x, out=given)[0] == "refused"
    assert given[1] == 9.0


@WAYS
def test_a_fault_leaves_the_arrays_alone(out: OutArgument) -> None:
    given = targets()
    got = scaled(out=out).call(-1.0, np.arange(5.0), out=given)
    assert got[0] == "refused"
    assert got[2]["out"] is given
    assert given[1] == 9.0
    assert (given[0] == 9.0).all()


@WAYS
def test_reference_counts_are_exact(out: OutArgument) -> None:
    structure: Structure = {"a": [0], "b": 1}
    call = copier([VECTOR, NUMBER], [VECTOR, NUMBER], result=structure, out=out).call
    x, y, s = np.arange(5.0), *targets()
    given = {"a": [y], "b": s}
    things = [x, y, s, given, given["a"], F64, call]
    gc.collect()
    before = [sys.getrefcount(thing) for thing in things]
    for _ in range(500):
        call(x, 1.0, out=given)
        call(y, 1.0, out=given)
        call(x, 1.0, out={"a": [y], "b": 3})
        call(x, 1.0, out={"a": [y, y], "b": s})
        call(x, 1.0, out={"a": [y], "c": s})
        call(x, x, out=given)
    assert [sys.getrefcount(thing) for thing in things] == before


@WAYS
def test_keys_that_change_what_was_looked_at(out: OutArgument) -> None:
    arguments: list[Argument] = [VECTOR, [VECTOR], {"k": NUMBER}]
    call = copier(arguments, [VECTOR, VECTOR, NUMBER], result=(0, 1, {"r": 2}), out=out).call
    for _ in range(50):
        x, listed = np.arange(5.0), [np.arange(5.0)]
        given = (np.zeros(5), np.zeros(5), {Key("r"): np.zeros(())})
        key = Key("k")
        key.action = lambda x=x, listed=listed: (x.resize(1 << 20, refcheck=False), listed.clear())
        got = call(x, listed, {key: 1.0}, out=given)
        assert got[0] == "refused"  # x has another shape now
        assert not given[0].any()
        y = np.zeros(5)
        late = Key("r")
        late.action = lambda y=y: y.resize(1 << 20, refcheck=False)
        given = (y, np.zeros(5), {late: np.zeros(())})
        got = call(np.arange(5.0), [np.ones(5)], {"k": 1.0}, out=given)
        assert got[0] == "refused"
