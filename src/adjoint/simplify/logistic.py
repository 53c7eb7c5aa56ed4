"""The logistic function σ(x) = 1 / (1 + e⁻ˣ), found in quotients and products of exponentials."""

from __future__ import annotations

from adjoint.graph.registry import PRIMITIVES
from adjoint.simplify.einstein import add, elementwise, power, product, scale
from adjoint.simplify.exact import MINUS, ONE
from adjoint.simplify.expression import Apply, Expr, Power, Sum, Term, number, number_of


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


__all__ = ["exponential_times_logistic", "name_logistic"]
