"""Calls of BLAS routines on row-major matrices, which BLAS sees as their transposes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from llvmlite import ir

from adjoint.codegen.elements import I64, memory_type
from adjoint.codegen.fortran import call
from adjoint.codegen.loopnest import loop, part

TILE = 8
"""Rows and columns that are mirrored together, so that both places stay in the first cache."""


@dataclass(frozen=True)
class Matrix:
    """A matrix in memory: its rows are ``stride`` elements apart, its columns 1; or the other way
    round if it is ``transposed``."""

    pointer: Any
    rows: int
    columns: int
    stride: int
    transposed: bool = False

    @property
    def flipped(self) -> Matrix:
        """The transpose, in the same memory."""
        return Matrix(self.pointer, self.columns, self.rows, self.stride, not self.transposed)


@dataclass(frozen=True)
class Vector:
    """A vector in memory; where the stride is negative, the pointer is to its last element, which
    is how BLAS has it."""

    pointer: Any
    stride: int


class Calls:
    """BLAS for one type of numbers."""

    def __init__(self, builder: Any, dtype: np.dtype[Any]) -> None:
        self.builder = builder
        self.module = builder.module
        self.dtype = dtype

    def gemm(self, a: Matrix, b: Matrix, out: Matrix) -> None:
        """C = A B.  BLAS is column-major and computes Cᵀ = Bᵀ Aᵀ."""
        self._call(
            "gemm", self._flag(b), self._flag(a), b.columns, a.rows, a.columns, 1.0,
            b.pointer, b.stride, a.pointer, a.stride, 0.0, out.pointer, out.stride,
        )  # fmt: skip

    def gemv(self, a: Matrix, x: Vector, y: Vector) -> None:
        """y = A x."""
        m, n = (a.rows, a.columns) if a.transposed else (a.columns, a.rows)
        self._call(
            "gemv", "N" if a.transposed else "T", m, n, 1.0, a.pointer, a.stride,
            x.pointer, x.stride, 0.0, y.pointer, y.stride,
        )  # fmt: skip

    def syrk(self, a: Matrix, out: Matrix) -> None:
        """C = A Aᵀ, what is below the diagonal of C and what is on it."""
        self._call(
            "syrk", "U", "N" if a.transposed else "T", a.rows, a.columns, 1.0,
            a.pointer, a.stride, 0.0, out.pointer, out.stride,
        )  # fmt: skip

    def lower_gemm(self, a: Matrix, b: Matrix, out: Matrix, block: int) -> None:
        """C = A B below the diagonal of C, in blocks of columns.

        Above the diagonal the blocks on it are computed too, and nothing else.
        """
        for first in range(0, out.columns, block):
            last = min(first + block, out.columns)
            self.gemm(
                self._from_row(a, first),
                self._from_row(b.flipped, first, last).flipped,
                self._from_row(self._from_row(out, first).flipped, first, last).flipped,
            )

    def mirror(self, out: Matrix) -> None:
        """Copies what is below the diagonal to its place above."""
        b, n = self.builder, out.rows
        tile, size = ir.Constant(I64, TILE), ir.Constant(I64, n)
        kind = memory_type(self.dtype)

        def place(i: Any, j: Any) -> Any:
            offset = b.add(b.mul(i, ir.Constant(I64, out.stride)), j)
            return b.gep(out.pointer, [offset], inbounds=True, source_etype=kind)

        def smaller(x: Any, y: Any) -> Any:
            return b.select(b.icmp_unsigned("<", x, y), x, y)

        with loop(b, -(-n // TILE), "down") as down:
            top = b.mul(down, tile)
            bottom = smaller(b.add(top, tile), size)
            with part(b, ir.Constant(I64, 0), b.add(down, ir.Constant(I64, 1))) as along:
                left = b.mul(along, tile)
                with part(b, top, bottom) as i:
                    right = smaller(b.add(left, tile), b.add(i, ir.Constant(I64, 1)))
                    with part(b, left, right) as j:
                        b.store(b.load(place(i, j), typ=kind), place(j, i))

    def _from_row(self, a: Matrix, first: int, last: int | None = None) -> Matrix:
        offset = first if a.transposed else first * a.stride
        pointer = a.pointer
        if offset:
            kind = memory_type(self.dtype)
            pointer = self.builder.gep(
                pointer, [ir.Constant(I64, offset)], inbounds=True, source_etype=kind
            )
        rows = (a.rows if last is None else last) - first
        return Matrix(pointer, rows, a.columns, a.stride, a.transposed)

    def _flag(self, a: Matrix) -> str:
        return "T" if a.transposed else "N"

    def _call(self, stem: str, *operands: Any) -> None:
        call(self.builder, "blas", stem, self.dtype, *operands)
