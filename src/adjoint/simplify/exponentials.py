"""Sums of exponentials and products: log Σ eˣ, softmax and prod have names, and shifts cancel."""

from __future__ import annotations

from adjoint.graph.registry import PRIMITIVES
from adjoint.simplify.einstein import add, elementwise, power, product, times
from adjoint.simplify.exact import ONE, Coefficient, is_exact
from adjoint.simplify.expression import (
    Apply,
    Expr,
    Power,
    Sum,
    Term,
    number,
    number_of,
    raw_apply,
)
from adjoint.simplify.functions import LOGSUMEXP, SOFTMAX


def shift_exponential(e: Expr) -> Expr:
    """exp(x − max x) = exp(x) exp(−max x): the factor cancels in what is normalised."""
    if not (isinstance(e, Apply) and e.name == "exp" and isinstance(e.args[0], Sum)):
        return e
    shifts = [t for t in e.args[0].terms if _is_shift(t)]
    rest = [t for t in e.args[0].terms if t not in shifts]
    if not shifts or not rest:
        return e
    return times(elementwise(e.primitive, add(rest)), elementwise(e.primitive, add(shifts)))


def _is_shift(e: Expr) -> bool:
    """A maximum, or what has no derivative by decree, broadcast along an axis."""
    if not isinstance(e, Term) or len(e.factors) != 1:
        return False
    f, labels = e.factors[0]
    names = ("max", "stop_gradient")
    return isinstance(f, Apply) and f.name in names and len(set(labels) & set(e.out)) < len(e.out)


def one_logsumexp(e: Expr) -> Expr:
    """The primitive that is differentiated is the function that is printed."""
    if isinstance(e, Apply) and e.name == "logsumexp" and e.primitive is not LOGSUMEXP:
        axes = e.params["axis"]
        if len(axes) == 1 and e.rank == e.args[0].rank - 1:
            return raw_apply(LOGSUMEXP, e.args, {"axis": axes[0]}, e.shape)
    return e


def name_product(e: Expr) -> Expr:
    """exp(k Σ log x + y) = prod(x)ᵏ eʸ for whole k: x may be negative, where log x is not."""
    if not (isinstance(e, Apply) and e.name == "exp"):
        return e
    terms = e.args[0].terms if isinstance(e.args[0], Sum) else (e.args[0],)
    named = {t: found for t in terms if (found := _exponential_of_logs(t)) is not None}
    if not named:
        return e
    result, *others = named.values()
    for factor in others:
        result = times(result, factor)
    rest = [t for t in terms if t not in named]
    return times(result, elementwise(e.primitive, add(rest))) if rest else result


def _exponential_of_logs(e: Expr) -> Expr | None:
    """xᵏ for k log x, and prod(x)ᵏ for k Σ log x along one axis."""
    if not (isinstance(e, Term) and len(e.factors) == 1 and _is_whole(e.coefficient)):
        return None
    f, labels = e.factors[0]
    summed = [k for k, i in enumerate(labels) if i not in e.out]
    if not (isinstance(f, Apply) and f.name == "log" and len(summed) <= 1):
        return None
    if len(set(labels)) < len(labels) or len(set(e.out)) < len(e.out):
        return None
    kept = tuple(i for i in labels if i in e.out)
    base = f.args[0]
    if summed:
        params = {"axes": (summed[0],), "keepdims": False}
        shape = tuple(e.sizes[i] for i in kept)
        base = raw_apply(PRIMITIVES["prod"], f.args, params, shape)
    sizes = {i: n for i, n in e.sizes.items() if i in e.out}
    return product(ONE, [(power(base, number(e.coefficient)), kept)], e.out, sizes)


def _is_whole(value: Coefficient) -> bool:
    """Whether a number is a whole one, known exactly."""
    return is_exact(value) and value.denominator == 1


def log_of_exponential(e: Expr) -> Expr:
    """log(eˣ Σ f) = x + log Σ f."""
    if not (isinstance(e, Apply) and e.name == "log" and isinstance(e.args[0], Term)):
        return e
    inner = e.args[0]
    for k, (f, labels) in enumerate(inner.factors):
        if isinstance(f, Apply) and f.name == "exp" and set(labels) <= set(inner.out):
            rest = [pair for j, pair in enumerate(inner.factors) if j != k]
            sizes = {i: n for i, n in inner.sizes.items() if i in inner.out}
            outside = product(ONE, [(f.args[0], labels)], inner.out, sizes)
            left = product(inner.coefficient, rest, inner.out, inner.sizes)
            return add([outside, elementwise(e.primitive, left)])
    return e


def name_logsumexp(e: Expr) -> Expr:
    """log Σ exp(x) has a name."""
    if not (isinstance(e, Apply) and e.name == "log" and isinstance(e.args[0], Term)):
        return e
    axis = _exponential_sum(e.args[0])
    if axis is None:
        return e
    exponential = e.args[0].factors[0][0]
    assert isinstance(exponential, Apply)
    return raw_apply(LOGSUMEXP, exponential.args, {"axis": axis}, e.shape)


def _exponential_sum(e: Expr) -> int | None:
    """The axis of x over which e = Σ exp(x) is summed; a number from a vector has axis 0."""
    if not isinstance(e, Term) or len(e.factors) != 1 or e.coefficient != 1:
        return None
    f, labels = e.factors[0]
    summed = [k for k, i in enumerate(labels) if i not in e.out]
    if not (isinstance(f, Apply) and f.name == "exp") or len(summed) != 1:
        return None
    if len(set(labels)) != len(labels) or e.out != tuple(i for i in labels if i in e.out):
        return None
    return summed[0]


def name_softmax(e: Expr) -> Expr:
    """exp(x) / Σ exp(x) has a name."""
    if not isinstance(e, Term):
        return e
    for k, (f, labels) in enumerate(e.factors):
        n = number_of(f.exponent) if isinstance(f, Power) else None
        if n is None or isinstance(n, complex) or n > -1 or not isinstance(f, Power):
            continue
        axis = _exponential_sum(f.base)
        if axis is None:
            continue
        exponential = f.base.children()[0]
        for j, (g, inner) in enumerate(e.factors):
            if g is exponential and inner[:axis] + inner[axis + 1 :] == labels:
                soft = raw_apply(SOFTMAX, exponential.children(), {"axis": axis}, g.shape)
                rest = [pair for i, pair in enumerate(e.factors) if i not in (j, k)]
                left = power(f.base, number(n + 1))
                factors = [(soft, inner), (left, labels), *rest]
                return product(e.coefficient, factors, e.out, e.sizes)
    return e


def sum_softmax(e: Expr) -> Expr:
    """Σ softmax(x) = 1."""
    if not isinstance(e, Term):
        return e
    for k, (f, labels) in enumerate(e.factors):
        if not (isinstance(f, Apply) and f.name == "softmax"):
            continue
        i = labels[f.params["axis"]]
        uses = sum(ls.count(i) for _, ls in e.factors)
        if uses == 1 and i not in e.out:
            rest = [pair for j, pair in enumerate(e.factors) if j != k]
            sizes = {label: n for label, n in e.sizes.items() if label != i}
            return product(e.coefficient, rest, e.out, sizes)
    return e


__all__ = [
    "log_of_exponential", "name_logsumexp", "name_product", "name_softmax", "one_logsumexp",
    "shift_exponential", "sum_softmax",
]  # fmt: skip
