"""Products of a matrix with its own transpose: half of the result says all.

X Xᵀ and Xᵀ X are symmetric, and so is Xᵀ diag(v) X, where one operand (or each of the two) is X
with its elements scaled along the summed index: Hessians and normal equations have this form.  What
is recognised is the structure, never the numbers: both operands come from one operation, through
transposes, unit axes, signs, and factors that do not depend on the index which stays.

The elements above the diagonal are copies of those below: in exact arithmetic they are equal.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from adjoint.codegen.axes import is_permutation, unit_axes_only
from adjoint.primitives.contraction import EINSUM, letter, parse
from adjoint.primitives.shaping import RESHAPE

if TYPE_CHECKING:
    from adjoint.codegen.program import Op

Labels = tuple[str | None, ...]
"""The contraction's index that runs along each axis; None where there is one element."""


@dataclass(frozen=True)
class Factor:
    """One step away from the matrix: a sign, or a scaling by something with axes ``labels``."""

    op: Op
    by: Op | None = None
    labels: Labels = ()


@dataclass(frozen=True)
class Scaled:
    """An operand as a matrix, with its axes named, and the factors on it from the inside out."""

    matrix: Op
    labels: Labels
    factors: tuple[Factor, ...] = ()


def scaled(op: Op, labels: Labels, free: Collection[str], factors: bool = True) -> Scaled:
    """The matrix at the end of an operand's views and, if wanted, of its factors, none of which
    depends on the indices ``free``."""
    found: list[Factor] = []
    while True:
        step = _through_view(op, labels)
        if step is not None:
            op, labels = step
            continue
        inner = _through_factor(op, labels, free) if factors else None
        if inner is None:
            return Scaled(op, labels, tuple(reversed(found)))
        op, labels, factor = inner
        found.append(factor)


def _through_view(op: Op, labels: Labels) -> tuple[Op, Labels] | None:
    if is_permutation(op):
        (term,), result = parse(op.params["subscripts"])
        place = dict(zip(result, labels, strict=True))
        return op.inputs[0], tuple(place[c] for c in term)
    if op.kind == "reshape" and unit_axes_only(op.inputs[0].shape, op.shape):
        kept = iter([c for c, n in zip(labels, op.shape, strict=True) if n != 1])
        return op.inputs[0], tuple(None if n == 1 else next(kept) for n in op.inputs[0].shape)
    return None


def _through_factor(
    op: Op, labels: Labels, free: Collection[str]
) -> tuple[Op, Labels, Factor] | None:
    if op.kind == "negative":
        return op.inputs[0], labels, Factor(op)
    if len(op.inputs) != 2 or op.kind not in ("multiply", "divide", "einsum"):
        return None
    if op.kind == "einsum":
        terms, result = parse(op.params["subscripts"])
        if len(set(result)) != len(result) or set("".join(terms)) != set(result):
            return None
        place = dict(zip(result, labels, strict=True))
        named: list[Labels] = [tuple(place[c] for c in t) for t in terms]
    else:
        named = [_broadcast(i, labels) for i in op.inputs]
    for k in (0,) if op.kind == "divide" else (0, 1):
        matrix, by = op.inputs[k], op.inputs[1 - k]
        same = matrix.size == op.size and matrix.dtype == op.dtype
        if same and not set(named[1 - k]) & set(free):
            return matrix, named[k], Factor(op, by, named[1 - k])
    return None


def _broadcast(operand: Op, labels: Labels) -> Labels:
    tail = labels[len(labels) - len(operand.shape) :]
    return tuple(None if n == 1 else c for c, n in zip(tail, operand.shape, strict=True))


def symmetric(
    inputs: Sequence[Op], subscripts: str, factors: bool = True
) -> tuple[Scaled, Scaled] | None:
    """The two operands of a product, if they are one matrix and its transpose; None if not."""
    terms, result = parse(subscripts)
    if len(terms) != 2 or any(len(set(t)) != len(t) for t in (*terms, result)):
        return None
    extents = {c: n for t, i in zip(terms, inputs, strict=True)
               for c, n in zip(t, i.shape, strict=True)}  # fmt: skip
    labels = [tuple(c if extents[c] != 1 else None for c in t) for t in terms]
    # The indices of the result that only one operand has: rows and columns.
    rows, columns = ([c for c in result if c in t and c not in o and extents[c] != 1]
                     for t, o in (terms, reversed(terms)))  # fmt: skip
    if not rows or len(rows) != len(columns):
        return None
    a = scaled(inputs[0], labels[0], rows, factors)
    b = scaled(inputs[1], labels[1], columns, factors)
    partner = dict(zip(rows, columns, strict=True))
    alike = a.matrix is b.matrix and all(
        y == (x and partner.get(x, x)) for x, y in zip(a.labels, b.labels, strict=True)
    )
    return (a, b) if alike else None


def beside_matrices(
    inputs: tuple[Op, ...], subscripts: str, once: Callable[..., Op]
) -> tuple[Op, ...]:
    """The operands of a symmetric product, computed in the order of axes that their matrix has in
    memory; those of any other product as they are.

    A loop that reads a matrix along its columns waits for memory at every element.  Every element
    is the same product of the same factors as before.  ``once`` makes operations.
    """
    found = symmetric(inputs, subscripts)
    if found is None:
        return inputs
    terms, _ = parse(subscripts)
    return tuple(
        _beside(f, i, tuple(c if n != 1 else None for c, n in zip(t, i.shape, strict=True)), once)
        for f, i, t in zip(found, inputs, terms, strict=True)
    )


def _beside(found: Scaled, operand: Op, labels: Labels, once: Callable[..., Op]) -> Op:
    order = [c for c in found.labels if c is not None]
    if not found.factors or order == [c for c in labels if c is not None]:
        return operand
    names = [letter(k) for k in range(len(found.labels))]
    of_label = {c: names[k] for k, c in enumerate(found.labels) if c is not None}
    whole, current = "".join(names), found.matrix
    for factor in found.factors:
        if factor.by is None:
            current = once("negative", (current,), {}, current.shape, current.dtype,
                           factor.op.primitive)  # fmt: skip
        elif factor.op.kind == "divide" or factor.by.dtype != current.dtype:
            return operand
        else:
            by = _reshaped(factor.by, tuple(n for n in factor.by.shape if n != 1), once)
            term = "".join(of_label[c] for c in factor.labels if c is not None)
            current = _einsum(f"{whole},{term}->{whole}", (current, by), current.shape, once)
    wanted = "".join(of_label[c] for c in labels if c is not None)
    wanted += "".join(n for n in names if n not in wanted)
    shape = tuple(current.shape[names.index(c)] for c in wanted)
    return _reshaped(_einsum(f"{whole}->{wanted}", (current,), shape, once), operand.shape, once)


def _reshaped(op: Op, shape: tuple[int, ...], once: Callable[..., Op]) -> Op:
    if op.shape == shape:
        return op
    return once("reshape", (op,), {"shape": shape}, shape, op.dtype, RESHAPE)


def _einsum(
    subscripts: str, inputs: tuple[Op, ...], shape: tuple[int, ...], once: Callable[..., Op]
) -> Op:
    return once("einsum", inputs, {"subscripts": subscripts}, shape, inputs[0].dtype, EINSUM)
