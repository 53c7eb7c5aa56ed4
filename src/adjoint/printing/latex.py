"""Formulas as LaTeX, for notebooks and papers."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from adjoint.printing.names import LETTERS, parts_of
from adjoint.printing.numbers import absolute, decimal, parts_of_number
from adjoint.printing.precedence import (
    LOOSE,
    POWER,
    PRODUCT,
    QUOTIENT,
    SCALAR,
    SUM,
    VECTOR,
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
    Inverse,
    Kron,
    Literal,
    Name,
    Norm,
    Number,
    Ones,
    Pow,
    Quotient,
    Regular,
    Root,
    Scatter,
    Times,
    Tree,
    Write,
)
from adjoint.printing.products import unrolled, without_one
from adjoint.printing.sequences import band_text, bracket, listed
from adjoint.printing.unicode import is_elementary, named_lengths
from adjoint.simplify.exact import Coefficient
from adjoint.simplify.regular import Band

LOWERED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
COMMANDS = {v: k for k, v in LETTERS.items() if k not in ("lambda_", "lam")}
OPERATORS = {
    "tr": r"\operatorname{tr}", "diag": r"\operatorname{diag}", "det": r"\det",
    "sum": r"\operatorname{sum}", "softmax": r"\operatorname{softmax}",
    "logsumexp": r"\operatorname{logsumexp}", "expit": r"\sigma",
    "where": r"\operatorname{where}", "exp": r"\exp", "log": r"\log", "sin": r"\sin",
    "cos": r"\cos", "tan": r"\tan", "sinh": r"\sinh", "cosh": r"\cosh", "tanh": r"\tanh",
    "max": r"\max", "min": r"\min",
}  # fmt: skip
INFIX = {
    "greater": ">", "greater_equal": r"\geq", "less": "<", "less_equal": r"\leq", "equal": "=",
    "not_equal": r"\neq",
}  # fmt: skip


class Latex:
    """The printer; ``sizes`` are the names of dimensions by their length."""

    def __init__(self, sizes: dict[int, str] | None = None) -> None:
        self.sizes = sizes or {}

    def __call__(self, tree: Tree, level: int = LOOSE) -> str:
        rule: Callable[[Any], str] = getattr(self, "_" + type(tree).__name__.lower())
        text = rule(tree)
        return rf"\left({text}\right)" if self._level(tree) < level else text

    def _level(self, tree: Tree) -> int:
        if isinstance(tree, Number | Times):
            value = tree.value if isinstance(tree, Number) else tree.coefficient
            if not isinstance(value, complex) and value < 0:
                return SUM
        return POWER + 1 if isinstance(tree, Quotient) else tree.level

    # -- leaves -----------------------------------------------------------------------------

    def _name(self, tree: Name) -> str:
        return symbol_latex(tree.text, bold=tree.kind != SCALAR)

    def _number(self, tree: Number) -> str:
        return number_latex(tree.value, self.sizes)

    def _identity(self, tree: Identity) -> str:
        return "I"

    def _ones(self, tree: Ones) -> str:
        return r"\mathbf{1}"

    def _regular(self, tree: Regular) -> str:
        if isinstance(tree.rule, Band):
            text = band_text(tree.rule, r"\mathbf{1} \mathbf{1}^\top", "I")
            return re.sub("tri[lu]", lambda m: rf"\operatorname{{{m[0]}}}", text.replace("−", "-"))
        name = number_latex(tree.shape[0], self.sizes)
        text = listed(tree.rule, lambda v: number_latex(v, {}), name,
                      lambda r: f"({number_latex(r, {})})^{{{name}-1}}")  # fmt: skip
        text = text.replace("…", r"\ldots").replace("−", "-")
        return rf"\left{text[:-1]}\right]"

    def _norm(self, tree: Norm) -> str:
        return rf"\left\|{self(tree.tree)}\right\|" + ("_F" if tree.tree.kind == "matrix" else "")

    # -- operators ----------------------------------------------------------------------------

    def _add(self, tree: Add) -> str:
        text = ""
        for sign, part in tree.parts:
            shown = self(part, QUOTIENT if sign < 0 else SUM)
            if not text:
                text = f"-{shown}" if sign < 0 else shown
            else:
                text += f" - {shown}" if sign < 0 else f" + {shown}"
        return text

    def _times(self, tree: Times) -> str:
        parts = [self(p, PRODUCT) for p in tree.parts]
        for k, p in enumerate(tree.parts):
            if isinstance(p, Chain) and p.kind == SCALAR and len(parts) > 1:
                parts[k] = rf"\left({parts[k]}\right)"
        if isinstance(tree.parts[-1], Kron | Hadamard) and len(parts) == 1:
            parts = [self(tree.parts[-1])]
        if tree.coefficient == 1:
            return " ".join(parts)
        sign = "-" if tree.coefficient == -1 else number_latex(tree.coefficient, self.sizes) + r"\,"
        return sign + " ".join(parts)

    def _chain(self, tree: Chain) -> str:
        return " ".join(self(p, PRODUCT) for p in without_one(tree.parts))

    def _flip(self, tree: Flip) -> str:
        if isinstance(tree.tree, Inverse):
            return rf"{self(tree.tree.tree, POWER + 1)}^{{-\top}}"
        return rf"{self(tree.tree, POWER + 1)}^\top"

    def _inverse(self, tree: Inverse) -> str:
        return f"{self(tree.tree, POWER + 1)}^{{-1}}"

    def _hadamard(self, tree: Hadamard) -> str:
        return r" \odot ".join(self(p, PRODUCT) for p in tree.parts)

    def _kron(self, tree: Kron) -> str:
        sides = [
            rf"\left({self(t)}\right)" if isinstance(t, Chain | Add) else self(t)
            for t in (tree.left, tree.right)
        ]
        return r" \otimes ".join(sides)

    def _quotient(self, tree: Quotient) -> str:
        return rf"\frac{{{self(tree.top)}}}{{{self(tree.bottom)}}}"

    def _pow(self, tree: Pow) -> str:
        exponent = self(tree.exponent)
        elementary = isinstance(tree.base, Call) and is_elementary(tree.base.name)
        if isinstance(tree.base, Call) and elementary and tree.base.name in OPERATORS:
            args = ", ".join(self(a) for a in tree.base.args)
            return rf"{OPERATORS[tree.base.name]}^{{{exponent}}}\left({args}\right)"
        base = self(tree.base, POWER + 1)
        if isinstance(tree.base, Quotient):
            base = rf"\left({base}\right)"
        return f"{base}^{{{exponent}}}"

    def _root(self, tree: Root) -> str:
        return rf"\sqrt{{{self(tree.tree)}}}"

    # -- functions ----------------------------------------------------------------------------

    def _call(self, tree: Call) -> str:
        args = [self(a) for a in tree.args]
        if tree.name == "pad" and len(args) == 3:
            zeros = ["" if a == r"\left[\right]" else a[6:-7] for a in args[1:]]
            shown = ",\\; ".join(filter(None, (zeros[0], args[0], zeros[1])))
            return rf"\left[{shown}\right]"
        args += [rf"\mathtt{{{self._sized(o)}}}" for o in tree.options]
        if tree.name in INFIX:
            return f"{args[0]} {INFIX[tree.name]} {args[1]}"
        if tree.name in ("abs", "absolute"):
            return rf"\left|{args[0]}\right|"
        if tree.name == "convert":
            return args[0]
        if tree.extra == "logdet":
            return rf"\log {args[0]}"
        if tree.name == "exp" and tree.kind == SCALAR:
            return f"e^{{{args[0]}}}"
        name = OPERATORS.get(tree.name)
        if name is None and tree.latex and "{0}" in tree.latex:
            return tree.latex.format(*(rf"\left({a}\right)" for a in args))
        escaped = tree.name.replace("_", r"\_")
        shown = name or rf"\operatorname{{{escaped}}}"
        return rf"{shown}\left({', '.join(args)}\right)"

    def _literal(self, tree: Literal) -> str:
        return r"\left[" + ",\\; ".join(self._part(p) for p in tree.parts) + r"\right]"

    def _part(self, tree: Tree) -> str:
        return self(tree, SUM if isinstance(tree, Write) else LOOSE)

    def _block(self, tree: Block) -> str:
        parts = [p for part in tree.parts for p in unrolled(part)]
        above = tree.kind == VECTOR and all(p.kind == VECTOR for p in parts)
        shown = list(map(self._block_part, parts))
        if tree.kind == VECTOR and not above:
            return r"\left[" + ",\\; ".join(shown) + r"\right]"
        between = r" \\ " if above or not tree.axis else " & "
        return rf"\begin{{bmatrix}} {between.join(shown)} \end{{bmatrix}}"

    def _block_part(self, tree: Tree) -> str:
        if isinstance(tree, Number) and tree.kind == VECTOR:
            number = "" if tree.value == 1 else number_latex(tree.value, self.sizes) + r"\,"
            return r"\mathbf{0}" if tree.value == 0 else rf"{number}\mathbf{{1}}"
        return self._part(tree)

    def _write(self, tree: Write) -> str:
        text = rf"{self(tree.tree, QUOTIENT)} \text{{ with }} "
        written = [
            rf"{self(value, SUM)} \text{{ at }} {self._place(parts)}"
            for value, parts in tree.writes
        ]
        return text + r" \text{, then } ".join(written)

    def _place(self, parts: Sequence[Tree | str]) -> str:
        text = ", ".join(self._sized(p) if isinstance(p, str) else self(p) for p in parts)
        return rf"\left({text}\right)" if len(parts) > 1 else text

    def _entry(self, tree: Entry) -> str:
        return f"{self(tree.tree, POWER)}_{{{self._sized(tree.index)[1:-1]}}}"

    def _sized(self, text: str) -> str:
        return named_lengths(text, lambda n: number_latex(n, self.sizes))

    def _gather(self, tree: Gather) -> str:
        return f"{self(tree.tree, POWER)}_{{{self._places(tree.parts)}}}"

    def _scatter(self, tree: Scatter) -> str:
        name = r"\operatorname{scatter}"
        return rf"{name}\left({self(tree.tree)};\, {self._places(tree.parts)}\right)"

    def _places(self, parts: Sequence[Tree | str]) -> str:
        return ", ".join(p if isinstance(p, str) else self(p) for p in parts)

    def _indexed(self, tree: Indexed) -> str:
        used = "".join(letters for _, letters in tree.factors)
        summed = sorted(set(used) - set(tree.out))
        parts = []
        for f, letters in tree.shown():
            if isinstance(f, Regular) and isinstance(f.rule, Band):
                text = bracket(f.rule, *letters)
                parts.append(text.replace("≤", r"\leq").replace("≠", r"\neq").replace("−", "-"))
                continue
            name = r"\delta" if isinstance(f, Name) and f.text == "δ" else self(f, POWER)
            parts.append(f"{name}_{{{letters}}}" if letters else name)
        number = "" if tree.coefficient == 1 else number_latex(tree.coefficient, self.sizes) + r"\,"
        return number + (rf"\sum_{{{','.join(summed)}}} " if summed else "") + " ".join(parts)


def number_latex(value: Coefficient, sizes: dict[int, str]) -> str:
    """A number; a fraction upright where it is short."""
    if isinstance(value, complex):
        return str(value)
    sign = "-" if value < 0 else ""
    found = parts_of_number(absolute(value), sizes)
    if found is None:
        return f"{value:.6g}"
    number, spelled = found
    top, bottom = map(_raised, spelled)
    plain = top.isdigit() and bottom.isdigit() and not number.above and not number.below
    short = decimal(number.fraction) if plain and number.fraction.denominator > 10 else None
    if short is not None and "e" not in short:
        return sign + short
    above = " ".join([*([] if top == "1" and number.above else [top]),
                      *(c.latex for c in number.above)])  # fmt: skip
    below = " ".join([*([] if bottom == "1" and number.below else [bottom]),
                      *(c.latex for c in number.below)])  # fmt: skip
    return sign + above if below == "1" else rf"{sign}\tfrac{{{above}}}{{{below}}}"


def _raised(text: str) -> str:
    text = text.replace("·", r" \cdot ").replace("−", "-")
    return re.sub("[⁰¹²³⁴⁵⁶⁷⁸⁹]+", lambda m: "^{" + m[0].translate(LOWERED) + "}", text)


def symbol_latex(name: str, bold: bool = False) -> str:
    """A Python name: ``theta_1`` is θ with index 1."""
    stem, index = parts_of(name)
    greek = LETTERS.get(stem, stem)
    if greek in COMMANDS:
        shown = "\\" + COMMANDS[greek]
    elif len(stem) == 1:
        shown = stem
    else:
        shown = r"\mathrm{" + re.sub("_", r"\\_", stem) + "}"
    return f"{shown}_{{{index}}}" if index else shown
