"""Facts in arithmetic: NumPy adds them by "or", has no minus for them, and takes their functions in
half precision.  In source they become numbers where a formula takes them for 0 and 1."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from operator import is_
from types import SimpleNamespace
from typing import Any

import numpy as np

from adjoint.printing.parts import Layout, Part
from adjoint.printing.precedence import (
    Add,
    Call,
    Chain,
    Entry,
    Flip,
    Gather,
    Hadamard,
    Indexed,
    Literal,
    Name,
    Pow,
    Quotient,
    Root,
    Times,
    Tree,
)
from adjoint.printing.python_calls import COMPARISONS, HELPERS

FACTS = frozenset((*COMPARISONS, "logical_not", "logical_and", "logical_or", "logical_xor", "all",
                   "any", "isnan", "isinf", "isfinite", "signbit"))  # fmt: skip
"""Functions whose values are facts."""

BITWISE = {"invert": "logical_not", "bitwise_and": "logical_and", "bitwise_or": "logical_or",
           "bitwise_xor": "logical_xor"}  # fmt: skip
"""Those that are facts of facts; a fact that is known became the number 0 or 1."""

KEEPING = frozenset(("reshape", "concatenate", "stack", "tril", "triu", "diag", "pad", "sort"))
"""Functions whose values are facts if their operands are."""


class Facts:
    """Trees with numbers for the facts in arithmetic; ``names`` are arrays of facts."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = set(names)

    def __contains__(self, tree: object) -> bool:
        """Whether a value is of NumPy's type bool."""
        if isinstance(tree, Name):
            return tree.text in self.names
        if isinstance(tree, Entry | Gather | Flip):
            return tree.tree in self
        if isinstance(tree, Hadamard | Chain | Literal):
            return all(p in self for p in tree.parts)
        if isinstance(tree, Times):
            return tree.coefficient == 1 and all(p in self for p in tree.parts)
        if not isinstance(tree, Call):
            return False
        if tree.name == "convert":
            return bool(np.dtype(tree.extra.params["dtype"]) == np.bool_)
        if tree.name == "where":
            return all(a in self for a in tree.args[1:])
        return tree.name in FACTS or (tree.name in KEEPING and all(a in self for a in tree.args))

    def numbers(self, tree: Any) -> Any:
        """The tree, and all that is inside it, in numbers."""
        if isinstance(tree, tuple):
            found = tuple(map(self.numbers, tree))
            return tree if all(map(is_, found, tree)) else found
        if not isinstance(tree, Tree):
            return tree
        changed = {
            f.name: new
            for f in fields(tree)
            if f.name != "extra" and (new := self.numbers(old := getattr(tree, f.name))) is not old
        }
        return self._arithmetic(replace(tree, **changed) if changed else tree)

    def _arithmetic(self, tree: Tree) -> Tree:
        if isinstance(tree, Add):
            return self._sum(tree)
        if isinstance(tree, Times) and tree.coefficient == -1:
            return self._leading(tree)
        if isinstance(tree, Chain) and sum(p in self for p in tree.parts) > 1:
            return replace(tree, parts=tuple(map(self._number, tree.parts)))
        if isinstance(tree, Indexed):
            several = sum(t in self for t, _ in tree.factors) > 1 or len(tree.factors) == 1
            pairs = tuple((self._number(t), ls) for t, ls in tree.factors)
            return replace(tree, factors=pairs) if several else tree
        if isinstance(tree, Pow):
            return replace(tree, base=self._number(tree.base), exponent=self._number(tree.exponent))
        if isinstance(tree, Root):
            return replace(tree, tree=self._number(tree.tree))
        if isinstance(tree, Call):
            return self._function(tree)
        return tree

    def _sum(self, tree: Add) -> Tree:
        parts = tree.parts
        if sum(t in self for _, t in parts) > 1:
            parts = tuple((s, self._number(t)) for s, t in parts)
        (sign, first), *rest = parts
        first = self._leading(first) if sign < 0 else first
        return replace(tree, parts=((sign, first), *rest))

    def _leading(self, tree: Tree) -> Tree:
        """What a minus is put in front of: it binds to the first operand."""
        if isinstance(tree, Times | Hadamard | Chain):
            return replace(tree, parts=(self._leading(tree.parts[0]), *tree.parts[1:]))
        if isinstance(tree, Quotient):
            return replace(tree, top=self._leading(tree.top))
        return self._number(tree)

    def _function(self, tree: Call) -> Tree:
        if tree.name in BITWISE and any(a in self for a in tree.args):
            return replace(tree, name=BITWISE[tree.name])
        ufunc = isinstance(getattr(np, tree.name, None), np.ufunc) or tree.name in HELPERS
        if ufunc and tree.name not in FACTS and tree.name not in BITWISE:
            return replace(tree, args=tuple(map(self._number, tree.args)))
        return tree

    def _number(self, tree: Tree) -> Tree:
        if tree not in self:
            return tree
        if isinstance(tree, Flip):
            return replace(tree, tree=self._number(tree.tree))
        if isinstance(tree, Call) and tree.name == "diag":
            return replace(tree, args=tuple(map(self._number, tree.args)))
        params = SimpleNamespace(params={"dtype": "float64"})
        return Call("convert", (tree,), tree.kind, extra=params)


def in_numbers(layout: Layout, constants: Mapping[str, Any]) -> Layout:
    """The trees of a formula as source computes them."""
    facts = Facts(name for name, value in constants.items() if value.dtype == np.bool_)
    parts = []
    for part in layout.parts:
        tree = facts.numbers(part.tree)
        if tree in facts:
            facts.names.add(part.name)
        parts.append(Part(part.name, tree))
    return Layout(tuple(map(facts.numbers, layout.results)), tuple(parts))


__all__ = ["in_numbers"]
