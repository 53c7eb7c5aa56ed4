"""From expressions to notation: contractions written as products of matrices and vectors.

A contraction is a graph whose vertices are its indices and whose edges are its matrices.  Two edges
in series are a matrix product, two in parallel an elementwise product, a vector at a vertex a
diagonal matrix between its neighbours; what such steps reduce to nothing has a matrix formula.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from adjoint.printing.precedence import (
    MATRIX,
    SCALAR,
    VECTOR,
    Call,
    Chain,
    Flip,
    Identity,
    Norm,
    Number,
    Ones,
    Pow,
    Regular,
    Tree,
)
from adjoint.printing.products import chain, flip, hadamard, transposes, triangle_of
from adjoint.simplify.regular import Band

Edge = tuple[int, int, Tree]


class NoMatrixForm(Exception):
    """The contraction has no formula in products of matrices; index notation is needed."""


@dataclass
class Network:
    """The indices, vectors and matrices of one contraction, reduced step by step.

    ``squares`` remembers which trees are elementwise squares, for norms.
    """

    sizes: dict[int, int]
    free: set[int]
    vectors: dict[int, list[Tree]] = field(default_factory=dict)
    edges: list[Edge] = field(default_factory=list)
    scalars: list[Tree] = field(default_factory=list)

    def attach(self, tree: Tree, labels: tuple[int, ...]) -> None:
        """Adds one factor."""
        if len(labels) == 0:
            self.scalars.append(tree)
        elif len(labels) == 1:
            self.vectors.setdefault(labels[0], []).append(tree)
        elif len(labels) == 2 and labels[0] == labels[1]:
            self.vectors.setdefault(labels[0], []).append(Call("diag", (tree,), VECTOR))
        elif len(labels) == 2:
            self.edges.append((labels[0], labels[1], tree))
        else:
            raise NoMatrixForm

    # -- reduction --------------------------------------------------------------------------

    def reduce(self) -> None:
        """Removes every summed index."""
        summed = [i for i in self.sizes if i not in self.free]
        while summed:
            place = self._step(summed)
            if place is None:
                raise NoMatrixForm
            summed.remove(place)
        self._join_parallel()

    def reduce_partly(self, held: set[int]) -> None:
        """Removes summed indices that are no more than a product with a vector or a matrix, but
        for those that are held."""
        summed = [i for i in self.sizes if i not in self.free and i not in held]
        most = 1  # products with vectors first: they leave less to multiply
        while most < 3:
            place = next((i for i in summed if self._removed(i, summed, most)), None)
            most = most + 1 if place is None else 1
            if place is not None:
                summed.remove(place)

    def _removed(self, i: int, summed: list[int], most: int) -> bool:
        edges = self._edges_at(i)
        if not edges and self.vectors.get(i):
            self.scalars.append(self._sum(i))
            return True
        if len(edges) == 1:
            return self._absorb(i, summed)
        return len(edges) == 2 == most and self._series(i)

    def _step(self, summed: list[int]) -> int | None:
        for i in summed:
            if not self._edges_at(i):
                self.scalars.append(self._sum(i))
                return i
        if self._trace(summed):
            return self._trace_vertex
        for i in sorted(summed, key=lambda i: len(self.vectors.get(i, []))):
            if len(self._edges_at(i)) == 1 and self._absorb(i, summed):
                return i
        for i in summed:
            if len(self._edges_at(i)) == 2 and self._series(i):
                return i
        if self._join_parallel():
            return self._step(summed)
        return None

    _trace_vertex = -1

    def _edges_at(self, i: int) -> list[Edge]:
        return [e for e in self.edges if i in e[:2]]

    def _vector(self, i: int) -> Tree | None:
        found = self.vectors.pop(i, None)
        return hadamard(found) if found else None

    def _sum(self, i: int) -> Tree:
        """Σ_i of the vectors at i: an inner product, a squared norm, or a sum."""
        parts = self.vectors.pop(i, [])
        if len(parts) == 1:
            return sum_of(parts[0])
        if not parts:
            raise NoMatrixForm
        return inner(parts[0], hadamard(parts[1:]))

    def _absorb(self, i: int, summed: list[int]) -> bool:
        """Σ_i M[a, i] v[i] is the vector M v at a."""
        (edge,) = self._edges_at(i)
        a, b, m = edge
        if a == i:
            a, b, m = b, a, flip(m)
        alone = not self.vectors.get(i)
        if alone and a in summed and len(self._edges_at(a)) == 1 and not self.vectors.get(a):
            # Σ_ai M[a, i]: all elements.
            self.edges.remove(edge)
            self.vectors[a] = [_Total(m)]
            return True
        v = self._vector(i) or Ones(self.sizes[i])
        self.edges.remove(edge)
        self.vectors.setdefault(a, []).append(chain([m, v], VECTOR))
        return True

    def _series(self, i: int) -> bool:
        """Σ_i M[a, i] v[i] N[i, b] is M diag(v) N."""
        first, second = self._edges_at(i)
        a, m = (first[0], first[2]) if first[1] == i else (first[1], flip(first[2]))
        b, n = (second[1], second[2]) if second[0] == i else (second[0], flip(second[2]))
        if a == b:
            return False
        v = self._vector(i)
        middle = [diagonal(v)] if v is not None else []
        self.edges = [e for e in self.edges if e is not first and e is not second]
        self.edges.append((a, b, chain([m, *middle, n], MATRIX)))
        return True

    def _trace(self, summed: list[int]) -> bool:
        """Σ_ij M[i, j] N[j, i] is a trace, where the two indices meet nothing else."""
        for i in summed:
            edges = self._edges_at(i)
            if len(edges) != 2:
                continue
            (a, b, m), second = edges
            j = b if a == i else a
            if j not in summed or set(second[:2]) != {i, j} or len(self._edges_at(j)) != 2:
                continue
            m = m if a == i else flip(m)
            n = second[2] if second[0] == j else flip(second[2])
            if isinstance(m, Regular) or isinstance(n, Regular):
                continue  # a triangle of the other one
            middle = [diagonal(v) for v in [self._vector(j)] if v is not None]
            last = [diagonal(v) for v in [self._vector(i)] if v is not None]
            self.edges = [e for e in self.edges if e is not edges[0] and e is not second]
            found = best_rotation(chain([m, *middle, n, *last], MATRIX))
            # The value sits at j, which is then summed over as a whole.
            self.vectors[j] = [_Whole(Call("tr", (found,), SCALAR))]
            self._trace_vertex = i
            return True
        return False

    def _join_parallel(self) -> bool:
        """M[a, b] N[a, b] is an elementwise product."""
        for k, (a, b, m) in enumerate(self.edges):
            same = [
                n if (c, d) == (a, b) else flip(n)
                for c, d, n in self.edges[k + 1 :]
                if {c, d} == {a, b}
            ]
            if same:
                self.edges = [e for e in self.edges if set(e[:2]) != {a, b}]
                self.edges.append((a, b, hadamard([m, *same])))
                self._join_parallel()
                return True
        return False

    def left(self, others: Iterable[tuple[object, tuple[int, ...]]]) -> set[int]:
        """The indices that vectors and matrices, and some others, have now."""
        found = {i for i, v in self.vectors.items() if v} | {i for e in self.edges for i in e[:2]}
        return found.union(*(labels for _, labels in others))

    def factors(self) -> list[tuple[Tree, tuple[int, ...]]]:
        """What is left, vectors first, with its indices."""
        vectors = [(v, (i,)) for i, found in sorted(self.vectors.items()) for v in found]
        return [*vectors, *((m, (a, b)) for a, b, m in self.edges)]

    # -- results ----------------------------------------------------------------------------

    def vector(self, i: int) -> Tree:
        """What is left at a free index, for a vector."""
        return self._vector(i) or Ones(self.sizes[i])

    def matrix(self, i: int, j: int) -> Tree:
        """What is left between two free indices."""
        if i == j:
            v = self._vector(i)
            return Identity(self.sizes[i]) if v is None else diagonal(v)
        left, right = self._vector(i), self._vector(j)
        if not self.edges:
            column = left or Ones(self.sizes[i])
            return chain([column, flip(right or Ones(self.sizes[j]))], MATRIX)
        ((a, _, m),) = self.edges
        m = m if a == i else flip(m)
        if isinstance(m, Regular) and isinstance(m.rule, Band) and left and right:
            outer = triangle_of(m.rule, chain([left, flip(right)], MATRIX))
            if outer is not None:
                return outer
        before = [diagonal(left)] if left is not None else []
        after = [diagonal(right)] if right is not None else []
        return chain([*before, m, *after], MATRIX)


class _Whole(Call):
    """A scalar that stands at an index which is summed over with it."""

    def __init__(self, tree: Tree) -> None:
        super().__init__("", (tree,), VECTOR)


class _Total(Call):
    """The row sums of a matrix, on their way to the sum of all elements."""

    def __init__(self, tree: Tree) -> None:
        super().__init__("", (tree,), VECTOR)


def best_rotation(tree: Tree) -> Tree:
    """tr(ABC) = tr(BCA) = tr(CᵀBᵀAᵀ): the one with fewest transposes, then first by name."""
    options: list[Tree] = []
    for t in (tree, flip(tree)):
        if not isinstance(t, Chain):
            return min(tree, flip(tree), key=transposes)
        turns = range(len(t.parts))
        options += [Chain(t.parts[k:] + t.parts[:k], t.of) for k in turns]
    return min(options, key=lambda t: (transposes(t), str(t)))


def diagonal(v: Tree) -> Tree:
    """diag(v)."""
    return Call("diag", (v,), MATRIX)


def sum_of(tree: Tree) -> Tree:
    """The sum of all elements; of squares, a squared norm; of a chain that ends in ones, inner."""
    if isinstance(tree, _Whole):
        return tree.args[0]
    if isinstance(tree, _Total):
        tree = tree.args[0]
    if isinstance(tree, Flip):
        tree = tree.tree
    if isinstance(tree, Pow) and isinstance(tree.exponent, Number) and tree.exponent.value == 2:
        return Pow(Norm(tree.base), Number(tree.exponent.value))
    if isinstance(tree, Call) and tree.name == "diag" and tree.kind == VECTOR:
        return Call("tr", tree.args, SCALAR)
    return Call("sum", (tree,), SCALAR)


def inner(v: Tree, w: Tree) -> Tree:
    """vᵀw, in the order that shows fewer transposes."""
    options = [chain([flip(v), w], SCALAR), chain([flip(w), v], SCALAR)]
    return min(options, key=transposes)


def is_outer(parts: Iterable[Tree]) -> bool:
    """Whether a chain has a column in front of a row."""
    return any(p.kind == VECTOR for p in parts)


__all__ = ["Chain", "Network", "NoMatrixForm", "diagonal", "inner", "is_outer", "sum_of"]
