"""Products with identity matrices, done by renaming an index.

The columns of a Jacobian are the images of the unit vectors, and those come as an identity matrix:
A I is A, and diag(v) I is the diagonal matrix.  Only matrices that nobody can write to are taken
for identities, since compiled code reads what a function closes over anew at every call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from adjoint.graph.frozen import frozen_bytes
from adjoint.primitives.contraction import parse

if TYPE_CHECKING:
    from adjoint.codegen.program import Op


def is_identity(op: Op) -> bool:
    """Whether an operation is a constant identity matrix."""
    if op.kind != "array" or len(op.shape) != 2 or op.shape[0] != op.shape[1] or not op.shape[0]:
        return False
    value: Any = op.value
    if frozen_bytes(value) is None:
        return False
    return bool(np.array_equal(value, np.eye(op.shape[0], dtype=value.dtype)))


def without_identities(
    inputs: tuple[Op, ...], params: dict[str, Any]
) -> tuple[tuple[Op, ...], dict[str, Any]]:
    """A contraction without the operands δᵢⱼ: i becomes j in every other place.

    A delta both of whose indices are in the result leaves a repeated one there, which stands for
    the diagonal.  At least one operand has to keep each index, because it gives its extent.
    """
    terms, result = parse(params["subscripts"])
    left = list(zip(terms, inputs, strict=True))
    changed = False
    for pair in tuple(left):
        term, op = pair
        if len(left) < 2 or len(set(term)) != 2 or not is_identity(op):
            continue
        others = "".join(t for t, o in left if (t, o) != pair)
        old, new = (term[0], term[1]) if term[1] in others else (term[1], term[0])
        if new not in others:
            continue
        left.remove(pair)
        left = [(t.replace(old, new), o) for t, o in left]
        result = result.replace(old, new)
        changed = True
    if not changed:
        return inputs, params
    sizes = {c: n for c, n in params.get("sizes", ()) if c in result}
    present = set("".join(t for t, _ in left))
    kept = tuple(sorted((c, n) for c, n in sizes.items() if c not in present))
    found: dict[str, Any] = {"subscripts": ",".join(t for t, _ in left) + "->" + result}
    if kept:
        found["sizes"] = kept
    return tuple(o for _, o in left), found
