"""Canonical names of indices: products that are equal but for names become one object.

Indices of the result come first, in their order; then those that are summed, in the order in which
the factors show them.  Where factors are alike that order depends on how the product was written;
there indices are told apart as the nodes of a graph are, by refined colours (Weisfeiler and Leman,
1968).
"""

from __future__ import annotations

from collections.abc import Sequence

from adjoint.simplify.exact import Coefficient
from adjoint.simplify.expression import (
    Apply,
    Expr,
    Factor,
    Labels,
    Power,
    Sum,
    Term,
    as_term,
    raw_term,
    unwrapped,
)

Sizes = dict[int, int]


def canonical(
    coefficient: Coefficient, factors: Sequence[Factor], out: Labels, sizes: Sizes
) -> Expr:
    """The product with its indices numbered, and its factors in order; the factor itself, if there
    is nothing else."""
    if coefficient == 1 and len(factors) == 1:
        factor, labels = factors[0]
        if labels == out and len(set(out)) == len(out):
            return factor
    alike = False
    if len(factors) > 1:
        factors = sorted(factors, key=_serial)
        alike = len({e for e, _ in factors}) < len(factors)
    names: dict[int, int] = {}
    for label in out:
        names.setdefault(label, len(names))
    free = len(names)
    for _, labels in factors:
        for label in labels:
            names.setdefault(label, len(names))
    if len(names) > free + 1 and (alike or not _tell_apart(factors, out)):
        names = _by_colour(factors, names, free, sizes)
    renamed = []
    for e, labels in factors:
        found = tuple([names[i] for i in labels])
        if len(found) == 2 and is_symmetric(e):
            found = tuple(sorted(found))
        renamed.append((e, found))
    if alike:
        renamed.sort(key=_serial_and_labels)
    kept = {new: sizes[old] for old, new in names.items()}
    return unwrapped(raw_term(coefficient, tuple(renamed), tuple([names[i] for i in out]), kept))


def _serial(factor: Factor) -> int:
    return factor[0].serial


def _serial_and_labels(factor: Factor) -> tuple[int, Labels]:
    return factor[0].serial, factor[1]


def _tell_apart(factors: Sequence[Factor], out: Labels) -> bool:
    """Whether no symmetric factor is the first to show two indices: then, with no two factors
    alike, the order in which indices appear is the same however the product was written."""
    seen = set(out)
    for e, labels in factors:
        if len(labels) == 2 and seen.isdisjoint(labels) and is_symmetric(e):
            return False
        seen.update(labels)
    return True


def _by_colour(
    factors: Sequence[Factor], names: dict[int, int], free: int, sizes: Sizes
) -> dict[int, int]:
    """The names with those of the summed indices, from ``free`` on, in the order of colours."""
    summed = [i for i, n in names.items() if n >= free]
    colours = _colours(factors, names, summed, sizes)
    summed.sort(key=lambda i: (colours[i], names[i]))
    kept = [i for i, n in names.items() if n < free]
    return {i: k for k, i in enumerate(kept + summed)}


def _colours(
    factors: Sequence[Factor], names: dict[int, int], summed: Sequence[int], sizes: Sizes
) -> dict[int, int]:
    # Hashes of numbers only, and of the order of the factors: the same in every process.
    order = {serial: k for k, serial in enumerate(dict.fromkeys(e.serial for e, _ in factors))}
    shown = [(order[e.serial], is_symmetric(e), labels) for e, labels in factors]
    colours = {i: hash((1, n)) for i, n in names.items()}
    colours |= {i: hash((2, sizes[i])) for i in summed}
    for _ in range(min(len(summed), 4)):
        seen: dict[int, list[int]] = {i: [] for i in summed}
        for k, symmetric, labels in shown:
            around = [colours[i] for i in labels]
            if symmetric:
                around.sort()
            tail = tuple(around)
            for place, i in enumerate(labels):
                if i in seen:
                    seen[i].append(hash((k, 0 if symmetric else place, tail)))
        colours |= {i: hash((colours[i], tuple(sorted(s)))) for i, s in seen.items()}
    return colours


# -- symmetric matrices ----------------------------------------------------------------------------


def is_symmetric(e: Expr) -> bool:
    """Whether a matrix is its own transpose, visibly."""
    if e.symmetric is None:
        e.symmetric = _equals_its_transpose(e)
    return e.symmetric


def _equals_its_transpose(e: Expr) -> bool:
    if isinstance(e, Term):
        return _is_alike_around(e.out[0], e.out[1], e.factors) and flipped(e) is e
    if isinstance(e, Apply):
        return e.name in ("inv", "cofactor") and len(e.args) == 1 and is_symmetric(e.args[0])
    if isinstance(e, Power):
        return is_symmetric(e.base)
    if not isinstance(e, Sum):
        return False
    terms = set(e.terms)
    return all(
        flipped(t) in terms if isinstance(t, Term) else is_symmetric(t) or flipped(t) in terms
        for t in e.terms
    )


def _is_alike_around(a: int, b: int, factors: Sequence[Factor]) -> bool:
    """Whether two indices belong to the same factors, which is seen faster than a transpose."""
    one = [e.serial for e, labels in factors if a in labels]
    return a == b or one == [e.serial for e, labels in factors if b in labels]


def flipped(e: Expr) -> Expr:
    """The transpose of a matrix."""
    term = as_term(e)
    a, b = term.out
    return canonical(term.coefficient, term.factors, (b, a), term.sizes)
