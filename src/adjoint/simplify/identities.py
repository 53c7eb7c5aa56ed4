"""Laws that need more than a pattern: sums over an index, lengths, determinants."""

from __future__ import annotations

from adjoint.graph.binding import PROJECTION
from adjoint.simplify.einstein import add, power, product, scale
from adjoint.simplify.exact import HALF, MINUS, ONE, divide
from adjoint.simplify.exact import multiply as times_number
from adjoint.simplify.expression import (
    Apply,
    Expr,
    Power,
    Sum,
    Term,
    number,
    number_of,
    raw_apply,
    split,
)
from adjoint.simplify.indices import spread


def unit_axes(e: Expr) -> Expr:
    """A sum over the only element of an axis, broadcast along an axis of length 1, is that element:
    the mean of one number is the number."""
    if not isinstance(e, Term):
        return e
    used = {i for _, ls in e.factors for i in ls}
    spare = [i for i in e.out if i not in used and e.sizes[i] == 1 and e.out.count(i) == 1]
    gone = [i for i in used if i not in e.out and e.sizes[i] == 1]
    if not spare or not gone:
        return e
    names = dict(zip(gone, spare, strict=False))
    factors = [(f, tuple(names.get(i, i) for i in ls)) for f, ls in e.factors]
    sizes = {i: n for i, n in e.sizes.items() if i not in names}
    return product(e.coefficient, factors, e.out, sizes)


def sum_of_deviations(e: Expr) -> Expr:
    """Σ (x − Σ x / n) = 0: a sum inside a sum, where its terms then cancel or are one."""
    if not isinstance(e, Term):
        return e
    for k, (f, labels) in enumerate(e.factors):
        rest = [pair for j, pair in enumerate(e.factors) if j != k]
        elsewhere = set(e.out).union(*(ls for _, ls in rest))
        if isinstance(f, Sum) and set(labels) - elsewhere:
            found = add([
                product(e.coefficient, [(t, labels), *rest], e.out, e.sizes) for t in f.terms
            ])  # fmt: skip
            if not isinstance(found, Sum):
                return found
    return e


def even_power(e: Expr) -> Expr:
    """|x|²ⁿ = x²ⁿ, and sign(x)³ = sign(x), also where the power came about in a product."""
    if isinstance(e, Power) and isinstance(e.base, Apply) and e.base.name == "absolute":
        n = number_of(e.exponent)
        if isinstance(n, int) and n % 2 == 0:
            return power(e.base.args[0], e.exponent)
    if isinstance(e, Power) and isinstance(e.base, Apply) and e.base.name == "sign":
        n = number_of(e.exponent)
        if isinstance(n, int) and n % 2 and n > 0:
            return e.base
    return e


def length_of_two(e: Expr) -> Expr:
    """hypot(x, y)²ⁿ = (x² + y²)ⁿ, and hypot(1, x) = √(1 + x²): for reading."""
    base, exponent = (e.base, e.exponent) if isinstance(e, Power) else (e, number(ONE))
    if not (isinstance(base, Apply) and base.name == "hypot"):
        return e
    n = number_of(exponent)
    numbers = [number_of(a) is not None for a in base.args]
    if isinstance(n, complex) or n is None or not (any(numbers) or n % 2 == 0):
        return e
    squares = add([power(spread(a, base.shape), number(2)) for a in base.args])
    return power(squares, number(divide(n, 2)))


def root_over_its_square(e: Expr) -> Expr:
    """√(c u) / u = c / √(c u) for a number c: the root keeps the number, a power of u does not."""
    if not isinstance(e, Term):
        return e
    powers = [(k, f, ls) for k, (f, ls) in enumerate(e.factors) if isinstance(f, Power)]
    for j, f, labels in powers:
        c, u = split(f.base)
        if number_of(f.exponent) != HALF or c == 1:
            continue
        for k, g, other in powers:
            n = number_of(g.exponent)
            if g.base is u and other == labels and isinstance(n, int) and n < 0:
                root, left = power(f.base, number(-HALF)), power(u, number(n + 1))
                rest = [pair for i, pair in enumerate(e.factors) if i not in (j, k)]
                factors = [(root, labels), (left, labels), *rest]
                return product(times_number(e.coefficient, c), factors, e.out, e.sizes)
    return e


def log_det_of_inverse(e: Expr) -> Expr:
    """log |det A⁻¹| = −log |det A|."""
    if isinstance(e, Apply) and e.primitive is PROJECTION and e.params["index"] == 1:
        (inner,) = e.args
        if isinstance(inner, Apply) and inner.name == "slogdet":
            (a,) = inner.args
            if isinstance(a, Apply) and a.name == "inv":
                same = raw_apply(inner.primitive, a.args, inner.params, ())
                return scale(MINUS, raw_apply(PROJECTION, (same,), e.params, ()))
    return e
