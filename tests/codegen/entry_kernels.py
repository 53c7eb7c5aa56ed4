"""Small kernels in LLVM IR, entries around them, and arguments that are not what they seem."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adjoint.codegen.entry import Argument, Entry, TypeSpec, build_entry

F64 = np.dtype(np.float64)
NUMBER = TypeSpec((), F64, scalar=True)
VECTOR = TypeSpec((5,), F64)


def scale_and_sum(size: int, name: str = "kernel") -> str:
    """IR of (s, x[size]) -> (s·x, Σ s·x); it goes through the arena, and returns 7 if s is -1."""
    return f"""
define i32 @{name}(ptr %in, ptr %out, ptr %arena) {{
start:
  %sp = load ptr, ptr %in
  %s = load double, ptr %sp
  %in1 = getelementptr ptr, ptr %in, i64 1
  %x = load ptr, ptr %in1
  %y = load ptr, ptr %out
  %out1 = getelementptr ptr, ptr %out, i64 1
  %t = load ptr, ptr %out1
  %bad = fcmp oeq double %s, -1.0
  br i1 %bad, label %fault, label %test
fault:
  ret i32 7
test:
  %i = phi i64 [0, %start], [%j, %loop]
  %sum = phi double [0.0, %start], [%sum2, %loop]
  %go = icmp ult i64 %i, {size}
  br i1 %go, label %loop, label %done
loop:
  %px = getelementptr double, ptr %x, i64 %i
  %v = load double, ptr %px
  %w = fmul double %v, %s
  store volatile double %w, ptr %arena
  %w2 = load volatile double, ptr %arena
  %py = getelementptr double, ptr %y, i64 %i
  store double %w2, ptr %py
  %sum2 = fadd double %sum, %w2
  %j = add i64 %i, 1
  br label %test
done:
  store double %sum, ptr %t
  ret i32 0
}}
"""


def copy_bytes(sizes: list[int]) -> str:
    """IR of a kernel that copies each input to the output of the same number."""
    lines = ["define i32 @copy(ptr %in, ptr %out, ptr %arena) {"]
    for k, size in enumerate(sizes):
        lines += [
            f"  %ip{k} = getelementptr ptr, ptr %in, i64 {k}",
            f"  %op{k} = getelementptr ptr, ptr %out, i64 {k}",
            f"  %i{k} = load ptr, ptr %ip{k}",
            f"  %o{k} = load ptr, ptr %op{k}",
            f"  call void @llvm.memcpy.p0.p0.i64(ptr %o{k}, ptr %i{k}, i64 {size}, i1 false)",
        ]
    return "\n".join(
        ["declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)", *lines, "  ret i32 0", "}"]
    )


def refused(*args: Any, **kwargs: Any) -> tuple[str, Any, Any]:
    """A fallback that tells what it got."""
    return ("refused", args, kwargs)


def scaled(fallback: Callable[..., Any] = refused, **options: Any) -> Entry:
    settings: dict[str, Any] = {"arena_bytes": 64, "result": "tuple", **options}
    return build_entry(
        scale_and_sum(5),
        "kernel",
        [NUMBER, VECTOR],
        [VECTOR, NUMBER],
        fallback=fallback,
        **settings,
    )


def copier(arguments: Sequence[Argument], outputs: list[TypeSpec], **options: Any) -> Entry:
    ir = copy_bytes([spec.byte_count for spec in outputs])
    return build_entry(ir, "copy", arguments, outputs, fallback=refused, **options)


class Subarray(np.ndarray[Any, Any]):
    pass


class Number(float):
    pass


def misaligned() -> np.ndarray[Any, Any]:
    return np.zeros(41, np.uint8)[1:].view(F64)
