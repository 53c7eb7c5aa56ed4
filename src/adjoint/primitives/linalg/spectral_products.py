"""Finding V f(Λ) Vᴴ in user code.

Where eigenvalues repeat, the product has a derivative and its factors have none, so it has to be
recognised however it is written: ``(V * f(w)) @ V.T``, ``V @ np.diag(f(w)) @ V.T``, an einsum.  A
contraction is opened up into its factors, and two factors V that share their last index are taken
together with the factors of that index.  Nothing is looked for unless a decomposition with
repeated (or unknown) eigenvalues is around.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, count
from typing import Any, NamedTuple
from weakref import WeakSet

import numpy as np

from adjoint.graph.binding import PROJECTION, projections
from adjoint.graph.ir import Node
from adjoint.graph.tracer import Tracer
from adjoint.primitives.contraction import RECOGNISERS, contract, letter, parse
from adjoint.primitives.linalg.eigenvalue_graph import alive, slope, stands_for
from adjoint.primitives.linalg.spectral_function import close, spectral_function
from adjoint.primitives.shaping import plain_reshape

_FACTORS = 16
_DERIVATIVES = 4
"""How many derivatives of f are kept from the start; a series cannot go back for more."""

_watched: WeakSet[Node] = WeakSet()
"""The decompositions in which eigenvalues repeat, or whose values are not known."""


class Factor(NamedTuple):
    """An operand of a product, a label for each of its axes, and whether it is conjugated."""

    operand: Any
    labels: tuple[int, ...]
    conjugated: bool


def watch(w: Any, v: Any) -> None:
    """Looks for products of these eigenvectors if eigenvalues repeat in the value of w."""
    if not isinstance(w, Tracer) or not isinstance(v, Tracer) or w.shape[-1] < 2:
        return  # one eigenvalue does not repeat
    node = w.node
    value = node.value
    if value is not None and not node.scopes.recorders:
        n = value.shape[-1]
        if not np.any(close(value, np.arange(n - 1), np.arange(1, n))[1]):
            return
    _watched.add(v.node.inputs[0])
    if recognise not in RECOGNISERS:
        RECOGNISERS.append(recognise)


def recognise(subscripts: str, operands: tuple[Any, ...]) -> Any:
    """The contraction with V f(Λ) Vᴴ taken as one factor, or None if it has no such part."""
    if not _watched:
        RECOGNISERS.remove(recognise)
        return None
    product = _Product()
    terms, result = parse(subscripts)
    names: dict[str, int] = {}
    for term, operand in zip(terms, operands, strict=True):
        labels = tuple(names.setdefault(c, product.fresh()) for c in term)
        if not product.open(operand, labels, False):
            return None
    target = tuple(product.root(names[c]) for c in result)
    if len(set(target)) != len(target):
        return None
    factors = [f._replace(labels=tuple(map(product.root, f.labels))) for f in product.factors]
    for first, second in combinations(range(len(factors)), 2):
        found = _joined(factors, first, second, target)
        if found is not None:
            return _contracted(found, target)
    return None


def _contracted(factors: Sequence[Factor], target: tuple[int, ...]) -> Any:
    labels = dict.fromkeys(i for f in factors for i in f.labels)
    names = {i: letter(k) for k, i in enumerate(labels)}
    terms = ["".join(names[i] for i in f.labels) for f in factors]
    result = "".join(names[i] for i in target)
    if len(factors) == 1 and terms[0] == result:
        return factors[0].operand
    operands = [np.conj(f.operand) if f.conjugated else f.operand for f in factors]
    return contract(",".join(terms) + "->" + result, *operands)


class _Product:
    """A contraction as a flat product; labels that a delta makes equal are merged."""

    def __init__(self) -> None:
        self.factors: list[Factor] = []
        self.fresh = count().__next__
        self.parents: dict[int, int] = {}

    def root(self, label: int) -> int:
        while label in self.parents:
            label = self.parents[label]
        return label

    def merge(self, a: int, b: int) -> None:
        a, b = self.root(a), self.root(b)
        if a != b:
            self.parents[a] = b

    def open(self, operand: Any, labels: tuple[int, ...], conjugated: bool) -> bool:
        """Adds an operand, opened up as far as it is a product; False if there are too many."""
        if isinstance(operand, Tracer):
            node = stands_for(operand.node)
            opener = _OPENERS.get(node.primitive.name)
            if opener is not None and opener(self, node, labels, conjugated):
                return len(self.factors) <= _FACTORS
            if vectors_of(node) is not None:
                operand = alive(node)
        self.factors.append(Factor(operand, labels, conjugated))
        return len(self.factors) <= _FACTORS

    def einsum(self, node: Node, labels: tuple[int, ...], conjugated: bool) -> bool:
        terms, result = parse(node.params["subscripts"])
        if not set(result) <= set("".join(terms)):
            return False
        names: dict[str, int] = {}
        for c, label in zip(result, labels, strict=True):
            if c in names:
                self.merge(names[c], label)
            names[c] = label
        for term, parent in zip(terms, node.inputs, strict=True):
            inner = tuple(names.setdefault(c, self.fresh()) for c in term)
            self.open(alive(parent), inner, conjugated)
        return True

    def multiply(self, node: Node, labels: tuple[int, ...], conjugated: bool) -> bool:
        for parent in node.inputs:
            self.open(alive(parent), self.broadcast(node, parent, labels), conjugated)
        return True

    def divide(self, node: Node, labels: tuple[int, ...], conjugated: bool) -> bool:
        above, below = node.inputs
        self.open(alive(above), self.broadcast(node, above, labels), conjugated)
        inverse = np.reciprocal(alive(below))
        self.factors.append(Factor(inverse, self.broadcast(node, below, labels), conjugated))
        return True

    def broadcast(self, node: Node, parent: Node, labels: tuple[int, ...]) -> tuple[int, ...]:
        """The labels of an operand of an elementwise product."""
        shape, full = parent.type.shape, node.type.shape
        offset = len(full) - len(shape)
        return tuple(
            labels[k + offset] if n == full[k + offset] else self.fresh()
            for k, n in enumerate(shape)
        )

    def square(self, node: Node, labels: tuple[int, ...], conjugated: bool) -> bool:
        for _ in range(2):
            self.open(alive(node.inputs[0]), labels, conjugated)
        return True

    def negative(self, node: Node, labels: tuple[int, ...], conjugated: bool) -> bool:
        self.factors.append(Factor(-np.ones((), node.type.dtype), (), False))
        return self.open(alive(node.inputs[0]), labels, conjugated)

    def positive(self, node: Node, labels: tuple[int, ...], conjugated: bool) -> bool:
        return self.open(alive(node.inputs[0]), labels, conjugated)

    def conjugate(self, node: Node, labels: tuple[int, ...], conjugated: bool) -> bool:
        return self.open(alive(node.inputs[0]), labels, not conjugated)

    def reshape(self, node: Node, labels: tuple[int, ...], conjugated: bool) -> bool:
        """Only axes of length 1 come or go."""
        parent = node.inputs[0]
        if len(node.inputs) != 1 or node.type.size != parent.type.size:
            return False
        old, new = parent.type.shape, node.type.shape
        if [n for n in old if n != 1] != [n for n in new if n != 1] or not _in_order(node):
            return False
        kept = iter([i for i, n in zip(labels, new, strict=True) if n != 1])
        inner = tuple(self.fresh() if n == 1 else next(kept) for n in old)
        return self.open(alive(parent), inner, conjugated)


def _in_order(node: Node) -> bool:
    """Whether an index leaves all elements where they are."""
    parts = node.params.get("template", ())
    return all(p is None or p is Ellipsis or p == slice(None) or p == 0 for p in parts)


_OPENERS: dict[str, Any] = {
    "einsum": _Product.einsum, "multiply": _Product.multiply, "divide": _Product.divide,
    "square": _Product.square, "negative": _Product.negative, "positive": _Product.positive,
    "conjugate": _Product.conjugate, "reshape": _Product.reshape, "getitem": _Product.reshape,
}  # fmt: skip


def vectors_of(node: Node) -> Node | None:
    """The watched decomposition of which a node is the eigenvectors."""
    if node.primitive is PROJECTION and node.params["index"] == 1:
        parent = node.inputs[0]
        return parent if parent in _watched else None
    return None


def _joined(
    factors: list[Factor], first: int, second: int, target: tuple[int, ...]
) -> list[Factor] | None:
    """The factors with V diag(g) Vᴴ in place of two V and all that shares their last index."""
    left, right = factors[first], factors[second]
    source = _common_source(left, right)
    if source is None or left.labels[-1] in target:
        return None
    if left.conjugated:
        left, right = right, left
    shared, lead = left.labels[-1], left.labels[:-2]
    rest = [f for k, f in enumerate(factors) if k not in (first, second)]
    touching = [f for f in rest if shared in f.labels]
    v = left.operand
    shape = source.types[0].shape
    w = alive(projections(source)[0].node)
    g = np.ones(shape, source.types[0].dtype)
    for factor in touching:
        aligned = _aligned(factor, (*lead, shared), shape)
        if aligned is None:
            return None
        g = g * aligned
    rows = [g]
    for _ in range(_DERIVATIVES):
        found = slope(rows[-1], w)
        if found is None:
            return None
        rows.append(found)
    whole = spectral_function(alive(source.inputs[0]), v, w, np.stack(rows, axis=-2))
    others = [f for f in rest if shared not in f.labels]
    return [Factor(whole, (*lead, left.labels[-2], right.labels[-2]), False), *others]


def _common_source(left: Factor, right: Factor) -> Node | None:
    if not isinstance(left.operand, Tracer) or not isinstance(right.operand, Tracer):
        return None
    source = vectors_of(stands_for(left.operand.node))
    if source is None or source is not vectors_of(stands_for(right.operand.node)):
        return None
    if left.labels[-1] != right.labels[-1]:
        return None
    if left.labels[:-2] != right.labels[:-2] or left.labels[-2] == left.labels[-1]:
        return None
    real = left.operand.dtype.kind == "f"
    return source if real or left.conjugated != right.conjugated else None


def _aligned(factor: Factor, labels: tuple[int, ...], shape: tuple[int, ...]) -> Any:
    """A factor of the shared index, shaped to broadcast against the eigenvalues."""
    extents = np.shape(factor.operand)
    kept = [i for i, n in zip(factor.labels, extents, strict=True) if n != 1 or i in labels]
    places = [labels.index(i) for i in kept if i in labels]
    if len(places) != len(kept) or places != sorted(set(places)):
        return None
    target = tuple(n if i in kept else 1 for i, n in zip(labels, shape, strict=True))
    operand = plain_reshape(factor.operand, target)
    return np.conj(operand) if factor.conjugated else operand
