"""Derivations: the derivative of a scalar function found step by step, one rule per line."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from adjoint.errors import ArgumentError, UnknownNameError, nearest
from adjoint.graph.arraytype import ArrayType
from adjoint.graph.binding import variable
from adjoint.graph.ir import Node, reachable
from adjoint.graph.scope import Scope
from adjoint.graph.tracer import Tracer
from adjoint.graph.tracing import Outputs, Variables, require_callable
from adjoint.primitives.scalar import Elementwise
from adjoint.printing.notation import Notation
from adjoint.printing.precedence import LOOSE, PRODUCT, SUM
from adjoint.printing.unicode import Unicode, symbol_text
from adjoint.simplify.exact import exact
from adjoint.simplify.expression import Expr, number, symbol
from adjoint.simplify.reading import read
from adjoint.simplify.simplification import simplify
from adjoint.transforms.forward import pushforward
from adjoint.transforms.walk import Operands

_CALLED = "derivation(f)"
_ABSTRACT = "a derivation holds for all values; write it without branches on values"


@dataclass(frozen=True)
class DerivationStep:
    """One line: ``(function)′ = applied = result``, by a rule."""

    function: str
    applied: str
    result: str
    rule: str

    def equation(self) -> str:
        """The line without its rule."""
        middle = f" = {self.applied}" if self.applied not in ("", self.result) else ""
        return f"({self.function})′{middle} = {self.result}"

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


@dataclass(frozen=True)
class Derivation:
    """How a derivative is found: steps from the innermost function outwards; prints as a table."""

    variable: str
    steps: tuple[DerivationStep, ...]

    @property
    def result(self) -> str:
        """The derivative."""
        return self.steps[-1].result

    def __str__(self) -> str:
        width = max(len(s.equation()) for s in self.steps)
        lines = [f"{s.equation():<{width}}  {s.rule}" for s in self.steps]
        return "\n".join([f"′ is the derivative with respect to {self.variable}", *lines])

    def __repr__(self) -> str:
        return str(self)


def derivation(f: Callable[..., Any], wrt: str | int = 0) -> Derivation:
    """The derivative of a scalar function of numbers, step by step, with the rule of each step.

    Parameters
    ----------
    f: a function of numbers whose value is a number.
    wrt: the variable, by name or position; the others are constants.

    Returns
    -------
    A `Derivation`.  Each part of f that depends on the variable has one line: the rule (sum,
    product, quotient, power, chain, constant multiple, or the derivative of a named function)
    applied to it, and the result, simplified.

    Raises
    ------
    ArgumentError: f uses arrays, or returns something other than one number.

    >>> import adjoint as ad
    >>> ad.derivation(lambda x: (2 * x**2 + 1) ** 4)
    ′ is the derivative with respect to x
    (x²)′ = 2x                                                power rule
    (2x²)′ = 2 · (x²)′ = 4x                                   constant multiple rule
    (2x² + 1)′ = (2x²)′ + 0 = 4x                              sum rule, constant rule
    ((2x² + 1)⁴)′ = 4(2x² + 1)³ · (2x² + 1)′ = 16x(2x² + 1)³  chain rule, power rule
    """
    require_callable(f, _CALLED)
    names = _names(f)
    place = _place(names, wrt)
    kind = ArrayType((), np.dtype(np.float64))
    with Scope(_CALLED, abstract=_ABSTRACT) as outside, np.errstate(all="ignore"):
        values = [variable(outside, None, kind) for _ in names]
        known: dict[Node, Expr] = {
            v.node: symbol(name, (), v.node) for v, name in zip(values, names, strict=True)
        }
        with Scope(_CALLED, abstract=_ABSTRACT) as scope:
            group = Variables(scope, values[place], _CALLED, names[place])
            arguments: list[Any] = list(values)
            arguments[place] = group.tree
            outputs = Outputs(f(*arguments), _CALLED)
            _require_number(outputs.nodes)
            steps = _Steps(group.nodes[0], outputs.nodes[0], scope, known)
            return Derivation(symbol_text(names[place]), tuple(steps.all()))


def _names(f: Callable[..., Any]) -> list[str]:
    if isinstance(f, np.ufunc):
        return ["x"] if f.nin == 1 else [f"x{k + 1}" for k in range(f.nin)]
    try:
        parameters = inspect.signature(f).parameters.values()
    except (TypeError, ValueError):
        raise ArgumentError(
            f"{_CALLED} cannot read the parameters of f.",
            hint="wrap it: derivation(lambda x: f(x)).",
        ) from None
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    names = [p.name for p in parameters if p.kind in kinds and p.default is p.empty]
    if not names:
        raise ArgumentError(f"{_CALLED} needs a function of at least one number.")
    return names


def _place(names: list[str], wrt: str | int) -> int:
    if isinstance(wrt, str) and wrt in names:
        return names.index(wrt)
    if isinstance(wrt, int) and 0 <= wrt < len(names):
        return wrt
    close = (nearest(wrt, names) if isinstance(wrt, str) else []) or names
    raise UnknownNameError(
        f"{_CALLED} needs wrt as one of {', '.join(names)} or its position; got {wrt!r}.",
        hint=f"use wrt={close[0]!r}.",
    )


def _require_number(nodes: list[Node]) -> None:
    if len(nodes) != 1 or nodes[0].type.shape:
        got = ", ".join(str(n.type) for n in nodes) or "nothing"
        raise ArgumentError(
            f"{_CALLED} needs f to return one number; it returned {got}.",
            hint="use formula(f) for functions of arrays.",
        )


class _Steps:
    """The steps from a variable to an output."""

    def __init__(self, x: Node, output: Node, scope: Scope, known: dict[Node, Expr]) -> None:
        self.x, self.output, self.known = x, output, known
        self.nodes = [x, *(n for n in reachable([output], scope) if n is not x)]
        dots = pushforward(self.nodes, {x: np.float64(1.0)}, scope)
        self.dots = {n: d for n, d in zip(self.nodes, dots, strict=True) if d is not None}
        self.operand = Operands(scope)
        self.printer = Unicode()

    def all(self) -> list[DerivationStep]:
        """One step per part of the function that depends on the variable."""
        found = [self._step(n) for n in self.nodes if n is not self.x and n in self.dots]
        if self.output is self.x:
            return [DerivationStep(self._text(self.x), "", "1", "derivative of the variable")]
        if self.output not in self.dots:
            return [DerivationStep(self._text(self.output), "", "0", "constant rule")]
        return found

    def _step(self, node: Node) -> DerivationStep:
        arrays = [n for n in (node, *node.inputs) if n.result_type.shape]
        if not arrays and node.primitive.name == "where":
            return self._cases(node)
        if arrays or not isinstance(node.primitive, Elementwise):
            raise ArgumentError(
                f"{_CALLED} shows functions made of numbers; f computes {node.primitive.name} of "
                f"{', '.join(str(n.result_type) for n in node.inputs)}.",
                hint="use formula(grad(f)) for functions of arrays.",
            )
        applied, rule = self._rule(node)
        return DerivationStep(self._text(node), applied, self._spell(self.dots[node]), rule)

    def _cases(self, node: Node) -> DerivationStep:
        """A choice has the derivative of the branch that is taken."""
        condition, *branches = node.inputs
        primes = [self._prime(n) if n in self.dots else "0" for n in branches]
        applied = f"where({self._text(condition, LOOSE)}, {', '.join(primes)})"
        return DerivationStep(self._text(node), applied, self._spell(self.dots[node]), "by cases")

    def _rule(self, node: Node) -> tuple[str, str]:
        name, vary = node.primitive.name, [n in self.dots for n in node.inputs]
        if name in ("add", "subtract"):
            sign = "+" if name == "add" else "−"
            parts = [self._prime(n) if v else "0" for n, v in zip(node.inputs, vary, strict=True)]
            return f"{parts[0]} {sign} {parts[1]}", "sum rule" + ", constant rule" * (not all(vary))
        if name == "negative":
            return f"−{self._prime(node.inputs[0])}", "constant multiple rule"
        if name == "multiply":
            return self._product(node.inputs[0], node.inputs[1], vary)
        if name == "divide":
            return self._quotient(node.inputs[0], node.inputs[1], vary)
        return self._chain(node, vary)

    def _product(self, a: Node, b: Node, vary: list[bool]) -> tuple[str, str]:
        if all(vary):
            left = f"{self._prime(a)} · {self._text(b, PRODUCT)}"
            return f"{left} + {self._text(a, PRODUCT)} · {self._prime(b)}", "product rule"
        c, u = (b, a) if vary[0] else (a, b)
        return f"{self._text(c, PRODUCT)} · {self._prime(u)}", "constant multiple rule"

    def _quotient(self, a: Node, b: Node, vary: list[bool]) -> tuple[str, str]:
        if not vary[1]:
            return f"{self._prime(a)} / {self._text(b, PRODUCT)}", "constant multiple rule"
        top, bottom = self._text(a, PRODUCT), self._text(b, PRODUCT)
        square = f"{bottom}²" if bottom.startswith("(") or bottom.isalnum() else f"({bottom})²"
        if not vary[0]:
            return f"−{top} · {self._prime(b)} / {square}", "quotient rule"
        numerator = f"{self._prime(a)} · {bottom} − {top} · {self._prime(b)}"
        return f"({numerator}) / {square}", "quotient rule"

    def _chain(self, node: Node, vary: list[bool]) -> tuple[str, str]:
        """Σ ∂(this)/∂(operand) · operand′."""
        primitive = node.primitive
        assert isinstance(primitive, Elementwise)
        operands = tuple(map(self.operand, node.inputs))
        terms, inner = [], False
        for k, (n, varies) in enumerate(zip(node.inputs, vary, strict=True)):
            if varies:
                slope = primitive.partial(k, operands, self.operand(node))
                level = SUM if n is self.x else PRODUCT
                factor = "" if n is self.x else f" · {self._prime(n)}"
                terms.append(self._spell(slope, level) + factor)
                inner = inner or n is not self.x
        rule = self._function_rule(primitive.name, vary)
        chained = inner or len(terms) > 1
        return " + ".join(terms), f"chain rule, {rule}" if chained else rule

    def _function_rule(self, name: str, vary: list[bool]) -> str:
        if name in ("square", "reciprocal", "sqrt") or (name == "power" and vary == [True, False]):
            return "power rule"
        if name == "power" and vary == [False, True]:
            return "derivative of an exponential"
        return f"derivative of {name}"

    # -- spelling -----------------------------------------------------------------------------

    def _prime(self, node: Node) -> str:
        return "1" if node is self.x else f"({self._text(node)})′"

    def _text(self, node: Node, level: int = SUM) -> str:
        return self._spell(self.operand(node), level)

    def _spell(self, value: Any, level: int = SUM) -> str:
        if isinstance(value, Tracer):
            (found,) = simplify(read([value.node], self.known))
        else:
            found = number(exact(value))
        return self.printer(Notation().tree(found), level)


__all__ = ["Derivation", "DerivationStep", "derivation"]
