"""What only names axes anew: it moves no element of what is in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adjoint.primitives.contraction import parse

if TYPE_CHECKING:
    from adjoint.codegen.program import Op


def unit_axes_only(old: tuple[int, ...], new: tuple[int, ...]) -> bool:
    """Whether a reshape only adds or drops axes of length 1."""
    return [n for n in old if n != 1] == [n for n in new if n != 1]


def is_permutation(op: Op) -> bool:
    """Whether an operation is a transpose of its one operand."""
    if op.kind != "einsum" or len(op.inputs) != 1:
        return False
    (term,), result = parse(op.params["subscripts"])
    return len(set(term)) == len(term) and sorted(term) == sorted(result)


def behind_transposes(op: Op, term: str) -> tuple[Op, str]:
    """What an operand of a contraction is a transpose of, and the indices of its axes."""
    while is_permutation(op):
        (own,), result = parse(op.params["subscripts"])
        op, term = op.inputs[0], "".join(term[result.index(c)] for c in own)
    return op, term
