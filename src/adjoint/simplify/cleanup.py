"""Common factors: xᵀB + xᵀBᵀ = xᵀ(B + Bᵀ)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from adjoint.simplify import exact
from adjoint.simplify.einstein import add, product
from adjoint.simplify.exact import ONE
from adjoint.simplify.expression import (
    Apply,
    Expr,
    Power,
    Sum,
    Symbol,
    Term,
    as_term,
    number,
    split,
)

Signature = tuple[tuple[str, int], ...]
"""Per index of a factor: its first place in the result, or its number among the summed ones."""


class _Occurrence(NamedTuple):
    term: Expr
    view: Term
    place: int


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
        own = set(t.children()) if isinstance(t, Term) else {t}
        if not seen.isdisjoint(own) or any(isinstance(f, Sum) for f in own):
            return True
        seen |= own
    return False


def _best_group(
    e: Sum, views: Sequence[Term], tensors: bool
) -> tuple[list[_Occurrence], Expr] | None:
    groups: dict[tuple[Expr, Signature], list[_Occurrence]] = {}
    polynomial = e.rank == 0 and not any(
        worth_taking_out(f) and not isinstance(f, Sum) for view in views for f, _ in view.factors
    )
    for t, view in zip(e.terms, views, strict=True):
        seen = set()
        for place, (f, labels) in enumerate(view.factors):
            key = f, _signature(view, labels)
            if (not polynomial or worth_taking_out(f)) and key not in seen:
                seen.add(key)
                groups.setdefault(key, []).append(_Occurrence(t, view, place))
    uses = {view: Counter([i for _, ls in view.factors for i in set(ls)]) for view in views}
    ranked = sorted(
        (g for g in groups.items() if len(g[1]) > 1),
        key=lambda g: (-len(g[1]), _rank_left(g[0], g[1], uses), -g[0][0].rank, g[0][0].serial),
    )
    for (f, signature), group in ranked:
        replacement = _take_out(f, signature, group, e.rank, tensors)
        if replacement is not None:
            return group, replacement
    return None


def _rank_left(
    key: tuple[Expr, Signature], group: list[_Occurrence], uses: Mapping[Term, Mapping[int, int]]
) -> int:
    """The rank of the sum that is left when a factor is taken out: the less, the cheaper.  ``uses``
    says how many factors of a term have an index."""
    places: set[int] = set().union(*[_needed(o, uses[o.view]) for o in group])
    return len(places) + len({i for kind, i in key[1] if kind == "sum"})


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
    for t, view in zip(e.terms, views, strict=True):
        for place, (f, labels) in enumerate(view.factors):
            if not isinstance(f, Sum) or labels != view.out or view.has_delta:
                continue
            present = {rest: c for c, rest in map(split, e.terms)}
            pairs = [split(part) for part in f.terms]
            ratios = {exact.divide(present[rest], c) for c, rest in pairs if rest in present}
            if len(ratios) != 1 or any(rest not in present or rest is t for _, rest in pairs):
                continue
            (ratio,) = ratios
            left = [pair for k, pair in enumerate(view.factors) if k != place]
            other = product(view.coefficient, left, view.out, view.sizes)
            inner = add([number(ratio, e.shape), other])
            sizes = dict(enumerate(e.shape))
            whole = product(ONE, [(f, tuple(sizes)), (inner, tuple(sizes))], tuple(sizes), sizes)
            parts = {rest for _, rest in pairs}
            gone = [u for u in e.terms if u is t or split(u)[1] in parts]
            return [_Occurrence(u, as_term(u), 0) for u in gone], whole
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
        ("out", out.index(i)) if i in out else ("sum", summed.setdefault(i, len(summed)))
        for i in labels
    ])  # fmt: skip


def _take_out(
    f: Expr, signature: Signature, group: list[_Occurrence], rank: int, tensors: bool
) -> Expr | None:
    """f · (sum of what is left of each term), if what is left is a sum of full arrays."""
    count = sum(1 for k, (kind, i) in enumerate(signature) if kind == "sum"
                and i not in [j for q, j in signature[:k] if q == "sum"])  # fmt: skip
    places: set[int] = set()
    for o in group:
        places |= _needed(o, Counter([i for _, ls in o.view.factors for i in set(ls)]))
    kept = sorted(places)
    rests = []
    for o in group:
        labels = o.view.factors[o.place][1]
        summed = list(dict.fromkeys(i for i in labels if i not in o.view.out))
        out = tuple(o.view.out[k] for k in kept) + tuple(summed)
        left = [pair for k, pair in enumerate(o.view.factors) if k != o.place]
        used = set(out).union(*(ls for _, ls in left))
        sizes = {i: n for i, n in o.view.sizes.items() if i in used}
        rests.append(product(o.view.coefficient, left, out, sizes))
    if len(kept) + count > 2 and not tensors:
        return None
    if len(kept) + count > 1 and any(_is_flat_somewhere(r) for r in rests):
        return None
    inner = factored(add(rests), tensors)
    ids = tuple(i if kind == "out" else rank + i for kind, i in signature)
    sizes = dict(zip(ids, f.shape, strict=True))
    places_of = (*kept, *(rank + i for i in range(count)))
    sizes |= dict(zip(places_of, inner.shape, strict=True))
    shape = group[0].term.shape
    sizes |= {k: shape[k] for k in range(rank)}
    return product(ONE, [(f, ids), (inner, places_of)], tuple(range(rank)), sizes)


def _needed(o: _Occurrence, uses: Mapping[int, int]) -> set[int]:
    """The places of the result on which a term without its common factor depends."""
    view, own = o.view, o.view.factors[o.place][1]
    used = {i for i in view.out if uses.get(i, 0) > (i in own)}
    return {k for k, i in enumerate(view.out) if i in used or view.out.count(i) > 1}


def _is_flat_somewhere(e: Expr) -> bool:
    """Whether a matrix is the same along one of its axes, such as 𝟏pᵀ."""
    _, rest = split(e)
    if not isinstance(rest, Term):
        return False
    used = {i for _, ls in rest.factors for i in ls}
    return any(i not in used and rest.out.count(i) == 1 for i in rest.out)
