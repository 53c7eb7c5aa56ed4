"""A loop of known length: one body, applied to a carry and to each slice of some arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from adjoint.graph.arraytype import ArrayType
from adjoint.graph.evaluate import program
from adjoint.graph.registry import register
from adjoint.primitives.control.body import ControlPrimitive, own


class Scan(ControlPrimitive):
    """``carry, y = body(captured, carry, x)`` for each x; the results are the last carry and the
    stacked ys.

    Operands: captured values, the first carry, the arrays that are scanned along axis 0.

    Parameters
    ----------
    body: the graph, with inputs (captured, carry, x) and outputs (carry, y).
    length, reverse: how many steps, and whether from the last slice to the first.
    captured, carries: how many operands are of either kind.
    every: steps between two carries that reverse mode keeps; 0 chooses by size.
    """

    name = "scan"

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        run = program(params["body"]).run
        length, carries = params["length"], params["carries"]
        start = params["captured"]
        captured = list(operands[:start])
        carry = list(operands[start : start + carries])
        xs = operands[start + carries :]
        results = params["body"].outputs[carries:]
        ys = [np.empty((length, *n.type.shape), n.type.dtype) for n in results]
        steps = range(length - 1, -1, -1) if params["reverse"] else range(length)
        for i in steps:
            found = run([*captured, *carry, *[x[i] for x in xs]])
            for y, value in zip(ys, found[carries:], strict=True):
                y[i] = value
            carry = found[:carries]
        return (*(own(c, operands) for c in carry), *ys)

    def infer(self, *types: ArrayType, **params: Any) -> tuple[ArrayType, ...]:
        carries, length = params["carries"], params["length"]
        outputs = [n.type for n in params["body"].outputs]
        first = [t._replace(weak=False) for t in outputs[:carries]]
        rest = [ArrayType((length, *t.shape), t.dtype) for t in outputs[carries:]]
        return (*first, *rest)


SCAN = register(Scan())
