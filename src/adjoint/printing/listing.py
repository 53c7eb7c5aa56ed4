"""A function traced at a point, as a list of named steps: what tables and drawings show."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from adjoint.errors import NotScalarError
from adjoint.graph.binding import PROJECTION
from adjoint.graph.containers import leaf_names
from adjoint.graph.ir import Constant, Node, reachable
from adjoint.graph.scope import Scope
from adjoint.graph.tracing import Outputs, Variables, require_callable
from adjoint.primitives.scalar import Elementwise
from adjoint.printing.equals import arrays_in_reach, first_of_equals, identity
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

    Equal subexpressions are one step: the same operation on the same steps.  ``steps`` holds inputs
    and operations; ``constants`` the arrays from outside, by the names that operations call them;
    ``outputs`` the names of the results.  Keyword arguments are inputs as well, but options: what
    is not made of numbers, and integers and truth values for a parameter that has a default.
    """

    def __init__(
        self, f: Callable[..., Any], args: tuple[Any, ...], named: dict[str, Any] | None = None, *,
        tangents: Any = None, derivatives: bool = True, called: str = "explain(f)",
    ) -> None:  # fmt: skip
        require_callable(f, called)
        options = {k: v for k, v in (named or {}).items() if _is_option(f, k, v)}
        keywords = {k: v for k, v in (named or {}).items() if k not in options}
        names = [*_parameter_names(f, len(args)), *keywords]
        with Scope(called) as scope, np.errstate(all="ignore"):
            given = zip((*args, *keywords.values()), names, strict=True)
            groups = [Variables(scope, a, called, n) for a, n in given]
            trees = [g.tree for g in groups]
            chosen = dict(zip(keywords, trees[len(args) :], strict=True))
            outputs = Outputs(f(*trees[: len(args)], **chosen, **options), called)
            variables = [n for g in groups for n in g.nodes]
            labels = [
                name + suffix
                for name, g in zip(names, groups, strict=True)
                for suffix in leaf_names(g.structure, len(g.nodes))
            ]
            self._known = arrays_in_reach(f)
            self._arrays: dict[Any, str] = {}
            self.constants: list[Step] = []
            self._name_steps(dict(zip(variables, labels, strict=True)), outputs.nodes, scope)
            if derivatives:
                self._differentiate(variables, outputs.nodes, scope, tangents)
        self.outputs = [self.names[n] for n in outputs.nodes if n in self.names]

    def _name_steps(self, labels: dict[Node, str], outputs: list[Node], scope: Scope) -> None:
        operand = Operands(scope)
        nodes = reachable(outputs, scope)
        self._first = first_of_equals(nodes, labels)
        self.names: dict[Node, str] = dict(labels)
        self.steps: list[Step] = [
            Step(label, "input", (), node.value, node, {}) for node, label in labels.items()
        ]
        self._taken = {*labels.values()}
        letters = (c for c in _letters() if c not in self._taken)
        last = {self._first.get(n, n) for n in outputs}
        for node in nodes:
            first = self._first[node]
            if first is not node:
                if first in self.names:
                    self.names[node] = self.names[first]
                continue
            if node in labels or node.primitive.multiple_results:
                continue
            name = next(letters)
            if name == "f" and node not in last:
                name = next(letters)  # ∂f/∂f would be no derivative of f
            self.names[node] = name
            projected = node.primitive is PROJECTION
            inputs = tuple(map(self._spell, (node.inputs[0] if projected else node).inputs))
            partials = _local_partials(node, operand, scope, inputs)
            self.steps.append(
                Step(name, describe(node, inputs), inputs, node.value, node, partials)
            )

    def _spell(self, node: Node) -> str:
        if node in self.names:
            return self.names[node]
        if isinstance(node, Constant) and not np.ndim(node.value):
            value = node.value
            return f"{value:g}" if isinstance(value, int | float) else str(value)
        same = identity(node)
        if same not in self._arrays:
            source = node.source if isinstance(node, Constant) else None
            wanted = chain([self._known.get(id(source), "")], map(str.upper, _letters()))
            found = next(name for name in wanted if name and name not in self._taken)
            self._taken.add(found)
            self._arrays[same] = found
            self.constants.append(Step(found, "constant", (), node.value, node, {}))
        return self._arrays[same]

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
        dots = pushforward([s.node for s in self.steps], seeds, scope)
        one = np.ones((), outputs[0].type.dtype)[()]
        passed = [n for n in self._first if n not in set(variables)]
        passed = [n for n in passed if not n.primitive.multiple_results]
        cts = pullback([(outputs[0], one)], variables, scope, passed=passed)
        adjoints: dict[Node, Any] = {}
        for node, ct in zip((*variables, *passed), cts, strict=True):
            if ct is None:
                continue
            first = self._first.get(node, node)
            # The gradient of a complex variable points uphill: the conjugate of the cotangent.
            ct = np.conj(ct) if node.type.dtype.kind == "c" else ct
            adjoints[first] = adjoints[first] + ct if first in adjoints else ct
        for step, dot in zip(self.steps, dots, strict=True):
            step.tangent, step.adjoint = dot, adjoints.get(step.node)


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
    if node.primitive is PROJECTION:
        return f"{describe(node.inputs[0], inputs)}[{node.params['index']}]"
    name = node.primitive.name
    if name == "getitem":
        arrays = iter(inputs[1:])
        return f"{inputs[0]}[{', '.join(_index(i, arrays) for i in node.params['template'])}]"
    if name in _INFIX and len(inputs) == _INFIX[name].count("{"):
        return _INFIX[name].format(*inputs)
    if name == "einsum":
        subscripts = _renamed(node.params["subscripts"])
        if subscripts in _PRODUCTS:
            return _PRODUCTS[subscripts].format(*inputs)
        return f"einsum[{subscripts}]({_listed(inputs)})"
    return f"{name}({_listed(inputs)})"


def _listed(inputs: tuple[str, ...]) -> str:
    """Operands with commas, the middle of a long row left out."""
    return ", ".join(inputs if len(inputs) <= 6 else (*inputs[:3], "…", inputs[-1]))


def _index(entry: Any, arrays: Iterator[str]) -> str:
    """One entry between brackets."""
    if entry is Ellipsis:
        return "..."
    if isinstance(entry, slice):
        ends = ["" if e is None else str(e) for e in (entry.start, entry.stop, entry.step)]
        return ":".join(ends[: 3 if ends[2] else 2])
    return next(arrays) if isinstance(entry, str) else str(entry)


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


def _is_option(f: Callable[..., Any], name: str, value: Any) -> bool:
    if isinstance(value, str | bytes) or value is None or callable(value):
        return True
    if not isinstance(value, int | np.integer | np.bool_):
        return False
    try:
        parameter = inspect.signature(f).parameters.get(name)
    except (TypeError, ValueError):
        return False
    return parameter is not None and parameter.default is not inspect.Parameter.empty


def _letters() -> Iterator[str]:
    alphabet = "abcdefghijklmnopqrstuvwxyz"
    yield from alphabet
    for number in range(1, 10**9):
        for letter in alphabet:
            yield f"{letter}{number}"
