"""Memory that is read before it is cleared: nothing that was in it stays."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from llvmlite import ir

import adjoint as ad
from adjoint.codegen.clearing import CLEAR, READ_FROM, clear, is_zeros
from adjoint.codegen.elements import I64
from adjoint.codegen.llvm_session import CompiledModule, compile_ir
from adjoint.codegen.loopnest import POINTER
from adjoint.codegen.program import Op
from adjoint.codegen.vector_math.definitions import Definition
from adjoint.primitives.indexing import SETITEM

PAGE = 4096
ROOM = 8 * PAGE


class Clearing:
    """The function for tests, on memory that begins where a page does."""

    def __init__(self, definition: Definition = CLEAR) -> None:
        module = ir.Module("test")
        kinds = [POINTER, I64, POINTER]
        outer = ir.Function(module, ir.FunctionType(ir.VoidType(), kinds), "outer")
        builder = ir.IRBuilder(outer.append_basic_block())
        builder.call(definition.put(module), outer.args)
        builder.ret_void()
        self.code: CompiledModule = compile_ir(module, exports=["outer"])
        signature = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p)
        self.call: Callable[..., None] = signature(self.code.address("outer"))
        self.turn = ctypes.c_int8(0)
        whole = np.zeros(ROOM + 2 * PAGE, np.uint8)
        self.memory = whole[-whole.ctypes.data % PAGE :][:ROOM]

    def __call__(self, start: int, count: int) -> None:
        self.call(self.memory.ctypes.data + start, count, ctypes.addressof(self.turn))

    def is_right(self, start: int, count: int) -> bool:
        """Whether exactly these bytes are zero afterwards, of memory without any zero."""
        self.memory.fill(0xA5)
        self(start, count)
        inside = self.memory[start : start + count]
        return not inside.any() and np.count_nonzero(self.memory) == ROOM - count

    def finds(self, start: int, count: int, place: int, bit: int) -> bool:
        """Whether one bit that is set is cleared; outside of the range it has to stay."""
        self.memory[place] = 1 << bit
        self(start, count)
        kept = int(self.memory[place])
        self.memory[place] = 0
        return kept == (0 if start <= place < start + count else 1 << bit)


@pytest.fixture(scope="module")
def clearing() -> Clearing:
    return Clearing()


def test_every_length_at_every_place(clearing: Clearing) -> None:
    # Around the end of a page, so that all three parts have every length.
    for offset in range(65):
        for count in range(301):
            assert clearing.is_right(PAGE - 150 + offset, count), (offset, count)


def lengths() -> Iterator[tuple[int, int]]:
    for offset in (0, 1, 8, 16, 63, 64, 255, 256, 4032, 4088, 4095):
        for pages in (0, 1, 2, 5):
            for more in (-4096, -257, -64, -1, 0, 1, 8, 63, 64, 255, 256, 257, 4000):
                if PAGE * pages + more >= 0:
                    yield offset, PAGE * pages + more


def test_pages_and_their_ends_in_both_directions(clearing: Clearing) -> None:
    for offset, count in lengths():
        for _ in range(2):
            before = clearing.turn.value
            assert clearing.is_right(offset, count), (offset, count, before)
            assert clearing.turn.value == 1 - before


def test_one_bit_is_found_wherever_it_is(clearing: Clearing) -> None:
    clearing.memory.fill(0)
    start, count = PAGE - 300, 3 * PAGE + 600
    for place in range(start - 70, start + count + 70):
        assert clearing.finds(start, count, place, place % 8), place
    for place in range(PAGE, PAGE + 256):
        for bit in range(8):
            assert clearing.finds(PAGE, 2 * PAGE, place, bit), (place, bit)


@pytest.mark.parametrize("number", [-0.0, np.nan, np.inf, 5e-324])
@pytest.mark.parametrize("dtype", ["f4", "f8", "c16", "i8", "i4", "bool"])
def test_what_compares_equal_to_zero_is_cleared_too(
    clearing: Clearing, number: float, dtype: str
) -> None:
    with np.errstate(invalid="ignore", under="ignore"):
        values = np.full(5 * PAGE // np.dtype(dtype).itemsize, number).astype(dtype)
    clearing.memory[: 5 * PAGE] = values.view(np.uint8)
    clearing(0, 5 * PAGE)
    assert not clearing.memory[: 5 * PAGE].any()


FAULTS = {
    "a store is missing": ("  store <8 x i64> zeroinitializer, ptr %p2, align 64\n", ""),
    "a load is missing": ("or <8 x i64> %v2, %v3", "or <8 x i64> %v2, %v2"),
    "dirty blocks are skipped": ("icmp eq i64 %bits, 0", "icmp ne i64 %bits, 0"),
    "every second block": ("add nuw nsw i64 %i, 256", "add nuw nsw i64 %i, 512"),
    "the last page is missing": ("add nuw i64 %k, 1", "add nuw i64 %k, 2"),
    "one direction starts wrong": ("ptr %end, i64 -4096", "ptr %end, i64 -8192"),
    "no head": ("i64 %head, i1", "i64 0, i1"),
    "no tail": ("i64 %tail, i1", "i64 0, i1"),
    "the sign does not count": ("call i64 @llvm.vector.reduce.or.v8i64(<8 x i64> %v)",
                                "shl i64 %reduced, 1"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_planted_faults_are_found(fault: str) -> None:
    right, wrong = FAULTS[fault]
    assert CLEAR.text.count(right) == 1
    text = CLEAR.text.replace(right, wrong)
    if "%reduced" in wrong:
        text = text.replace("  %bits =", f"  %reduced = {right}\n  %bits =")
    faulty = Clearing(replace(CLEAR, text=text))
    start = 2 * PAGE  # so that what goes too far stays in the memory
    found = all(faulty.is_right(start + 8, count) for count in (2 * PAGE - 8, 3 * PAGE + 9)
                for _ in range(2))  # fmt: skip
    faulty.memory.fill(0)
    bits = all(faulty.finds(start, 2 * PAGE, start + n, 7) for n in range(2 * PAGE))
    assert not (found and bits)


def test_small_memory_is_written_at_once() -> None:
    for count, name in ((READ_FROM - 1, "llvm.memset"), (READ_FROM, "adjoint.clear")):
        module = ir.Module("test")
        function = ir.Function(module, ir.FunctionType(ir.VoidType(), [POINTER]), "f")
        builder = ir.IRBuilder(function.append_basic_block())
        clear(builder, function.args[0], count)
        builder.ret_void()
        assert name in str(function)
        clear(builder, function.args[0], count)  # the function is there once
        assert str(module).count('define internal void @"adjoint.clear"') <= 1


# -- in compiled functions ------------------------------------------------------------------------


def factorisation(u: Any, v: Any, t: Any) -> Any:
    return np.sum((t - u @ v.T) ** 2)


def data(n: int, k: int, dtype: str) -> list[Any]:
    rng = np.random.default_rng(0)
    shapes = ((n, k), (n, k), (n, n))
    return [rng.normal(size=shape).astype(dtype) for shape in shapes]


def scribbles(size: int) -> Iterator[tuple[Any, float]]:
    """Where an old result is written to, and what."""
    yield slice(None), 1.5
    yield slice(None), -0.0
    yield slice(None), np.nan
    yield slice(None, None, 700), np.inf
    for place in (0, 1, size // 2, size // 3, size - 2, size - 1):
        yield place, -0.0
        yield place, 7.0


@pytest.mark.parametrize("dtype", ["f8", "f4"])
@pytest.mark.parametrize("n", [46, 61, 70])  # below and above what is recycled, and odd
def test_a_hessian_in_memory_that_was_written_to(n: int, dtype: str) -> None:
    f = ad.hessian(factorisation)
    compiled = ad.compile(f)
    arguments = data(n, 3, dtype)
    expected = f(*arguments)
    assert compiled(*arguments).dtype == expected.dtype
    assert "adjoint.clear" in compiled.llvm_ir()
    zero = expected == 0
    tolerance = 1e-12 if dtype == "f8" else 1e-4
    for where, number in scribbles(expected.size):
        for _ in range(2):
            old = compiled(*arguments)
            address = old.ctypes.data
            old.reshape(-1)[where] = number
            del old
            found = compiled(*arguments)
            np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)
            assert not found[zero].view(f"u{found.itemsize}").any()
            recycled = found.ctypes.data == address
    assert recycled or expected.nbytes < 1 << 18


@pytest.mark.parametrize("parallel", [None, True])
def test_results_in_dirty_arrays_of_the_caller(parallel: bool | None) -> None:
    for f, argument in (
        (ad.jacobian(lambda x: np.sin(x)), np.linspace(-1.0, 1.0, 301)),
        (ad.grad(lambda x: np.sum(x[::100] ** 2)), np.linspace(-1.0, 1.0, 20_001)),
    ):
        compiled = ad.compile(f, parallel=parallel)
        expected = f(argument)
        compiled(argument)
        assert "adjoint.clear" in compiled.llvm_ir()
        whole = np.empty(expected.size + 8, expected.dtype)
        for where, number in scribbles(expected.size):
            for offset in (0, 1, 5):
                out = whole[offset:][: expected.size].reshape(expected.shape)
                out.reshape(-1)[where] = number
                assert compiled(argument, out=out) is out
                np.testing.assert_allclose(out, expected, rtol=1e-14)


def test_threads_that_share_a_kernel() -> None:
    compiled = ad.compile(ad.jacobian(lambda x: np.sin(x)))
    wrong: list[int] = []

    def work(seed: int) -> None:
        x = np.random.default_rng(seed).normal(size=300)
        expected = np.diag(np.cos(x))
        for turn in range(30):
            found = compiled(x)
            if not np.allclose(found, expected, rtol=1e-14, atol=0.0):
                wrong.append(turn)
            found.fill(seed + 1.0)

    compiled(np.zeros(300))
    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


# -- zeros that an operation writes into ----------------------------------------------------------


@pytest.mark.parametrize("dtype", ["f8", "f4", "c16"])
def test_derivatives_of_parts_are_written_into_zeros(dtype: str) -> None:
    x = (np.linspace(-1.0, 1.0, 30_000)).astype(dtype).reshape(150, 200)
    rows = np.array([3, 3, 149, 0])
    for f in (
        lambda x: np.sum(np.abs(x[::50]) ** 2),
        lambda x: np.sum(np.abs(x[rows]) ** 2),
        lambda x: np.abs(x[7, 3]) ** 2,
    ):
        compiled, expected = ad.compile(ad.grad(f)), ad.grad(f)(x)
        compiled(x)
        assert ("adjoint.clear" in compiled.llvm_ir()) == (dtype != "c16")
        for number in (3.0, np.nan, -0.0):
            compiled(x).fill(number)
            found = compiled(x)
            assert found.dtype == expected.dtype
            np.testing.assert_allclose(found, expected, rtol=1e-6)


def array(value: Any) -> Op:
    return Op("array", (), {}, value.shape, value.dtype, 0, value=value)


@pytest.mark.parametrize("dtype", ["f8", "f4", "c16", "i8", "bool"])
def test_zeros_are_those_that_nobody_can_change(dtype: str) -> None:
    zeros = np.zeros((3, 4), dtype)
    assert not is_zeros(array(zeros))
    zeros.flags.writeable = False
    assert not is_zeros(array(zeros))  # its owner may change his mind
    memory = bytes(zeros.nbytes)
    fixed = np.ndarray((3, 4), dtype, memory)
    with pytest.raises(ValueError, match="WRITEABLE"):
        fixed.flags.writeable = True
    assert is_zeros(array(fixed)) and is_zeros(array(fixed[1:]))
    assert not is_zeros(array(np.ndarray((3, 4), dtype, bytearray(memory))))
    assert not is_zeros(Op("input", (), {}, zeros.shape, zeros.dtype, 0))


@pytest.mark.parametrize("value", [-0.0, complex(0.0, -0.0), complex(-0.0, 0.0), 1e-320, np.nan])
def test_other_zeros_are_not_bits_of_zero(value: complex) -> None:
    other = np.zeros(5, type(value))
    other[3] = value
    assert not is_zeros(array(np.ndarray((5,), other.dtype, other.tobytes())))


def test_zeros_of_the_user_are_read_at_every_call() -> None:
    base = np.zeros(20_000)
    base.flags.writeable = False

    def f(x: Any) -> Any:
        return SETITEM(base, x[0], template=(3,))

    compiled = ad.compile(f)
    x = np.ones(2)
    compiled(x)
    base.flags.writeable = True
    base[5] = 2.0
    np.testing.assert_array_equal(compiled(x), f(x))
    assert compiled(x)[5] == 2.0
