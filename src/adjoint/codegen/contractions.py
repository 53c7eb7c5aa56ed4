"""Contractions in the forms that loops and BLAS have.

Any contraction is a chain of these: sums and diagonals of one operand, a product of two, then the
order of the axes and what is broadcast or put on a diagonal.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from adjoint.primitives.contraction import parse

SMALL_PRODUCT = 4096
"""Multiplications up to which a product is a loop and not a call of BLAS."""

LARGE_MATRIX = 1 << 16
"""Elements of a matrix from which on its product with a vector is a call of BLAS: up to here the
loop, which has no call and joins others, is as fast; from some 256 rows and columns `gemv` takes
0.6 to 1.0 of its time."""

LARGE_COLUMNS = 1 << 11
"""The same for a matrix in column order, along which the loop walks in steps."""

Extents = Mapping[str, int]


@dataclass(frozen=True)
class Stage:
    """One contraction of the chain; operands are numbered, results follow the operands."""

    operands: tuple[int, ...]
    subscripts: str
    sizes: tuple[tuple[str, int], ...] = ()


def stages(subscripts: str, extents: Extents) -> list[Stage]:
    """The chain for a contraction.

    >>> [s.subscripts for s in stages("ij->jk", {"i": 2, "j": 3, "k": 4})]
    ['ij->j', 'j->jk']
    >>> [s.subscripts for s in stages("ij,jk->ik", {"i": 2, "j": 3, "k": 4})]
    ['ij,jk->ik']
    """
    terms, result = parse(subscripts)
    chain = _Chain(list(terms), extents)
    live = list(range(len(terms)))
    for a, b in _pairs(terms, result, extents):
        x, y = live[a], live[b]
        rest = [n for k, n in enumerate(live) if k not in (a, b)]
        last = not rest
        needed = set(result).union(*(chain.terms[n] for n in rest))
        live = [*rest, chain.multiply(x, y, needed, result if last else None)]
    chain.finish(live[0], result)
    return chain.found or [Stage((0,), subscripts, tuple(extents.items()))]


def _pairs(terms: Sequence[str], result: str, extents: Extents) -> Iterator[tuple[int, int]]:
    """Which two of the live operands to multiply next; the product is put last."""
    if len(terms) < 3:
        yield from ((0, 1),) * (len(terms) - 1)
        return
    import opt_einsum

    core = "".join(dict.fromkeys(c for c in result if any(c in t for t in terms)))
    shapes = [tuple(extents[c] for c in t) for t in terms]
    path, _ = opt_einsum.contract_path(",".join(terms) + "->" + core, *shapes, shapes=True)
    for step in path:
        for _ in range(len(step) - 2):
            yield step[0], step[1]
        yield (step[0], step[1]) if len(step) > 1 else (0, 0)


def is_product(subscripts: str, extents: Extents) -> bool:
    """Whether this is a sum of products of two, of which each index of more than one element is
    in both or in the result.

    >>> is_product("ij,jk->ik", {"i": 2, "j": 3, "k": 4}), is_product("ij,j->ij", {"i": 2, "j": 3})
    (True, False)
    """
    terms, result = parse(subscripts)
    if len(terms) != 2:
        return False
    long = [{c for c in t if extents[c] != 1} for t in (*terms, result)]
    a, b, c = long
    distinct = all(len(set(t)) == len(t) for t in (*terms, result))
    return distinct and bool(a & b - c) and a ^ b <= c <= a | b


class _Chain:
    def __init__(self, terms: list[str], extents: Extents) -> None:
        self.terms = terms
        self.extents = extents
        self.found: list[Stage] = []

    def add(self, operands: tuple[int, ...], target: str) -> int:
        """One stage; the number of its result."""
        left = ",".join(self.terms[n] for n in operands)
        new = [c for c in dict.fromkeys(target) if c not in left]
        sizes = tuple((c, self.extents[c]) for c in new)
        self.found.append(Stage(operands, f"{left}->{target}", sizes))
        self.terms.append(target)
        return len(self.terms) - 1

    def multiply(self, x: int, y: int, needed: set[str], result: str | None) -> int:
        """The product of two, summed over what nobody else needs."""
        a, b = self.terms[x], self.terms[y]
        both = dict.fromkeys(a + b)
        kept = [c for c in both if c in needed]
        final = result is not None and sorted(result) == sorted(kept)
        size = math.prod(self.extents[c] for c in both)
        if size <= SMALL_PRODUCT or len(kept) == len(both):
            # A loop takes the axes in any order and any diagonal.
            target = result if final and result is not None else "".join(kept)
            return self.add((x, y), target)
        x, y = (self.reduced(n, o, needed) for n, o in ((x, b), (y, a)))
        a, b = self.terms[x], self.terms[y]
        batch = [c for c in kept if c in a and c in b]
        left = [c for c in a if c in kept and c not in b]
        right = [c for c in b if c in kept and c not in a]
        flipped = "".join((*batch, *right, *left))
        target = flipped if result == flipped else "".join((*batch, *left, *right))
        return self.add((x, y), target)

    def reduced(self, n: int, other: str, needed: set[str]) -> int:
        """An operand without repeated axes and without axes that it alone has to sum."""
        term = self.terms[n]
        kept = "".join(dict.fromkeys(c for c in term if c in other or c in needed))
        return n if kept == term else self.add((n,), kept)

    def finish(self, n: int, result: str) -> None:
        """Sums that are left, then the order of the axes, broadcasts and diagonals."""
        term = self.terms[n]
        special = len(set(result)) != len(result) or any(c not in term for c in result)
        if special and any(c not in result for c in term):
            n = self.add((n,), "".join(dict.fromkeys(c for c in term if c in result)))
        if self.terms[n] != result:
            self.add((n,), result)
