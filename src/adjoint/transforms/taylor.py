"""Taylor mode: whole power series pushed through a graph.

A node's series holds the normalised coefficients y(t) = Σ yₖ tᵏ.  Linear primitives act on each
coefficient, multilinear ones as a Cauchy product.  For everything else the first-order rule is
enough: y′ = J(x(t), y(t)) x′(t), so

    k·yₖ = [J(x, y) x′]ₖ₋₁,

and the right side is a graph of the rule's own operations, whose coefficients of order k − 1 need
only y₀ … yₖ₋₁ (Griewank and Walther, *Evaluating Derivatives*, 2008, section 13.2).  For an
elementwise map this is k·yₖ = Σⱼ j·xⱼ·dₖ₋ⱼ with d the series of the partial derivative.  The cost
is polynomial in the order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from adjoint.graph.binding import PROJECTION, variable
from adjoint.graph.ir import Node, reachable
from adjoint.graph.scope import Scope
from adjoint.graph.tracer import Tracer
from adjoint.primitives.contraction import EINSUM
from adjoint.transforms.walk import Operands

Coefficient = Any
"""One coefficient: an operand, or None for zero."""


class Series:
    """The coefficients of one value, each computed when it is first asked for, in order."""

    __slots__ = ("_rule", "known")

    def __init__(self, first: Any, rule: Callable[[int], Coefficient] | None) -> None:
        self.known: list[Coefficient] = [first]
        self._rule = rule

    def __getitem__(self, k: int) -> Coefficient:
        while len(self.known) <= k:
            rule = self._rule
            self.known.append(None if rule is None else rule(len(self.known)))
        return self.known[k]


def series_of(
    outputs: Sequence[Node], given: Mapping[Node, Series], order: int, scope: Scope
) -> list[Series]:
    """The series of the outputs up to an order, from those of variables."""
    walk = _Walk(scope, dict(given))
    for node in reachable(outputs, scope):
        series = walk.of(node)
        if isinstance(series, Series):
            series[order]
        else:
            for part in series:
                part[order]
    return [walk.of(n) for n in outputs]


class _Walk:
    """The series of the nodes of one graph."""

    def __init__(self, scope: Scope, known: dict[Node, Any]) -> None:
        self.scope = scope
        self.operand = Operands(scope)
        self.known = known

    def of(self, node: Node) -> Any:
        found = self.known.get(node)
        if found is None:
            found = self.known[node] = self._make(node)
        return found

    def _make(self, node: Node) -> Any:
        if self.scope not in node.scopes.members:
            return self._constant(node)
        primitive = node.primitive
        if primitive is PROJECTION:
            return self.of(node.inputs[0])[node.params["index"]]
        inputs = [self.of(n) for n in node.inputs]
        if primitive.flat:
            return Series(self.operand(node), None)
        if not primitive.multiple_results and node.type.dtype.kind not in "fc":
            return Series(self.operand(node), None)
        special = _RECURRENCES.get(primitive.name)
        if special is not None:
            return special(self.operand(node), inputs)
        if primitive is EINSUM and len(inputs) >= 2:
            return self._cauchy(node, inputs)
        if primitive.linear and self._is_linear_here(node):
            return self._linear(node, inputs)
        return self._from_jvp(node, inputs)

    def _constant(self, node: Node) -> Any:
        value = self.operand(node)
        if node.primitive.multiple_results:
            return tuple(Series(v, None) for v in value)
        return Series(value, None)

    def _is_linear_here(self, node: Node) -> bool:
        """Whether only operands in which the primitive is linear vary, one of them or jointly."""
        active = [i for i, n in enumerate(node.inputs) if self.scope in n.scopes.members]
        varying = [i for i in active if node.inputs[i].type.dtype.kind in "fc"]
        if not all(node.primitive.is_linear_in(i) for i in varying):
            return False
        return node.primitive.jointly_linear or len(varying) == 1

    def _linear(self, node: Node, inputs: list[Series]) -> Series:
        primitive = node.primitive
        moving = [
            primitive.is_linear_in(i)
            and self.scope in n.scopes.members
            and n.type.dtype.kind in "fc"
            for i, n in enumerate(node.inputs)
        ]

        def coefficient(k: int) -> Coefficient:
            terms = [s[k] for s, m in zip(inputs, moving, strict=True) if m]
            if all(t is None for t in terms):
                return None
            operands = []
            for i, (n, s) in enumerate(zip(node.inputs, inputs, strict=True)):
                if not primitive.is_linear_in(i):
                    operands.append(s[0])
                elif moving[i] and s[k] is not None:
                    operands.append(s[k])
                elif primitive.jointly_linear:
                    operands.append(np.zeros(n.type.shape, n.type.dtype))
                else:
                    operands.append(s[0])
            return primitive(*operands, **node.params)

        return Series(self.operand(node), coefficient)

    def _cauchy(self, node: Node, inputs: list[Series]) -> Series:
        def coefficient(k: int) -> Coefficient:
            choices = (
                [s[j] for s, j in zip(inputs, orders, strict=True)]
                for orders in _splits(k, len(inputs))
            )
            return _sum(
                EINSUM(*parts, **node.params)
                for parts in choices
                if all(p is not None for p in parts)
            )

        return Series(self.operand(node), coefficient)

    def _from_jvp(self, node: Node, inputs: list[Series]) -> Any:
        """The recurrence k·yₖ = [J(x, y) x′]ₖ₋₁, from the primitive's own first-order rule."""
        multiple = node.primitive.multiple_results
        out = self.operand(node)
        results = tuple(Series(v, None) for v in (out if multiple else (out,)))
        slope = _LazySlope(self, node, inputs, results)
        for index, series in enumerate(results):
            series._rule = slope.rule(index)
        return results if multiple else results[0]


