"""A sum of products of two arrays, written so that BLAS and loops can take it as it is.

Axes of length 1 and transposes only stand in the way: they become views of the operands and other
letters in the subscripts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from adjoint.codegen.axes import behind_transposes, is_permutation
from adjoint.codegen.contractions import SMALL_PRODUCT, is_product
from adjoint.codegen.symmetry import beside_matrices
from adjoint.primitives.contraction import EINSUM, letter, parse
from adjoint.primitives.shaping import RESHAPE

if TYPE_CHECKING:
    from adjoint.codegen.program import Op

Once = Callable[..., "Op"]
"""Makes an operation, or finds an equal one."""


def pair(operands: Sequence[Op], subscripts: str, extents: Mapping[str, int], once: Once) -> Op:
    """The operation of a contraction of two operands that `is_product`."""
    terms, result = parse(subscripts)
    long = [c for c, n in extents.items() if n != 1]
    inputs, names = [], []
    for term, x in zip(terms, operands, strict=True):
        x = reshaped(x, tuple(n for n in x.shape if n != 1), once)
        x, term = behind_transposes(x, _only(term, long))
        inputs.append(x)
        names.append(term)
    core = _only(result, long)
    beside = beside_matrices(tuple(inputs), f"{names[0]},{names[1]}->{core}", once)
    for k, x in enumerate(beside):
        inputs[k], names[k] = behind_transposes(x, names[k])
    inputs = [_computable(x, once) for x in inputs]
    if math.prod(extents[c] for c in {*names[0], *names[1]}) > SMALL_PRODUCT:
        _group(inputs, names, core, once)
    shape = tuple(extents[c] for c in core)
    given = {"subscripts": f"{names[0]},{names[1]}->{core}"}
    dtype = np.result_type(*(x.dtype for x in inputs))
    made = once("einsum", tuple(inputs), given, shape, dtype, EINSUM)
    return reshaped(made, tuple(extents[c] for c in result), once)


def reshaped(x: Op, shape: tuple[int, ...], once: Once) -> Op:
    """The same elements with another shape."""
    if x.kind == "reshape":
        x = x.inputs[0]
    if x.shape == shape:
        return x
    return once("reshape", (x,), {"shape": shape}, shape, x.dtype, RESHAPE)


def _only(term: str, letters: Sequence[str]) -> str:
    return "".join(c for c in term if c in letters)


def _computable(op: Op, once: Once) -> Op:
    """An array of the caller's with strides that BLAS may not be able to follow, as an operation
    that can be computed, which is to copy it."""
    if op.kind != "array":
        return op
    steps = [s for s, n in zip(op.value.strides, op.shape, strict=True) if n > 1]
    if not steps or (min(steps) == op.dtype.itemsize and len(op.shape) < 3):
        return op
    names = "".join(map(letter, range(len(op.shape))))
    return _transposed(op, names, names, once)


def _group(inputs: list[Op], names: list[str], result: str, once: Once) -> None:
    """Puts indices side by side that BLAS has to walk as one: those kept, and those summed."""
    first, second = names
    summed = "".join(c for c in first if c in second and c not in result)
    batch = "".join(c for c in result if c in first and c in second)
    sides = [_only(result, [c for c in t if c not in o]) for t, o in (names, reversed(names))]
    if not all(sides):
        return  # a vector: the matrix is read once, and not worth a copy
    for k, kept in enumerate(sides):
        wanted = (batch + kept + summed, batch + summed + kept)
        if (len(kept) > 1 or len(summed) > 1) and names[k] not in wanted:
            inputs[k], names[k] = _transposed(inputs[k], names[k], wanted[0], once), wanted[0]


def _transposed(op: Op, term: str, wanted: str, once: Once) -> Op:
    shape = tuple(op.shape[term.index(c)] for c in wanted)
    given = {"subscripts": f"{term}->{wanted}"}
    return once("einsum", (op,), given, shape, op.dtype, EINSUM)


def transposed_at_once(
    ops: Sequence[Op], users: Mapping[Op, Sequence[Op]], kept: set[Op]
) -> dict[Op, Op]:
    """Writes a matrix product that only its transpose reads (and not ``kept``) transposed, and says
    which operation stands for which."""
    other: dict[Op, Op] = {}
    for op in ops:
        op.inputs = tuple(other.get(i, i) for i in op.inputs)
        if len(op.shape) != 2 or not is_permutation(op):
            continue
        (product,) = op.inputs
        if product.kind != "einsum" or users.get(product) != [op] or product in kept:
            continue
        terms, result = parse(product.params["subscripts"])
        extents = {c: n for t, i in zip(terms, product.inputs, strict=True)
                   for c, n in zip(t, i.shape, strict=True)}  # fmt: skip
        if is_product(product.params["subscripts"], extents):
            product.params = {"subscripts": f"{','.join(terms)}->{result[::-1]}"}
            product.shape = op.shape
            other[op] = product
    return other
