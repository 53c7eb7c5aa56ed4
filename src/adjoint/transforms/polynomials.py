"""Powers that count up: a t⁰ + b t¹ + c t² + … as entries of one array of powers.

t⁰, t, t² and t³ are different operations in a graph, so a sum of monomials is no loop over one
computation, until each of its powers is read from [t⁰, t¹, t², …].
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from adjoint.graph.binding import LITERAL, as_tracer
from adjoint.graph.ir import Node
from adjoint.graph.registry import PRIMITIVES
from adjoint.graph.tracer import wrap
from adjoint.primitives.indexing import take_index

Signed = tuple[int, Any]

POWER = PRIMITIVES["power"]
FIXED = {"positive": 1, "square": 2}
"""Powers that are primitives of their own."""


def power_of(node: Node) -> tuple[Node, int] | None:
    """The base and the exponent of a power of a number; None for anything else."""
    name = node.primitive.name
    if name in FIXED and not node.type.shape:
        return node.inputs[0], FIXED[name]
    if name != "power" or node.inputs[0].type.shape or node.inputs[1].primitive is not LITERAL:
        return None
    exponent = np.asarray(node.inputs[1].value)
    if exponent.ndim or exponent < 0 or exponent != int(exponent):
        return None
    return node.inputs[0], int(exponent)


def with_powers(operands: Sequence[Signed], fewest: int) -> list[Signed] | None:
    """Operands of a sum with the powers of one number, if it has at least so many of them, read
    from an array; None if there is no such number."""
    powers: dict[Node, dict[int, tuple[int, Node]]] = defaultdict(dict)
    nodes = [as_tracer(value).node for _, value in operands]
    for place, node in enumerate(nodes):
        if node.primitive.name != "multiply":
            continue
        for factor, other in (node.inputs, node.inputs[::-1]):
            found = power_of(factor)
            if found is not None:
                powers[found[0]].setdefault(place, (found[1], other))
    base = max(powers, key=lambda n: len(powers[n]), default=None)
    if base is None or len(powers[base]) < fewest:
        return None
    for place, node in enumerate(nodes):
        if place not in powers[base] and node.primitive.name == "multiply" and base in node.inputs:
            other = node.inputs[1] if node.inputs[0] is base else node.inputs[0]
            powers[base][place] = 1, other
    most = max(k for k, _ in powers[base].values())
    array = POWER(wrap(base), np.arange(most + 1.0))
    result = []
    for place, (sign, value) in enumerate(operands):
        if nodes[place].primitive is not LITERAL:
            k, other = powers[base].get(place, (0, nodes[place]))
            value = wrap(other) * take_index(array, (k,), ())
        result.append((sign, value))
    return result


__all__ = ["power_of", "with_powers"]
