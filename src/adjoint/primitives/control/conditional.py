"""A choice between two computations, of which one is carried out."""

from __future__ import annotations

from typing import Any

from adjoint.graph.arraytype import ArrayType
from adjoint.graph.evaluate import evaluate
from adjoint.graph.registry import register
from adjoint.primitives.control.body import ControlPrimitive, own


class Cond(ControlPrimitive):
    """``branches[0](…)`` where the predicate holds, else ``branches[1](…)``.

    Operands: the predicate, then the inputs that both graphs share.  Only the branch taken is
    evaluated.
    """

    name = "cond"

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        holds, unholds = params["branches"]
        found = evaluate(holds if operands[0] else unholds, operands[1:])
        return tuple(own(v, operands) for v in found)

    def infer(self, *types: ArrayType, **params: Any) -> tuple[ArrayType, ...]:
        return tuple(n.type._replace(weak=False) for n in params["branches"][0].outputs)


COND = register(Cond())
