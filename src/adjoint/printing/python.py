"""Formulas as NumPy source: ``x @ (B + B.T)``.

Vectors are one-dimensional, so a row and a column are the same array; products with vectors are
taken from the vector's end, and a product with an inverse is a solve.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np

from adjoint.errors import MissingRuleError
from adjoint.printing.names import ascii_name
from adjoint.printing.numbers import CONSTANTS, decimal, spelled
from adjoint.printing.places import told
from adjoint.printing.precedence import (
    ATOM,
    LOOSE,
    MATRIX,
    POWER,
    PRODUCT,
    SCALAR,
    SUM,
    VECTOR,
    Add,
    Call,
    Chain,
    Flip,
    Hadamard,
    Identity,
    Indexed,
    Inverse,
    Kron,
    Name,
    Norm,
    Number,
    Ones,
    Pow,
    Quotient,
    Regular,
    Root,
    Times,
    Tree,
    kind_of,
)
from adjoint.printing.products import TRIANGLES, is_diagonal
from adjoint.printing.python_arrays import Arrays
from adjoint.printing.python_calls import CALLS, COMPARISONS, HELPERS, UFUNCS
from adjoint.printing.sequences import as_code
from adjoint.simplify.exact import Coefficient, is_exact, is_negative, magnitude
from adjoint.simplify.expression import Apply


class Python(Arrays):
    """The printer; ``module`` is the name of NumPy, ``sizes`` the code of dimensions by length,
    ``taken`` are names that nothing in the code can have; ``functional`` is for JAX.

    ``used`` collects which dimensions and which helper functions the code needs.
    """

    def __init__(
        self,
        sizes: dict[int, str] | None = None,
        taken: Collection[str] = (),
        functional: bool = False,
        module: str = "np",
    ) -> None:
        super().__init__(taken, module, functional)
        self.sizes = sizes or {}
        self.used: dict[str, None] = {}

    def __call__(self, tree: Tree, level: int = LOOSE) -> str:
        rule: Callable[[Any], tuple[str, int]] = getattr(self, "_" + type(tree).__name__.lower())
        text, own = rule(tree)
        return f"({text})" if own < level else text

    def np(self, name: str, *args: str) -> tuple[str, int]:
        """A call of a NumPy function."""
        return f"{self.module}.{name}({', '.join(args)})", ATOM

    # -- leaves -----------------------------------------------------------------------------

    def _name(self, tree: Name) -> tuple[str, int]:
        return ascii_name(tree.text), ATOM

    def _number(self, tree: Number) -> tuple[str, int]:
        text, level = self.number(tree.value)
        if not tree.shape:
            return text, level
        number = ["dtype=float"] if "." not in text and "/" not in text else []
        return self.np("full", self.shape(tree.shape), text, *number)

    def number(self, value: Coefficient) -> tuple[str, int]:
        """A number, dimensions by name."""
        if not is_exact(value):
            if isinstance(value, float) and not math.isfinite(value):
                sign = "-" if value < 0 else ""
                return sign + ("np.nan" if value != value else "np.inf"), SUM if sign else ATOM
            return self._irrational(value)
        top, bottom = self._sized(abs(value.numerator)), self._sized(value.denominator)
        sign = "-" if value < 0 else ""
        short = decimal(magnitude(value)) if top.isdigit() and bottom.isdigit() else None
        if short is not None and bottom != "1":
            return sign + short, SUM if sign else ATOM
        text = sign + (top if bottom == "1" else f"{top} / {self._bracket(bottom)}")
        return text, SUM if sign else (ATOM if text.isalnum() else PRODUCT)

    def _irrational(self, value: Coefficient) -> tuple[str, int]:
        """A float: as a fraction times constants and roots of dimensions, else by its digits."""
        found = None if isinstance(value, complex) else spelled(abs(float(value)), self._names())
        if found is None:
            return repr(value), POWER if isinstance(value, complex) or value >= 0 else SUM
        fraction, level = self.number(-found.fraction if is_negative(value) else found.fraction)
        for c in (*found.above, *found.below):
            if c not in CONSTANTS:
                self._use(c.text)
        text = " * ".join([fraction, *(c.python for c in found.above)])
        for c in found.below:
            text += f" / {c.python}"
        return text, SUM if level == SUM else PRODUCT

    def _names(self) -> tuple[tuple[int, str], ...]:
        return tuple((n, name) for n, name in self.sizes.items() if not name.isdigit())

    def _use(self, text: str) -> None:
        """The code needs the dimensions that a text names."""
        self.used.update(dict.fromkeys(re.findall(r"[^\W\d]\w*", text)))

    def _bracket(self, text: str) -> str:
        return text if text.isalnum() or text in self._codes() else f"({text})"

    def _codes(self) -> list[str]:
        return [name.replace("−", "-") for name in self.sizes.values()]

    def _sized(self, value: int) -> str:
        names = []
        for size, name in sorted(self.sizes.items()):
            while size > 1 and value and value % size == 0 and not name.isdigit():
                value //= size
                names.append(name.replace("−", "-"))
                self._use(name)
        number = [] if value == 1 and names else [str(value)]
        return " * ".join([*number, *names])

    def size(self, n: int) -> str:
        """A dimension by name, or by the names of those whose product it is."""
        return self._sized(n)

    def shape(self, shape: Sequence[int]) -> str:
        text = ", ".join(self.size(n) for n in shape)
        return f"({text},)" if len(shape) == 1 else f"({text})"

    def _identity(self, tree: Identity) -> tuple[str, int]:
        return self.np("eye", self.size(tree.size))

    def _regular(self, tree: Regular) -> tuple[str, int]:
        code = as_code(tree.rule, self.size, tree.shape, self.module)
        return code, PRODUCT if " " in code.split("(")[0] or "**" in code else ATOM

    def _ones(self, tree: Ones) -> tuple[str, int]:
        return self.np("ones", self.size(tree.size))

    # -- operators ----------------------------------------------------------------------------

    def _add(self, tree: Add) -> tuple[str, int]:
        text = ""
        shaped = tree.kind != SCALAR
        for sign, part in tree.parts:
            if isinstance(part, Number) and shaped:
                part = Number(part.value)  # broadcasting fills it
            shown = self(part, PRODUCT if sign < 0 else SUM)
            if not text:
                text = f"-{shown}" if sign < 0 else shown
            elif shown.startswith("-"):
                text += f" {'+' if sign < 0 else '-'} {shown[1:]}"
            else:
                text += f" {'-' if sign < 0 else '+'} {shown}"
        return text, SUM

    def _times(self, tree: Times) -> tuple[str, int]:
        parts = []
        for k, p in enumerate(tree.parts):
            chained = isinstance(p, Chain) and (k or tree.coefficient not in (1, -1))
            parts.append(self(p, ATOM if chained else PRODUCT))
        text = " * ".join(parts)
        if tree.coefficient == 1:
            return text, PRODUCT
        if tree.coefficient == -1:
            return f"-{text}", SUM
        number, level = self.number(tree.coefficient)
        number = f"({number})" if level < PRODUCT and not number.startswith("-") else number
        return f"{number} * {text}", SUM if number.startswith("-") else PRODUCT

    def _flip(self, tree: Flip) -> tuple[str, int]:
        if tree.kind == VECTOR:
            text = self(tree.tree, POWER)
            return text, POWER
        return f"{self(tree.tree, ATOM)}.T", ATOM

    def _inverse(self, tree: Inverse) -> tuple[str, int]:
        return self.np("linalg.inv", self(tree.tree))

    def _hadamard(self, tree: Hadamard) -> tuple[str, int]:
        return " * ".join(self._factor(p, k) for k, p in enumerate(tree.parts)), PRODUCT

    def _factor(self, tree: Tree, place: int) -> str:
        chained = isinstance(tree, Chain) and place > 0
        quotient = isinstance(tree, Quotient) and place > 0
        return self(tree, ATOM if chained or quotient else PRODUCT)

    def _quotient(self, tree: Quotient) -> tuple[str, int]:
        top = self(tree.top, PRODUCT)
        return f"{top} / {self(tree.bottom, POWER)}", PRODUCT

    def _kron(self, tree: Kron) -> tuple[str, int]:
        if tree.kind == MATRIX:
            return self.np("kron", self(tree.left), self(tree.right))
        return self.np("einsum", '"bd,ac->abcd"', self(tree.left), self(tree.right))

    def _pow(self, tree: Pow) -> tuple[str, int]:
        exponent = self(tree.exponent, ATOM)
        square = isinstance(tree.exponent, Number) and tree.exponent.value == 2
        if isinstance(tree.base, Norm) and square:
            inner = tree.base.tree
            return self.np("sum", f"{self(inner, ATOM)}**2")
        return f"{self(tree.base, ATOM)}**{exponent}", POWER

    def _root(self, tree: Root) -> tuple[str, int]:
        return self.np("sqrt", self(tree.tree))

    def _norm(self, tree: Norm) -> tuple[str, int]:
        return self.np("linalg.norm", self(tree.tree))

    # -- matrix products ------------------------------------------------------------------------

    def _chain(self, tree: Chain) -> tuple[str, int]:
        parts = list(tree.parts)
        places = [k for k, p in enumerate(parts) if p.kind == VECTOR]
        if not places:
            return self._matrices(parts)
        first = places[0]
        if not is_row(parts[first]):
            left = self._column(parts[: first + 1])
            if first + 1 == len(parts):
                return left
            right = self._row(parts[first + 1 :])
            if len(places) == 3:  # what follows is a number
                return f"{left[0]} * ({right[0]})", PRODUCT
            return self.np("outer", left[0], right[0])
        if len(places) == 1:
            return self._row(parts)
        column = self._column(parts[1:])
        text = (
            f"{self(parts[0], PRODUCT)} @ {column[0] if column[1] >= POWER else f'({column[0]})'}"
        )
        return text, PRODUCT

    def _column(self, parts: list[Tree]) -> tuple[str, int]:
        """M N v as M @ (N @ v)."""
        text, level = self(parts[-1], POWER), POWER
        for m in reversed(parts[:-1]):
            if is_diagonal(m):
                inner = f"({text})" if level < POWER else text
                text, level = f"{self(m.args[0], POWER)} * {inner}", PRODUCT  # type: ignore[attr-defined]
            elif (solved := self._solved(m)) is not None:
                text, level = self.np("linalg.solve", solved, text)
            else:
                inner = f"({text})" if level < POWER else text
                text, level = f"{self(m, PRODUCT)} @ {inner}", PRODUCT
        return text, level

    def _row(self, parts: list[Tree]) -> tuple[str, int]:
        """vᵀ M N as v @ M @ N."""
        text, level = self(parts[0], PRODUCT), PRODUCT if len(parts) > 1 else POWER
        for m in parts[1:]:
            if is_diagonal(m):
                text = f"({text}) * {self(m.args[0], POWER)}"  # type: ignore[attr-defined]
                level = PRODUCT
            elif (solved := self._solved(flip_inverse(m))) is not None:
                text, level = self.np("linalg.solve", solved, text)
            else:
                text, level = f"{text} @ {self(m, POWER)}", PRODUCT
        return text, level

    def _solved(self, m: Tree) -> str | None:
        """The matrix of which m is the inverse."""
        if isinstance(m, Inverse):
            return self(m.tree)
        if isinstance(m, Flip) and isinstance(m.tree, Inverse):
            return f"{self(m.tree.tree, ATOM)}.T"
        return None

    def _matrices(self, parts: list[Tree]) -> tuple[str, int]:
        solved = self._solved(parts[0])
        if solved is not None and len(parts) > 1:
            rest = self._matrices(parts[1:])[0]
            return self.np("linalg.solve", solved, rest)
        if is_diagonal(parts[0]) and len(parts) > 1:
            product, level = self._matrices(parts[1:])
            inner = f"({product})" if level <= PRODUCT else product
            scale = self(parts[0].args[0], ATOM)  # type: ignore[attr-defined]
            return f"{scale}[:, None] * {inner}", PRODUCT
        if len(parts) == 1:
            return self(parts[0], ATOM), ATOM
        text, level = self(parts[0], PRODUCT), PRODUCT
        for m in parts[1:]:
            if is_diagonal(m):
                text = f"({text} * {self(m.args[0], POWER)})"  # type: ignore[attr-defined]
                level = ATOM
            else:
                text, level = f"{text} @ {self(m, POWER)}", PRODUCT
        return text, level

    # -- functions ----------------------------------------------------------------------------

    def _call(self, tree: Call) -> tuple[str, int]:
        args = [self(a) for a in tree.args]
        if tree.name in ("pad", *TRIANGLES):
            return self.np(tree.name, args[0], *map(self._lengths, tree.options))
        if tree.name == "reshape":
            return self.np("reshape", args[0], self.shape(tree.extra.params["shape"]))
        if tree.extra == "logdet":
            inner = tree.args[0].args[0].args[0]  # type: ignore[attr-defined]
            return f"{self.module}.linalg.slogdet({self(inner)})[1]", ATOM
        if tree.name in HELPERS:
            self.helpers[tree.name] = None
            axis = getattr(tree.extra, "params", {}).get("axis")
            if axis is not None and tree.args[0].kind == MATRIX:
                args.append(f"axis={axis}")
            return f"{self.helper(tree.name)}({', '.join(args)})", ATOM
        if tree.name in COMPARISONS:
            left, right = (self(a, SUM) for a in tree.args)
            return f"{left} {COMPARISONS[tree.name]} {right}", LOOSE
        pattern = CALLS.get(tree.name)
        if pattern is not None:
            own = getattr(tree.extra, "params", {})
            params = told(tree.extra) if isinstance(tree.extra, Apply) else own
            return pattern(self.module, args, params), ATOM
        if tree.name in UFUNCS or isinstance(getattr(np, tree.name, None), np.ufunc):
            return self.np(tree.name, *args)
        return self._special(tree, args)

    def _special(self, tree: Call, args: list[str]) -> tuple[str, int]:
        from scipy import special

        order = re.fullmatch(r"polygamma_(\d+)", tree.name)
        if order is not None:
            self.helpers["special"] = None
            return f"special.polygamma({order[1]}, {', '.join(args)})", ATOM
        if not hasattr(special, tree.name) or getattr(tree.extra, "params", None):
            raise MissingRuleError(
                f"source(f) has no NumPy spelling for the primitive {tree.name}.",
                hint="formula(f) prints it; ad.compile(f) runs it.",
            )
        self.helpers["special"] = None
        name = {"psi": "digamma"}.get(tree.name, tree.name)  # which JAX has under this name only
        return f"special.{name}({', '.join(args)})", ATOM

    def _indexed(self, tree: Indexed) -> tuple[str, int]:
        sizes = dict(tree.sizes)
        summed = self._summed(tree)
        if summed is not None:
            return summed
        terms, operands = [], []
        for f, letters in tree.factors:
            terms.append(letters)
            delta = isinstance(f, Name) and f.text == "δ"
            operands.append(self._identity(Identity(sizes[letters[0]]))[0] if delta else self(f))
        for c in tree.out:
            if not any(c in t for t in terms):
                terms.append(c)
                operands.append(self._ones(Ones(sizes[c]))[0])
        text = self.np("einsum", f'"{",".join(terms)}->{tree.out}"', *operands)[0]
        if tree.coefficient == 1:
            return text, ATOM
        number, level = self.number(tree.coefficient)
        return f"{number} * {text}", SUM if level == SUM else PRODUCT

    def _summed(self, tree: Indexed) -> tuple[str, int] | None:
        """The sum of one array along some of its axes, where it is no more than that."""
        if len(tree.factors) != 1:
            return None
        (f, letters) = tree.factors[0]
        axes = [str(k) for k, c in enumerate(letters) if c not in tree.out]
        left = "".join(c for c in letters if c in tree.out)
        if left != tree.out or len(set(letters)) < len(letters) or not axes:
            return None
        axis = axes[0] if len(axes) == 1 else f"({', '.join(axes)})"
        text = self.np("sum", self(f), *([f"axis={axis}"] if tree.out else []))[0]
        if tree.coefficient == 1:
            return text, ATOM
        number, level = self.number(tree.coefficient)
        return f"{number} * {text}", SUM if level == SUM else PRODUCT


def is_row(tree: Tree) -> bool:
    return isinstance(tree, Flip)


def flip_inverse(m: Tree) -> Tree:
    """v X⁻¹ solves with Xᵀ."""
    if isinstance(m, Inverse):
        return Flip(m)
    return m.tree if isinstance(m, Flip) and isinstance(m.tree, Inverse) else m


__all__ = ["HELPERS", "Python", "kind_of"]
