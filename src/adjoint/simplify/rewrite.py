"""Applying laws: expressions rebuilt from the bottom up, and patterns matched.

A pattern is an expression of numbers x, y, n (symbols of rank 0).  It matches elementwise, whatever
the shapes, so one law serves numbers, vectors and matrices.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import is_

from adjoint.simplify.einstein import add, elementwise, pointwise, power, product
from adjoint.simplify.expression import (
    Apply,
    Expr,
    Factor,
    Power,
    Sum,
    Symbol,
    Term,
    number,
    number_of,
    raw_apply,
    split,
    walk,
)

Bindings = dict[Symbol, Expr]
Visit = Callable[[Expr], Expr]


def with_children(e: Expr, children: Sequence[Expr]) -> Expr:
    """The same form of other operands, in normal form."""
    if all(map(is_, children, e.children())):
        return e
    if isinstance(e, Sum):
        return add(children)
    if isinstance(e, Power):
        return power(children[0], children[1])
    if isinstance(e, Term):
        factors = [(c, labels) for c, (_, labels) in zip(children, e.factors, strict=True)]
        if e.is_pointwise:
            return pointwise(e.coefficient, factors, e.shape)
        return product(e.coefficient, factors, e.out, e.sizes)
    assert isinstance(e, Apply)
    if len(children) == 1 and not e.params and e.args[0].shape == e.shape and _is_map(e):
        return elementwise(e.primitive, children[0])
    return raw_apply(e.primitive, children, e.params, e.shape)


def _is_map(e: Apply) -> bool:
    return hasattr(e.primitive, "ufunc")


def rewrite(roots: Sequence[Expr], visit: Visit, rounds: int = 8) -> list[Expr]:
    """The roots with ``visit`` applied at every expression, operands first, until none changes.

    What a round leaves as it is, the next ones leave too, and do not look at again.
    """
    found = list(roots)
    settled: set[Expr] = set()
    for _ in range(rounds):
        before = found
        done: dict[Expr, Expr] = {}
        for e in walk(found, settled):
            if e in settled:
                done[e] = e
                continue
            done[e] = visit(with_children(e, [done[c] for c in e.children()]))
        found = [done[e] for e in found]
        if all(map(is_, found, before)):
            break
        settled |= {e for e, new in done.items() if new is e}
    return found


def replaced(root: Expr, by: Mapping[Expr, Expr]) -> Expr:
    """An expression with some of its parts replaced, also inside the replacements."""
    done: dict[Expr, Expr] = {}
    for e in walk([root, *by.values()]):
        done[e] = with_children(e, [done[c] for c in e.children()])
        if e in by:
            done[e] = done.get(by[e], by[e])
    return done[root]


# -- matching --------------------------------------------------------------------------------------


def match(pattern: Expr, e: Expr, bound: Bindings) -> bool:
    """Whether an expression has the form of a pattern; fills ``bound``."""
    if isinstance(pattern, Symbol):
        known = bound.setdefault(pattern, e)
        return known is e
    value = number_of(pattern)
    if value is not None:
        return number_of(e) == value
    if isinstance(pattern, Power):
        if not isinstance(e, Power):
            return False
        return match(pattern.base, e.base, bound) and match(pattern.exponent, e.exponent, bound)
    if isinstance(pattern, Apply):
        if not isinstance(e, Apply) or e.primitive is not pattern.primitive:
            return False
        return all(match(p, a, bound) for p, a in zip(pattern.args, e.args, strict=True))
    if isinstance(pattern, Term):
        return _match_term(pattern, e, bound)
    return isinstance(pattern, Sum) and _match_sum(pattern, e, bound) == ()


def _match_term(pattern: Term, e: Expr, bound: Bindings) -> bool:
    """A number times a pattern; products as a whole are matched by `match_factors`."""
    c, rest = split(e)
    if pattern.rank == 2:
        return _match_contraction(pattern, e, bound)
    if c != pattern.coefficient:
        return False
    if len(pattern.factors) > 1:
        if not isinstance(e, Term):
            return False
        found = match_factors(pattern, e, bound)
        return found is not None and not found[1] and set(found[2]) == set(e.out)
    return match(pattern.factors[0][0], rest, bound)


def _match_contraction(pattern: Term, e: Expr, bound: Bindings) -> bool:
    if not isinstance(e, Term) or e.coefficient != pattern.coefficient or e.out != pattern.out:
        return False
    if [ls for _, ls in e.factors] != [ls for _, ls in pattern.factors]:
        return False
    return all(
        match(p, f, bound) for (p, _), (f, _) in zip(pattern.factors, e.factors, strict=True)
    )


def _match_sum(pattern: Sum, e: Expr, bound: Bindings) -> tuple[Expr, ...] | None:
    """The terms that are left over when the terms of the pattern are taken out, else None."""
    rest = list(e.terms) if isinstance(e, Sum) else []
    for p in pattern.terms:
        for t in rest:
            trial = dict(bound)
            if match(p, t, trial):
                bound |= trial
                rest.remove(t)
                break
        else:
            return None
    return tuple(rest)


def match_part_of_sum(pattern: Sum, e: Sum) -> tuple[Bindings, tuple[Expr, ...]] | None:
    """A pattern among the terms of a sum: what it binds, and the terms that are left."""
    bound: Bindings = {}
    rest = _match_sum(pattern, e, bound)
    return None if rest is None else (bound, rest)


def match_factors(
    pattern: Term, e: Term, given: Bindings | None = None
) -> tuple[Bindings, list[Factor], tuple[int, ...]] | None:
    """A product among the factors with the same indices: what it binds, what is left, and the
    indices.  What is bound is added to ``given``."""
    for labels in dict.fromkeys(ls for _, ls in e.factors):
        here = [f for f, ls in e.factors if ls == labels]
        bound: Bindings = dict(given or {})
        taken: list[Expr] = []
        for p, _ in pattern.factors:
            for f in here:
                trial = dict(bound)
                if f not in taken and match(p, f, trial):
                    bound = trial
                    taken.append(f)
                    break
            else:
                break
        if len(taken) == len(pattern.factors):
            left = [(f, ls) for f, ls in e.factors if not (ls == labels and f in taken)]
            if given is not None:
                given |= bound
            return bound, left, labels
    return None


def build(pattern: Expr, bound: Bindings, shape: tuple[int, ...]) -> Expr:
    """A pattern with its symbols replaced; numbers fill the shape."""
    if isinstance(pattern, Symbol):
        return bound[pattern]
    value = number_of(pattern)
    if value is not None:
        return number(value, shape)
    if isinstance(pattern, Sum):
        return add([build(t, bound, shape) for t in pattern.terms])
    if isinstance(pattern, Power):
        return power(build(pattern.base, bound, shape), build(pattern.exponent, bound, ()))
    if isinstance(pattern, Term) and pattern.rank == 2:
        factors = [(build(f, bound, ()), ls) for f, ls in pattern.factors]
        sizes = {i: f.shape[k] for f, ls in factors for k, i in enumerate(ls)}
        return product(pattern.coefficient, factors, pattern.out, sizes)
    if isinstance(pattern, Term):
        labels = tuple(range(len(shape)))
        built = [(build(f, bound, shape), labels) for f, _ in pattern.factors]
        return product(pattern.coefficient, built, labels, dict(enumerate(shape)))
    assert isinstance(pattern, Apply)
    args = [build(a, bound, shape) for a in pattern.args]
    if len(args) == 1 and _is_map(pattern):
        return elementwise(pattern.primitive, args[0])
    like_operand = bool(args) and pattern.shape == pattern.args[0].shape
    shape = args[0].shape if like_operand else pattern.shape
    return raw_apply(pattern.primitive, args, pattern.params, shape)


__all__ = [
    "Bindings",
    "build",
    "match",
    "match_factors",
    "match_part_of_sum",
    "replaced",
    "rewrite",
    "with_children",
]
