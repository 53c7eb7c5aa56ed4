"""Simplifying: expressions brought to the form that is shortest to write."""

from __future__ import annotations

from collections.abc import Sequence

from adjoint.simplify.einstein import add, product
from adjoint.simplify.exponentials import normalised
from adjoint.simplify.expression import Apply, Expr, Power, Sum, Term, as_term, number_of, walk
from adjoint.simplify.factoring import factored
from adjoint.simplify.logistic import mirrored
from adjoint.simplify.rewrite import replaced, rewrite
from adjoint.simplify.rules import simplify_step
from adjoint.simplify.sharing import shared_sums

MOST_SPREAD = 6
"""Sums of tensors in a product are multiplied out up to so many terms."""

ROUNDS = 32
"""Choices inside choices are opened one by one, from the outside, and each takes a round."""

MOST_SIZE = 200
"""Larger expressions are not multiplied out part by part."""

MOST_TERMS = 40
"""Products are multiplied out, to see whether terms cancel, up to so many terms."""


def simplify(roots: Sequence[Expr]) -> list[Expr]:
    """The roots, simplified: idempotent, and equal under the conditions of the laws.

    Products of sums are kept as products, unless multiplying them out makes terms cancel so that
    less is left to write.
    """
    # Last of all, as 1 − σ meets σ in the laws and σ(−x) does not.
    return shared_sums(rewrite(_with_quotients(roots), mirrored, 1))


def without_decrees(roots: Sequence[Expr]) -> list[Expr]:
    """The roots, what has no derivative by decree as the value that it is: in the formula of a
    derivative, all derivatives have been taken."""

    def value(e: Expr) -> Expr:
        return e.args[0] if isinstance(e, Apply) and e.name == "stop_gradient" else e

    return rewrite(roots, value, 1)


def _with_quotients(roots: Sequence[Expr]) -> list[Expr]:
    """The roots, quotients by sums of exponentials named first."""
    lifted, stands_for = normalised(roots)
    found = _simplified(lifted)
    if not stands_for:
        return found
    known = stands_for.keys()
    back = _simplified([replaced(e, stands_for) for e in found])
    if not any(known & set(walk([e])) for e in found):
        return back
    # What is divided by is left somewhere: there the sums stay as they were written.
    plain = _simplified(roots)
    return [
        p if known & set(_outside_log(e)) else b for e, b, p in zip(found, back, plain, strict=True)
    ]


def _outside_log(root: Expr) -> list[Expr]:
    """What is below an expression, but for what is only below a logarithm."""
    logs = [e for e in walk([root]) if isinstance(e, Apply) and e.name == "log"]
    return walk([root], logs)


def _simplified(roots: Sequence[Expr]) -> list[Expr]:
    """The roots, by the laws one by one."""
    memory: dict[Expr, Expr] = {}

    def step(e: Expr) -> Expr:
        known = memory.get(e)
        if known is None:
            known = memory[e] = simplify_step(spread_tensors(e))
        return known

    def shorter(e: Expr) -> Expr:
        """Multiplied out, where terms then cancel: σ ∘ (1 − y) − y ∘ (1 − σ) = σ − y."""
        wide = expanded(e) if _may_cancel(e) else e
        if wide is e or size(wide) > MOST_SIZE:
            return e
        (other,) = rewrite([wide], step, ROUNDS)
        terms = [len(x.terms) if isinstance(x, Sum) else 1 for x in (e, other)]
        return other if size(other) < size(e) and terms[1] <= max(terms[0], 2) else e

    found = rewrite(roots, step, ROUNDS)
    found = rewrite(rewrite(found, shorter, 2), step, ROUNDS)
    for k, e in enumerate(found):
        # Where the whole is one product of several factors, nothing meets that could cancel.
        wide = expanded(e) if isinstance(e, Sum) or len(e.children()) == 1 else e
        if wide is not e:
            (other,) = rewrite([wide], step, ROUNDS)
            if size(other) < size(e):
                found[k] = other
    return found


def _may_cancel(e: Expr) -> bool:
    """Whether the factors of a product, or of the terms of a sum, are elementwise sums."""
    if e.rank > 2 or not isinstance(e, Sum | Term):
        return False
    for t in e.terms if isinstance(e, Sum) else (e,):
        if isinstance(t, Term) and len(t.factors) > 1 and not t.has_delta:
            divided = isinstance(e, Sum) or any(_is_reciprocal(f) for f, _ in t.factors)
            if divided and any(isinstance(f, Sum) and ls == t.out for f, ls in t.factors):
                return True
    return False


def _is_reciprocal(e: Expr) -> bool:
    n = number_of(e.exponent) if isinstance(e, Power) else None
    return n is not None and not isinstance(n, complex) and n < 0


def size(e: Expr) -> int:
    """How much there is to write: the number of different parts, and of their operands."""
    return sum(1 + len(part.children()) for part in walk([e]))


def spread_tensors(e: Expr) -> Expr:
    """A product with a sum of tensors, multiplied out: only products of matrices and vectors have
    a notation in which a sum stays whole."""
    if not isinstance(e, Term):
        return e
    for k, (f, labels) in enumerate(e.factors):
        if isinstance(f, Sum) and f.rank > 2 and len(f.terms) <= MOST_SPREAD:
            rest = [pair for j, pair in enumerate(e.factors) if j != k]
            return add([
                product(e.coefficient, [(t, labels), *rest], e.out, e.sizes) for t in f.terms
            ])  # fmt: skip
    return e


def expanded(e: Expr) -> Expr:
    """An expression with its products of sums multiplied out."""
    terms = list(e.terms) if isinstance(e, Sum) else [e]
    result: list[Expr] = []
    while terms:
        t = terms.pop()
        parts = _distributed(t)
        if parts is None:
            result.append(t)
        else:
            terms += parts
        if len(terms) + len(result) > MOST_TERMS:
            return e
    return add(result[::-1])


def _distributed(e: Expr) -> list[Expr] | None:
    """The terms of a product, one factor of which is a sum."""
    if isinstance(e, Sum):
        return list(e.terms)
    view = as_term(e)
    if not isinstance(e, Term | Power):
        return None
    for k, (f, labels) in enumerate(view.factors):
        rest = [pair for j, pair in enumerate(view.factors) if j != k]
        if isinstance(f, Power) and isinstance(f.base, Sum):
            n = number_of(f.exponent)
            if n not in (2, 3):
                continue
            assert isinstance(n, int)
            again = [(f.base, labels)] * (n - 1)
            return [
                product(view.coefficient, [(t, labels), *again, *rest], view.out, view.sizes)
                for t in f.base.terms
            ]
        if isinstance(f, Sum):
            return [
                product(view.coefficient, [(t, labels), *rest], view.out, view.sizes)
                for t in f.terms
            ]
    return None


__all__ = ["expanded", "factored", "simplify", "size", "without_decrees"]
