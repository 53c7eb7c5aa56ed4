"""The normal form of products and sums in Einstein notation.

Nested contractions become one; deltas disappear by renaming; ones and broadcasts are dropped;
numbers are collected in the coefficient; equal factors become powers; indices are named in an order
that does not depend on how the product was written (Laue, Mitterreiter and Giesen, AAAI 2020).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from adjoint.simplify import exact
from adjoint.simplify.axes import axes_of, used_in
from adjoint.simplify.canonical import Sizes, canonical, in_order, is_symmetric
from adjoint.simplify.delta import Renaming, cancel_inverses, summed_delta
from adjoint.simplify.exact import MINUS, ONE, ZERO, Coefficient, is_exact, magnitude
from adjoint.simplify.expression import (
    Apply,
    Expr,
    Factor,
    Labels,
    Power,
    Sum,
    Term,
    coefficient_of,
    known_negative,
    number,
    number_of,
    raw_apply,
    raw_power,
    raw_sum,
    raw_term,
    split,
    unwrapped,
)


def product(coefficient: Coefficient, factors: Iterable[Factor], out: Labels, sizes: Sizes) -> Expr:
    """coefficient · Σ Π factors, in normal form; ``sizes`` has every label."""
    flat, same = list(factors), Renaming()
    for e, labels in flat:
        if type(e) is Term or type(e) is Sum:  # has factors of its own, or a content
            if len(flat) == 1 and type(e) is Term:
                found = _along(coefficient, e, labels, out, sizes)
                if found is not None:
                    return found
            break
    else:
        return _of_atoms(coefficient, flat, out, sizes, same)
    sizes = dict(sizes)
    coefficient, flat = _inline(coefficient, flat, sizes, same)
    if same:
        flat = [(f, same.apply(labels)) for f, labels in flat]
        out, sizes = same.apply(out), {same(i): n for i, n in sizes.items()}
    place = summed_delta(flat, out)
    if place is None:
        return _of_atoms(coefficient, flat, out, sizes, same)
    (e, labels), rest = flat[place], flat[:place] + flat[place + 1 :]
    return add([product(coefficient, [(t, labels), *rest], out, sizes) for t in e.children()])


def _along(
    coefficient: Coefficient, e: Term, labels: Labels, out: Labels, sizes: Sizes
) -> Expr | None:
    """A product with its axes summed or in another order, which leaves its factors as they are."""
    if e.has_delta or len(sizes) != len(labels) or len(set(labels)) < len(labels):
        return None
    name = dict(zip(labels, e.out, strict=True))
    shown = tuple([name[i] for i in out])
    used = used_in(e)
    for i in name.values():
        if i not in used and i not in shown:
            return None  # counts how often it is summed
    return canonical(exact.multiply(coefficient, e.coefficient), e.factors, shown, e.sizes)


def _of_atoms(
    coefficient: Coefficient, flat: list[Factor], out: Labels, sizes: Sizes, same: Renaming
) -> Expr:
    """The product of factors that have no factors of their own."""
    if len(flat) > 1:
        coefficient, flat = _merge_powers(coefficient, flat)
    used = set(out).union(*[labels for _, labels in flat])
    if len(used) < len(sizes):
        # A summed index that nothing depends on counts how often it is summed.
        for label in sizes.keys() - used:
            coefficient = exact.multiply(coefficient, sizes[label])
    if len(flat) > 1 and any(type(e) is Apply and e.name == "inv" for e, _ in flat):
        flat = cancel_inverses(flat, out, same)
        if same:
            out = same.apply(out)
            flat = [(f, same.apply(labels)) for f, labels in flat]
    if coefficient == 0:
        return number(ZERO, tuple([sizes[i] for i in out]))
    return canonical(coefficient, flat, out, sizes)


def pointwise(coefficient: Coefficient, factors: Sequence[Factor], shape: Labels) -> Expr:
    """coefficient · Π factors, elementwise: the labels of a factor are different axes of ``shape``.

    As `product` makes it, which is asked where a factor has deltas of its own.  Most products are
    such; no index of the result has to be renamed, and with nothing summed none to be told apart.
    """
    out, sizes, same = tuple(range(len(shape))), dict(enumerate(shape)), Renaming()
    whole, flat = _inline(coefficient, factors, sizes, same)
    if same:
        return product(coefficient, factors, out, dict(enumerate(shape)))
    if len(sizes) > len(out):
        return _of_atoms(whole, flat, out, sizes, same)
    if len(flat) > 1:
        whole, flat = _merge_powers(whole, flat)
    return number(ZERO, shape) if whole == 0 else in_order(whole, flat, out, sizes)


MOST_FACTORS = 32
"""A product of more factors than that is one factor of other products: read factor by factor, each
prefix of a long chain would cost as much as the whole of it."""


def _inline(
    coefficient: Coefficient, factors: Sequence[Factor], sizes: Sizes, same: Renaming
) -> tuple[Coefficient, list[Factor]]:
    """Σ over Σ is one Σ: factors that are terms are replaced by their own factors."""
    done: list[Factor] = []
    fresh = max(sizes, default=-1) + 1
    for e, labels in factors:
        if type(e) is Sum:
            content, e, labels = _as_factor(e, labels)
            if content != 1:
                coefficient = exact.multiply(coefficient, content)
        if type(e) is not Term:
            done.append((e, labels))
            continue
        if e.coefficient != 1:
            coefficient = exact.multiply(coefficient, e.coefficient)
        if labels == e.out and e.is_pointwise and len(e.factors) <= MOST_FACTORS:
            done += e.factors
            continue
        names = dict(zip(e.out, labels, strict=True))
        if e.has_delta:
            for inner, outer in zip(e.out, labels, strict=True):
                same.unify(names[inner], outer)
        if len(e.factors) > MOST_FACTORS:
            used = used_in(e)
            own = tuple([i for i in dict.fromkeys(e.out) if i in used])
            whole = canonical(ONE, e.factors, own, e.sizes)
            done.append((whole, tuple([names[i] for i in own])))
            continue
        if len(names) < len(e.sizes):
            for inner, size in e.sizes.items():
                if inner not in names:
                    names[inner], sizes[fresh] = fresh, size
                    fresh += 1
        done += [(f, tuple([names[i] for i in ls])) for f, ls in e.factors]
    return coefficient, done


def _as_factor(e: Sum, labels: Labels) -> tuple[Coefficient, Expr, Labels]:
    """A sum as a factor: its content in front, and without axes on which no term depends."""
    content, rest = content_of(e)
    if not isinstance(rest, Sum):
        return content, rest, labels
    core, kept = without_broadcast(rest)
    return content, core, labels if core is rest else tuple([labels[k] for k in kept])


def without_broadcast(e: Expr) -> tuple[Expr, tuple[int, ...]]:
    """An expression without the axes on which it does not depend, and the axes that are left."""
    kept = e.axes or axes_of(e)
    if len(kept) == len(e.shape):
        return e, kept
    assert isinstance(e, (Sum, Term))  # anything else differs along all axes
    if e.core is None:
        if isinstance(e, Sum):
            e.core = add([_restrict(t, kept) for t in e.terms])
        else:
            e.core = _restrict(e, kept)
    return e.core, kept


def _restrict(e: Expr, kept: Sequence[int]) -> Expr:
    """The same elements without axes along which they are equal."""
    if not isinstance(e, Term):
        return e
    out = tuple([e.out[k] for k in kept])
    gone = set(e.out) - set(out)
    sizes = {i: n for i, n in e.sizes.items() if i not in gone}
    return product(e.coefficient, e.factors, out, sizes)


def content_of(e: Sum) -> tuple[Coefficient, Expr]:
    """The number that all terms have in common, and the rest: 2x + 4y = 2 (x + 2y).

    The sign is that of the sum which was written first, so y − Ax and Ax − y are one factor.
    """
    if e.content is None:
        content, rest = _content_of(e)
        e.content = content, None if rest is e else rest
    content, other = e.content
    return content, e if other is None else other


def _content_of(e: Sum) -> tuple[Coefficient, Expr]:
    numbers = [c for c in map(coefficient_of, e.terms) if is_exact(c)]
    content: Coefficient = ONE
    if ONE in numbers:
        pass  # no other number divides it, and there is a term that is not negative
    elif len(numbers) == len(e.terms):
        if len({magnitude(c) for c in numbers}) == 1:
            content = magnitude(numbers[0])
        else:
            tops = math.gcd(*[c.numerator for c in numbers])
            content = exact.divide(tops, math.gcd(*[c.denominator for c in numbers]))
        if all(c < 0 for c in numbers):
            content = -content
    rest: Expr = e
    if content != 1:
        parts = map(split, e.terms)
        rest = add([scale(exact.divide(c, content), t) for c, t in parts])
    if isinstance(rest, Sum):
        negative = known_negative(rest)
        first = negative is not None and negative.serial < rest.serial
        negatives = () if negative is None else map(coefficient_of, negative.terms)
        if negative is not None and first and not all(map(exact.is_negative, negatives)):
            return exact.multiply(content, MINUS), negative
    return content, rest


_MEETING = (Power, Apply)
"""Factors that may be powers of others, or exponentials."""


def _merge_powers(
    coefficient: Coefficient, factors: list[Factor]
) -> tuple[Coefficient, list[Factor]]:
    """x^a · x^b = x^(a+b), for factors with the same indices."""
    if len(factors) == 2:
        (a, _), (b, _) = factors
        if a is not b and type(a) not in _MEETING and type(b) not in _MEETING:
            return coefficient, factors
    bases = {e.base if type(e) is Power else e for e, _ in factors}
    exponentials = [e for e in bases if type(e) is Apply and e.name == "exp"]
    if len(bases) == len(factors) and len(exponentials) < 2:
        return coefficient, factors  # nothing meets, and each is in normal form by itself
    exponents: dict[Factor, Expr] = {}
    for e, labels in factors:
        base, exponent = (e.base, e.exponent) if isinstance(e, Power) else (e, number(ONE))
        if len(labels) == 2 and is_symmetric(base):
            labels = tuple(sorted(labels))
        known = exponents.get((base, labels))
        exponents[base, labels] = exponent if known is None else add([known, exponent])
    _merge_exponentials(exponents)
    result: list[Factor] = []
    for (base, labels), exponent in exponents.items():
        e = power(base, exponent)
        value = number_of(e)
        if value is not None:
            coefficient = exact.multiply(coefficient, value)
        elif isinstance(e, Term) and e is not base:  # pulled apart by a law of powers
            coefficient = exact.multiply(coefficient, e.coefficient)
            names = dict(zip(e.out, labels, strict=True))
            result += [(f, tuple([names[i] for i in ls])) for f, ls in e.factors]
        else:
            result.append((e, labels))
    return coefficient, result


def _merge_exponentials(exponents: dict[Factor, Expr]) -> None:
    """e^a · e^b = e^(a+b), for factors with the same indices; numbers as exponents only."""
    groups: dict[Labels, list[tuple[Factor, Expr]]] = {}
    for key, exponent in exponents.items():
        base, labels = key
        if isinstance(base, Apply) and base.name == "exp":
            groups.setdefault(labels, []).append((key, exponent))
    for labels, members in groups.items():
        if len(members) < 2:
            continue
        arguments = []
        for (base, _), exponent in members:
            value = number_of(exponent)
            if value is None:
                break
            arguments.append(scale(value, base.children()[0]))
        else:
            first = members[0][0][0]
            assert isinstance(first, Apply)
            merged = elementwise(first.primitive, add(arguments))
            for key, _ in members:
                del exponents[key]
            exponents[merged, labels] = number(ONE)


# -- sums ------------------------------------------------------------------------------------------


def scale(c: Coefficient, e: Expr) -> Expr:
    """A number times an expression."""
    if c == 1:
        return e
    if type(e) is Sum:  # has a content of its own
        return pointwise(c, [(e, tuple(range(len(e.shape))))], e.shape)
    if isinstance(e, Term):
        c = exact.multiply(c, e.coefficient)
    if c == 0:
        return number(ZERO, e.shape)
    if isinstance(e, Term):
        return unwrapped(raw_term(c, e.factors, e.out, e.sizes))
    labels = tuple(range(len(e.shape)))
    return raw_term(c, ((e, labels),), labels, dict(enumerate(e.shape)))


def add(terms: Iterable[Expr]) -> Expr:
    """The sum of expressions of one shape: sums in it dissolved, equal terms collected."""
    return linear_combination([(ONE, e) for e in terms])


def linear_combination(terms: Iterable[tuple[Coefficient, Expr]]) -> Expr:
    """Σ c e of numbers c and expressions e of one shape, as `add` makes it."""
    found: dict[Any, tuple[Coefficient, Expr]] = {}
    shape: tuple[int, ...] = ()
    for c, e in terms:
        shape = e.shape
        _collect(c, e, found)
    parts = [_with_coefficient(c, e) for c, e in found.values() if c != 0]
    if not parts:
        return number(ZERO, shape)
    return parts[0] if len(parts) == 1 else raw_sum(parts)


def _collect(c: Coefficient, e: Expr, found: dict[Any, tuple[Coefficient, Expr]]) -> None:
    """Add c e to the coefficients, by what is left of an expression without its own; beside each,
    one of the expressions that have it."""
    key: Any = e
    if type(e) is Sum:
        for t in e.terms:
            _collect(c, t, found)
        return
    if type(e) is Term:
        if e.coefficient != 1:
            c = exact.multiply(c, e.coefficient)
        key = e.factors, e.out
        if len(e.factors) == 1 and not e.has_delta:
            factor, labels = e.factors[0]
            if type(factor) is Sum and len(set(labels)) == len(labels) and set(labels) <= {*e.out}:
                for t in factor.terms:  # a sum that is broadcast
                    _collect(c, product(ONE, [(t, labels)], e.out, e.sizes), found)
                return
            if labels == e.out:
                key = factor
    known = found.get(key)
    found[key] = c if known is None else exact.add(known[0], c), e


def _with_coefficient(c: Coefficient, e: Expr) -> Expr:
    """An expression with this coefficient in place of its own."""
    if type(e) is not Term:
        return e if c == 1 else scale(c, e)
    if e.coefficient == c and type(e.coefficient) is type(c):
        return e
    return unwrapped(raw_term(c, e.factors, e.out, e.sizes))


# -- powers and functions --------------------------------------------------------------------------


def power(base: Expr, exponent: Expr) -> Expr:
    """base ** exponent, elementwise, in normal form."""
    n = number_of(exponent)
    if n is None:
        return raw_power(base, exponent)
    if n == 1:
        return base
    if n == 0:
        return number(ONE, base.shape)
    core, kept = without_broadcast(base)
    if core is not base:
        return pointwise(ONE, [(power(core, exponent), kept)], base.shape)
    whole = is_exact(n) and n.denominator == 1
    if isinstance(base, Power) and whole:
        return power(base.base, times(exponent, base.exponent))
    if isinstance(base, Apply) and base.name == "exp" and whole:
        return elementwise(base.primitive, scale(n, base.args[0]))
    if isinstance(base, Sum) and whole:
        content, rest = content_of(base)
        lifted = exact.power(content, n)
        if content != 1 and lifted is not None:
            return scale(lifted, power(rest, exponent))
    if isinstance(base, Term):
        return _power_of_term(base, exponent, n, whole)
    return raw_power(base, exponent)


def _power_of_term(base: Term, exponent: Expr, n: Coefficient, whole: bool) -> Expr:
    """(c Π f)^n = c^n Π f^n where nothing is summed and n is whole; c^n in front if it is exact."""
    lifted = exact.power(base.coefficient, n)
    distinct = not base.has_delta
    if lifted is not None and whole and distinct and set(base.sizes) == set(base.out):
        factors = [(power(f, exponent), labels) for f, labels in base.factors]
        return pointwise(lifted, factors, base.shape)
    if base.coefficient != 1 and lifted is not None and (whole or base.coefficient.real > 0):
        rest = split(base)[1]
        return scale(lifted, power(rest, exponent))
    if whole and distinct:
        return _power_outside_sum(base, exponent)
    return raw_power(base, exponent)


def _power_outside_sum(base: Term, exponent: Expr) -> Expr:
    """(Σ_j f_i g_ij)^n = f_i^n (Σ_j g_ij)^n."""
    out = set(base.out)
    loose = [(f, labels) for f, labels in base.factors if set(labels) <= out]
    if not loose:
        return raw_power(base, exponent)
    bound = [pair for pair in base.factors if pair not in loose]
    rest = product(ONE, bound, base.out, base.sizes)
    core, kept = without_broadcast(rest)
    factors = [(power(f, exponent), labels) for f, labels in loose]
    factors.append((raw_power(core, exponent), tuple(base.out[k] for k in kept)))
    sizes = {i: n for i, n in base.sizes.items() if i in out}
    return product(ONE, factors, base.out, sizes)


def elementwise(primitive: Any, arg: Expr) -> Expr:
    """A function of one operand, applied before the operand is broadcast, not after."""
    core, kept = without_broadcast(arg)
    value = number_of(core)
    if value is not None and not core.shape:
        with np.errstate(all="ignore"):  # log 0 stays what it is
            result = exact.exact(primitive.evaluate(float(value.real)))
        if isinstance(result, int):
            return number(result, arg.shape)
    found = raw_apply(primitive, (core,), {}, core.shape)
    return found if core is arg else pointwise(ONE, [(found, kept)], arg.shape)


def times(a: Expr, b: Expr) -> Expr:
    """The elementwise product of expressions of one shape."""
    if type(a) is Term or type(b) is Term:
        for c, e in ((number_of(a), b), (number_of(b), a)):
            if c is not None:
                return scale(c, e)
    labels = tuple(range(len(a.shape)))
    return pointwise(ONE, [(a, labels), (b, labels)], a.shape)
