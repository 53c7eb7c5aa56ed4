"""Trees put together: transposes, products with what they contain dissolved, triangles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adjoint.printing.precedence import (
    MATRIX,
    SCALAR,
    Add,
    Block,
    Call,
    Chain,
    Entry,
    Flip,
    Gather,
    Hadamard,
    Identity,
    Indexed,
    Number,
    Ones,
    Pow,
    Quotient,
    Regular,
    Root,
    Times,
    Tree,
    Write,
)
from adjoint.simplify.exact import ONE, Coefficient, multiply
from adjoint.simplify.regular import Band


def has_letters(tree: Tree) -> bool:
    """Whether the value of a tree is said in index notation."""
    if isinstance(tree, Indexed):
        return bool(tree.out)
    if isinstance(tree, Add):
        return any(has_letters(t) for _, t in tree.parts)
    if isinstance(tree, Times):
        return bool(tree.parts) and has_letters(tree.parts[-1])
    if isinstance(tree, Quotient):
        return has_letters(tree.top) or has_letters(tree.bottom)
    if isinstance(tree, Hadamard):
        return any(map(has_letters, tree.parts))
    if isinstance(tree, Pow):
        return has_letters(tree.base)
    if isinstance(tree, Root):
        return has_letters(tree.tree)
    if isinstance(tree, Call):
        return any(has_letters(a) for a in tree.args if a.kind == tree.kind)
    if isinstance(tree, Block):
        return any(map(has_letters, tree.parts))
    if isinstance(tree, Write):
        return has_letters(tree.tree) or any(has_letters(v) for v, _ in tree.writes)
    return False


# -- transposes ------------------------------------------------------------------------------------


def flip(tree: Tree) -> Tree:
    """The transpose, with as few signs of transposition as it takes."""
    if tree.kind == SCALAR:
        return tree
    if isinstance(tree, Flip):
        return tree.tree
    if isinstance(tree, Identity) or getattr(tree, "symmetric", False) or is_diagonal(tree):
        return tree
    if isinstance(tree, Number):
        return Number(tree.value, tree.shape[::-1])
    if isinstance(tree, Regular) and isinstance(tree.rule, Band):
        return Regular(tree.rule.flipped(), tree.shape[::-1])
    if isinstance(tree, Gather) and isinstance(tree.tree, Identity) and len(tree.parts) == 2:
        return Gather(tree.tree, tree.parts[::-1], MATRIX)  # the columns of I are its rows
    if isinstance(tree, Entry) and isinstance(tree.tree, Identity) and tree.kind == MATRIX:
        return Entry(tree.tree, turned_index(tree.index), MATRIX)
    if isinstance(tree, Call) and tree.name in TRIANGLES and tree.kind == MATRIX:
        return _flipped_triangle(tree)
    if isinstance(tree, Hadamard) and tree.kind == MATRIX:
        turned = Hadamard(tuple(flip(p) for p in tree.parts))
        return turned if transposes(turned) <= transposes(tree) else Flip(tree)
    if isinstance(tree, Block) and tree.kind == MATRIX:
        return Block(tuple(map(flip, tree.parts)), MATRIX, 1 - tree.axis)
    if isinstance(tree, Chain):
        parts = tuple(flip(p) for p in reversed(tree.parts))
        return Chain(parts, tree.of)
    if isinstance(tree, Times):
        return Times(tree.coefficient, (*tree.parts[:-1], flip(tree.parts[-1])))
    if isinstance(tree, Quotient) and tree.bottom.kind == SCALAR:
        return Quotient(flip(tree.top), tree.bottom)
    if isinstance(tree, Add) and tree.kind == MATRIX:
        inside = Add(tuple((s, flip(t)) for s, t in tree.parts))
        return inside if transposes(inside) <= transposes(tree) else Flip(tree)
    return Flip(tree)


TRIANGLES = {"tril": "triu", "triu": "tril"}


def _flipped_triangle(tree: Call) -> Tree:
    """tril(A, k)ᵀ = triu(Aᵀ, −k)."""
    options = tuple(str(-int(k)) for k in tree.options)
    return Call(TRIANGLES[tree.name], (flip(tree.args[0]),), MATRIX, "", options)


def turned_index(index: str) -> str:
    """``[1:]`` for ``[:, 1:]``, and the other way round."""
    parts = [p.strip() for p in index[1:-1].split(",")]
    parts = [*parts, ":"][1::-1]
    return f"[{parts[0]}]" if parts[1] == ":" else f"[{', '.join(parts)}]"


def is_diagonal(tree: Tree) -> bool:
    return isinstance(tree, Call) and tree.name == "diag" and tree.kind == MATRIX


def transposes(tree: Any) -> int:
    """How many signs of transposition a tree shows."""
    if isinstance(tree, Flip):
        return 1 + transposes(tree.tree)
    if isinstance(tree, Add):
        return sum(transposes(t) for _, t in tree.parts)
    if isinstance(tree, Chain | Times | Hadamard):
        return sum(map(transposes, tree.parts))
    if isinstance(tree, Call) and tree.name in TRIANGLES:
        return transposes(tree.args[0])
    return 0


def chain(parts: list[Tree], kind: str) -> Tree:
    """The matrix product of the parts; products inside it are dissolved, scalars go in front."""
    flat: list[Tree] = []
    scalars: list[Tree] = []
    for p in parts:
        if isinstance(p, Times):
            scalars += [*p.parts[:-1]]
            coefficient = p.coefficient
            if coefficient != 1:
                scalars.insert(0, Number(coefficient))
            p = p.parts[-1]
        flat += p.parts if isinstance(p, Chain) else [p]
    flat = [p for p in flat if not isinstance(p, Identity)] or flat[:1]
    body = flat[0] if len(flat) == 1 else Chain(tuple(flat), kind)
    return times(ONE, scalars, body)


def times(coefficient: Coefficient, scalars: list[Tree], body: Tree | None) -> Tree:
    """coefficient · scalars · body, products inside it dissolved."""
    parts: list[Tree] = []
    for p in [*scalars, *([body] if body is not None else [])]:
        if isinstance(p, Number) and not p.shape:
            coefficient = multiply(coefficient, p.value)
        elif isinstance(p, Times):
            coefficient = multiply(coefficient, p.coefficient)
            parts += p.parts
        else:
            parts.append(p)
    if not parts:
        return Number(coefficient)
    last = parts[-1]
    if isinstance(last, Quotient) and (coefficient != 1 or len(parts) > 1):
        return Quotient(times(coefficient, parts[:-1], last.top), last.bottom)
    return parts[0] if coefficient == 1 and len(parts) == 1 else Times(coefficient, tuple(parts))


def hadamard(parts: list[Tree]) -> Tree:
    """The elementwise product; reciprocals among the parts become one denominator."""
    parts = _triangular(parts)
    above = [p for p in parts if not is_reciprocal(p)]
    below = [p.bottom for p in parts if isinstance(p, Quotient) and is_reciprocal(p)]
    top = _elementwise_product(above) if above else Number(ONE)
    return Quotient(top, _elementwise_product(below)) if below else top


def _triangular(parts: list[Tree]) -> list[Tree]:
    """Zeros and ones that keep a triangle of the other factors: tril(A) for L ∘ A."""
    for k, p in enumerate(parts):
        if isinstance(p, Regular) and isinstance(p.rule, Band) and len(parts) > 1:
            rest = hadamard([q for j, q in enumerate(parts) if j != k])
            found = triangle_of(p.rule, rest)
            if found is not None:
                return [found]
    return parts


def triangle_of(band: Band, tree: Tree) -> Tree | None:
    """A band of a matrix, by the names of NumPy: tril(A, k), triu(A, k)."""
    if band.outside:
        return None
    if isinstance(tree, Pow):
        inner = triangle_of(band, tree.base)
        return None if inner is None else Pow(inner, tree.exponent)
    for name, k in (("tril", band.high), ("triu", band.low)):
        if k is not None:
            tree = Call(name, (tree,), MATRIX, "", (str(k),) if k else ())
    return tree


def _elementwise_product(parts: list[Tree]) -> Tree:
    return parts[0] if len(parts) == 1 else Hadamard(tuple(parts))


def is_reciprocal(tree: Tree) -> bool:
    return isinstance(tree, Quotient) and isinstance(tree.top, Number) and tree.top.value == 1


# -- what is left out, or written one by one -------------------------------------------------------

FEW_ZEROS = 3
"""Up to so many equal numbers beside a vector are written out: [0, 0, v]."""


def without_one(parts: Sequence[Tree]) -> Sequence[Tree]:
    """Factors without vectors that are the number 1: a row with its axis, 𝟏xᵀ, is xᵀ."""
    kept = [p for p in parts if not _is_one(p)]
    return kept or parts[:1]


def _is_one(tree: Tree) -> bool:
    inner = tree.tree if isinstance(tree, Flip) else tree
    return isinstance(inner, Ones) and inner.size == 1


def unrolled(part: Tree) -> Sequence[Tree]:
    """A part of a block; a few equal numbers are written one by one."""
    if isinstance(part, Number) and len(part.shape) == 1 and part.shape[0] <= FEW_ZEROS:
        return (Number(part.value),) * part.shape[0]
    return (part,)
