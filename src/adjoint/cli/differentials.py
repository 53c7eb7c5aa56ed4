"""The derivation of a derivative of a function of arrays: its differential, one rule per line.

The differential d is linear: d(AB) = dA B + A dB, d tr(X) = tr(dX), d X⁻¹ = −X⁻¹ dX X⁻¹ (Magnus
and Neudecker, 1988, chapter 8).  Each part of the function that depends on the variable has a line
with the rule applied to it, in the differentials of its operands, and the result in that of the
variable.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from adjoint.cli.shapes import Dimensions, alike, shape_of
from adjoint.graph.arraytype import ArrayType
from adjoint.graph.binding import variable
from adjoint.graph.ir import Node, reachable
from adjoint.graph.scope import Scope
from adjoint.graph.tracer import Tracer
from adjoint.graph.tracing import Outputs, Variables
from adjoint.primitives.scalar import Elementwise
from adjoint.printing.derivation import DerivationStep
from adjoint.printing.notation import Notation
from adjoint.printing.unicode import Unicode, symbol_text
from adjoint.simplify.exact import exact
from adjoint.simplify.expression import Expr, number, symbol
from adjoint.simplify.reading import read
from adjoint.simplify.simplification import simplify
from adjoint.transforms.forward import pushforward
from adjoint.transforms.walk import Operands

_ABSTRACT = "without a point nothing branches on values; give one with --at"
_CALLED = "derive --steps"
_MARK = "zq"
"""Stands for an operand's differential while a line is printed; the letter after it says which."""

RULES = {
    "add": "sum rule", "subtract": "sum rule", "negative": "constant multiple rule",
    "divide": "quotient rule", "det": "Jacobi's formula", "inv": "differential of the inverse",
    "solve": "differential of a solution", "square": "chain rule, power rule",
    "sqrt": "chain rule, power rule", "root_of_squares": "chain rule, power rule",
    "power": "chain rule, power rule", "reciprocal": "chain rule, power rule",
    "where": "the rule of each choice", "absolute": "chain rule, derivative of |x|",
}  # fmt: skip
"""The rule of each primitive; what is linear says so, and the others have the derivative named."""


@dataclass(frozen=True)
class Differential:
    """How a differential is found: steps from the innermost part outwards, then the derivative."""

    steps: tuple[DerivationStep, ...]
    remark: str
    """For which lengths the steps hold, if not for all."""


def differential(
    f: Callable[..., Any], shapes: dict[str, Dimensions], name: str, text: str
) -> Differential:
    """The differential of a function of arrays with respect to one variable, step by step."""

    def shown(lengths: dict[str, int], named: bool) -> tuple[DerivationStep, ...]:
        return _traced(
            f, shapes, name, lengths, {n: d for d, n in lengths.items()} if named else {}
        )

    return Differential(*alike(shown, shapes, text))


def _traced(
    f: Callable[..., Any], shapes: dict[str, Dimensions], name: str, lengths: dict[str, int],
    sizes: dict[int, str],
) -> tuple[DerivationStep, ...]:  # fmt: skip
    kinds = [ArrayType(shape_of(d, lengths), np.dtype(np.float64)) for d in shapes.values()]
    place = list(shapes).index(name)
    with Scope(_CALLED, abstract=_ABSTRACT) as outside, np.errstate(all="ignore"):
        values: list[Any] = [variable(outside, None, kind) for kind in kinds]
        known: dict[Node, Expr] = {
            v.node: symbol(x, v.node.type.shape, v.node)
            for v, x in zip(values, shapes, strict=True)
        }
        with Scope(_CALLED, abstract=_ABSTRACT) as scope:
            group = Variables(scope, values[place], _CALLED, name)
            outputs = Outputs(f(*values[:place], group.tree, *values[place + 1 :]), _CALLED)
            found = _Steps(group.nodes[0], name, outside, scope, known, Unicode(sizes))
            return tuple(found.of(outputs.nodes[0]))


