"""Canonical names of indices: products that are equal but for names become one object.

Indices of the result come first, in their order; then those that are summed.  The order in which
the factors show these depends on how the product was written, so they are told apart as the nodes
of a graph are, by refined colours (Weisfeiler and Leman, 1968).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from adjoint.simplify.exact import Coefficient
from adjoint.simplify.expression import (
    Apply,
    Expr,
    Factor,
    Labels,
    Power,
    Sum,
    Symbol,
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
    named, shown, order = _by_appearance(tuple([labels for _, labels in factors]), out)
    free, symmetric, pairs = len(set(shown)), False, []
    for (e, _), labels in zip(factors, named, strict=True):
        symmetric = symmetric or (e.symmetric is not False and is_symmetric(e))
        pairs.append((e, labels))
    renamed = tuple(pairs)
    # Factors that are all different, and in order, show the indices in an order of their own.
    if alike or symmetric:
        renamed, order = _told_apart(renamed, free, order, sizes)
    kept = {new: sizes[old] for new, old in enumerate(order)}
    return unwrapped(raw_term(coefficient, renamed, shown, kept))


def in_order(coefficient: Coefficient, factors: list[Factor], out: Labels, sizes: Sizes) -> Expr:
    """As `canonical`, where nothing is summed and the indices of the result are 0, 1, 2 …: they
    have their names, and only the order of the factors is open."""
    for k, (e, labels) in enumerate(factors):
        if len(labels) == 2 and e.symmetric is not False and is_symmetric(e):
            factors[k] = e, tuple(sorted(labels))
    if len(factors) > 1:
        factors.sort(key=_serial_and_labels)
    elif coefficient == 1 and factors and factors[0][1] == out:
        return factors[0][0]
    return raw_term(coefficient, tuple(factors), out, sizes)


@lru_cache(maxsize=4096)
def _by_appearance(
    terms: tuple[Labels, ...], out: Labels
) -> tuple[tuple[Labels, ...], Labels, Labels]:
    """Indices by the numbers of their first appearance, in the factors and in the result; and the
    indices that had these numbers."""
    names: dict[int, int] = {}
    for labels in (out, *terms):
        for i in labels:
            names.setdefault(i, len(names))
    *named, shown = (tuple([names[i] for i in labels]) for labels in (*terms, out))
    return tuple(named), shown, tuple(names)


def _told_apart(
    factors: tuple[Factor, ...], free: int, order: Labels, sizes: Sizes
) -> tuple[tuple[Factor, ...], Labels]:
    """Factors with indices 0, 1, 2 …, the first ``free`` of them those of the result, and the
    names that these had, both in an order that does not depend on how the product was written."""
    names: Sequence[int] = range(len(order))
    flags = [is_symmetric(e) for e, _ in factors]
    if len(order) > free + 1:
        kinds = {serial: k for k, serial in enumerate(dict.fromkeys(map(_serial, factors)))}
        pattern = [
            (kinds[e.serial], flag, ls) for (e, ls), flag in zip(factors, flags, strict=True)
        ]
        # Lengths by their order, so that the names do not depend on the lengths themselves.
        of = [sizes[i] for i in order]
        lengths = sorted(set(of))
        names = _by_colour(tuple(pattern), free, tuple(map(lengths.index, of)))
        order = tuple([order[i] for i in sorted(names, key=names.__getitem__)])
    renamed = []
    for (e, labels), flag in zip(factors, flags, strict=True):
        found = tuple([names[i] for i in labels])
        renamed.append((e, tuple(sorted(found)) if flag else found))
    renamed.sort(key=_serial_and_labels)
    return tuple(renamed), order


def _serial(factor: Factor) -> int:
    return factor[0].serial


def _serial_and_labels(factor: Factor) -> tuple[int, Labels]:
    return factor[0].serial, factor[1]


Pattern = tuple[tuple[int, bool, Labels], ...]
"""Per factor: which of the different ones it is, whether it is symmetric, and its indices."""


@lru_cache(maxsize=4096)
def _by_colour(pattern: Pattern, free: int, lengths: Labels) -> list[int]:
    """New numbers for indices 0, 1, 2 …: the summed ones, from ``free`` on, in order of colour.

    Few patterns make most products, so each is coloured once.
    """
    colours = _colours(pattern, free, lengths)
    order = [*range(free), *sorted(range(free, len(lengths)), key=colours.__getitem__)]
    return sorted(range(len(order)), key=order.__getitem__)


def _colours(pattern: Pattern, free: int, lengths: Labels) -> list[int]:
    # Hashes of numbers only, and of the order of the factors: the same in every process.
    summed = range(free, len(lengths))
    colours = [hash((1, i)) if i < free else hash((2, n)) for i, n in enumerate(lengths)]
    for _ in range(min(len(summed), 4)):
        seen: list[list[int]] = [[] for _ in lengths]
        for k, symmetric, labels in pattern:
            around = [colours[i] for i in labels]
            if symmetric:
                around.sort()
            tail = tuple(around)
            for place, i in enumerate(labels):
                seen[i].append(hash((k, 0 if symmetric else place, tail)))
        colours[free:] = [hash((colours[i], tuple(sorted(seen[i])))) for i in summed]
    return colours


# -- symmetric matrices ----------------------------------------------------------------------------


def is_symmetric(e: Expr) -> bool:
    """Whether a matrix is its own transpose, visibly."""
    if e.symmetric is None:
        e.symmetric = _equals_its_transpose(e)
    return e.symmetric


def _equals_its_transpose(e: Expr) -> bool:
    if isinstance(e, Symbol):
        return False
    if isinstance(e, Term):
        if not e.factors:
            return True
        return _is_alike_around(e.out[0], e.out[1], e.factors) and flipped(e) is e
    if isinstance(e, Apply):
        return e.name in ("inv", "cofactor") and len(e.args) == 1 and is_symmetric(e.args[0])
    if isinstance(e, Power):
        return is_symmetric(e.base)
    if not isinstance(e, Sum):
        return False
    # Those that are not their own transpose come in pairs, of the same factors.
    odd = [t for t in e.terms if not is_symmetric(t)]
    if len(odd) < 2:
        return not odd
    factors = [_factors_of(t) for t in odd]
    return all(factors.count(own) > 1 for own in factors) and set(map(flipped, odd)) == set(odd)


def _factors_of(e: Expr) -> tuple[Expr, ...]:
    return e.children() if isinstance(e, Term) else (e,)


def _is_alike_around(a: int, b: int, factors: Sequence[Factor]) -> bool:
    """Whether two indices belong to the same factors, which is seen faster than a transpose."""
    one = [e.serial for e, labels in factors if a in labels]
    return a == b or one == [e.serial for e, labels in factors if b in labels]


def flipped(e: Expr) -> Expr:
    """The transpose of a matrix."""
    term = as_term(e)
    a, b = term.out
    return canonical(term.coefficient, term.factors, (b, a), term.sizes)
