"""Common factors: xᵀB + xᵀBᵀ = xᵀ(B + Bᵀ)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from adjoint.simplify import exact
from adjoint.simplify.einstein import add, pointwise, product, times
from adjoint.simplify.exact import ONE, Coefficient
from adjoint.simplify.expression import (
    Apply,
    Expr,
    Labels,
    Power,
    Sum,
    Symbol,
    Term,
    as_term,
    bare,
    number,
    raw_term,
    unwrapped,
)
from adjoint.simplify.shared_factors import Common

Signature = tuple[int, ...]
"""Per index of a factor: its first place in the result; below zero, −1, −2 …, for one summed."""


class _Occurrence(NamedTuple):
    term: Expr
    view: Term
    place: int


_Group = tuple[tuple[Expr, Signature], list[_Occurrence]]


def factored(e: Expr, tensors: bool = True) -> Expr:
    """A sum with the factors that its terms share taken out, largest groups first; without
    ``tensors``, only where a sum of numbers, vectors or matrices is left."""
    while isinstance(e, Sum):
        found = _same_delta(e, tensors) if e.has_delta else None
        if found is None:
            if not _may_share(e):
                return e
            views = [as_term(t) for t in e.terms]
            found = _absorbed(e, views) or _best_group(e, views, tensors)
        if found is None:
            return e
        group, replacement = found
        rest = [t for t in e.terms if all(t is not o.term for o in group)]
        first = min(k for k, t in enumerate(e.terms) if t is group[0].term)
        e = add([*rest[:first], replacement, *rest[first:]])
    return e


def _may_share(e: Sum) -> bool:
    """Whether a factor, with whatever indices, belongs to several terms, or is a sum itself: in
    most sums there is none, and nothing to look for."""
    seen: set[Expr] = set()
    for t in e.terms:
        own = t.children() if type(t) is Term else (t,)
        if not seen.isdisjoint(own) or Sum in map(type, own):
            return True
        seen.update(own)
    return False


def _best_group(
    e: Sum, views: Sequence[Term], tensors: bool
) -> tuple[list[_Occurrence], Expr] | None:
    groups: dict[tuple[Expr, Signature], list[_Occurrence]] = {}
    polynomial = e.rank == 0 and not any(
        not isinstance(f, Sum) and worth_taking_out(f) for view in views for f, _ in view.factors
    )
    for t, view in zip(e.terms, views, strict=True):
        seen = set()
        simple = view.is_pointwise
        for place, (f, labels) in enumerate(view.factors):
            key = f, labels if simple else _signature(view, labels)
            if key not in seen and (not polynomial or worth_taking_out(f)):
                seen.add(key)
                groups.setdefault(key, []).append(_Occurrence(t, view, place))
    shared = [g for g in groups.items() if len(g[1]) > 1]
    if len(shared) > 1:
        shared.sort(key=lambda g: (-len(g[1]), _rank_left(*g), -g[0][0].rank, g[0][0].serial))
    if not e.shape and all(view.is_pointwise for view in views):
        return _of_numbers(shared) if shared else None
    allowed = {f for (f, _), _ in shared}
    for _, group in shared:
        common = Common([o.view for o in group], e.rank)
        common.take([o.place for o in group])
        if len(shared) > 1:
            common.take_others(allowed)
        replacement = _take_out(common, e.shape, tensors)
        if replacement is not None:
            return group, replacement
    return None


def _of_numbers(shared: Sequence[_Group]) -> tuple[list[_Occurrence], Expr]:
    """The factors that the terms of the first group share, taken out: without indices, one factor
    is like another."""
    group = shared[0][1]
    terms = [o.term for o in group]
    common = {f for (f, _), own in shared if [o.term for o in own] == terms}
    rests = []
    for o in group:
        left = tuple([pair for pair in o.view.factors if pair[0] not in common])
        rests.append(unwrapped(raw_term(o.view.coefficient, left, (), {})))
    inner = factored(add(rests))
    return group, pointwise(ONE, [*((f, ()) for f in common), (inner, ())], ())


def _rank_left(key: tuple[Expr, Signature], group: list[_Occurrence]) -> int:
    """The rank of the sum that is left when a factor is taken out: the less, the cheaper."""
    count = len({i for i in key[1] if i < 0})
    if not group[0].view.out:
        return count
    places: set[int] = set()
    for _, view, place in group:
        others = [labels for k, (_, labels) in enumerate(view.factors) if k != place]
        used = set().union(*others)
        places.update([k for k, i in enumerate(view.out) if i in used or view.out.count(i) > 1])
    return count + len(places)


def _same_delta(e: Sum, tensors: bool) -> tuple[list[_Occurrence], Expr] | None:
    """I + diag(v) = diag(1 + v): terms with the same delta are one."""
    groups: dict[tuple[int, ...], list[Term]] = {}
    for t in e.terms:
        if isinstance(t, Term) and t.has_delta:
            groups.setdefault(t.out, []).append(t)
    for out, group in groups.items():
        if len(group) > 1 and (tensors or len(set(out)) < 3):
            unique = tuple(dict.fromkeys(out))
            inner = add([product(t.coefficient, t.factors, unique, t.sizes) for t in group])
            sizes = {i: group[0].sizes[i] for i in unique}
            whole = product(ONE, [(factored(inner, tensors), unique)], out, sizes)
            return [_Occurrence(t, t, 0) for t in group], whole
    return None


def _absorbed(e: Sum, views: Sequence[Term]) -> tuple[list[_Occurrence], Expr] | None:
    """a + b + (a + b) c = (a + b)(1 + c): a sum among the factors whose terms are there too."""
    present: dict[Any, Coefficient] = {}
    for t, view in zip(e.terms, views, strict=True):
        for place, (f, labels) in enumerate(view.factors):
            if type(f) is not Sum or labels != view.out or view.has_delta:
                continue
            present = present or {key: c for c, key in map(bare, e.terms)}
            parts = {key: c for c, key in map(bare, f.terms)}
            if not present.keys() >= parts.keys() or bare(t)[1] in parts:
                continue
            ratios = {exact.divide(present[key], c) for key, c in parts.items()}
            if len(ratios) != 1:
                continue
            (ratio,) = ratios
            left = view.factors[:place] + view.factors[place + 1 :]
            if view.is_pointwise:
                other = unwrapped(raw_term(view.coefficient, left, view.out, view.sizes))
            else:
                other = product(view.coefficient, left, view.out, view.sizes)
            whole = times(f, add([number(ratio, e.shape), other]))
            gone = [u for u in e.terms if u is t or bare(u)[1] in parts]
            return [_Occurrence(u, view, 0) for u in gone], whole
    return None


def worth_taking_out(f: Expr) -> bool:
    """Polynomials in numbers stay sums of monomials; anything larger is written once."""
    base = f.base if isinstance(f, Power) else f
    plain = isinstance(base, Symbol) or (isinstance(base, Apply) and base.name == "getitem")
    return f.rank > 0 or not plain


def _signature(view: Term, labels: Sequence[int]) -> Signature:
    summed: dict[int, int] = {}
    out = view.out
    return tuple([
        out.index(i) if i in out else summed.setdefault(i, -1 - len(summed)) for i in labels
    ])  # fmt: skip


def _take_out(common: Common, shape: Labels, tensors: bool) -> Expr | None:
    """Π f · (sum of what is left of each term), if what is left is a sum of full arrays."""
    kept = common.left_over(max(2, len(shape)) if tensors else 2)
    if not common.factors:
        return None
    inner = factored(add(common.rests(kept)), tensors)
    factors = [*common.factors, (inner, kept)]
    rank = len(shape)
    if all(len(set(ls)) == len(ls) and max(ls, default=-1) < rank for _, ls in factors):
        return pointwise(ONE, factors, shape)
    sizes = dict(enumerate(shape))
    for f, labels in factors:
        sizes |= zip(labels, f.shape, strict=True)
    return product(ONE, factors, tuple(range(rank)), sizes)
