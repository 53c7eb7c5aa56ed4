"""The normal form of products and sums in Einstein notation.

Nested contractions become one; deltas disappear by renaming; ones and broadcasts are dropped;
numbers are collected in the coefficient; equal factors become powers; indices are named in an order
that does not depend on how the product was written (Laue, Mitterreiter and Giesen, AAAI 2020).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any

from adjoint.simplify import exact
from adjoint.simplify.delta import Renaming, cancel_inverses
from adjoint.simplify.exact import ONE, ZERO, Coefficient
from adjoint.simplify.expression import (
    Apply,
    Expr,
    Factor,
    Labels,
    Power,
    Sum,
    Term,
    known_sum,
    number,
    number_of,
    raw_apply,
    raw_power,
    raw_sum,
    raw_term,
    split,
    unwrapped,
)

Sizes = dict[int, int]


def product(coefficient: Coefficient, factors: Iterable[Factor], out: Labels, sizes: Sizes) -> Expr:
    """coefficient · Σ Π factors, in normal form; ``sizes`` has every label."""
    sizes = dict(sizes)
    same = Renaming()
    coefficient, flat = _inline(coefficient, list(factors), sizes, same)
    flat = [(f, same.apply(labels)) for f, labels in flat]
    place = _delta_sum(flat, same.apply(out))
    if place is not None:
        (e, labels), rest = flat[place], flat[:place] + flat[place + 1 :]
        sizes = {same(i): n for i, n in sizes.items()}
        out = same.apply(out)
        return add([
            product(coefficient, [(t, labels), *rest], out, sizes) for t in e.children()
        ])  # fmt: skip
    coefficient, merged = _merge_powers(coefficient, flat)
    used = set(same.apply(out)).union(*(labels for _, labels in merged))
    # A summed index that nothing depends on counts how often it is summed.
    for label in {same(i) for i in sizes} - used:
        coefficient = exact.multiply(coefficient, Fraction(sizes[label]))
    merged = cancel_inverses(merged, same.apply(out), same)
    out = same.apply(out)
    merged = [(f, same.apply(labels)) for f, labels in merged]
    if coefficient == 0:
        return number(ZERO, tuple(sizes[i] for i in out))
    return unwrapped(_canonical(coefficient, merged, out, sizes))


def _inline(
    coefficient: Coefficient, pending: list[Factor], sizes: Sizes, same: Renaming
) -> tuple[Coefficient, list[Factor]]:
    """Σ over Σ is one Σ: factors that are terms are replaced by their own factors."""
    done: list[Factor] = []
    pending.reverse()
    fresh = max(sizes, default=-1) + 1
    while pending:
        e, labels = pending.pop()
        if isinstance(e, Sum):
            content, e, labels = _as_factor(e, labels)
            coefficient = exact.multiply(coefficient, content)
        if not isinstance(e, Term):
            done.append((e, labels))
            continue
        coefficient = exact.multiply(coefficient, e.coefficient)
        names: dict[int, int] = {}
        for inner, outer in zip(e.out, labels, strict=True):
            if inner in names:
                same.unify(names[inner], outer)
            else:
                names[inner] = outer
        for inner, size in e.sizes.items():
            if inner not in names:
                names[inner], sizes[fresh] = fresh, size
                fresh += 1
        pending.extend((f, tuple(names[i] for i in ls)) for f, ls in reversed(e.factors))
    return coefficient, done


def _delta_sum(factors: list[Factor], out: Labels) -> int | None:
    """The place of a sum one of whose terms is a delta over a summed index: (A + I) B = AB + B
    saves a product with the identity, so only there products are distributed over sums."""
    for place, (e, labels) in enumerate(factors):
        if not isinstance(e, Sum):
            continue
        for t in e.terms:
            if isinstance(t, Term) and len(set(t.out)) < len(t.out):
                repeated = {i for k, i in enumerate(labels) if t.out.count(t.out[k]) > 1}
                if repeated - set(out):
                    return place
    return None


def _as_factor(e: Sum, labels: Labels) -> tuple[Coefficient, Expr, Labels]:
    """A sum as a factor: its content in front, and without axes on which no term depends."""
    content, e2 = content_of(e)
    kept = [k for k in range(e.rank) if any(_depends(t, k) for t in e2.children())]
    if len(kept) == e.rank or not isinstance(e2, Sum):
        return content, e2, labels
    reduced = add([_restrict(t, kept) for t in e2.terms])
    return content, reduced, tuple(labels[k] for k in kept)


def _depends(e: Expr, axis: int) -> bool:
    """Whether the elements differ along an axis (as far as can be seen)."""
    if not isinstance(e, Term):
        return True
    label = e.out[axis]
    return e.out.count(label) > 1 or any(label in labels for _, labels in e.factors)


def _restrict(e: Expr, kept: Sequence[int]) -> Expr:
    """The same elements without axes along which they are equal."""
    if not isinstance(e, Term):
        return e
    out = tuple(e.out[k] for k in kept)
    gone = {e.out[k] for k in range(e.rank)} - set(out)
    sizes = {i: n for i, n in e.sizes.items() if i not in gone}
    return product(e.coefficient, e.factors, out, sizes)


def without_broadcast(e: Expr) -> tuple[Expr, list[int]]:
    """An expression without the axes on which it does not depend, and the axes that are left."""
    if isinstance(e, Sum):
        kept = [k for k in range(e.rank) if any(_depends(t, k) for t in e.terms)]
        if len(kept) == e.rank:
            return e, kept
        return add([_restrict(t, kept) for t in e.terms]), kept
    kept = [k for k in range(e.rank) if _depends(e, k)]
    return (e if len(kept) == e.rank else _restrict(e, kept)), kept


def content_of(e: Sum) -> tuple[Coefficient, Expr]:
    """The number that all terms have in common, and the rest: 2x + 4y = 2 (x + 2y).

    The sign is that of the sum which was written first, so y − Ax and Ax − y are one factor.
    """
    parts = [split(t) for t in e.terms]
    numbers = [c for c, _ in parts]
    content: Coefficient = ONE
    if all(isinstance(c, Fraction) for c in numbers):
        fractions = [c for c in numbers if isinstance(c, Fraction)]
        if len({abs(c) for c in fractions}) == 1:
            content = abs(fractions[0])
        else:
            tops, bottoms = zip(*((c.numerator, c.denominator) for c in fractions), strict=True)
            content = Fraction(math.gcd(*tops), math.gcd(*bottoms))
        if all(c < 0 for c in fractions):
            content = -content
    rest: Expr = e
    if content != 1:
        rest = add([scale(exact.multiply(c, 1 / content), t) for c, t in parts])
    if isinstance(rest, Sum):
        negative = known_sum([_known_negative(t) or t for t in rest.terms])
        first = negative is not None and negative.serial < rest.serial
        if negative is not None and first and not _all_negative(negative):
            return exact.multiply(content, Fraction(-1)), negative
    return content, rest


def _all_negative(e: Sum) -> bool:
    return all(exact.is_negative(split(t)[0]) for t in e.terms)


def _known_negative(e: Expr) -> Expr:
    return scale(Fraction(-1), e)


def _merge_powers(
    coefficient: Coefficient, factors: list[Factor]
) -> tuple[Coefficient, list[Factor]]:
    """x^a · x^b = x^(a+b), for factors with the same indices."""
    exponents: dict[Factor, Expr] = {}
    for e, labels in factors:
        base, exponent = (e.base, e.exponent) if isinstance(e, Power) else (e, number(ONE))
        if is_symmetric(base):
            labels = tuple(sorted(labels))
        key = base, labels
        known = exponents.get(key)
        exponents[key] = exponent if known is None else add([known, exponent])
    _merge_exponentials(exponents)
    result: list[Factor] = []
    for (base, labels), exponent in exponents.items():
        found = power(base, exponent)
        value = number_of(found)
        if value is not None:
            coefficient = exact.multiply(coefficient, value)
        elif isinstance(found, Term):  # pulled apart by a law of powers
            coefficient, inner = exact.multiply(coefficient, found.coefficient), found
            names = dict(zip(inner.out, labels, strict=True))
            result += [(f, tuple(names[i] for i in ls)) for f, ls in inner.factors]
        else:
            result.append((found, labels))
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


# -- names of indices ------------------------------------------------------------------------------


def _canonical(coefficient: Coefficient, factors: list[Factor], out: Labels, sizes: Sizes) -> Term:
    """The term with its labels numbered: those of the result first, then the others by their place
    in the product (refined as colours of a graph), so that equal products become one object."""
    names: dict[int, int] = {}
    for label in out:
        names.setdefault(label, len(names))
    summed = {i for _, labels in factors for i in labels if i not in names}
    if summed:
        colours = _colours(factors, names, summed, sizes)
        first: dict[int, int] = {}
        for position, (_, labels) in enumerate(factors):
            for i in labels:
                first.setdefault(i, position)
        for label in sorted(summed, key=lambda i: (colours[i], first[i])):
            names[label] = len(names)
    renamed = []
    for e, labels in factors:
        found = tuple(names[i] for i in labels)
        renamed.append((e, tuple(sorted(found)) if is_symmetric(e) else found))
    renamed.sort(key=lambda pair: (pair[0].serial, pair[1]))
    kept = {new: sizes[old] for old, new in names.items()}
    return raw_term(coefficient, tuple(renamed), tuple(names[i] for i in out), kept)


def _colours(
    factors: list[Factor], names: dict[int, int], summed: set[int], sizes: Sizes
) -> dict[int, int]:
    # Hashes of numbers only, and of the order of the factors: the same in every process.
    serials = sorted({e.serial for e, _ in factors})
    order = {serial: k for k, serial in enumerate(serials)}
    colours = {i: hash((1, n)) for i, n in names.items()}
    # Lengths by their order, so that the names do not depend on the lengths themselves.
    lengths = sorted(set(sizes.values()))
    colours |= {i: hash((2, lengths.index(sizes[i]))) for i in summed}
    for _ in range(min(len(summed), 4)):
        seen: dict[int, list[int]] = {i: [] for i in summed}
        for e, labels in factors:
            around = [colours[i] for i in labels]
            symmetric = is_symmetric(e)
            shown = tuple(sorted(around)) if symmetric else tuple(around)
            for place, i in enumerate(labels):
                if i in seen:
                    seen[i].append(hash((order[e.serial], 0 if symmetric else place, shown)))
        colours |= {i: hash((colours[i], tuple(sorted(s)))) for i, s in seen.items()}
    return colours


# -- sums ------------------------------------------------------------------------------------------


def scale(c: Coefficient, e: Expr) -> Expr:
    """A number times an expression."""
    if c == 1:
        return e
    labels = tuple(range(e.rank))
    if isinstance(e, Term):
        coefficient = exact.multiply(c, e.coefficient)
        if coefficient == 0:
            return number(ZERO, e.shape)
        return unwrapped(raw_term(coefficient, e.factors, e.out, e.sizes))
    return product(c, [(e, labels)], labels, dict(zip(labels, e.shape, strict=True)))


def add(terms: Iterable[Expr]) -> Expr:
    """The sum of expressions of one shape: sums in it dissolved, equal terms collected."""
    found: dict[Expr, Coefficient] = {}
    shape: tuple[int, ...] = ()
    for e in terms:
        shape = e.shape
        for c, part in _summands(ONE, e):
            found[part] = exact.add(found.get(part, ZERO), c)
    parts = [scale(c, e) for e, c in found.items() if c != 0]
    if not parts:
        return number(ZERO, shape)
    return parts[0] if len(parts) == 1 else raw_sum(parts)


def _summands(c: Coefficient, e: Expr) -> list[tuple[Coefficient, Expr]]:
    if isinstance(e, Sum):
        return [pair for t in e.terms for pair in _summands(c, t)]
    own, rest = split(e)
    c = exact.multiply(c, own)
    if isinstance(rest, Sum):
        return [pair for t in rest.terms for pair in _summands(c, t)]
    if isinstance(rest, Term) and len(rest.factors) == 1 and len(set(rest.out)) == len(rest.out):
        factor, labels = rest.factors[0]
        if (
            isinstance(factor, Sum)
            and set(labels) <= set(rest.out)
            and len(set(labels)) == len(labels)
        ):
            spread = [product(ONE, [(t, labels)], rest.out, rest.sizes) for t in factor.terms]
            return [pair for t in spread for pair in _summands(c, t)]
    return [] if number_of(rest) == 0 else [(c, rest)]


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
    if len(kept) != base.rank:
        sizes = dict(enumerate(base.shape))
        return product(ONE, [(power(core, exponent), tuple(kept))], tuple(sizes), sizes)
    whole = isinstance(n, Fraction) and n.denominator == 1
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
    distinct = len(set(base.out)) == len(base.out)
    if lifted is not None and whole and distinct and set(base.sizes) == set(base.out):
        factors = [(power(f, exponent), labels) for f, labels in base.factors]
        return product(lifted, factors, base.out, base.sizes)
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
        result = exact.exact(primitive.evaluate(float(value.real)))
        if isinstance(result, Fraction) and result.denominator == 1:
            return number(result, arg.shape)
    found = raw_apply(primitive, (core,), {}, core.shape)
    if len(kept) == arg.rank:
        return found
    sizes = dict(enumerate(arg.shape))
    return product(ONE, [(found, tuple(kept))], tuple(sizes), sizes)


def times(a: Expr, b: Expr) -> Expr:
    """The elementwise product of expressions of one shape."""
    labels = tuple(range(a.rank))
    return product(ONE, [(a, labels), (b, labels)], labels, dict(enumerate(a.shape)))


def transpose(e: Expr, axes: Sequence[int] | None = None) -> Expr:
    """The axes in another order, reversed if none is given."""
    order = tuple(range(e.rank))[::-1] if axes is None else tuple(axes)
    labels = tuple(range(e.rank))
    return product(ONE, [(e, labels)], tuple(labels[i] for i in order), dict(enumerate(e.shape)))


def is_symmetric(e: Expr) -> bool:
    """Whether a matrix is its own transpose, visibly."""
    if e.rank != 2 or e.shape[0] != e.shape[1]:
        return False
    if isinstance(e, Term):
        return transpose(e) is e
    if not isinstance(e, Sum | Apply | Power):
        return False
    if isinstance(e, Apply):
        return e.name in ("inv", "cofactor") and len(e.args) == 1 and is_symmetric(e.args[0])
    if isinstance(e, Power):
        return is_symmetric(e.base)
    flipped = [t if not isinstance(t, Term) and is_symmetric(t) else transpose(t) for t in e.terms]
    return set(flipped) == set(e.terms)
