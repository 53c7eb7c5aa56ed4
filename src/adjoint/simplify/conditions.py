"""What a choice says about its branches: in where(c, a, b) the condition c holds throughout a."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from adjoint.graph.registry import PRIMITIVES
from adjoint.simplify.choices import vanishes_with
from adjoint.simplify.einstein import add, elementwise, power, product, scale
from adjoint.simplify.exact import ONE, ZERO
from adjoint.simplify.expression import (
    Apply,
    Expr,
    Power,
    Sum,
    Symbol,
    Term,
    number,
    number_of,
    raw_apply,
    split,
)
from adjoint.simplify.indices import core_in, spread
from adjoint.simplify.regular import is_made

OPPOSITES = {"equal": "not_equal", "not_equal": "equal"}

CONJUNCTIONS = ("logical_and", "bitwise_and")


def positive_condition(e: Expr) -> Expr:
    """where(not c, a, b) = where(c, b, a)."""
    if not (isinstance(e, Apply) and e.name == "where"):
        return e
    condition, a, b = e.args
    if isinstance(condition, Apply) and condition.name in ("logical_not", "invert"):
        return raw_apply(e.primitive, (condition.args[0], b, a), e.params, e.shape)
    return e


def same_conditions(e: Expr) -> Expr:
    """c and (c and d) is c and d; not (x = y) is x ≠ y; a number is not NaN."""
    if not isinstance(e, Apply):
        return e
    if e.name in ("logical_not", "invert") and isinstance(e.args[0], Apply):
        inner = e.args[0]
        if inner.name in OPPOSITES:
            return raw_apply(PRIMITIVES[OPPOSITES[inner.name]], inner.args, {}, e.shape)
    if e.name in CONJUNCTIONS:
        parts = [c for c in _conjuncts(e) if not (isinstance(c, Apply) and c.name in CONJUNCTIONS)]
        unique = list(dict.fromkeys(parts))
        if len(unique) < len(parts) and all(c.shape == e.shape for c in unique):
            found = unique[0]
            for c in unique[1:]:
                found = raw_apply(e.primitive, (found, c), e.params, e.shape)
            return found
    if e.name == "where" and isinstance(e.args[0], Apply) and e.args[0].name == "isnan":
        return spread(e.args[2], e.shape)
    return e


def choose_inside(e: Expr) -> Expr:
    """where(c, f(where(c, x, y)), z) = where(c, f(x), z), for functions f of single elements; and
    where(c, where(d, x, 0), 0) = where(c and d, x, 0)."""
    if not (isinstance(e, Apply) and e.name == "where"):
        return e
    condition, a, b = e.args
    known = _conjuncts(condition)
    shape = e.shape
    new = a
    for c in known:
        new = _assuming(spread(new, shape), *core_in(c, shape), True)
    other = b if len(known) > 1 else _assuming(spread(b, shape), *core_in(condition, shape), False)
    new, other = (old if spread(old, shape) is n else n for old, n in ((a, new), (b, other)))
    if new is not a or other is not b:
        return raw_apply(e.primitive, (condition, new, other), e.params, shape)
    if isinstance(a, Apply) and a.name == "where" and number_of(b) == number_of(a.args[2]) == 0:
        both = [condition, a.args[0]]
        if both[0].shape == both[1].shape == shape:
            joined = raw_apply(PRIMITIVES["logical_and"], both, {}, shape)
            return raw_apply(e.primitive, (joined, a.args[1], b), e.params, shape)
    return e


def _conjuncts(condition: Expr) -> list[Expr]:
    """The conditions that all hold where this one holds, itself among them."""
    found = [condition]
    for c in found:
        if isinstance(c, Apply) and c.name in CONJUNCTIONS:
            found += c.args
    return found


def _assuming(e: Expr, condition: Expr, axes: Sequence[int], holds: bool) -> Expr:
    """An expression where a condition, that has these of its axes, is known to hold or not to."""
    if isinstance(e, Sum):
        parts = [_assuming(t, condition, axes, holds) for t in e.terms]
        same = all(new is old for new, old in zip(parts, e.terms, strict=True))
        return e if same else add(parts)
    if isinstance(e, Term):
        return _assuming_in_term(e, condition, axes, holds)
    if isinstance(e, Power):
        base = _assuming(e.base, condition, axes, holds)
        return e if base is e.base else power(base, e.exponent)
    if not isinstance(e, Apply):
        return e
    if e.name == "where":
        inner, kept = core_in(e.args[0], e.shape)
        if inner is condition and tuple(kept) == tuple(axes):
            branch = spread(e.args[1 if holds else 2], e.shape)
            return _assuming(branch, condition, axes, holds)
    if len(e.args) == 1 and isinstance(getattr(e.primitive, "ufunc", None), np.ufunc):
        arg = _assuming(e.args[0], condition, axes, holds)
        return e if arg is e.args[0] else elementwise(e.primitive, arg)
    return e


def _assuming_in_term(e: Term, condition: Expr, axes: Sequence[int], holds: bool) -> Expr:
    """Factors that have all indices of the condition are read where it holds."""
    own = [e.out[k] for k in axes]
    factors, changed = [], False
    for f, labels in e.factors:
        if set(own) <= set(labels) and len(set(labels)) == len(labels):
            new = _assuming(f, condition, [labels.index(i) for i in own], holds)
            changed = changed or new is not f
            f = new
        factors.append((f, labels))
    return product(e.coefficient, factors, e.out, e.sizes) if changed else e


def merge_choices(e: Expr) -> Expr:
    """where(c, a, 0) + where(c, 0, b) = where(c, a, b)."""
    if not isinstance(e, Sum):
        return e
    seen: dict[Expr, int] = {}
    for k, t in enumerate(e.terms):
        choice = _choice(t)
        if choice is None:
            continue
        j = seen.setdefault(choice.args[0], k)
        if j == k:
            continue
        (c1, one), (c2, two) = split(e.terms[j]), split(t)
        assert isinstance(one, Apply) and isinstance(two, Apply)
        zeros = [[number_of(x) == 0 for x in w.args[1:]] for w in (one, two)]
        if any(zeros[0][i] or zeros[1][i] for i in (0, 1)):
            a, b = (
                add([scale(c1, spread(x, e.shape)), scale(c2, spread(y, e.shape))])
                for x, y in zip(one.args[1:], two.args[1:], strict=True)
            )
            joined = raw_apply(one.primitive, (one.args[0], a, b), one.params, e.shape)
            return add([joined, *(u for i, u in enumerate(e.terms) if i not in (j, k))])
    return e


def _choice(e: Expr) -> Apply | None:
    """A choice, or a multiple of one."""
    rest = split(e)[1]
    found = isinstance(rest, Apply) and rest.name == "where" and rest.shape == e.shape
    return rest if found else None  # type: ignore[return-value]


def diagonal_choice(e: Expr) -> Expr:
    """where(c, diag(a), diag(b)) = diag(where(c, a, b)) for a vector c."""
    if not (isinstance(e, Apply) and e.name == "where" and e.rank == 2):
        return e
    condition, kept = core_in(e.args[0], e.shape)
    branches = [_diagonal(branch) for branch in e.args[1:]]
    if len(kept) != 1 or None in branches or all(number_of(b) == 0 for b in e.args[1:]):
        return e
    vectors = [b for b in branches if b is not None]
    inner = raw_apply(e.primitive, (condition, *vectors), e.params, e.shape[:1])
    return product(ONE, [(inner, (0,))], (0, 0), {0: e.shape[0]})


def _diagonal(e: Expr) -> Expr | None:
    """v for diag(v), and for 0; else None."""
    if number_of(e) == 0:
        return number(ZERO)
    if not (isinstance(e, Term) and e.rank == 2 and e.out[0] == e.out[1]):
        return None
    return product(e.coefficient, e.factors, e.out[:1], e.sizes)


def drop_conjunct(e: Expr) -> Expr:
    """where(c and v ≠ 0, v x, 0) = where(c, v x, 0)."""
    if not (isinstance(e, Apply) and e.name == "where" and number_of(e.args[2]) == 0):
        return e
    condition, a, b = e.args
    if not (isinstance(condition, Apply) and condition.name in CONJUNCTIONS):
        return e
    value = spread(a, e.shape)
    kept = [
        c
        for c in condition.args
        if not (isinstance(c, Apply) and c.name == "not_equal" and vanishes_with(c, value))
    ]
    if len(kept) == len(condition.args):
        return e
    if not kept:
        return value
    return raw_apply(e.primitive, (kept[0], value, b), e.params, e.shape)


def masked_identity(e: Expr) -> Expr:
    """where(mask, I, 0) = I for a plain mask that is true on the diagonal, and where(mask, X, 0) is
    the diagonal of X for one that is true there only."""
    if not (isinstance(e, Apply) and e.name == "where" and number_of(e.args[2]) == 0):
        return e
    mask, a = e.args[:2]
    if not isinstance(mask, Symbol) or mask.value is None or not is_made(mask):
        return e
    if e.rank != 2 or a.shape != e.shape:
        return e
    plain = np.broadcast_to(np.asarray(mask.value, np.bool_), e.shape)
    if e.shape[0] != e.shape[1]:
        return e
    if isinstance(a, Term) and a.out[0] == a.out[1]:
        return a if plain.diagonal().all() else e
    if np.array_equal(plain, np.eye(len(plain), dtype=np.bool_)):
        return product(ONE, [(a, (0, 0))], (0, 0), {0: e.shape[0]})
    return e


__all__ = [
    "choose_inside", "diagonal_choice", "drop_conjunct", "masked_identity", "merge_choices",
    "positive_condition", "same_conditions",
]  # fmt: skip
