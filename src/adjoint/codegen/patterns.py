"""What an operation is to the back end: element, view, sum, matrix product, write, or NumPy's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from adjoint.codegen.axes import unit_axes_only
from adjoint.codegen.contractions import LARGE_COLUMNS, LARGE_MATRIX, SMALL_PRODUCT
from adjoint.codegen.control import CONTROL, has_native_form
from adjoint.codegen.elements import NATIVE_DTYPES, emitter
from adjoint.codegen.lapack.table import covers
from adjoint.codegen.products import Contraction, contraction_of, in_need_of_a_copy
from adjoint.codegen.program import Op
from adjoint.codegen.strided import layout, storage_root
from adjoint.primitives.contraction import letter, parse
from adjoint.primitives.indexing import HOLE

REDUCTIONS = frozenset(("max", "min", "prod", "any", "all", "count_nonzero"))
"""Reductions over axes besides the sums, which are contractions."""

SCANS = frozenset(("cumsum", "cumprod", "cummax", "cummin", "argmax", "argmin"))
"""What goes along one axis in order."""


def terms_of(op: Op) -> tuple[tuple[str, ...], str]:
    """The indices of the operands and of the result of a contraction or reduction."""
    if op.kind == "einsum":
        return parse(op.params["subscripts"])
    names = "".join(letter(k) for k in range(len(op.inputs[0].shape)))
    return (names,), "".join(c for k, c in enumerate(names) if k not in op.params["axes"])


def is_contraction(op: Op) -> bool:
    """Whether an operation has named indices."""
    return op.kind == "einsum" or op.kind in REDUCTIONS


def op_extents(op: Op) -> dict[str, int]:
    """The extent of every index of a contraction or reduction."""
    terms, _ = terms_of(op)
    extents = dict(op.params.get("sizes", ()))
    for term, i in zip(terms, op.inputs, strict=True):
        extents.update(zip(term, i.shape, strict=True))
    return extents


def classify(op: Op) -> str:
    """One of leaf, element, view, storage view, gather, sum, loop contraction, product, write,
    routine, control, part (a result of an operation that has several), host."""
    if op.role is None:
        op.role = _role(op)
    return op.role


def _role(op: Op) -> str:
    if op.kind in ("input", "literal", "array"):
        return "leaf" if _native(op) else "host"
    if op.kind in CONTROL:
        return "control" if _native_control(op) else "host"
    if op.kind == "projection":
        native = _native(op) and classify(op.inputs[0]) in ("control", "routine")
        return "part" if native else "host"
    if covers(op):
        return "routine"
    if not _native(op) or not all(_native(i) for i in op.inputs):
        return "host"
    if op.kind == "einsum":
        return _classify_einsum(op)
    if op.kind in REDUCTIONS:
        # Of a number nothing is reduced: there is no axis to loop over.
        return "sum" if op.inputs[0].size and op.params["axes"] else "host"
    if op.kind in SCANS:
        return "write" if op.inputs[0].size else "host"
    if op.kind == "reshape":
        return "view" if unit_axes_only(op.inputs[0].shape, op.shape) else "storage view"
    if any(isinstance(p, bool | np.bool_) for p in op.params.get("template", ())):
        return "host"  # x[True] adds an axis
    if op.kind == "getitem":
        return "view" if HOLE not in op.params["template"] else _classify_gather(op)
    if op.kind in ("setitem", "scatter_add"):
        return "write" if writable_template(op) else "host"
    if op.kind in ("concatenate", "stack"):
        same = all(i.dtype == op.dtype for i in op.inputs)
        return "write" if same else "host"
    return "element" if emitter(op) is not None else "host"


def _native_control(op: Op) -> bool:
    return all(map(_native, op.inputs)) and has_native_form(
        op, lambda program: all(classify(o) != "host" for o in program.ops)
    )


def _native(op: Op) -> bool:
    return op.dtype in NATIVE_DTYPES


def _classify_einsum(op: Op) -> str:
    terms, result = parse(op.params["subscripts"])
    if op.dtype.kind not in "fi" or any(i.dtype != op.dtype for i in op.inputs):
        one = len(terms) == 1 and set(terms[0]) <= set(result)
        return "view" if one and op.dtype == op.inputs[0].dtype else "host"
    present = set("".join(terms))
    summed = present - set(result)
    extra = [c for c in result if c not in present]
    if len(terms) == 1 and not summed:
        return "view"
    if len(set(result)) != len(result) or extra or len(terms) > 2:
        return "host"
    if len(terms) == 1:
        return "sum"
    if not summed:
        return "element"
    plan = contraction_of(op)
    if plan is None or op.dtype.kind != "f" or not _is_for_blas(op, plan):
        return "loop contraction"
    return "product"


LARGE_DELTA = 4096
"""Elements of a result from which on it pays to clear it and then to write what is not zero."""


def is_large_delta(op: Op) -> bool:
    """Whether an operation spreads an array over the diagonal of a large one."""
    if op.kind != "einsum" or len(op.inputs) != 1 or op.size < LARGE_DELTA:
        return False
    (term,), result = parse(op.params["subscripts"])
    return len(set(result)) < len(result) and len(set(term)) == len(term) <= len(set(result))


def _is_for_blas(op: Op, plan: Contraction) -> bool:
    """Whether BLAS does this product: others are loops, which have no call and fuse."""
    if plan.left and plan.right:
        return plan.count("".join(plan.extents)) > SMALL_PRODUCT
    if not plan.left and not plan.right:
        return False  # the loop of a dot product reads as fast as ddot, and joins others
    matrix = op.inputs[0 if plan.left else 1]
    if classify(storage_root(matrix)) not in _IN_MEMORY or in_need_of_a_copy(op, plan):
        return False  # computed in the loop and never stored, or read once there and not copied
    least = LARGE_MATRIX if layout(matrix, ()).strides[-1] == 1 else LARGE_COLUMNS
    return plan.count(plan.left + plan.right + plan.summed) >= least


_IN_MEMORY = frozenset(("leaf", "sum", "loop contraction", "product", "write", "control", "part"))
"""What is stored whoever reads it."""


def iteration_shape(op: Op) -> tuple[int, ...]:
    """The extents of the loops that compute an operation."""
    if is_contraction(op):
        return tuple(op_extents(op)[c] for c in loop_letters(op))
    return op.shape


def loop_letters(op: Op) -> str:
    """The indices of a contraction in the order of its loops.

    Innermost stands an index that is last in memory wherever it occurs, so that the loop over it
    reads neighbours; a sum of one operand keeps the order that operand has in memory.
    """
    terms, result = terms_of(op)
    present = dict.fromkeys("".join(terms))
    summed = [c for c in present if c not in result]
    if not summed:
        return result
    if len(terms) == 1:
        return "".join(present)
    order = list(dict.fromkeys(result)) + summed
    everywhere = (*terms, result)
    score = {c: sum((1 if t[-1] == c else -1) for t in everywhere if c in t) for c in order}
    inner = max(reversed(order), key=lambda c: score[c])
    order.remove(inner)
    return "".join((*order, inner))


def reads_same_index(op: Op, operand: Op, shape: tuple[int, ...]) -> bool:
    """Whether an element of the operation reads the element of the operand at the same index."""
    if is_contraction(op):
        terms, _ = terms_of(op)
        letters = loop_letters(op)
        return all(t == letters for t, i in zip(terms, op.inputs, strict=True) if i is operand)
    if op.kind in ("reshape", "getitem"):
        return False
    return operand.shape == shape


def writable_template(op: Op) -> bool:
    """Whether the index of a write has a form that loops can follow."""
    template = op.params["template"]
    if HOLE not in template:
        return True
    return advanced_axes(op.inputs[0].shape, template) is not None


def _classify_gather(op: Op) -> str:
    return "gather" if advanced_axes(op.inputs[0].shape, op.params["template"]) else "host"


@dataclass
class Advanced:
    """A template spelled out: one entry per axis of the array, and where the index arrays' axes
    stand in the selection."""

    entries: list[Any]
    place: int


def advanced_axes(shape: tuple[int, ...], template: tuple[Any, ...]) -> Advanced | None:
    """An index with arrays in adjacent places and no new axes; None for other forms."""
    used = sum(1 for p in template if p is not Ellipsis)
    if any(p is None for p in template) or used > len(shape):
        return None
    entries: list[Any] = []
    seen = False
    for part in template:
        if part is Ellipsis:
            entries += [slice(None)] * (len(shape) - used)
            seen = True
        else:
            entries.append(part)
    if not seen:
        entries += [slice(None)] * (len(shape) - used)
    places = [k for k, p in enumerate(entries) if isinstance(p, str | int)]
    if places[-1] - places[0] + 1 != len(places):
        return None
    return Advanced(entries, places[0])
