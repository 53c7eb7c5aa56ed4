"""The series of the nodes of a graph, each from those of its operands.

Linear primitives act on each coefficient, multilinear ones as a Cauchy product.  For everything
else the first-order rule is enough: y′ = J(x(t), y(t)) x′(t), so

    k·yₖ = [J(x, y) x′]ₖ₋₁,

and the right side is a graph of the rule's own operations, whose coefficients of order k − 1 need
only y₀ … yₖ₋₁ (Griewank and Walther, *Evaluating Derivatives*, 2008, section 13.2).  For an
elementwise map this is k·yₖ = Σⱼ j·xⱼ·dₖ₋ⱼ with d the series of the partial derivative.

A rule may use its own function again, or another whose rule leads back to it.  What was applied to
the same series before is not computed again, so the cost stays polynomial in the order where such
rules branch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from adjoint.graph.binding import PROJECTION, variable
from adjoint.graph.ir import Node, reachable
from adjoint.graph.primitive import Primitive
from adjoint.graph.scope import Scope, rules_run
from adjoint.graph.tracer import Tracer
from adjoint.graph.typecheck import after_transform
from adjoint.transforms.taylor.series import (
    Coefficient,
    Series,
    derivative,
    divided,
    rule_of,
    splits,
    total,
)
from adjoint.transforms.walk import Operands

Memory = dict[Any, tuple[Any, Any, Any]]
"""What a primitive gave for some series; these and the parameters, so that no other object can
have their identity."""


@rules_run()
def series_of(
    outputs: Sequence[Node], given: Mapping[Node, Series], order: int, scope: Scope
) -> list[Series]:
    """The series of the outputs up to an order, from those of variables.

    Cost: polynomial in the order; an elementwise operation or a product costs O(order²).
    """
    walk = Walk(scope, dict(given), {})
    for node in reachable(outputs, scope):
        found = walk.of(node)
        for series in found if isinstance(found, tuple) else (found,):
            series[order]
    results: list[Series] = [walk.of(n) for n in outputs]
    after_transform("Taylor mode", [s.known[-1] for s in results])
    return results


class Walk:
    """The series of the nodes of one graph."""

    def __init__(self, scope: Scope, known: dict[Node, Any], memory: Memory) -> None:
        self.scope = scope
        self.operand = Operands(scope)
        self.known = known
        self.memory = memory

    def of(self, node: Node) -> Any:
        """The series of a node; a tuple of them for a primitive with several results."""
        found = self.known.get(node)
        if found is None:
            found = self.known[node] = self._make(node)
        return found

    def _make(self, node: Node) -> Any:
        if self.scope not in node.scopes.members:
            return self._constant(node)
        if node.primitive is PROJECTION:
            return self.of(node.inputs[0])[node.params["index"]]
        inputs = [self.of(n) for n in node.inputs]
        key = memory_key(node.primitive, inputs, node.params)
        found = self.memory.get(key)
        if found is None:
            found = self.memory[key] = (self._apply(node, inputs), inputs, node.params)
        return found[0]

    def _constant(self, node: Node) -> Any:
        value = self.operand(node)
        if node.primitive.multiple_results:
            return tuple(Series(v) for v in value)
        return Series(value)

    def _apply(self, node: Node, inputs: list[Series]) -> Any:
        primitive, out = node.primitive, self.operand(node)
        moving = [
            not s.constant and n.type.dtype.kind in "fc"
            for s, n in zip(inputs, node.inputs, strict=True)
        ]
        if primitive.flat or not any(moving):
            return tuple(map(Series, out)) if primitive.multiple_results else Series(out)
        if not primitive.multiple_results and node.type.dtype.kind not in "fc":
            return Series(out)
        rule = rule_of(primitive.name)
        special = None if rule is None else rule(node, out, inputs)
        if special is not None:
            return special
        if primitive.linear and all(primitive.is_linear_in(i) for i, m in enumerate(moving) if m):
            return _linear(node, out, inputs, moving)
        return self._from_jvp(node, out, inputs, moving)

    def _from_jvp(self, node: Node, out: Any, inputs: list[Series], moving: list[bool]) -> Any:
        """The recurrence k·yₖ = [J(x, y) x′]ₖ₋₁, from the primitive's own first-order rule."""
        multiple = node.primitive.multiple_results
        results = tuple(Series(v) for v in (out if multiple else (out,)))
        slope = _LazySlope(self, node, inputs, moving, results)
        for index, series in enumerate(results):
            series.rule = slope.rule(index)
        return results if multiple else results[0]


