"""The LLVM session: compile, look inside, keep as object code, and say clearly what is wrong."""

from __future__ import annotations

import ctypes
import gc
import subprocess
import sys
import weakref

import numpy as np
import pytest

from adjoint.codegen.blas_symbols import blas, lapack, register_imports
from adjoint.codegen.llvm_session import (
    compile_ir,
    fingerprint,
    load_object,
    register_symbols,
)
from adjoint.codegen.numpy_abi import native_abi
from adjoint.errors import ArgumentValueError, InternalError

TWICE = "define double @twice(double %x) { %y = fadd double %x, %x ret double %y }"
CALLS_SINE = (
    "declare double @sin(double)\n"
    "define double @f(double %x) { %y = call double @sin(double %x) ret double %y }"
)
DOUBLE = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)


@pytest.mark.parametrize("opt_level", [0, 1, 2, 3])
def test_compiled_code_runs(opt_level: int) -> None:
    module = compile_ir(TWICE, opt_level=opt_level)
    assert DOUBLE(module.address("twice"))(1.25) == 2.5
    assert 0 < module.compile_seconds < 5


def test_names_of_the_process_are_found() -> None:
    module = compile_ir(CALLS_SINE, exports=["f"])
    assert DOUBLE(module.address("f"))(1.0) == np.sin(1.0)


def test_ir_and_assembly_are_shown_after_optimisation() -> None:
    module = compile_ir("define i32 @f() { %x = add i32 2, 3 ret i32 %x }")
    assert "ret i32 5" in module.llvm_ir
    assert "f:" in module.assembly


def test_loops_are_vectorised_from_level_two() -> None:
    loop = """
define void @f(ptr noalias %x, ptr noalias %y) {
start:
  br label %loop
loop:
  %i = phi i64 [0, %start], [%j, %loop]
  %px = getelementptr double, ptr %x, i64 %i
  %v = load double, ptr %px
  %w = fmul double %v, %v
  %py = getelementptr double, ptr %y, i64 %i
  store double %w, ptr %py
  %j = add i64 %i, 1
  %go = icmp ult i64 %j, 1024
  br i1 %go, label %loop, label %done
done:
  ret void
}"""
    assert " x double>" in compile_ir(loop, opt_level=2).llvm_ir
    assert " x double>" not in compile_ir(loop, opt_level=1).llvm_ir


def test_what_is_wrong_with_the_ir_is_said() -> None:
    with pytest.raises(InternalError, match=r"defect in adjoint.* does not parse") as parse:
        compile_ir("define nonsense")
    assert "expected type" in str(parse.value)
    unterminated = "define double @f(double %x) { %y = fadd double %x, %y ret double %y }"
    with pytest.raises(InternalError, match="does not verify"):
        compile_ir(unterminated)
    with pytest.raises(InternalError, match="does not link; nobody defines nobody_has_this"):
        compile_ir(CALLS_SINE.replace("@sin", "@nobody_has_this"), exports=["f"])
    with pytest.raises(InternalError, match="has no symbol thrice"):
        compile_ir(TWICE).address("thrice")
    with pytest.raises(InternalError, match="opt_level 0, 1, 2 or 3; it got 4"):
        compile_ir(TWICE, opt_level=4)


def test_object_code_is_loaded_again_without_its_ir() -> None:
    loaded = load_object(compile_ir(TWICE).object_code, exports=["twice"])
    assert DOUBLE(loaded.address("twice"))(3.0) == 6.0
    with pytest.raises(InternalError, match="does not carry its LLVM IR"):
        _ = loaded.llvm_ir


def test_object_code_is_loaded_in_another_process() -> None:
    routine = blas("dnrm2")
    call = f"call double @{routine.symbol}(ptr %n, ptr %x, ptr %one)"
    ir = (
        f"declare double @{routine.symbol}(ptr, ptr, ptr)\n"
        f"define double @f(ptr %n, ptr %x, ptr %one) {{ %r = {call} ret double %r }}"
    )
    code = compile_ir(ir).object_code
    script = f"""
import ctypes
from adjoint.codegen.blas_symbols import register_imports
from adjoint.codegen.llvm_session import load_object
register_imports([{routine.symbol!r}])
module = load_object({code!r}, imports=[{routine.symbol!r}])
f = ctypes.CFUNCTYPE(ctypes.c_double, *[ctypes.c_void_p] * 3)(module.address("f"))
x = (ctypes.c_double * 2)(3.0, 4.0)
assert f(ctypes.byref(ctypes.c_int(2)), x, ctypes.byref(ctypes.c_int(1))) == 5.0
"""
    done = subprocess.run(
        [sys.executable, "-"], input=script, text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("damage", [b"", b"garbage", "half", "zeroed", "one bit", "unsealed"])
def test_foreign_object_code_is_an_error_and_not_a_crash(damage: bytes | str) -> None:
    code = compile_ir(TWICE).object_code
    if damage == "half":
        damage = code[: len(code) // 2]
    elif damage == "zeroed":
        damage = code[:64] + bytes(len(code) - 64)
    elif damage == "one bit":
        damage = code[:-1] + bytes([code[-1] ^ 1])
    elif damage == "unsealed":
        damage = code[32:]
    assert isinstance(damage, bytes)
    with pytest.raises(
        ArgumentValueError, match="it got code that is damaged or was made elsewhere"
    ):
        load_object(damage, exports=["twice"])


def test_symbols_may_be_bound_per_module() -> None:
    ir = (
        "declare double @mine(double)\n"
        "define double @f(double %x) { %y = call double @mine(double %x) ret double %y }"
    )
    made = [DOUBLE(lambda x, k=k: k * x) for k in (2.0, 3.0)]
    found = []
    for function in made:
        address = ctypes.cast(function, ctypes.c_void_p).value
        assert address
        module = compile_ir(ir, symbols={"mine": address})
        found.append(DOUBLE(module.address("f"))(10.0))
    assert found == [20.0, 30.0]


def test_registered_symbols_keep_their_address() -> None:
    address = native_abi().symbols["Py_IncRef"]
    register_symbols({"test.increment": address})
    register_symbols({"test.increment": address})
    with pytest.raises(InternalError, match=r"has test.increment already"):
        register_symbols({"test.increment": address + 1})
    with pytest.raises(InternalError, match=r"an address for test.nothing; it got 0"):
        register_symbols({"test.nothing": 0})
    with pytest.raises(InternalError, match=r"needs test.unknown, which nobody"):
        load_object(compile_ir(TWICE).object_code, imports=["test.unknown"])


def test_code_is_unloaded_with_its_anchor() -> None:
    module = compile_ir(TWICE)
    anchor = weakref.ref(module.anchor)
    del module
    gc.collect()
    assert anchor() is None


def test_blas_and_lapack_are_named_as_scipy_names_them() -> None:
    assert blas("dgemm").signature.startswith("void (char *, char *, int *, int *, int *")
    assert lapack("dpotrf").symbol == "lapack.dpotrf"
    register_imports(["blas.dgemm", "lapack.dpotrf", "sin"])
    with pytest.raises(InternalError, match="exports no BLAS routine dgemmm"):
        blas("dgemmm")


def test_the_fingerprint_names_the_cpu() -> None:
    assert "llvm" in fingerprint()
    assert fingerprint() == fingerprint()
    assert native_abi().fingerprint().startswith(sys.implementation.cache_tag or "")
