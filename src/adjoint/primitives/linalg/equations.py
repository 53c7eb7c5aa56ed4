"""Matrix equations: Sylvester, Lyapunov, Riccati.

Each is solved by SciPy; its derivative solves the linearised equation, which is a Sylvester or a
discrete Lyapunov equation again.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from adjoint.graph.arraytype import ArrayType
from adjoint.graph.registry import register
from adjoint.primitives.linalg.common import MatrixPrimitive, adjoint, transposed
from adjoint.primitives.linalg.solving import SOLVE


def _each(function: Any, operands: tuple[Any, ...], ranks: int = 2) -> Any:
    """A SciPy function of single matrices, applied over the stack."""
    lead = np.broadcast_shapes(*(o.shape[:-ranks] for o in operands))
    full = [np.broadcast_to(o, lead + o.shape[-ranks:]) for o in operands]
    found = [function(*(o[i] for o in full)) for i in np.ndindex(*lead)]
    out = np.asarray(found).reshape(lead + found[0].shape) if found else np.zeros(lead)
    return out.astype(np.result_type(*operands), copy=False)


def _total(*terms: Any) -> Any:
    present = [t for t in terms if t is not None]
    return sum(present[1:], present[0])


def _times(sign: int, *factors: Any) -> Any:
    """± the product, or None if a factor is an absent tangent."""
    if any(f is None for f in factors):
        return None
    product = factors[0]
    for factor in factors[1:]:
        product = product @ factor
    return product if sign > 0 else -product


def _adjoint(a: Any) -> Any:
    return None if a is None else adjoint(a)


class _Equation(MatrixPrimitive):
    """X is shaped like the operand at ``like``."""

    like = 0

    def infer(self, *types: ArrayType, **params: Any) -> ArrayType:
        lead = np.broadcast_shapes(*(t.shape[:-2] for t in types))
        shape = (*lead, *types[self.like].shape[-2:])
        return ArrayType(shape, np.result_type(*(t.dtype for t in types)))


class Sylvester(_Equation):
    """X of A X + X B = Q: linear in Q, and A Ẋ + Ẋ B = Q̇ − Ȧ X − X Ḃ."""

    name = "solve_sylvester"
    linear = (2,)
    mixed = True
    like = 2

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        from scipy.linalg import solve_sylvester

        return _each(solve_sylvester, operands)

    def jvp(
        self, out: Any, primals: tuple[Any, ...], tangents: tuple[Any, ...], **params: Any
    ) -> Any:
        a_dot, b_dot, q_dot = tangents
        return SYLVESTER(
            *primals[:2], _total(q_dot, _times(-1, a_dot, out), _times(-1, out, b_dot))
        )

    def transpose(self, ct: Any, operands: tuple[Any, ...], position: int, **params: Any) -> Any:
        return SYLVESTER(transposed(operands[0]), transposed(operands[1]), ct)


class DiscreteLyapunov(_Equation):
    """X of X = A X Aᴴ + Q: linear in Q."""

    name = "solve_discrete_lyapunov"
    linear = (1,)
    mixed = True
    like = 1

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        from scipy.linalg import solve_discrete_lyapunov

        method = params["method"]
        return _each(lambda a, q: solve_discrete_lyapunov(a, q, method), operands)

    def jvp(
        self, out: Any, primals: tuple[Any, ...], tangents: tuple[Any, ...], **params: Any
    ) -> Any:
        (a, _), (a_dot, q_dot) = primals, tangents
        moved = _times(1, a_dot, out, adjoint(a)), _times(1, a, out, _adjoint(a_dot))
        return DISCRETE_LYAPUNOV(a, _total(q_dot, *moved), **params)

    def transpose(self, ct: Any, operands: tuple[Any, ...], position: int, **params: Any) -> Any:
        return DISCRETE_LYAPUNOV(transposed(operands[0]), ct, **params)


class ContinuousRiccati(_Equation):
    """X of Aᴴ X + X A − X B R⁻¹ Bᴴ X + Q = 0.

    With K = R⁻¹ Bᴴ X and A_c = A − B K, A_cᴴ Ẋ + Ẋ A_c = −(Q̇ + Kᴴ Ṙ K + 2 sym X(Ȧ − Ḃ K)).
    """

    name = "solve_continuous_are"

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        from scipy.linalg import solve_continuous_are

        return _each(solve_continuous_are, operands)

    def jvp(
        self, out: Any, primals: tuple[Any, ...], tangents: tuple[Any, ...], **params: Any
    ) -> Any:
        a, b, _, r = primals
        k = SOLVE(r, adjoint(b) @ out)
        closed = a - b @ k
        right = _riccati_right(out, k, tangents, out)
        return SYLVESTER(adjoint(closed), closed, -right)


class DiscreteRiccati(_Equation):
    """X of Aᴴ X A − X − Aᴴ X B (R + Bᴴ X B)⁻¹ Bᴴ X A + Q = 0.

    With K = (R + Bᴴ X B)⁻¹ Bᴴ X A and A_c = A − B K,
    Ẋ = A_cᴴ Ẋ A_c + Q̇ + Kᴴ Ṙ K + 2 sym A_cᴴ X (Ȧ − Ḃ K).
    """

    name = "solve_discrete_are"

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        from scipy.linalg import solve_discrete_are

        return _each(solve_discrete_are, operands)

    def jvp(
        self, out: Any, primals: tuple[Any, ...], tangents: tuple[Any, ...], **params: Any
    ) -> Any:
        a, b, _, r = primals
        bh = adjoint(b)
        k = SOLVE(r + bh @ out @ b, bh @ out @ a)
        closed = adjoint(a - b @ k)
        right = _riccati_right(out, k, tangents, closed @ out)
        return DISCRETE_LYAPUNOV(closed, right, method=None)


def _riccati_right(x: Any, k: Any, tangents: tuple[Any, ...], left: Any) -> Any:
    """Q̇ + Kᴴ Ṙ K + L (Ȧ − Ḃ K) + its adjoint, without the tangents that are absent."""
    a_dot, b_dot, q_dot, r_dot = tangents
    terms = [q_dot, _times(1, adjoint(k), r_dot, k)]
    for side in (_times(1, left, a_dot), _times(-1, left, b_dot, k)):
        terms += [side, _adjoint(side)]
    return _total(*terms)


SYLVESTER = register(Sylvester())
DISCRETE_LYAPUNOV = register(DiscreteLyapunov())
CONTINUOUS_RICCATI = register(ContinuousRiccati())
DISCRETE_RICCATI = register(DiscreteRiccati())
