"""The logistic function σ(x) = 1 / (1 + e⁻ˣ), found in quotients and products of exponentials."""

from __future__ import annotations

import math
from collections.abc import Iterator

from adjoint.graph.registry import PRIMITIVES
from adjoint.simplify.einstein import add, elementwise, power, product, scale
from adjoint.simplify.exact import MINUS, ONE, ZERO, Coefficient, is_exact
from adjoint.simplify.expression import (
    Apply,
    Expr,
    Labels,
    Power,
    Sum,
    Term,
    as_term,
    number,
    number_of,
    raw_apply,
    split,
)
from adjoint.simplify.indices import spread


def name_logistic(e: Expr) -> Expr:
    """1 / (1 + eᵘ) = 1 − σ(u), and that with a sign where u has one: σ(x) for u = −x."""
    if not isinstance(e, Power):
        return e
    n, u = number_of(e.exponent), _exponent(e.base)
    if u is None or not isinstance(n, int) or n >= 0:
        return e
    return power(elementwise(PRIMITIVES["expit"], scale(MINUS, u)), number(-n))


def _exponent(e: Expr) -> Expr | None:
    """u of 1 + eᵘ."""
    if not isinstance(e, Sum) or len(e.terms) != 2:
        return None
    for one, other in (e.terms, e.terms[::-1]):
        if number_of(one) == 1 and isinstance(other, Apply) and other.name == "exp":
            return other.args[0]
    return None


def exponential_times_logistic(e: Expr) -> Expr:
    """e⁻ˣ σ(x) = 1 − σ(x), and eˣ (1 − σ(x)) = σ(x)."""
    if not isinstance(e, Term):
        return e
    for j, (f, labels) in enumerate(e.factors):
        if not (isinstance(f, Apply) and f.name == "exp"):
            continue
        for k, (g, other) in enumerate(e.factors):
            base, n = (g.base, number_of(g.exponent)) if isinstance(g, Power) else (g, 1)
            met = _met(f.args[0], base)
            if other != labels or met is None or not isinstance(n, int) or n < 1:
                continue
            left = power(base, number(n - 1))
            rest = [pair for i, pair in enumerate(e.factors) if i not in (j, k)]
            factors = [(met, labels), (left, labels), *rest]
            return product(e.coefficient, factors, e.out, e.sizes)
    return e


def _met(u: Expr, base: Expr) -> Expr | None:
    """eᵘ times σ(−u), or 1 − σ(u)."""
    if isinstance(base, Apply) and base.name == "expit" and scale(MINUS, base.args[0]) is u:
        return add([number(ONE, base.shape), scale(MINUS, base)])
    if isinstance(base, Sum) and len(base.terms) == 2:
        logistic = elementwise(PRIMITIVES["expit"], u)
        if base is add([number(ONE, base.shape), scale(MINUS, logistic)]):
            return logistic
    return None


# -- digits ----------------------------------------------------------------------------------------


def factor_logistic(e: Expr) -> Expr:
    """σ − σ² = σ (1 − σ), and any polynomial in σ that vanishes at 1: where σ is 1 to all digits,
    the difference would be 0."""
    if not isinstance(e, Sum):
        return e
    for s, axes in dict.fromkeys(_logistics(e)):
        groups: dict[Expr, tuple[Polynomial, list[Expr]]] = {}
        for t in e.terms:
            found = _polynomial_in(s, axes, t)
            if found is not None:
                rest, p = found
                known, terms = groups.get(rest, ({}, []))
                groups[rest] = _sum(known, p), [*terms, t]
        for rest, (p, terms) in groups.items():
            if len(terms) < 2 or not p or sum(p.values()) != 0:
                continue
            new = _written(s, axes, p, rest)
            found_sum = add([new, *(t for t in e.terms if t not in terms)])
            if found_sum is not e:
                return found_sum
    return e


Polynomial = dict[int, Coefficient]
"""Coefficients by powers."""


def _logistics(e: Sum) -> Iterator[tuple[Expr, tuple[int, ...]]]:
    """The logistic functions among the factors of terms, or in sums among them, with their axes."""
    for t in e.terms:
        view = as_term(t)
        for f, labels in view.factors:
            base = f.base if isinstance(f, Power) else f
            inner = base.terms if isinstance(base, Sum) else (base,)
            for g in map(_root, inner):
                found = isinstance(g, Apply) and g.name == "expit" and g.shape == f.shape
                if found and set(labels) <= set(view.out) and not view.has_delta:
                    yield g, tuple(map(view.out.index, labels))


def _root(e: Expr) -> Expr:
    """σ in c σⁿ."""
    rest = split(e)[1]
    return rest.base if isinstance(rest, Power) else rest


def _polynomial_in(s: Expr, axes: Labels, t: Expr) -> tuple[Expr, Polynomial] | None:
    """A term as a product of a polynomial in σ and the rest; None if it cannot be seen so."""
    view = as_term(t)
    if view.has_delta or not is_exact(view.coefficient):
        return None
    labels_of_s = tuple(view.out[k] for k in axes)
    p: Polynomial = {0: view.coefficient}
    left = []
    for f, labels in view.factors:
        q = _polynomial(s, f) if labels == labels_of_s else None
        if q is None:
            left.append((f, labels))
        else:
            p = _times(p, q)
    return product(ONE, left, view.out, view.sizes), p


