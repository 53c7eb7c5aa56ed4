"""Loops over the entries of an array, unrolled while they were traced, as one operation on it.

A loop that adds x[0]², x[1]², … leaves a chain of additions in the graph, whose operands differ in
nothing but integers in their indices.  Where these integers count up evenly, the operands are one
computation on slices, which batching gives, and the chain is a sum over its new axis: Σ x².  The
same holds for products, maxima, arrays filled entry by entry, and stacks.  Loops inside loops are
found from the inside out.  (Compilers call it loop rerolling.)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adjoint.graph.binding import VARIABLE, as_tracer, variable
from adjoint.graph.ir import NO_PARAMS, Node, reachable
from adjoint.graph.registry import PRIMITIVES
from adjoint.graph.scope import Scope
from adjoint.graph.tracer import wrap
from adjoint.primitives.contraction import LETTERS, contract
from adjoint.primitives.indexing import SETITEM, take_index
from adjoint.transforms.batching import batch, replay
from adjoint.transforms.forwarding import forward, full_index, spread_over
from adjoint.transforms.index_patterns import (
    Mismatch,
    Pattern,
    Skeletons,
    block_length,
    grid_of,
    integers,
    is_weight,
    pattern_of,
    sliced,
    whole,
)
from adjoint.transforms.polynomials import with_powers
from adjoint.transforms.recurrences import Link, links, recurrence_of
from adjoint.transforms.walk import Operands

POWER = PRIMITIVES["power"]

SHORTEST = 17
"""Chains of fewer operands are left as they were written."""

REDUCTIONS: dict[str, Callable[..., Any]] = {
    "add": np.sum, "multiply": np.prod, "maximum": np.max, "minimum": np.min
}  # fmt: skip

CHAINS = {**{name: name for name in REDUCTIONS}, "subtract": "add", "setitem": "setitem"}


def reroll(outputs: Sequence[Node], scope: Scope) -> list[Any] | None:
    """The outputs with loops made into operations on arrays, or None if there are none.

    The result is exact up to the order of summation.
    """
    forwarded = _Rewriting(scope, outputs, forward).run()
    rewriting = _Rewriting(scope, [as_tracer(v).node for v in forwarded], None)
    found = rewriting.run()
    return found if rewriting.folded else None


class _Rewriting:
    """One pass over a graph that makes it again, with chains folded or reads forwarded."""

    def __init__(
        self, scope: Scope, outputs: Sequence[Node], rule: Callable[[Node, Any], Any] | None
    ) -> None:
        self.scope, self.outputs, self.rule = scope, outputs, rule
        self.order = reachable(outputs, scope)
        self.skeletons, self.operand = Skeletons(), Operands(scope)
        self.weighted = Skeletons(weighted=True)
        self.recurring: dict[Node, Link] = {}
        self.folded = 0
        self.known: dict[Node, Any] = {}
        self.inner = set() if rule else self._inner()

    def _inner(self) -> set[Node]:
        """The links of chains that nothing but the next link uses."""
        uses = Counter(n for node in self.order for n in node.inputs)
        uses.update(self.outputs)
        chains = {
            parent
            for node in self.order
            for parent in node.inputs
            if uses[parent] == 1 and _chain(node) and _chain(parent) == _chain(node)
        }
        self.recurring = links(self.order, uses, chains, SHORTEST - 1)
        return chains.union(*((link.product, link.s) for link in self.recurring.values()))

    def run(self) -> list[Any]:
        for node in self.order:
            if node not in self.inner:
                self.known[node] = self._made(node)
        return [self.value(n) for n in self.outputs]

    def value(self, node: Node) -> Any:
        """A node of the old graph in the new one."""
        found = self.known.get(node)
        if found is None:
            made = self._again if node in self.inner else self._outside
            found = self.known[node] = made(node)
        return found

    def _outside(self, node: Node) -> Any:
        """A node that does not depend on the scope; of a transform that has returned, from
        outside."""
        return self.operand(node) if node.scopes.dead else wrap(node)

    def _variable(self, node: Node) -> Any:
        """An input, what an inner variable stood for, or a one of unknown value."""
        if not node.inputs or not node.scopes.dead:
            return wrap(node)
        if self.scope in node.inputs[0].scopes.members:
            return self.value(node.inputs[0])
        scopes = self.scope.only
        return wrap(Node(VARIABLE, node.inputs, NO_PARAMS, node.value, scopes, None, node.type))

    def _made(self, node: Node) -> Any:
        if node.primitive is VARIABLE:
            return self._variable(node)
        if self.rule is not None:
            found = self.rule(node, self.value)
            return self._again(node) if found is None else found
        name = _chain(node)
        if name == "setitem":
            found = self._filled(node)
        elif name == "add" and (recurrence := self._recurrence(node)) is not None:
            found = recurrence
        elif name:
            found = self._reduced(node, name)
        else:
            found = self._stacked(node) if node.primitive.name == "stack" else None
        self.folded += found is not None
        return self._links(node) if found is None else found

    def _links(self, node: Node) -> Any:
        """A chain as it was: its inner links first, without recursion."""
        stack, links = [node], []
        while stack:
            link = stack.pop()
            links.append(link)
            stack += [n for n in link.inputs if n in self.inner and n not in self.known]
        for link in reversed(links):
            self.known[link] = self._again(link)
        return self.known[node]

    def _again(self, node: Node) -> Any:
        return node.primitive(*(self.value(n) for n in node.inputs), **node.params)

    # -- chains of operations ---------------------------------------------------------------

    def _reduced(self, root: Node, name: str) -> Any:
        """A chain of additions, products or maxima; None if no loop is found in it."""
        operands: list[tuple[int, Node]] = []
        stack = [(1, root)]
        while stack:
            sign, node = stack.pop()
            if node is root or (node in self.inner and _chain(node) == name):
                right = -sign if node.primitive.name == "subtract" else sign
                stack += [(right, node.inputs[1]), (sign, node.inputs[0])]
            else:
                operands.append((sign, node))
        if len(operands) < SHORTEST:
            return None
        signed = [(sign, self.value(node)) for sign, node in operands]
        if name == "add":
            signed = with_powers(signed, SHORTEST) or signed
        parts = self._alternating(signed, name)
        if parts is None:
            parts = self._grouped(signed, name, root)
        return _combined(root, name, parts) if len(parts) < len(operands) else None

    def _alternating(
        self, operands: list[tuple[int, Any]], name: str
    ) -> list[tuple[int, Any]] | None:
        """Operands that differ by the numbers they are multiplied with, some of which are alike, as
        are those of x₀ − x₁ + x₂ − …; None if they do not count up one by one."""
        nodes = [as_tracer(value).node for _, value in operands]
        groups: dict[Any, list[int]] = {}
        for k, node in enumerate(nodes):
            groups.setdefault((self.weighted(node), operands[k][0]), []).append(k)
        parts: list[tuple[int, Any]] = []
        folded = False
        for (_, sign), places in groups.items():
            alike = {self.skeletons(nodes[k]) for k in places}
            found = None
            if len(places) >= SHORTEST and 1 < len(alike) < len(places):
                found = self._counted([nodes[k] for k in places], name)
            folded = folded or found is not None
            parts += [operands[k] for k in places] if found is None else [(sign, found)]
        return parts if folded else None

    def _counted(self, nodes: list[Node], name: str) -> Any:
        """The reduction of one computation at indices that all count up evenly, else None."""
        try:
            pattern = pattern_of(nodes)
        except Mismatch:
            return None
        if block_length(pattern.integers()) < len(nodes):
            return None
        return REDUCTIONS[name](self._batched(pattern), axis=0)

    def _grouped(
        self, operands: list[tuple[int, Any]], name: str, root: Node
    ) -> list[tuple[int, Any]]:
        """Each group of operands that are one computation, reduced."""
        groups: dict[Any, list[tuple[int, Any]]] = {}
        for sign, value in operands:
            alike = self.skeletons(as_tracer(value).node), sign, np.shape(value)
            groups.setdefault(alike, []).append((sign, value))
        parts: list[tuple[int, Any]] = []
        left: list[tuple[int, Any]] = []
        for members in groups.values():
            folded = self._fold([v for _, v in members], name, root)
            if folded is None:
                left += members
            else:
                parts.append((members[0][0], folded))
        weighted = self._weighted(left, name, root)
        return parts + (left if weighted is None else weighted)

    def _recurrence(self, root: Node) -> Any:
        """s ← a s + g as Σ aᵏ g, if what is added in each step is one computation."""
        found = recurrence_of(root, self.inner, self.recurring)
        if found is None:
            return None
        a, plain, last = self.value(found.factor), is_weight(found.factor), len(found.steps) - 1
        # One array of powers, read at counting indices, as a¹ and a² are other operations than aᵏ.
        powers = None if plain else POWER(a, np.arange(last, -1, -1.0))
        operands = [
            (sign, self.value(n) * (a**k if plain else take_index(powers, (last - k,), ())))
            for k, step in enumerate(found.steps)
            for sign, n in step
        ]
        parts = self._weighted(operands[::-1], "add", root)
        return None if parts is None or len(parts) >= SHORTEST else _combined(root, "add", parts)

    def _weighted(
        self, operands: list[tuple[int, Any]], name: str, root: Node
    ) -> list[tuple[int, Any]] | None:
        """Operands that differ by the numbers they are multiplied with, as in Σ i x[i]."""
        places = {id(v): k for k, (_, v) in enumerate(operands)}
        groups: dict[Any, list[tuple[int, Any]]] = {}
        for sign, value in operands:
            groups.setdefault((self.weighted(as_tracer(value).node), sign), []).append(
                (sign, value)
            )
        parts: list[tuple[int, Any]] = []
        for members in groups.values():
            members.sort(key=lambda m: places[id(m[1])])
            folded = self._fold([v for _, v in members], name, root)
            parts += members if folded is None else [(members[0][0], folded)]
        return parts if len(parts) < len(operands) else None

    def _fold(self, values: list[Any], name: str, like: Node) -> Any:
        """The reduction of values that are one computation at counting indices, else None."""
        if len(values) < SHORTEST or np.shape(values[0]) != like.type.shape:
            return None
        reduction = REDUCTIONS[name]
        try:
            return self._nested(values, lambda a: reduction(a, axis=0))
        except Mismatch:
            pass
        try:
            return self._triangle(values) if name == "add" else None
        except Mismatch:
            return None

    def _triangle(self, values: list[Any]) -> Any:
        """The sum over pairs of indices that are told by their difference, as are those of
        ``for i in range(n): for j in range(i)``: that over all pairs, where the others give 0."""
        pattern = pattern_of([as_tracer(v).node for v in values])
        grid = grid_of(pattern)
        rows = []
        for p, mask in zip(grid.range, grid.mask, strict=True):
            row = self._batched(grid.row(pattern, p))
            shaped = mask.reshape(mask.shape + (1,) * (np.ndim(row) - 1))
            rows.append(np.sum(np.where(shaped, row, 0.0), axis=0))
        return self._nested(rows, lambda a: np.sum(a, axis=0))

    def _nested(self, values: list[Any], reduction: Callable[[Any], Any]) -> Any:
        """Innermost loops first: the values of one become one value."""
        while True:
            pattern = pattern_of([as_tracer(v).node for v in values])
            length = block_length(pattern.integers())
            if length == len(values):
                return reduction(self._batched(pattern))
            blocks = [values[k : k + length] for k in range(0, len(values), length)]
            patterns = [pattern_of([as_tracer(v).node for v in b]) for b in blocks]
            values = [reduction(self._batched(p)) for p in patterns]

    def _batched(self, pattern: Pattern) -> Any:
        """All instances of a pattern along a new first axis."""
        with Scope("a loop", abstract="its steps are taken together", internal=True) as inner:
            still = {n: i[0] for n, i in pattern.varying.items() if all(j == i[0] for j in i)}
            moving = {n: i for n, i in pattern.varying.items() if n not in still}
            entries = {n: variable(inner, None, n.type) for n in (*moving, *pattern.weights)}
            arrays = {entries[n].node: self._slices(n, index) for n, index in moving.items()}
            arrays |= {entries[n].node: np.stack(v) for n, v in pattern.weights.items()}
            fixed = {n: wrap(n) for n in reachable([pattern.first], self.scope) if not n.inputs
                     or n.primitive is VARIABLE}  # fmt: skip
            fixed |= {n: take_index(wrap(n.inputs[0]), i, ()) for n, i in still.items()}
            (body,) = replay([pattern.first], {**fixed, **entries}, self.scope)
            (found,) = batch([as_tracer(body).node], arrays, pattern.count, inner)
        return found

    def _slices(self, node: Node, indices: Sequence[tuple[Any, ...]]) -> Any:
        """x[i] for all i of a loop, along a new first axis."""
        base = node.inputs[0]
        index, moving = sliced(indices, base.type.shape)
        x = wrap(base)
        if not whole(index):
            x = take_index(x, index, ())
        axes = [k for k, p in enumerate(index) if isinstance(p, slice)]
        names = [LETTERS[k + 1] for k in range(len(axes))]
        for k, place in enumerate(axes):
            if place in moving:
                names[k] = LETTERS[0]
        rest = "".join(n for n in names if n != LETTERS[0])
        term = "".join(names)
        return x if term == LETTERS[0] + rest else contract(f"{term}->{LETTERS[0]}{rest}", x)

    # -- arrays filled entry by entry, and stacks -------------------------------------------

    def _filled(self, root: Node) -> Any:
        """A chain of writes ``out[i] = …``; of writes to one place the last one counts."""
        writes: dict[str, tuple[tuple[Any, ...], Any]] = {}  # by text: slices have no hash
        node = root
        while node is root or node in self.inner:
            if len(node.inputs) != 2:
                return None
            place = full_index(node.params["template"], root.type.shape)
            writes.setdefault(str(place), (place, node.inputs[1]))
            node = node.inputs[0]
        places = {tuple(isinstance(p, int) for p in index) for index, _ in writes.values()}
        slices_whole = all(
            isinstance(p, int) or p == slice(None) for t, _ in writes.values() for p in t
        )
        if len(writes) < SHORTEST or len(places) != 1 or not slices_whole:
            return None
        base = self.value(node)
        entries = [(spread_over(self.value(v), t, root), t) for t, v in reversed(writes.values())]
        try:
            value, index = self._blocks(entries, root)
        except Mismatch:
            return None
        return value if whole(index) else SETITEM(base, value, template=index)

    def _blocks(self, entries: list[tuple[Any, tuple[Any, ...]]], root: Node) -> Any:
        """Writes at counting places as one write at a slice."""
        while len(entries) > 1:
            rows = [integers(index) for _, index in entries]
            nodes = [as_tracer(v).node for v, _ in entries]
            pattern = pattern_of(nodes)
            both = [a + b for a, b in zip(rows, pattern.integers(), strict=True)]
            length = block_length(both)
            made = []
            for k in range(0, len(entries), length):
                block = entries[k : k + length]
                index, moving = sliced([t for _, t in block], root.type.shape)
                (axis,) = moving if len(moving) == 1 else (None,)
                if axis is None:
                    raise Mismatch
                inner = pattern_of([as_tracer(v).node for v, _ in block])
                place = sum(isinstance(p, slice) for p in index[:axis])
                made.append((np.moveaxis(self._batched(inner), 0, place), index))
            entries = made
        return entries[0]

    def _stacked(self, root: Node) -> Any:
        if len(root.inputs) < SHORTEST:
            return None
        try:
            pattern = pattern_of([as_tracer(self.value(n)).node for n in root.inputs])
            if block_length(pattern.integers()) != pattern.count:
                return None
            return np.moveaxis(self._batched(pattern), 0, root.params["axis"])
        except Mismatch:
            return None


def _chain(node: Node) -> str:
    return CHAINS.get(node.primitive.name, "")


def _combined(root: Node, name: str, parts: list[tuple[int, Any]]) -> Any:
    """What is left of a chain: a few operands, and what loops have become."""
    parts.sort(key=lambda part: part[0] < 0)
    total = parts[0][1] if parts[0][0] > 0 else -parts[0][1]
    for sign, value in parts[1:]:
        if name == "add":
            total = total + value if sign > 0 else total - value
        else:
            operation = root.primitive
            total = operation(total, value, **root.params)
    return total


def loops_left(outputs: Sequence[Node], scope: Scope) -> bool:
    """Whether a graph still reads or writes many single entries: a loop nothing was found for."""
    counts: Counter[str] = Counter()
    for node in reachable(outputs, scope):
        if node.primitive.name in ("getitem", "setitem", "scatter_add"):
            counts[node.primitive.name] += any(isinstance(p, int) for p in node.params["template"])
    return any(n >= SHORTEST for n in counts.values())


__all__ = ["loops_left", "reroll"]
