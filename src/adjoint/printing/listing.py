"""A function traced at a point, as a list of named steps: what tables and drawings show."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from adjoint.errors import NotScalarError
from adjoint.graph.containers import leaf_names
from adjoint.graph.ir import Constant, Node, reachable
from adjoint.graph.scope import Scope
from adjoint.graph.tracing import Outputs, Variables, require_callable
from adjoint.primitives.scalar import Elementwise
from adjoint.transforms.forward import pushforward
from adjoint.transforms.reverse import pullback
from adjoint.transforms.walk import Operands

_INFIX = {
    "add": "{0} + {1}", "subtract": "{0} − {1}", "multiply": "{0} · {1}", "divide": "{0} / {1}",
    "negative": "−{0}", "square": "{0}²", "sqrt": "√{0}", "root_of_squares": "√{0}",
    "power": "{0}^{1}", "reciprocal": "1 / {0}", "absolute": "|{0}|", "exp": "exp {0}",
    "log": "log {0}", "sin": "sin {0}", "cos": "cos {0}", "tan": "tan {0}", "tanh": "tanh {0}",
    "greater": "{0} > {1}", "less": "{0} < {1}", "greater_equal": "{0} ≥ {1}",
    "less_equal": "{0} ≤ {1}", "equal": "{0} = {1}",
}  # fmt: skip

_PRODUCTS = {
    "a,ab->b": "{0} @ {1}", "ab,b->a": "{0} @ {1}", "a,a->": "{0} @ {1}", "ab,bc->ac": "{0} @ {1}",
    "ab,a->b": "{0}ᵀ @ {1}", "ab,ac->bc": "{0}ᵀ @ {1}", "ab,cb->ac": "{0} @ {1}ᵀ",
    "ab,ab->ab": "{0} ∘ {1}", "ab,ab->": "⟨{0}, {1}⟩", "a,b->ab": "outer({0}, {1})",
    "ab->ba": "{0}ᵀ", "aa->": "trace({0})", "aa->a": "diagonal({0})",
    "a->": "sum({0})", "ab->": "sum({0})", "ab->a": "sum({0}, 1)", "ab->b": "sum({0}, 0)",
}  # fmt: skip
"""Contractions that have a name, with their indices called a, b, c in order of appearance."""


@dataclass
class Step:
    """One value: its name, how it is made, and what is known of it."""

    name: str
    operation: str
    inputs: tuple[str, ...]
    primal: Any
    node: Node
    partials: dict[str, Any]
    tangent: Any = None
    adjoint: Any = None


class Listing:
    """The steps of a function at a point, in the order of evaluation.

    ``steps`` holds inputs and operations; ``outputs`` the names of the results.
    """

    def __init__(
        self, f: Callable[..., Any], args: tuple[Any, ...], *, tangents: Any = None,
        derivatives: bool = True, called: str = "explain(f)",
    ) -> None:  # fmt: skip
        require_callable(f, called)
        names = _parameter_names(f, len(args))
        with Scope(called) as scope, np.errstate(all="ignore"):
            groups = [Variables(scope, a, called, n) for a, n in zip(args, names, strict=True)]
            outputs = Outputs(f(*(g.tree for g in groups)), called)
            variables = [n for g in groups for n in g.nodes]
            labels = [
                name + suffix
                for name, g in zip(names, groups, strict=True)
                for suffix in leaf_names(g.structure, len(g.nodes))
            ]
            self._name_steps(dict(zip(variables, labels, strict=True)), outputs.nodes, scope)
            if derivatives:
                self._differentiate(variables, outputs.nodes, scope, tangents)
        self.outputs = [self.names[n] for n in outputs.nodes if n in self.names]

    def _name_steps(self, labels: dict[Node, str], outputs: list[Node], scope: Scope) -> None:
        operand = Operands(scope)
        self.names: dict[Node, str] = dict(labels)
        self.steps: list[Step] = [
            Step(label, "input", (), node.value, node, {}) for node, label in labels.items()
        ]
        letters = (c for c in _letters() if c not in labels.values())
        for node in reachable(outputs, scope):
            if node in labels or node.primitive.multiple_results:
                continue
            self.names[node] = next(letters)
            inputs = tuple(self._spell(n) for n in node.inputs)
            partials = _local_partials(node, operand, scope, inputs)
            self.steps.append(
                Step(self.names[node], describe(node, inputs), inputs, node.value, node, partials)
            )

    def _spell(self, node: Node) -> str:
        if node in self.names:
            return self.names[node]
        if isinstance(node, Constant) and not np.ndim(node.value):
            return f"{node.value:g}" if isinstance(node.value, int | float) else str(node.value)
        return str(node.result_type) if isinstance(node, Constant) else node.primitive.name

    def _differentiate(
        self, variables: list[Node], outputs: list[Node], scope: Scope, tangents: Any
    ) -> None:
        if len(outputs) != 1 or outputs[0].type.shape:
            raise NotScalarError(
                "explain(f) needs f to return one number for the adjoint column; it returned "
                f"{', '.join(str(n.type) for n in outputs)}.",
                hint="explain one component: explain(lambda x: f(x)[0])(x).",
            )
        seeds = {
            n: np.ones(n.type.shape, n.type.dtype)[()] if t is None else t
            for n, t in zip(variables, tangents or [None] * len(variables), strict=True)
        }
        nodes = [s.node for s in self.steps]
        dots = pushforward(nodes, seeds, scope)
        one = np.ones((), outputs[0].type.dtype)[()]
        for step, dot in zip(self.steps, dots, strict=True):
            step.tangent = dot
            # Each adjoint is ∂f/∂(this step): the pass stops at the step.
            if step.node is outputs[0]:
                step.adjoint = one
            else:
                step.adjoint = pullback([(outputs[0], one)], [step.node], scope)[0]


def _local_partials(
    node: Node, operand: Operands, scope: Scope, inputs: tuple[str, ...]
) -> dict[str, Any]:
    """∂(this step)/∂(each input that varies), for elementwise steps."""
    if not isinstance(node.primitive, Elementwise):
        return {}
    operands = tuple(map(operand, node.inputs))
    found: dict[str, Any] = {}
    for position, (parent, name) in enumerate(zip(node.inputs, inputs, strict=True)):
        if scope in parent.scopes.members and not isinstance(
            node.primitive.partials[position], str
        ):
            slope = node.primitive.partial(position, operands, operand(node))
            found[name] = slope if name not in found else found[name] + slope
    return found


def describe(node: Node, inputs: tuple[str, ...]) -> str:
    """How a step is written: ``a + b``, ``√c``, ``sum a``."""
    name = node.primitive.name
    if name in _INFIX and len(inputs) == _INFIX[name].count("{"):
        return _INFIX[name].format(*inputs)
    if name == "einsum":
        subscripts = _renamed(node.params["subscripts"])
        if subscripts in _PRODUCTS:
            return _PRODUCTS[subscripts].format(*inputs)
        return f"einsum[{subscripts}]({', '.join(inputs)})"
    return f"{name}({', '.join(inputs)})"


def _renamed(subscripts: str) -> str:
    """Subscripts with their indices called a, b, c in order of appearance."""
    letters = dict.fromkeys(c for c in subscripts if c.isalpha())
    return subscripts.translate(
        {ord(old): new for old, new in zip(letters, _letters(), strict=False) if len(new) == 1}
    )


def _parameter_names(f: Callable[..., Any], count: int) -> list[str]:
    try:
        names = list(inspect.signature(f).parameters)[:count]
    except (TypeError, ValueError):
        names = []
    return names + [f"x{i}" for i in range(len(names), count)]


def _letters() -> Any:
    alphabet = "abcdefghijklmnopqrstuvwxyz"
    yield from alphabet
    for number in range(1, 10**9):
        for letter in alphabet:
            yield f"{letter}{number}"
