"""Formulas as trees of mathematical notation, and what binds tighter than what.

A tree is what is on the page: products of matrices in their order, transposes, norms, traces.  The
printers (`formula`, `latex`, `python`) only spell it.  Vectors are columns.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from adjoint.simplify.exact import ONE, Coefficient, multiply
from adjoint.simplify.regular import Band, Rule

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
