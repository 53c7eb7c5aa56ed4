"""Which parts of a formula are given a name: ``where e = y − Φθ``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

from adjoint.printing.notation import Notation, row
from adjoint.printing.precedence import (
    MATRIX,
    Add,
    Call,
    Chain,
    Hadamard,
    Name,
    Norm,
    Pow,
    Times,
    Tree,
)
from adjoint.printing.unicode import Unicode, symbol_text
from adjoint.simplify.canonical import is_symmetric
from adjoint.simplify.expression import Apply, Expr, Power, Sum, Symbol, Term, walk

REPEATED = 9
"""A part that is used twice and has at least so many characters gets a name."""

LONG = 150
"""A formula of more characters is broken into named parts."""

PIECE = 32
"""When a formula is broken, parts of at least so many characters get names."""

UNREADABLE = 1000
"""A formula of more characters, parts included, says that it is too long."""


@dataclass(frozen=True)
class Part:
    """A named part of a formula."""

    name: str
    tree: Tree


@dataclass(frozen=True)
class Layout:
    """The trees of a formula: its results, and its named parts in the order of their use."""

    results: tuple[Tree, ...]
    parts: tuple[Part, ...]


class Naming:
    """Names that nothing else has: e for a residual, p for probabilities, then other letters."""

    def __init__(self, taken: Iterable[str]) -> None:
        self.taken = {symbol_text(t) for t in taken} | set(taken)

    def __call__(self, e: Expr | None) -> str:
        first = ""
        if isinstance(e, Sum):
            first = "er" if e.rank == 1 else ("ES" if e.rank == 2 else "cd")
        elif isinstance(e, Apply) and e.name == "softmax":
            first = "pq" if e.rank < 2 else "PQ"
        elif e is not None and e.rank == 2:
            first = "MNGHK"
        for letter in first + "vuwhgsczrqdabtm":
            if letter not in self.taken:
                self.taken.add(letter)
                return letter
        k = 1
        while f"v{k}" in self.taken:
            k += 1
        self.taken.add(f"v{k}")
        return f"v{k}"


def lay_out(
    roots: Sequence[Expr], taken: Iterable[str], rows: Sequence[bool], printer: Unicode
) -> Layout:
    """The trees of the roots, with common and over-long parts named; ``rows`` says which vectors
    are printed as rows."""
    taken = list(taken)
    threshold = None
    layout = _attempt(roots, taken, rows, printer, threshold)
    if any(len(printer(t)) > LONG for t in layout.results):
        layout = _attempt(roots, taken, rows, printer, PIECE)
    return layout


def _attempt(
    roots: Sequence[Expr],
    taken: list[str],
    rows: Sequence[bool],
    printer: Unicode,
    threshold: int | None,
) -> Layout:
    naming = Naming(taken)
    uses: Counter[Expr] = Counter(roots)
    order = walk(roots)
    for e in order:
        uses.update(e.children())
    notation = Notation(taken=[e.name for e in order if isinstance(e, Symbol)])
    parts: list[Part] = []
    for e in order:
        tree = notation.tree(e)
        length = len(printer(tree))
        wanted = uses[e] > 1 and length >= REPEATED
        wanted = wanted or (threshold is not None and length >= threshold and e not in roots)
        if wanted and _may_be_named(e, tree):
            name = naming(e)
            parts.append(Part(name, tree))
            notation.trees[e] = Name(name, tree.kind, is_symmetric(e))
    results = []
    for e, as_row in zip(roots, rows, strict=True):
        tree = notation.tree(e)
        tree = row(tree) if as_row else tree
        results.append(_name_diagonals(tree, naming, parts, printer, top=True))
    return Layout(tuple(results), _used(results, parts))


def _used(results: Sequence[Tree], parts: Sequence[Part]) -> tuple[Part, ...]:
    """The parts whose names are printed."""
    kept: list[Part] = []
    wanted = {name for tree in results for name in names_in(tree)}
    for part in reversed(parts):
        if part.name in wanted:
            kept.insert(0, part)
            wanted.update(names_in(part.tree))
    return tuple(kept)


def names_in(tree: Tree) -> set[str]:
    """All names that a tree contains."""
    found: set[str] = set()
    stack: list[Any] = [tree]
    while stack:
        item = stack.pop()
        if isinstance(item, Name):
            found.add(item.text)
        elif isinstance(item, tuple):
            stack += item
        elif isinstance(item, Tree):
            stack += [getattr(item, f.name) for f in fields(item) if f.name != "extra"]
    return found


def _may_be_named(e: Expr, tree: Tree) -> bool:
    """Not a name already, nor a number, nor a power, which is named by its base."""
    if isinstance(e, Symbol | Power) or (isinstance(tree, Pow) and isinstance(tree.base, Norm)):
        return False
    # Terms of tensors have indices, which are those of the sum in which they stand.
    return not isinstance(e, Term) or (bool(e.factors) and e.rank < 3)


def _name_diagonals(
    tree: Tree, naming: Naming, parts: list[Part], printer: Unicode, top: bool = False
) -> Tree:
    """A long vector inside diag( ) is a part of its own: Xᵀdiag(v)X."""
    if isinstance(tree, Chain):
        found = tuple(_name_diagonals(p, naming, parts, printer) for p in tree.parts)
        return Chain(found, tree.of)
    if isinstance(tree, Times):
        found = tuple(_name_diagonals(p, naming, parts, printer) for p in tree.parts)
        return Times(tree.coefficient, found)
    if isinstance(tree, Add):
        signed = tuple((s, _name_diagonals(p, naming, parts, printer)) for s, p in tree.parts)
        return Add(signed, tree.symmetric)
    if isinstance(tree, Call) and tree.name == "diag" and tree.kind == MATRIX and not top:
        inner = tree.args[0]
        if isinstance(inner, Hadamard | Add) and len(printer(inner)) >= REPEATED:
            part = next((p for p in parts if p.tree == inner), None)
            if part is None:
                part = Part(naming(None), inner)
                parts.append(part)
            return Call("diag", (Name(part.name, inner.kind),), MATRIX)
    return tree
