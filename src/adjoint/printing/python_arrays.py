"""Arrays in NumPy source: elements and parts, what is added or written at an index, blocks.

A write is a statement: an array of floats is made, and written into, in lines before the one that
needs it.  JAX's arrays cannot be written into; there a write is the expression ``x.at[i].set(v)``.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence

from adjoint.printing.precedence import (
    ATOM,
    LOOSE,
    MATRIX,
    PRODUCT,
    SCALAR,
    VECTOR,
    Block,
    Call,
    Entry,
    Gather,
    Literal,
    Number,
    Root,
    Scatter,
    Tree,
    Write,
)
from adjoint.printing.unicode import named_lengths

FLOATS = frozenset((
    "exp", "log", "sin", "cos", "tan", "sinh", "cosh", "tanh", "arctan", "arcsin", "arccos",
    "expit", "softmax", "softplus", "logaddexp", "erf",
))  # fmt: skip
"""Functions whose values are floats, in a new array."""

LETTERS = "uvwyzst"
"""Names for arrays that are written into."""

JOINS = {(VECTOR, 0): "hstack", (MATRIX, 0): "vstack", (MATRIX, 1): "column_stack"}
"""The NumPy function that joins parts, those with an axis less among them."""


class Arrays(ABC):
    """The part of the printer of NumPy source that is about arrays and their parts.

    ``functional`` is for JAX: nothing is written into.  ``lines`` are the statements that have to
    stand before the line that is being printed.
    """

    def __init__(self, taken: Collection[str], module: str, functional: bool) -> None:
        self.taken = taken
        self.module = module
        self.functional = functional
        self.helpers: dict[str, None] = {}
        self.lines: list[str] = []
        self.written: dict[str, str] = {}
        self.name = ""

    @abstractmethod
    def __call__(self, tree: Tree, level: int = ...) -> str: ...

    @abstractmethod
    def np(self, name: str, *args: str) -> tuple[str, int]: ...

    @abstractmethod
    def size(self, n: int) -> str: ...

    @abstractmethod
    def shape(self, shape: Sequence[int]) -> str: ...

    def helper(self, name: str) -> str:
        """The name of a helper function, which neither the function nor a parameter has."""
        return f"_{name}" if name in self.taken else name

    def statements(self, name: str, tree: Tree) -> list[str]:
        """The lines of a function that give a name to an array."""
        self.name = name
        text = self(tree)
        self.name = ""
        return [*self.taken_out(), *([] if text == name else [f"    {name} = {text}"])]

    def taken_out(self) -> list[str]:
        """The statements that stand before a line, as lines of a function."""
        found = [f"    {line}" for line in self.lines]
        self.lines.clear()
        return found

    # -- reading ------------------------------------------------------------------------------

    def _literal(self, tree: Literal) -> tuple[str, int]:
        inner = ", ".join(self(p) for p in tree.parts)
        return self.np("array" if all_scalars(tree) else "stack", f"[{inner}]")

    def _entry(self, tree: Entry) -> tuple[str, int]:
        return f"{self(tree.tree, ATOM)}{self._lengths(tree.index)}", ATOM

    def _lengths(self, text: str) -> str:
        """An option or an index with lengths by name."""
        return named_lengths(text, self.size)

    def _gather(self, tree: Gather) -> tuple[str, int]:
        return f"{self(tree.tree, ATOM)}[{self._places(tree.parts)}]", ATOM

    def _places(self, parts: Sequence[Tree | str]) -> str:
        return ", ".join(self._lengths(p) if isinstance(p, str) else self(p) for p in parts)

    # -- writing ------------------------------------------------------------------------------

    def _scatter(self, tree: Scatter) -> tuple[str, int]:
        self.helpers["add_at"] = None
        sliced = [p if isinstance(p, Tree) else _as_slice(p) for p in tree.parts]
        index = self._places(sliced)
        index = f"({index},)" if len(sliced) == 1 else f"({index})"
        args = (self.shape(tree.shape), index, self(tree.tree))
        return f"{self.helper('add_at')}({', '.join(args)})", ATOM

    def _write(self, tree: Write) -> tuple[str, int]:
        wanted, self.name = self.name, ""
        values = [(self._places(parts), self._value(value)) for value, parts in tree.writes]
        base = self._start(tree)
        if self.functional:
            return base + "".join(f".at[{i}].set({v})" for i, v in values), ATOM
        known = repr((base, values))
        if known not in self.written:
            name = self.written[known] = wanted or self._fresh()
            self.lines += [f"{name} = {base}", *[f"{name}[{i}] = {v}" for i, v in values]]
        return self.written[known], ATOM

    def _value(self, tree: Tree) -> str:
        """What is written; one number is spread by writing it."""
        return self(Number(tree.value) if isinstance(tree, Number) else tree)

    def _start(self, tree: Write) -> str:
        """A new array of floats, or of what the array is that is written to: an array of integers
        would keep the whole part of what is written, so it is multiplied by 1.0."""
        base = tree.tree
        if isinstance(base, Number):
            return self._filled(base)
        if tree.whole:
            return self.np("array", self(base))[0]
        if self._is_new(base):
            return self(base, ATOM if self.functional else LOOSE)
        text = self(base, PRODUCT)
        number = re.match(r"(\d+) \* ", text)
        text = (
            text.replace(number[1], f"{number[1]}.0", 1) if number else f"1.0 * {self(base, ATOM)}"
        )
        return f"({text})" if self.functional else text

    def _is_new(self, tree: Tree) -> bool:
        """Whether the code of a tree makes an array of floats that nothing else knows."""
        return isinstance(tree, Root) or (isinstance(tree, Call) and tree.name in FLOATS)

    def _filled(self, tree: Number) -> str:
        """An array of one number, of floats."""
        if tree.value == 0:
            alone = len(tree.shape) == 1
            return self.np("zeros", self.size(*tree.shape) if alone else self.shape(tree.shape))[0]
        return self(tree)

    def _fresh(self) -> str:
        names = [*LETTERS, *(f"u{k}" for k in range(1, 2 + len(self.written) + len(self.taken)))]
        used = {*self.taken, *self.written.values()}
        free: list[str] = [name for name in names if name not in used]
        return free[0]

    # -- blocks -------------------------------------------------------------------------------

    def _block(self, tree: Block) -> tuple[str, int]:
        parts = [
            self._filled(p) if isinstance(p, Number) and p.shape else self(p) for p in tree.parts
        ]
        if tree.kind == VECTOR and all(p.kind == VECTOR for p in tree.parts):
            return self.np("concatenate", f"[{', '.join(parts)}]")
        return self.np(JOINS[tree.kind, tree.axis], f"[{', '.join(parts)}]")


def _as_slice(part: str) -> str:
    """A slice outside brackets: ``slice(None, None, -1)`` for ``::-1``."""
    if ":" not in part:
        return part.replace("...", "Ellipsis")
    bounds = [b.strip() or "None" for b in part.split(":")]
    return f"slice({', '.join(bounds)})"


def all_scalars(tree: Literal) -> bool:
    return all(all_scalars(p) if isinstance(p, Literal) else p.kind == SCALAR for p in tree.parts)


__all__ = ["Arrays", "all_scalars"]
