"""The builder whose frequent instructions are text: LLVM reads the same program."""

from __future__ import annotations

import ctypes
from typing import Any

import pytest
from llvmlite import ir

from adjoint.codegen.builder import Builder, Line
from adjoint.codegen.llvm_session import compile_ir

F64, I64, POINTER = ir.DoubleType(), ir.IntType(64), ir.PointerType()


def function(module: Any, result: Any, *operands: Any) -> tuple[Any, Any]:
    made = ir.Function(module, ir.FunctionType(result, operands), "f")
    return made, made.append_basic_block("entry")


def program(block: Any, make: Any) -> None:
    """Every instruction that is written as a line, among others."""
    b, (x, n, p) = make(block), block.function.args
    root = block.module.declare_intrinsic("llvm.sqrt", [F64])
    nothing = ir.Function(block.module, ir.FunctionType(ir.VoidType(), []), "nothing")
    inner = ir.IRBuilder(nothing.append_basic_block())
    inner.ret_void()
    place = b.gep(p, [b.and_(n, ir.Constant(I64, 1))], inbounds=True, source_etype=F64)
    b.store(b.fadd(b.fmul(x, x), x, flags=["reassoc", "contract"]), place, align=8)
    b.call(nothing, [])
    kept = b.alloca(F64)
    b.store(b.fdiv(b.load(place, typ=F64, align=8), ir.Constant(F64, 3.0)), kept)
    whole = b.xor(b.shl(b.add(n, n, flags=["nuw"]), n), b.or_(b.lshr(n, n), b.ashr(n, n)))
    whole = b.sub(b.mul(whole, n), n)
    b.ret(b.fsub(b.call(root, [b.load(kept)]), b.sitofp(whole, F64)))


def test_lines_are_the_instructions_of_llvmlite() -> None:
    results = []
    for make in (ir.IRBuilder, Builder):
        module = ir.Module("m")
        _, block = function(module, F64, F64, I64, POINTER)
        program(block, make)
        assert any(isinstance(i, Line) for i in block.instructions) == (make is Builder)
        compiled = compile_ir(module, opt_level=0)
        memory = (ctypes.c_double * 2)(0.0, 0.0)
        signature = ctypes.CFUNCTYPE(
            ctypes.c_double, ctypes.c_double, ctypes.c_int64, ctypes.c_void_p
        )
        f = signature(compiled.address("f"))
        results.append([(f(1.7, n, memory), *memory) for n in (1, 2, 3)])
    assert results[0] == results[1]


def test_operands_of_other_types_are_errors() -> None:
    module = ir.Module("m")
    made, block = function(module, F64, F64, I64)
    builder = Builder(block)
    x, n = made.args
    with pytest.raises(ValueError, match=r"fadd needs operands of one type, got \(double, i64\)"):
        builder.fadd(x, n)
    with pytest.raises(TypeError, match="f needs double, got i64"):
        builder.call(made, [n, n])