def _polynomial(s: Expr, f: Expr) -> Polynomial | None:
    """What f is as a polynomial in σ of a low degree; None if it is none."""
    if f is s:
        return {1: ONE}
    if isinstance(f, Power):
        n, inner = number_of(f.exponent), _polynomial(s, f.base)
        if inner is None or not isinstance(n, int) or not 0 < n <= HIGHEST:
            return None
        p: Polynomial = {0: ONE}
        for _ in range(n):
            p = _times(p, inner)
        return p
    p = {}
    for t in f.terms if isinstance(f, Sum) else ():
        c, rest = split(t)
        if not is_exact(c):
            return None
        one: Polynomial | None = {0: c}
        if number_of(rest) is None:
            q = None if isinstance(rest, Sum) else _polynomial(s, rest)
            one = None if q is None else _times({0: c}, q)
        if one is None:
            return None
        p = _sum(p, one)
    return p or None


HIGHEST = 6
"""Powers up to this one are multiplied out."""


def _sum(p: Polynomial, q: Polynomial) -> Polynomial:
    total = {k: p.get(k, ZERO) + q.get(k, ZERO) for k in {*p, *q}}
    return {k: c for k, c in total.items() if c != 0}


def _times(p: Polynomial, q: Polynomial) -> Polynomial:
    total: Polynomial = {}
    for k, c in p.items():
        total = _sum(total, {k + j: c * d for j, d in q.items()})
    return total


def _written(s: Expr, axes: Labels, p: Polynomial, rest: Expr) -> Expr:
    """σᵃ (1 − σ)ᵇ q(σ) for a polynomial, times the rest."""
    low, times_one = min(p), 0
    q = {k - low: c for k, c in p.items()}
    while sum(q.values()) == 0:
        # Synthetic division by 1 − σ: the coefficients are the partial sums.
        sums: Polynomial = {}
        total: Coefficient = ZERO
        for k in range(max(q)):
            total = total + q.get(k, ZERO)
            sums = _sum(sums, {k: total})
        q, times_one = sums, times_one + 1
    complement = add([number(ONE, s.shape), scale(MINUS, s)])
    value = add([
        scale(c, power(s, number(k)) if k else number(ONE, s.shape)) for k, c in sorted(q.items())
    ])  # fmt: skip
    out = tuple(range(rest.rank))
    factors = [
        (power(s, number(low)) if low else number(ONE, s.shape), axes),
        (power(complement, number(times_one)), axes),
        (value, axes),
        (rest, out),
    ]
    return product(ONE, factors, out, dict(enumerate(rest.shape)))


def mirrored(e: Expr) -> Expr:
    """1 − σ(x) = σ(−x), which has digits where σ(x) is 1 to all of them."""
    if not (isinstance(e, Sum) and len(e.terms) == 2):
        return e
    for one, other in (e.terms, e.terms[::-1]):
        c, s = split(other)
        if isinstance(s, Apply) and s.name == "expit" and is_exact(c) and number_of(one) == -c:
            x = s.args[0]
            negative = add([scale(MINUS, t) for t in (x.terms if isinstance(x, Sum) else (x,))])
            return scale(-c, raw_apply(s.primitive, (negative,), s.params, s.shape))
    return e


# -- log(eˣ + eʸ) ----------------------------------------------------------------------------------


def no_mask(e: Expr) -> Expr:
    """where(v = −∞, a, b) = b for v = log(eˣ + eʸ) or max(x, y), which are finite where x or y is:
    derivatives guard rows that are all −∞."""
    if not (isinstance(e, Apply) and e.name == "where"):
        return e
    condition = e.args[0]
    if not (isinstance(condition, Apply) and len(condition.args) == 2):
        return e
    asked = {q.name: q.args[0] for q in condition.args if isinstance(q, Apply) and len(q.args) == 1}
    v = asked.get("isinf")
    if v is None or asked.get("signbit") is not v:
        return e
    row = split(v)[1]
    guarded = isinstance(row, Apply) and (row.name in LOG_SUMS or row.name == "maximum")
    return spread(e.args[2], e.shape) if guarded else e


LOG_SUMS: dict[str, Coefficient] = {
    "logaddexp": ONE, "softplus": ONE, "logaddexp2": math.log(2),
}  # fmt: skip
"""Logarithms of sums of two exponentials, and the natural logarithms of their bases."""


def share(e: Expr) -> Expr:
    """exp(x − log(eˣ + eʸ)) = σ(x − y)."""
    if not (isinstance(e, Apply) and e.name == "exp" and isinstance(e.args[0], Sum)):
        return e
    inner = e.args[0]
    for t in inner.terms:
        c, v = split(t)
        if not isinstance(v, Apply) or v.name not in LOG_SUMS or c != -LOG_SUMS[v.name]:
            continue
        base = LOG_SUMS[v.name]
        zero = number(ZERO, v.shape)
        x, y = (spread(a, v.shape) for a in (v.args if len(v.args) == 2 else (zero, v.args[0])))
        above = add([inner, scale(base, v)])
        for a, b in ((x, y), (y, x)):
            if above is scale(base, a):
                difference = scale(base, add([a, scale(MINUS, b)]))
                return elementwise(PRIMITIVES["expit"], difference)
    return e


__all__ = [
    "exponential_times_logistic", "factor_logistic", "mirrored", "name_logistic", "no_mask",
    "share",
]  # fmt: skip