def _splits(total: int, count: int) -> Iterator[tuple[int, ...]]:
    """The ways to write a number as a sum of so many numbers from 0 on, in order."""
    if count == 1:
        yield (total,)
        return
    for first in range(total + 1):
        for rest in _splits(total - first, count - 1):
            yield (first, *rest)


class _LazySlope:
    """The graph of a rule, traced when the first coefficient is asked for."""

    def __init__(
        self, walk: _Walk, node: Node, inputs: list[Series], results: tuple[Series, ...]
    ) -> None:
        self.walk, self.node, self.inputs, self.results = walk, node, inputs, results
        self.slopes: list[Series | None] | None = None

    def rule(self, index: int) -> Callable[[int], Coefficient]:
        def coefficient(k: int) -> Coefficient:
            if self.slopes is None:
                self.slopes = self._trace()
            slope = self.slopes[index]
            term = None if slope is None else slope[k - 1]
            return None if term is None else term / k

        return coefficient

    def _trace(self) -> list[Series | None]:
        node, scope = self.node, Scope("taylor", internal=True)
        given: dict[Node, Series] = {}

        def unknown(series: Series) -> Any:
            traced = variable(scope, series[0])
            given[traced.node] = series
            return traced

        active = [
            self.walk.scope in n.scopes.members and n.type.dtype.kind in "fc" for n in node.inputs
        ]
        primals = tuple(unknown(s) if a else s[0] for s, a in zip(self.inputs, active, strict=True))
        tangents = tuple(
            unknown(_derivative(s)) if a else None for s, a in zip(self.inputs, active, strict=True)
        )
        outs = tuple(map(unknown, self.results))
        multiple = node.primitive.multiple_results
        dots = node.primitive.jvp(outs if multiple else outs[0], primals, tangents, **node.params)
        scope.close()
        walk = _Walk(scope, dict(given))
        found = dots if multiple else (dots,)
        return [_slope_series(walk, d) for d in found]


# -- recurrences that are cheaper than the general one -------------------------------------------


def _product(out: Any, inputs: list[Series]) -> Series:
    a, b = inputs

    def coefficient(k: int) -> Coefficient:
        return _sum(
            a[j] * b[k - j] for j in range(k + 1) if a[j] is not None and b[k - j] is not None
        )

    return Series(out, coefficient)


def _square(out: Any, inputs: list[Series]) -> Series:
    return _product(out, [inputs[0], inputs[0]])


def _quotient(out: Any, inputs: list[Series]) -> Series:
    a, b = inputs
    series = Series(out, None)

    def coefficient(k: int) -> Coefficient:
        total = a[k]
        for j in range(1, k + 1):
            if b[j] is not None and series[k - j] is not None:
                term = b[j] * series[k - j]
                total = -term if total is None else total - term
        return None if total is None else total / b[0]

    series._rule = coefficient
    return series


def _convolve_slope(x: Series, slope: Series, k: int) -> Coefficient:
    """Σⱼ (j/k)·xⱼ·slopeₖ₋ⱼ: the coefficient of a function whose derivative is ``slope``."""
    return _sum(
        (j / k) * (x[j] * slope[k - j])
        for j in range(1, k + 1)
        if x[j] is not None and slope[k - j] is not None
    )


def _pair(first: Any, second: Any, sign: int) -> Callable[[Any, list[Series]], Series]:
    """Functions that are each other's derivatives up to sign: sin and cos, sinh and cosh."""

    def rule(out: Any, inputs: list[Series]) -> Series:
        (x,) = inputs
        own, other = Series(out, None), Series(second(x[0]), None)
        own_sign, other_sign = (1, sign) if first in (np.sin, np.sinh, np.cosh) else (sign, 1)

        def own_rule(k: int) -> Coefficient:
            term = _convolve_slope(x, other, k)
            return term if term is None or own_sign == 1 else -term

        def other_rule(k: int) -> Coefficient:
            term = _convolve_slope(x, own, k)
            return term if term is None or other_sign == 1 else -term

        own._rule, other._rule = own_rule, other_rule
        return own

    return rule


_RECURRENCES: dict[str, Callable[[Any, list[Series]], Series]] = {
    "multiply": _product,
    "square": _square,
    "divide": _quotient,
    "sin": _pair(np.sin, np.cos, -1),
    "cos": _pair(np.cos, np.sin, -1),
    "sinh": _pair(np.sinh, np.cosh, 1),
    "cosh": _pair(np.cosh, np.sinh, 1),
}


def _slope_series(walk: _Walk, dot: Any) -> Series | None:
    if dot is None:
        return None
    return walk.of(dot.node) if isinstance(dot, Tracer) else Series(dot, None)


def _derivative(series: Series) -> Series:
    """The series of the derivative with respect to t."""

    def coefficient(k: int) -> Coefficient:
        term = series[k + 1]
        return None if term is None else (k + 1) * term

    first = coefficient(0)
    if first is None:
        zero = np.zeros(np.shape(series[0]), np.result_type(series[0]))
        return Series(zero, coefficient)
    return Series(first, coefficient)


def _sum(terms: Any) -> Coefficient:
    total = None
    for term in terms:
        total = term if total is None else total + term
    return total


__all__ = ["Series", "series_of"]
