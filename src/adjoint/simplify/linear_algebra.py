"""Linear algebra as expressions: inverses are operands of products, so that laws can see them."""

from __future__ import annotations

from collections.abc import Sequence

from adjoint.graph.binding import PROJECTION
from adjoint.graph.ir import Node
from adjoint.graph.registry import PRIMITIVES
from adjoint.simplify.einstein import add, power, product, times
from adjoint.simplify.exact import MINUS, ONE, divide
from adjoint.simplify.expression import Apply, Expr, Factor, Term, as_term, number, raw_apply
from adjoint.simplify.indices import spread
from adjoint.simplify.reading import reads


@reads("inv")
def _inv(args: tuple[Expr, ...], node: Node) -> Expr | None:
    return inverse(args[0]) if args[0].rank == 2 else None


def inverse(e: Expr) -> Expr:
    """A⁻¹ as an operand of products; (c A)⁻¹ is A⁻¹ / c for numbers c."""
    view = as_term(e)
    scalars = [(f, labels) for f, labels in view.factors if not labels]
    if view.factors and (scalars or view.coefficient != 1) and len(scalars) < len(view.factors):
        rest = [pair for pair in view.factors if pair[1]]
        inner = inverse(product(ONE, rest, view.out, view.sizes))
        factors = [*((power(f, number(MINUS)), labels) for f, labels in scalars), (inner, (0, 1))]
        return product(divide(ONE, view.coefficient), factors, (0, 1), dict(enumerate(e.shape)))
    found: Expr = raw_apply(PRIMITIVES["inv"], (e,), {}, e.shape)
    flipped = transpose(e)
    # A⁻ᵀ is printed for (Aᵀ)⁻¹, and one of the two is enough.
    if flipped.serial < e.serial:
        found = transpose(raw_apply(PRIMITIVES["inv"], (flipped,), {}, flipped.shape))
    return found


@reads("solve")
def _solve(args: tuple[Expr, ...], node: Node) -> Expr | None:
    a, b = args
    if a.rank != 2 or b.rank != 2:
        return None
    sizes = {0: a.shape[0], 1: a.shape[1], 2: b.shape[1]}
    return product(ONE, [(inverse(a), (0, 1)), (b, (1, 2))], (0, 2), sizes)


@reads("cofactor")
def _cofactor(args: tuple[Expr, ...], node: Node) -> Expr | None:
    """det(A) A⁻ᵀ, and its derivative along E, det(A)(tr(A⁻¹E)A⁻ᵀ − A⁻ᵀEᵀA⁻ᵀ), where A has an
    inverse."""
    a, n = args[0], args[0].shape[-1]
    if len(args) > 2 or a.rank != 2:
        return None
    det, inv = raw_apply(PRIMITIVES["det"], (a,), {}, ()), inverse(a)
    if len(args) == 1:
        return times(spread(det, a.shape), transpose(inv))
    e, shape = args[1], node.type.shape
    if e.rank != len(shape):
        return None
    sizes = dict(enumerate(shape)) | {len(shape) + k: n for k in range(2)}
    *lead, i, j, p, q = sizes
    first = [(det, ()), (inv, (j, i)), (inv, (q, p)), (e, (*lead, p, q))]
    second = [(det, ()), (inv, (p, i)), (e, (*lead, q, p)), (inv, (j, q))]
    out = (*lead, i, j)
    return add([product(ONE, first, out, sizes), product(MINUS, second, out, sizes)])


def cancel_product(e: Expr) -> Expr:
    """Aᵀ A (Aᵀ A)⁻¹ = I: a product of which the inverse is there too, factor by factor."""
    if not isinstance(e, Term):
        return e
    for place, (f, outer) in enumerate(e.factors):
        if not (isinstance(f, Apply) and f.name == "inv" and len(set(outer)) == 2):
            continue
        inner = f.args[0]
        if not (isinstance(inner, Term) and inner.coefficient == 1 and not inner.has_delta):
            continue
        rest = [pair for k, pair in enumerate(e.factors) if k != place]
        for side in (0, 1):  # A⁻¹[a, s] A[s, b], and A[b, s] A⁻¹[s, a]
            start = {inner.out[side]: outer[1 - side]}
            found = _matched(list(inner.factors), rest, start)
            end = None if found is None else found[0].get(inner.out[1 - side])
            if found is None or end is None:
                continue
            names, left = found
            gone = set(names.values()) - {end}
            if gone & set(e.out).union(*(ls for _, ls in left)) or outer[side] in gone:
                continue
            delta = product(ONE, [], (0, 0), {0: e.sizes[end]})
            sizes = {i: n for i, n in e.sizes.items() if i not in gone}
            return product(e.coefficient, [*left, (delta, (outer[side], end))], e.out, sizes)
    return e


def _matched(
    wanted: list[Factor], there: list[Factor], names: dict[int, int]
) -> tuple[dict[int, int], list[Factor]] | None:
    """Factors of a product among those of another: what its indices are there, and the others."""
    if not wanted:
        return names, there
    f, labels = wanted[0]
    for k, (other, own) in enumerate(there):
        if other is not f:
            continue
        trial = dict(names)
        if all(trial.setdefault(i, j) == j for i, j in zip(labels, own, strict=True)):
            if len(set(trial.values())) < len(trial):
                continue
            found = _matched(wanted[1:], there[:k] + there[k + 1 :], trial)
            if found is not None:
                return found
    return None


def is_log_det(e: Expr) -> bool:
    """log |det A|, which is a part of slogdet."""
    return (
        isinstance(e, Apply)
        and e.primitive is PROJECTION
        and isinstance(e.args[0], Apply)
        and e.args[0].name == "slogdet"
        and e.params["index"] == 1
    )


def transpose(e: Expr, axes: Sequence[int] | None = None) -> Expr:
    """The axes in another order, reversed if none is given."""
    order = tuple(range(e.rank))[::-1] if axes is None else tuple(axes)
    labels = tuple(range(e.rank))
    return product(ONE, [(e, labels)], tuple(labels[i] for i in order), dict(enumerate(e.shape)))
