"""What is one number everywhere, printed as that number where broadcasting gives it its shape."""

from __future__ import annotations

from collections.abc import Container

import numpy as np

from adjoint.primitives.scalar import Elementwise
from adjoint.printing.precedence import MATRIX, Ones, Tree
from adjoint.printing.products import chain, flip, times
from adjoint.simplify.einstein import product
from adjoint.simplify.exact import ONE
from adjoint.simplify.expression import Apply, Expr, Sum, Term, number_of
from adjoint.simplify.indices import spread

BROADCASTING = ("where", "power", "float_power", "clip", "maximum", "minimum")
"""Functions of several arrays besides the ufuncs, element by element."""


def unspread(e: Expr, names: Container[Expr] = ()) -> Expr:
    """One number that is broadcast, as that number: NumPy's notation, and everybody's."""
    if isinstance(e, Term) and e.rank and e.factors and e not in names:
        inner = [(f, ls) for f, ls in e.factors if set(ls) & set(e.out)]
        if not inner and len(set(e.out)) == len(e.out):
            sizes = {i: n for i, n in e.sizes.items() if i not in e.out}
            return product(e.coefficient, e.factors, (), sizes)
    return e


def operands(e: Apply, names: Container[Expr] = ()) -> list[Expr]:
    """The operands of a function as they are printed: those of an elementwise function may be
    numbers beside one that has the shape of the result; other functions need all shapes."""
    if e.name in ("setitem", "scatter_add"):
        return [unspread(a, names) if k == 1 else a for k, a in enumerate(e.args)]
    broadcasts = isinstance(e.primitive, Elementwise) or e.name in BROADCASTING
    if len(e.args) == 1 or not broadcasts:
        return list(e.args)
    args = [unspread(a, names) for a in e.args]
    if np.broadcast_shapes(*(a.shape for a in args)) != e.shape:
        k = 1 if e.name == "where" else 0  # not the condition: ones times a fact is no fact
        args[k] = spread(e.args[k], e.shape)
    return args


def is_uniform(e: Sum, names: Container[Expr] = ()) -> bool:
    """Whether no term of a sum gives the others its shape."""
    return bool(e.rank) and all(
        number_of(t) is not None or unspread(t, names) is not t for t in e.terms
    )


def everywhere(value: Tree, shape: tuple[int, ...]) -> Tree:
    """A number in every element of a vector or a matrix: value 𝟏𝟏ᵀ."""
    first, *rest = map(Ones, shape)
    return times(ONE, [value], chain([first, *map(flip, rest)], MATRIX) if rest else first)


__all__ = ["everywhere", "is_uniform", "operands", "unspread"]
