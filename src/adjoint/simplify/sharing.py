"""Sums inside other sums, kept whole where they are needed anyway: sin(u) + ½ u for u = x + y."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from adjoint.simplify.exact import MINUS, ONE, Coefficient, divide, is_exact
from adjoint.simplify.expression import (
    Apply,
    Expr,
    Power,
    Sum,
    Term,
    bare,
    raw_apply,
    raw_power,
    raw_sum,
    raw_term,
    walk,
)

FEWEST = 4
"""Shorter sums read as well term by term, if they are not multiplied by a number."""


def shared_sums(roots: Sequence[Expr]) -> list[Expr]:
    """The roots with c u + r for a sum of the terms of r and of c u, where u is a sum that some
    function is applied to.

    The normal form multiplies out: of n steps x ← sin x + ½ x it makes sums of 1, 2, … n terms.
    Nothing may be brought to normal form after this.
    """
    inner = {
        c: None
        for e in walk(roots)
        if isinstance(e, Apply | Power)
        for c in e.children()
        if type(c) is Sum
    }
    done: dict[Expr, Expr] = {}
    for e in walk([*inner, *roots]):
        done[e] = _shared(e, inner, done) if type(e) is Sum else _with(e, done)
    return [done[e] for e in roots]


def _shared(e: Sum, inner: Iterable[Sum], done: dict[Expr, Expr]) -> Expr:
    """A sum, the longest sum in it kept whole."""
    terms = {key: c for c, key in map(bare, e.terms)}
    found: Sum | None = None
    c: Coefficient = ONE
    for u in inner:
        longer = u.shape == e.shape and 1 < len(u.terms) < len(terms) and u in done
        if longer and (found is None or len(found.terms) < len(u.terms)):
            ratio = _ratio(u, terms)
            if ratio is not None:
                found, c = u, ratio
    if found is None:
        return _with(e, done)
    gone = {key for _, key in map(bare, found.terms)}
    rest = [done[t] for t in e.terms if bare(t)[1] not in gone]
    labels = tuple(range(e.rank))
    whole = done[found]
    if c != ONE:
        whole = raw_term(c, ((whole, labels),), labels, dict(enumerate(e.shape)))
    return raw_sum([*rest, whole])


def _ratio(u: Sum, terms: Mapping[Any, Coefficient]) -> Coefficient | None:
    """The c of these terms = c u + r, if it is worth to be written so."""
    ratios = set()
    for c, key in map(bare, u.terms):
        own = terms.get(key)
        if own is None or not (is_exact(c) and is_exact(own)):
            return None
        ratios.add(divide(own, c))
    (ratio, *others) = ratios
    short = len(u.terms) < FEWEST and ratio in (ONE, MINUS)
    return None if others or short else ratio


def _with(e: Expr, done: dict[Expr, Expr]) -> Expr:
    """The same form of other operands, without any law applied."""
    children = [done[c] for c in e.children()]
    if all(a is b for a, b in zip(children, e.children(), strict=True)):
        return e
    if isinstance(e, Sum):
        return raw_sum(children)
    if isinstance(e, Power):
        return raw_power(*children)
    if isinstance(e, Term):
        factors = tuple((c, labels) for c, (_, labels) in zip(children, e.factors, strict=True))
        return raw_term(e.coefficient, factors, e.out, e.sizes)
    assert isinstance(e, Apply)
    return raw_apply(e.primitive, children, e.params, e.shape)


__all__ = ["shared_sums"]