class _Steps:
    """The steps from a variable to an output."""

    def __init__(
        self, x: Node, name: str, outside: Scope, scope: Scope, known: dict[Node, Expr],
        printer: Unicode,
    ) -> None:  # fmt: skip
        self.x, self.name, self.outside, self.scope = x, name, outside, scope
        self.known, self.printer, self.operand = known, printer, Operands(scope)
        self.marks: dict[str, str] = {}
        self.dx = self._mark(x)

    def of(self, output: Node) -> list[DerivationStep]:
        """One step per part that depends on the variable and is written differently from it."""
        nodes = [self.x, *(n for n in reachable([output], self.scope) if n is not self.x)]
        dots = pushforward(nodes, {self.x: self.dx}, self.scope)
        found = {n: d for n, d in zip(nodes, dots, strict=True) if d is not None}
        if output not in found:
            return [DerivationStep(self._text(self.operand(output)), "", "0", "constant rule")]
        steps: dict[str, DerivationStep] = {}
        needed = _needed(output, found)
        for node, dot in found.items():
            if node is self.x or node not in needed or (_is_diagonal(node) and node is not output):
                continue
            text = self._text(self.operand(node))
            if text not in {self._text(self.operand(n)) for n in node.inputs if n in found}:
                applied, result = self._applied(node, set(found)), self._text(dot)
                steps.setdefault(text, DerivationStep(text, applied, result, _rule(node, found)))
        last = self._text(self.operand(output))
        return list(steps.values()) or [
            DerivationStep(last, "", self._text(found[output]), "differential of the variable")
        ]

    def _applied(self, node: Node, vary: set[Node]) -> str:
        """The rule of this node alone, in the differentials of its operands."""
        operands = [m for n in node.inputs for m in (n.inputs if _is_diagonal(n) else (n,))]
        seeds = {n: self._mark(n) for n in dict.fromkeys(operands) if n in vary}
        (dot,) = pushforward([node], seeds, self.scope)
        return self._text(dot)

    def _mark(self, node: Node) -> Any:
        """A variable that stands for the differential of a node."""
        if node is self.x and self.marks:
            return self.dx
        mark = _MARK + chr(ord("a") + len(self.marks) // 26) + chr(ord("a") + len(self.marks) % 26)
        text = self._text(self.operand(node)) if self.marks else symbol_text(self.name)
        self.marks[mark] = f"d{text}" if node is self.x else f"d({text})"
        found = variable(self.outside, None, ArrayType(node.result_type.shape, np.dtype(float)))
        self.known[found.node] = symbol(mark, found.node.type.shape, found.node)
        return found

    def _text(self, value: Any) -> str:
        if isinstance(value, Tracer):
            (found,) = simplify(read([value.node], self.known))
        elif np.ndim(value):
            (found,) = simplify([number(exact(np.ravel(value)[0]), np.shape(value))])
        else:
            found = number(exact(value))
        text = self.printer(Notation().tree(found))
        return re.sub(rf"{_MARK}[a-z][a-z]", lambda m: self.marks[m[0]], text)


def _needed(output: Node, found: dict[Node, Any]) -> set[Node]:
    """The nodes through which the output varies: not those behind a stop_gradient."""
    needed, waiting = {output}, [output]
    while waiting:
        more = [n for n in waiting.pop().inputs if n in found and n not in needed]
        needed.update(more)
        waiting += more
    return needed


def _is_diagonal(node: Node) -> bool:
    """Whether a node is the diagonal of a matrix: a trace is its sum, and has one line."""
    if node.primitive.name != "einsum":
        return False
    operand, _, result = node.params["subscripts"].partition("->")
    return len(operand) == 2 and operand == 2 * result


def _rule(node: Node, vary: dict[Node, Any]) -> str:
    name = node.primitive.name
    count = sum(n in vary for n in node.inputs)
    if name in ("einsum", "multiply"):
        if count > 1:
            return "product rule"
        return "constant multiple rule" if len(node.inputs) > 1 else "linearity"
    if name == "divide" and node.inputs[1] not in vary:
        return "constant multiple rule"
    if name in RULES:
        return RULES[name]
    if isinstance(node.primitive, Elementwise):
        return f"chain rule, derivative of {name}"
    return "linearity" if node.primitive.linear else f"differential of {name}"


__all__ = ["Differential", "differential"]
