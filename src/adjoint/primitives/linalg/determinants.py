"""Determinants: det, slogdet.

The derivative of det is the cofactor matrix, which is a polynomial in the entries: it exists, and
so do all higher derivatives, where A has no inverse.  With A = U diag(s) Vᴴ every derivative is a
sum of products of the singular values that are left over, so nothing is ever divided.
"""

from __future__ import annotations

from itertools import pairwise, permutations
from typing import Any

import numpy as np

from adjoint.errors import UndefinedDerivativeError
from adjoint.graph.arraytype import ArrayType
from adjoint.graph.registry import implements, register
from adjoint.graph.sites import here
from adjoint.primitives.contraction import letter
from adjoint.primitives.linalg.common import (
    DerivativeFamily,
    MatrixPrimitive,
    matrix,
    peek,
    real_dtype,
)
from adjoint.primitives.linalg.inverses import INV


class Det(MatrixPrimitive):
    """det A; its derivative is Σ cof(A) ∘ Ȧ (Jacobi 1841)."""

    name = "det"

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        return np.linalg.det(operands[0])

    def infer(self, *types: ArrayType, **params: Any) -> ArrayType:
        return ArrayType(types[0].shape[:-2], types[0].dtype)

    def jvp(
        self, out: Any, primals: tuple[Any, ...], tangents: tuple[Any, ...], **params: Any
    ) -> Any:
        return np.einsum("...ij,...ij->...", COFACTOR(primals[0]), tangents[0])


class Cofactor(DerivativeFamily):
    """The m-th derivative of the cofactor matrix, D^m cof(A)[E₁, …, E_m].

    It is the matrix C with D^{m+1} det(A)[E₁, …, E_m, G] = Σ C ∘ G for every G.  The form is
    symmetric and multilinear, so the family is closed under differentiation in A (one more
    operand) and under transposition in every E (the cotangent takes its place).  With F = Uᴴ E V
    and p_I the product of the singular values outside I,

        D^{m+1} det = det(U) det(Vᴴ) Σ_I p_I Σ_π sgn(π) Π_k F_k[i_k, i_π(k)],

    over ordered tuples I of m + 1 different indices.  Cost: one SVD and O((m + 1)! n^{m+1}).
    """

    name = "cofactor"

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        a, directions = operands[0], operands[1:]
        n, order = a.shape[-1], len(directions) + 1
        if order > n:
            lead = np.broadcast_shapes(*(o.shape[:-2] for o in operands))
            return np.zeros((*lead, n, n), a.dtype)
        u, s, vh = np.linalg.svd(a)
        phase = np.linalg.det(u) * np.linalg.det(vh)
        uh, v = np.conj(u.mT), np.conj(vh.mT)
        rotated = [uh @ e @ v for e in directions]
        core = mixed_minors(_products_outside(s, order), rotated, n, order)
        return phase[..., None, None] * (np.conj(u) @ core @ np.conj(vh))

    def transpose(self, ct: Any, operands: tuple[Any, ...], position: int, **params: Any) -> Any:
        return COFACTOR(*operands[:position], ct, *operands[position + 1 :])


def _products_outside(s: Any, order: int) -> Any:
    """p[i₁, …, i_order]: the product of all s_k but those, zero where two indices are equal.

    Products of the runs between the indices, taken from one table, so nothing is divided.
    """
    n = s.shape[-1]
    runs = np.zeros((*s.shape[:-1], n + 2, n + 2), s.dtype)  # runs[a, b]: s_k with a < k+1 < b
    for b in range(1, n + 2):
        runs[..., b - 1, b] = 1.0
        if b >= 2:
            runs[..., : b - 1, b] = runs[..., : b - 1, b - 1] * s[..., b - 2, None]
    index = np.indices((n,) * order).reshape(order, -1)
    index.sort(axis=0)
    edges = [np.zeros_like(index[0]), *(index + 1), np.full_like(index[0], n + 1)]
    product = np.ones((*s.shape[:-1], index.shape[1]), s.dtype)
    for left, right in pairwise(edges):
        product = product * np.where(left == right, 0.0, runs[..., left, right]).astype(s.dtype)
    return product.reshape((*s.shape[:-1], *(n,) * order))


def mixed_minors(p: Any, rotated: list[Any], n: int, order: int) -> Any:
    """Σ_I p_I Σ_π sgn(π) Π_k F_k[i_k, i_π(k)], as the matrix paired with the last factor."""
    names = [letter(k) for k in range(order)]
    last = names[-1]
    dtype = np.result_type(p, *rotated)
    lead = np.broadcast_shapes(p.shape[:-order], *(f.shape[:-2] for f in rotated))
    core: Any = np.zeros((*lead, n, n), dtype)
    for pi in permutations(range(order)):
        sign = np.linalg.det(np.eye(order)[list(pi)]).round().astype(real_dtype(dtype))
        terms = ["..." + "".join(names)]
        terms += [f"...{names[k]}{names[pi[k]]}" for k in range(order - 1)]
        to = names[pi[-1]]
        result = last if to == last else last + to
        found = np.einsum(",".join(terms) + "->..." + result, p, *rotated, optimize=order > 2)
        core = core + sign * (found[..., None, :] * np.eye(n, dtype=dtype) if to == last else found)
    return core


DET = register(Det())
COFACTOR = register(Cofactor())


class SLogDet(MatrixPrimitive):
    """The sign (or phase) of det A, and log |det A|; d log det A = tr(A⁻¹ Ȧ)."""

    name = "slogdet"
    multiple_results = True

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        return tuple(np.linalg.slogdet(operands[0]))

    def infer(self, *types: ArrayType, **params: Any) -> Any:
        lead, dtype = types[0].shape[:-2], types[0].dtype
        return ArrayType(lead, dtype), ArrayType(lead, real_dtype(dtype))

    def jvp(
        self, out: Any, primals: tuple[Any, ...], tangents: tuple[Any, ...], **params: Any
    ) -> Any:
        a = primals[0]
        sign = peek(out[0])
        if sign is not None and not np.all(sign):
            raise UndefinedDerivativeError(
                "np.linalg.slogdet has no derivative at a singular matrix: log|det A| is -inf.",
                where=here(),
                hint="use np.linalg.det(A), whose derivatives exist there.",
            )
        trace = np.einsum("...ij,...ji->...", INV(a), tangents[0])
        if a.dtype.kind != "c":
            return None, trace
        return out[0] * (1j * np.imag(trace)), np.real(trace)


SLOGDET = register(SLogDet())

SlogdetResult = type(np.linalg.slogdet(np.eye(1)))


@implements(np.linalg.det)
def det(a: Any) -> Any:
    """``np.linalg.det``; exact derivatives of every order at singular matrices too."""
    return DET(matrix(a, "np.linalg.det(a)", square=True))


@implements(np.linalg.slogdet)
def slogdet(a: Any) -> Any:
    """``np.linalg.slogdet``."""
    return SlogdetResult(*SLOGDET(matrix(a, "np.linalg.slogdet(a)", square=True)))
