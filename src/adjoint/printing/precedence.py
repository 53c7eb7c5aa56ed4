"""Formulas as trees of mathematical notation, and what binds tighter than what.

A tree is what is on the page: products of matrices in their order, transposes, norms, traces.  The
printers (`formula`, `latex`, `python`) only spell it.  Vectors are columns.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from adjoint.simplify.exact import Coefficient
from adjoint.simplify.regular import Rule

LOOSE, SUM, QUOTIENT, PRODUCT, POWER, ATOM = range(-1, 5)
"""How tightly a form binds; an operand that binds less tightly than its place is bracketed."""

SCALAR, VECTOR, MATRIX, TENSOR = "scalar", "vector", "matrix", "tensor"
KINDS = (SCALAR, VECTOR, MATRIX)


def kind_of(rank: int) -> str:
    """What an array of this rank is called."""
    return KINDS[rank] if rank < 3 else TENSOR


@dataclass(frozen=True)
class Tree:
    """Base; ``kind`` is that of the value, ``level`` how tightly the outermost form binds."""

    level = ATOM

    @property
    def kind(self) -> str:
        return SCALAR


@dataclass(frozen=True)
class Name(Tree):
    """A variable, or a part that was given a name."""

    text: str
    of: str = SCALAR
    symmetric: bool = False

    @property
    def kind(self) -> str:
        return self.of


@dataclass(frozen=True)
class Number(Tree):
    """A number, in every element if it stands for an array of ``shape``."""

    value: Coefficient
    shape: tuple[int, ...] = ()

    @property
    def kind(self) -> str:
        return kind_of(len(self.shape))


@dataclass(frozen=True)
class Identity(Tree):
    """The identity matrix."""

    size: int

    @property
    def kind(self) -> str:
        return MATRIX


@dataclass(frozen=True)
class Ones(Tree):
    """A vector of ones."""

    size: int

    @property
    def kind(self) -> str:
        return VECTOR


@dataclass(frozen=True)
class Add(Tree):
    """A sum; each part has the sign that is printed in front of it."""

    parts: tuple[tuple[int, Tree], ...]
    symmetric: bool = False
    level = SUM

    @property
    def kind(self) -> str:
        kinds = [t.kind for _, t in self.parts]
        return max(kinds, key=(SCALAR, VECTOR, MATRIX, TENSOR).index)


@dataclass(frozen=True)
class Times(Tree):
    """A number and scalars times at most one array (the last of the parts)."""

    coefficient: Coefficient
    parts: tuple[Tree, ...]
    level = PRODUCT

    @property
    def kind(self) -> str:
        return self.parts[-1].kind if self.parts else SCALAR


@dataclass(frozen=True)
class Chain(Tree):
    """A matrix product; a vector in front of a row is an outer product."""

    parts: tuple[Tree, ...]
    of: str
    level = PRODUCT

    @property
    def kind(self) -> str:
        return self.of


@dataclass(frozen=True)
class Flip(Tree):
    """A transpose; of a vector, a row."""

    tree: Tree
    level = POWER

    @property
    def kind(self) -> str:
        return self.tree.kind


@dataclass(frozen=True)
class Hadamard(Tree):
    """An elementwise product."""

    parts: tuple[Tree, ...]
    level = QUOTIENT

    @property
    def kind(self) -> str:
        return self.parts[0].kind


@dataclass(frozen=True)
class Kron(Tree):
    """The Kronecker product left ⊗ right, of the columns of the argument stacked; as a
    tensor, left has the axes 1 and 3, right 0 and 2."""

    left: Tree
    right: Tree
    of: str = TENSOR
    level = QUOTIENT

    @property
    def kind(self) -> str:
        return self.of


@dataclass(frozen=True)
class Quotient(Tree):
    """numerator / denominator, elementwise if it is of arrays."""

    top: Tree
    bottom: Tree
    level = QUOTIENT

    @property
    def kind(self) -> str:
        return self.top.kind if self.top.kind != SCALAR else self.bottom.kind


@dataclass(frozen=True)
class Pow(Tree):
    """An elementwise power."""

    base: Tree
    exponent: Tree
    level = POWER

    @property
    def kind(self) -> str:
        return self.base.kind if self.base.kind != SCALAR else self.exponent.kind


@dataclass(frozen=True)
class Root(Tree):
    """A square root, elementwise."""

    tree: Tree

    @property
    def kind(self) -> str:
        return self.tree.kind


@dataclass(frozen=True)
class Inverse(Tree):
    """A⁻¹."""

    tree: Tree
    symmetric: bool = False
    level = POWER

    @property
    def kind(self) -> str:
        return MATRIX


@dataclass(frozen=True)
class Norm(Tree):
    """‖·‖, Euclidean or Frobenius."""

    tree: Tree


@dataclass(frozen=True)
class Call(Tree):
    """A function by name; ``latex`` is its own notation, ``options`` are parameters that are not
    arrays, as they are printed; ``extra`` is what the printer of source code needs."""

    name: str
    args: tuple[Tree, ...]
    of: str
    latex: str = ""
    options: tuple[str, ...] = ()
    extra: Any = field(default=None, compare=False)

    @property
    def kind(self) -> str:
        return self.of


@dataclass(frozen=True)
class Literal(Tree):
    """An array written out: [a, b]."""

    parts: tuple[Tree, ...]
    of: str
    axis: int = 0

    @property
    def kind(self) -> str:
        return self.of


@dataclass(frozen=True)
class Entry(Tree):
    """An element or a part of an array by its index."""

    tree: Tree
    index: str
    of: str = SCALAR

    @property
    def kind(self) -> str:
        return self.of


@dataclass(frozen=True)
class Gather(Tree):
    """A part of an array by an index with arrays in it; the other parts are text."""

    tree: Tree
    parts: tuple[Tree | str, ...]
    of: str

    @property
    def kind(self) -> str:
        return self.of


@dataclass(frozen=True)
class Scatter(Tree):
    """Zeros with a value added at an index."""

    tree: Tree
    parts: tuple[Tree | str, ...]
    shape: tuple[int, ...]

    @property
    def kind(self) -> str:
        return kind_of(len(self.shape))


@dataclass(frozen=True)
class Write(Tree):
    """An array with values written at indices, one after the other; ``whole`` says that it is one
    of integers or truth values."""

    tree: Tree
    writes: tuple[tuple[Tree, tuple[Tree | str, ...]], ...]
    shape: tuple[int, ...]
    whole: bool = False
    level = LOOSE

    @property
    def kind(self) -> str:
        return kind_of(len(self.shape))


@dataclass(frozen=True)
class Block(Tree):
    """Arrays joined along an axis; a part that is one place long there has an axis less."""

    parts: tuple[Tree, ...]
    of: str
    axis: int = 0

    @property
    def kind(self) -> str:
        return self.of


@dataclass(frozen=True)
class Indexed(Tree):
    """Index notation, where matrix notation has no word: coefficient · Σ Π factors[letters].

    ``entries`` are the factors as they are printed, those that are tensors entry by entry, with
    their letters inside; None for those that are printed with the letters behind them."""

    coefficient: Coefficient
    factors: tuple[tuple[Tree, str], ...]
    out: str
    sizes: tuple[tuple[str, int], ...]
    entries: tuple[Tree | None, ...] = ()
    level = PRODUCT

    def shown(self) -> list[tuple[Tree, str]]:
        """The factors as they are printed, with the letters behind them."""
        entries = self.entries or (None,) * len(self.factors)
        return [
            pair if e is None else (e, "") for pair, e in zip(self.factors, entries, strict=True)
        ]

    @property
    def kind(self) -> str:
        return kind_of(len(self.out))


@dataclass(frozen=True)
class Regular(Tree):
    """An array that follows a rule."""

    rule: Rule
    shape: tuple[int, ...]

    @property
    def kind(self) -> str:
        return kind_of(len(self.shape))