def memory_key(primitive: Primitive, inputs: Sequence[Series], params: Mapping[str, Any]) -> Any:
    """Equal for the same primitive of the same series."""
    names = tuple((k, _identity(v)) for k, v in params.items())
    return primitive, tuple(map(_series_key, inputs)), names


def _series_key(series: Series) -> Any:
    first = series.known[0]
    if not series.constant or isinstance(first, Tracer):
        return id(series)
    return id(first) if np.ndim(first) else (type(first), np.asarray(first).tobytes())


def _identity(value: Any) -> Any:
    """Equal for parameters that mean the same; two calls of a custom function make rules anew."""
    value = getattr(value, "identity", None) or value
    try:
        hash(value)
    except TypeError:
        return id(value)
    return value


def _linear(node: Node, out: Any, inputs: list[Series], moving: list[bool]) -> Series:
    """Each coefficient for itself, or a Cauchy product where several operands vary."""
    primitive, count = node.primitive, sum(moving)
    if count > 1 and not primitive.jointly_linear:
        return Series(out, _cauchy_rule(node, inputs, moving))

    def coefficient(k: int) -> Coefficient:
        if all(s[k] is None for s, m in zip(inputs, moving, strict=True) if m):
            return None
        operands = []
        for i, (n, s) in enumerate(zip(node.inputs, inputs, strict=True)):
            if moving[i]:
                operands.append(_zero(n) if s[k] is None else s[k])
            elif primitive.jointly_linear and primitive.is_linear_in(i):
                operands.append(_zero(n))
            else:
                operands.append(s[0])
        return primitive(*operands, **node.params)

    return Series(out, coefficient)


def _zero(node: Node) -> Any:
    """The zero of a type; that of a Python number promotes as weakly as the number."""
    return 0.0 if node.type.weak else np.zeros(node.type.shape, node.type.dtype)


def _cauchy_rule(
    node: Node, inputs: list[Series], moving: list[bool]
) -> Callable[[int], Coefficient]:
    primitive, count = node.primitive, sum(moving)

    def terms(k: int) -> Any:
        for orders in splits(k, count):
            rest = iter(orders)
            parts = [s[next(rest) if m else 0] for s, m in zip(inputs, moving, strict=True)]
            if all(p is not None for p in parts):
                yield primitive(*parts, **node.params)

    return lambda k: total(terms(k))


class _LazySlope:
    """The graph of a rule, traced when the first coefficient is asked for."""

    def __init__(
        self, walk: Walk, node: Node, inputs: list[Series], moving: list[bool],
        results: tuple[Series, ...],
    ) -> None:  # fmt: skip
        self.memory, self.node, self.inputs = walk.memory, node, inputs
        self.moving, self.results = moving, results
        self.slopes: list[Series | None] | None = None

    def rule(self, index: int) -> Callable[[int], Coefficient]:
        """The rule for the coefficients of one result."""

        def coefficient(k: int) -> Coefficient:
            if self.slopes is None:
                self.slopes = self._trace()
            slope = self.slopes[index]
            return None if slope is None else divided(slope[k - 1], k)

        return coefficient

    def _trace(self) -> list[Series | None]:
        node, scope = self.node, Scope("taylor", internal=True)
        given: dict[Node, Series] = {}

        def unknown(series: Series) -> Any:
            traced = variable(scope, series[0])
            given[traced.node] = series
            return traced

        pairs = list(zip(self.inputs, self.moving, strict=True))
        primals = tuple(unknown(s) if m else s[0] for s, m in pairs)
        tangents = tuple(unknown(derivative(s)) if m else None for s, m in pairs)
        outs = tuple(map(unknown, self.results))
        multiple = node.primitive.multiple_results
        dots = node.primitive.jvp(outs if multiple else outs[0], primals, tangents, **node.params)
        scope.close()
        walk = Walk(scope, given, self.memory)
        return [_slope_series(walk, d) for d in (dots if multiple else (dots,))]


def _slope_series(walk: Walk, dot: Any) -> Series | None:
    if dot is None:
        return None
    return walk.of(dot.node) if isinstance(dot, Tracer) else Series(dot)
