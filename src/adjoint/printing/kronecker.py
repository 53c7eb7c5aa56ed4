"""Sums of Kronecker products with what they have in common taken out: I ⊗ (A + Aᵀ)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from adjoint.printing.precedence import (
    Add,
    Kron,
    Times,
    Tree,
)
from adjoint.printing.products import flip, transposes
from adjoint.simplify.expression import Factor, Term

Signed = tuple[int, Tree]


def joined(signs: Sequence[int], trees: Sequence[Tree]) -> list[Signed]:
    """The terms, those with equal left or right factors made one."""
    terms = list(zip(signs, trees, strict=True))
    for same, other, build in (
        (_left, _right, lambda k, x: Kron(k.left, x, k.of)),
        (_right, _left, lambda k, x: Kron(x, k.right, k.of)),
    ):
        terms = _joined_by(terms, same, other, build)
    return terms


def _left(tree: Kron) -> Tree:
    return tree.left


def _right(tree: Kron) -> Tree:
    return tree.right


def _joined_by(
    terms: list[Signed],
    same: Callable[[Kron], Tree],
    other: Callable[[Kron], Tree],
    build: Callable[[Kron, Tree], Tree],
) -> list[Signed]:
    groups: dict[object, list[Signed]] = {}
    for sign, tree in terms:
        core = tree.parts[-1] if isinstance(tree, Times) else tree
        scale = (tree.coefficient, tree.parts[:-1]) if isinstance(tree, Times) else (1, ())
        key: object = (same(core), scale) if isinstance(core, Kron) else (id(tree),)
        groups.setdefault(key, []).append((sign, tree))
    found: list[Signed] = []
    for group in groups.values():
        sign, first = group[0]
        core = first.parts[-1] if isinstance(first, Times) else first
        if len(group) > 1 and isinstance(core, Kron):
            parts = [(s * sign, other(_core(t))) for s, t in group]
            parts.sort(key=lambda part: (part[0] < 0, transposes(part[1])))
            whole = build(core, Add(tuple(parts), _is_symmetric(parts)))
            first = Times(first.coefficient, (*first.parts[:-1], whole)) if isinstance(
                first, Times
            ) else whole  # fmt: skip
        found.append((sign, first))
    return found


def _core(tree: Tree) -> Kron:
    core = tree.parts[-1] if isinstance(tree, Times) else tree
    assert isinstance(core, Kron)
    return core


def _is_symmetric(parts: Sequence[Signed]) -> bool:
    """A + Aᵀ is."""
    signs = {s for s, _ in parts}
    return len(parts) == 2 and len(signs) == 1 and flip(parts[0][1]) == parts[1][1]


def components(factors: Sequence[Factor], e: Term) -> dict[int, int]:
    """For each index, which connected part of the product it belongs to."""
    group = {i: i for i in e.sizes}
    for _, labels in factors:
        for i in labels[1:]:
            old, new = group[i], group[labels[0]]
            group = {k: new if g == old else g for k, g in group.items()}
    return group


__all__ = ["components", "joined"]
