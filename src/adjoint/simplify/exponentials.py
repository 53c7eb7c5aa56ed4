"""Sums of exponentials and products: log Σ eˣ, softmax and prod have names, and shifts cancel."""

from __future__ import annotations

from collections.abc import Sequence

from adjoint.graph.registry import PRIMITIVES
from adjoint.simplify.einstein import (
    add,
    elementwise,
    power,
    product,
    scale,
    times,
    without_broadcast,
)
from adjoint.simplify.exact import MINUS, ONE, Coefficient, divide, is_exact
from adjoint.simplify.expression import (
    Apply,
    Expr,
    Power,
    Sum,
    Symbol,
    Term,
    as_term,
    number,
    number_of,
    raw_apply,
    split,
    symbol,
    walk,
)
from adjoint.simplify.functions import LOGSUMEXP, SOFTMAX
from adjoint.simplify.rewrite import with_children


def normalised(roots: Sequence[Expr]) -> tuple[list[Expr], dict[Expr, Expr]]:
    """The roots with p Z for exp(u) where something is divided by Z = Σ exp(u), p = softmax(u), so
    that Z cancels as any factor does; and what each Z, a symbol, stands for.

    exp(u) is not taken apart for that: exp(x) overflows where exp(x − max x) does not.
    """
    found = (e.base for e in walk(roots) if isinstance(e, Power) and _is_negative(e.exponent))
    axes = {e: axis for e in found if (axis := _exponential_sum(e)) is not None}
    whole = {e: symbol("Z", e.shape, e) for e in axes}
    exponents = {e: as_term(e).factors[0][0].children()[0] for e in axes}
    done: dict[Expr, Expr] = {}
    for e in walk([*exponents.values(), *roots]) if axes else ():
        new = whole.get(e) or with_children(e, [done[c] for c in e.children()])
        if isinstance(e, Apply) and e.name == "exp":
            for total, u in exponents.items():
                k = _multiplicity(u, e.args[0]) if u.shape == e.shape else 0
                if k:
                    inner, axis = done.get(u, u), axes[total]
                    soft = raw_apply(SOFTMAX, (inner,), {"axis": axis}, e.shape)
                    rest = elementwise(e.primitive, add([e.args[0], scale(-k, u)]))
                    new = times(_with_sum(soft, whole[total], axis, k), rest)
                    break
        done[e] = new
    return [done.get(e, e) for e in roots], {z: e for e, z in whole.items()}


def _with_sum(soft: Expr, total: Expr, axis: int, k: int) -> Expr:
    """pᵏ Zᵏ."""
    labels = tuple(range(soft.rank))
    kept = labels[:axis] + labels[axis + 1 :]
    factors = [(power(soft, number(k)), labels), (power(total, number(k)), kept)]
    return product(ONE, factors, labels, dict(enumerate(soft.shape)))


def take_out_sums(e: Expr) -> Expr:
    """a / Z + b / Z = (a + b) / Z, for the sums Z that `normalised` made symbols of."""
    if not isinstance(e, Sum):
        return e
    views = [as_term(t) for t in e.terms]
    if any(len(set(view.out)) < len(view.out) for view in views):
        return e
    common: set[tuple[Expr, tuple[int, ...]]] | None = None
    for view in views:
        own = {
            (f, tuple(map(view.out.index, labels)))
            for f, labels in view.factors
            if _is_whole(f) and set(labels) <= set(view.out)
        }
        common = own if common is None else common & own
    if not common:
        return e
    (f, axes), *_ = common
    out = tuple(range(e.rank))
    rests = []
    for view in views:
        left = [(g, ls) for g, ls in view.factors if (g, tuple(ls)) != (f, _at(view.out, axes))]
        rests.append(product(view.coefficient, left, view.out, view.sizes))
    return product(ONE, [(f, axes), (add(rests), out)], out, dict(enumerate(e.shape)))


def _at(labels: Sequence[int], axes: Sequence[int]) -> tuple[int, ...]:
    return tuple(labels[k] for k in axes)


def _is_whole(f: Expr) -> bool:
    """A power of a symbol that stands for a sum."""
    base = f.base if isinstance(f, Power) else f
    return isinstance(base, Symbol) and isinstance(base.origin, Expr)


def _is_negative(exponent: Expr) -> bool:
    n = number_of(exponent)
    return isinstance(n, int) and n < 0


def _multiplicity(u: Expr, v: Expr) -> int:
    """How often u is part of v: the k of k u + w; 0 if it is not."""
    c, own = split(v)
    if own is u:
        return c if isinstance(c, int) and c > 0 else 0
    terms = {rest: c for c, rest in map(split, v.terms if isinstance(v, Sum) else (v,))}
    counts = set()
    for c, rest in map(split, u.terms if isinstance(u, Sum) else (u,)):
        counts.add(divide(terms[rest], c) if rest in terms and is_exact(c) else 0)
    k = counts.pop()
    return k if not counts and isinstance(k, int) and k > 0 else 0


def drop_shift(e: Expr) -> Expr:
    """softmax(x + c) = softmax(x), and log Σ exp(x + c) = c + log Σ exp(x), for a c that is the
    same along the axis."""
    if not (isinstance(e, Apply) and e.name in ("softmax", "logsumexp")):
        return e
    (inner,), axis = e.args, e.params["axis"]
    if not isinstance(inner, Sum) or not isinstance(axis, int):
        return e
    shifts = [t for t in inner.terms if axis not in without_broadcast(t)[1]]
    rest = [t for t in inner.terms if t not in shifts]
    if not shifts or not rest:
        return e
    found = raw_apply(e.primitive, (add(rest),), e.params, e.shape)
    if e.name == "softmax":
        return found
    core, kept = without_broadcast(add(shifts))
    places = tuple(k - (k > axis) for k in kept)
    return add(
        [found, product(ONE, [(core, places)], tuple(range(e.rank)), dict(enumerate(e.shape)))]
    )


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
    if not (isinstance(e, Term) and len(e.factors) == 1 and _is_whole_number(e.coefficient)):
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


def _is_whole_number(value: Coefficient) -> bool:
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


def log_of_softmax(e: Expr) -> Expr:
    """log(softmax(x) f) = x − log Σ exp(x) + log f."""
    if not (isinstance(e, Apply) and e.name == "log"):
        return e
    inner = as_term(e.args[0])
    for k, (f, labels) in enumerate(inner.factors):
        if isinstance(f, Apply) and f.name == "softmax" and set(labels) <= set(inner.out):
            (x,), axis = f.args, f.params["axis"]
            sizes = {i: n for i, n in inner.sizes.items() if i in inner.out}
            kept = labels[:axis] + labels[axis + 1 :]
            shape = x.shape[:axis] + x.shape[axis + 1 :]
            total = raw_apply(LOGSUMEXP, (x,), {"axis": axis}, shape)
            rest = [pair for j, pair in enumerate(inner.factors) if j != k]
            left = product(inner.coefficient, rest, inner.out, inner.sizes)
            return add([
                product(ONE, [(x, labels)], inner.out, sizes),
                product(MINUS, [(total, kept)], inner.out, sizes),
                elementwise(e.primitive, left),
            ])  # fmt: skip
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
    "drop_shift", "log_of_exponential", "log_of_softmax", "name_logsumexp", "name_product",
    "name_softmax", "normalised", "one_logsumexp", "sum_softmax", "take_out_sums",
]  # fmt: skip
