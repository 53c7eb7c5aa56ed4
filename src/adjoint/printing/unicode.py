"""Formulas as Unicode text: xᵀ(B + Bᵀ)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adjoint.printing.names import greek, is_product, parts_of
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
from adjoint.printing.products import is_reciprocal, unrolled, without_one
from adjoint.printing.sequences import band_text, bracket, listed
from adjoint.simplify.exact import Coefficient, Rational
from adjoint.simplify.regular import Band

SUPERSCRIPTS = str.maketrans("0123456789-+=()n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺⁼⁽⁾ⁿ")
SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
FUNCTIONS = {"expit": "σ", "absolute": "abs"}
LETTER_SUPERSCRIPTS = dict(
    zip("abcdefghijklmnoprstuvwxyz", "ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻ", strict=True)
)
SHORT = 16
"""Numbers up to this one are no lengths of named dimensions."""

VULGAR = {("1", "2"): "½", ("1", "4"): "¼", ("3", "4"): "¾"}
"""Fractions that have a sign of their own."""

DIGITS_OF_FRACTION = 9
"""A fraction of more digits is printed as a decimal number, rounded."""

INFIX = {
    "greater": ">", "greater_equal": "≥", "less": "<", "less_equal": "≤", "equal": "=",
    "not_equal": "≠", "logical_and": "∧", "logical_or": "∨", "bitwise_and": "∧",
    "bitwise_or": "∨", "remainder": "mod",
}  # fmt: skip


class Unicode:
    """The printer; ``sizes`` are the names of dimensions by their length."""

    def __init__(self, sizes: dict[int, str] | None = None) -> None:
        self.sizes = sizes or {}

    def __call__(self, tree: Tree, level: int = LOOSE) -> str:
        rule: Callable[[Any], str] = getattr(self, "_" + type(tree).__name__.lower())
        text = rule(tree)
        return f"({text})" if tree.level < level or self._needs(tree, level) else text

    def _needs(self, tree: Tree, level: int) -> bool:
        """Negative numbers and fractions are sums in disguise; comparisons bind less than sums."""
        if isinstance(tree, Call):
            return level > LOOSE and tree.name in INFIX
        if isinstance(tree, Number):
            negative = not isinstance(tree.value, complex) and tree.value < 0
            return level > SUM and (negative or (level >= POWER and "/" in self._number(tree)))
        if isinstance(tree, Quotient):
            return level > SUM and self._needs(tree.top, level)
        if isinstance(tree, Times) and not isinstance(tree.coefficient, complex):
            return level > SUM and tree.coefficient < 0
        return False

    # -- leaves -----------------------------------------------------------------------------

    def _name(self, tree: Name) -> str:
        return symbol_text(tree.text)

    def _number(self, tree: Number) -> str:
        return coefficient_text(tree.value, self.sizes)

    def _identity(self, tree: Identity) -> str:
        return "I"

    def _ones(self, tree: Ones) -> str:
        return "𝟏"

    def _regular(self, tree: Regular) -> str:
        if isinstance(tree.rule, Band):
            return band_text(tree.rule, "𝟏𝟏ᵀ", "I")
        name = coefficient_text(tree.shape[0], self.sizes)
        return listed(tree.rule, self._number_text, name, lambda r: self._last_power(r, name))

    def _number_text(self, value: Coefficient) -> str:
        return coefficient_text(value)

    def _last_power(self, ratio: Coefficient, name: str) -> str:
        base = coefficient_text(ratio)
        base = base if base.replace(".", "").isalnum() else f"({base})"
        return f"{base}{superscript(f'{name} − 1') or f'^({name} − 1)'}"

    def _norm(self, tree: Norm) -> str:
        return f"‖{self(tree.tree)}‖"

    # -- operators ----------------------------------------------------------------------------

    def _add(self, tree: Add) -> str:
        text = ""
        for sign, part in tree.parts:
            shown = self(part, QUOTIENT if sign < 0 else SUM)
            if not text:
                text = f"−{shown}" if sign < 0 else shown
            else:
                text += f" − {shown}" if sign < 0 else f" + {shown}"
        return text

    def _times(self, tree: Times) -> str:
        parts = [self(p, PRODUCT) for p in tree.parts]
        body = tree.parts[-1]
        if isinstance(body, Kron | Hadamard) and len(parts) == 1:
            parts[-1] = self(body)
        elif isinstance(body, Chain) and body.kind == SCALAR and len(parts) > 1:
            parts[-1] = f"({parts[-1]})"
        for k, p in enumerate(tree.parts[:-1]):
            if isinstance(p, Chain):
                parts[k] = f"({parts[k]})"
        text = join(parts, tree.parts, loose=True)
        if tree.coefficient == 1:
            return text
        if tree.coefficient == -1:
            return f"−{text}"
        number = coefficient_text(tree.coefficient, self.sizes, factor=True)
        apart = text[:1].isdigit() or any(c in number for c in "/)√π")
        # n sum(x), and not nsum(x).
        apart = apart or (number[-1:].isalpha() and re.match(r"[^\W\d]{2}", text) is not None)
        return f"{number} {text}" if apart else number + text

    def _chain(self, tree: Chain) -> str:
        shown = without_one(tree.parts)
        return join([self(p, PRODUCT) for p in shown], shown, loose=False)

    def _flip(self, tree: Flip) -> str:
        inner = tree.tree
        if isinstance(inner, Inverse):
            return f"{self(inner.tree, POWER + 1)}⁻ᵀ"
        return f"{self(inner, POWER + 1)}ᵀ"

    def _inverse(self, tree: Inverse) -> str:
        return f"{self(tree.tree, POWER + 1)}⁻¹"

    def _hadamard(self, tree: Hadamard) -> str:
        return " ∘ ".join(self(p, PRODUCT) for p in tree.parts)

    def _kron(self, tree: Kron) -> str:
        left, right = self(tree.left, PRODUCT), self(tree.right, PRODUCT)
        if isinstance(tree.left, Chain):
            left = f"({left})"
        if isinstance(tree.right, Chain):
            right = f"({right})"
        return f"{left} ⊗ {right}"

    def _quotient(self, tree: Quotient) -> str:
        bottom = self(tree.bottom, PRODUCT)
        if isinstance(tree.bottom, Times | Chain):
            bottom = f"({bottom})"
        top = self(tree.top, QUOTIENT if isinstance(tree.top, Add) else SUM)
        return f"{top} / {bottom}"

    def _pow(self, tree: Pow) -> str:
        base = self(tree.base, POWER + 1)
        if isinstance(tree.base, Pow | Root):
            base = base if base.startswith("(") else f"({base})"
        exponent = self._exponent(tree.exponent)
        raised = superscript(exponent)
        if (
            isinstance(tree.base, Call)
            and tree.base.args
            and raised
            and is_elementary(tree.base.name)
        ):
            head, rest = base.split("(", 1) if "(" in base else (base, "")
            return f"{head}{raised}({rest}" if rest else base + raised
        if raised:
            return base + raised
        simple = re.fullmatch(r"[\w.]+|\[.*\]", exponent)
        return f"{base}^{exponent}" if simple else f"{base}^({exponent})"

    def _exponent(self, tree: Tree) -> str:
        """An exponent: fractions as such, x^(3/2) and not x^1.5."""
        if isinstance(tree, Number) and not isinstance(tree.value, complex):
            found = parts_of_number(absolute(tree.value), {})
            if (
                found is not None
                and 1 < found[0].fraction.denominator < 10
                and not (found[0].above or found[0].below)
            ):
                return ("−" if tree.value < 0 else "") + "/".join(found[1])
        return self(tree)

    def _root(self, tree: Root) -> str:
        return f"√{self(tree.tree, POWER + 1)}"

    # -- functions ----------------------------------------------------------------------------

    def _call(self, tree: Call) -> str:
        args = [self(a) for a in tree.args]
        if tree.name == "pad" and len(args) == 3:
            return "[" + ", ".join(filter(None, (args[1][1:-1], args[0], args[2][1:-1]))) + "]"
        sign = INFIX.get(tree.name)
        if sign is not None:
            return f"{self(tree.args[0], SUM)} {sign} {self(tree.args[1], SUM)}"
        if tree.name in ("logical_not", "invert"):
            return f"¬{self(tree.args[0], POWER)}"
        if tree.name == "abs" or tree.name == "absolute":
            return f"|{args[0]}|"
        if tree.name == "convert":
            return args[0]
        if tree.extra == "logdet":
            return f"log {args[0]}"
        options = [self._sized(o).replace("-", "−") for o in tree.options]
        return f"{FUNCTIONS.get(tree.name, tree.name)}({', '.join((*args, *options))})"

    def _sized(self, text: str) -> str:
        """An option or an index with lengths by name."""
        return named_lengths(text, lambda n: coefficient_text(n, self.sizes))

    def _literal(self, tree: Literal) -> str:
        return "[" + ", ".join(self._part(p) for p in tree.parts) + "]"

    def _part(self, tree: Tree) -> str:
        """A part of an array that is written out."""
        return self(tree, SUM if isinstance(tree, Write) else LOOSE)

    def _block(self, tree: Block) -> str:
        parts = [p for part in tree.parts for p in unrolled(part)]
        above = tree.kind != VECTOR if not tree.axis else False
        if tree.kind == VECTOR:
            above = all(p.kind == VECTOR and not isinstance(p, Number) for p in parts)
        return "[" + ("; " if above else ", ").join(map(self._block_part, parts)) + "]"

    def _block_part(self, tree: Tree) -> str:
        if isinstance(tree, Number) and tree.kind == VECTOR:
            number = coefficient_text(tree.value, self.sizes, factor=True)
            return "𝟎" if tree.value == 0 else f"{number}𝟏"
        return self._part(tree)

    def _write(self, tree: Write) -> str:
        text = f"{self(tree.tree, QUOTIENT)} with "
        written = [f"{self(value, SUM)} at {self._place(parts)}" for value, parts in tree.writes]
        return text + ", then ".join(written)

    def _place(self, parts: Sequence[Tree | str]) -> str:
        text = ", ".join(self._sized(p) if isinstance(p, str) else self(p) for p in parts)
        return f"({text})" if len(parts) > 1 else text

    def _entry(self, tree: Entry) -> str:
        base = self(tree.tree, POWER)
        index = self._sized(tree.index)[1:-1]
        if isinstance(tree.tree, Name) and index.isdigit() and not base[-1:].isdigit():
            return base + str(index).translate(SUBSCRIPTS)
        return f"{base}[{index}]"

    def _gather(self, tree: Gather) -> str:
        return f"{self(tree.tree, POWER)}[{self._places(tree.parts)}]"

    def _scatter(self, tree: Scatter) -> str:
        return f"scatter({self(tree.tree)} at {self._places(tree.parts)})"

    def _places(self, parts: Sequence[Tree | str]) -> str:
        return ", ".join(p if isinstance(p, str) else self(p) for p in parts)

    def _indexed(self, tree: Indexed) -> str:
        used = "".join(letters for _, letters in tree.factors)
        summed = sorted(set(used) - set(tree.out))
        parts: list[str] = []
        below: list[str] = []
        for f, letters in tree.shown():
            reciprocal = isinstance(f, Quotient) and is_reciprocal(f) and letters
            place = below if reciprocal else parts
            place.append(self._element(f.bottom if reciprocal else f, letters))  # type: ignore[attr-defined]
        sign = f"Σ[{','.join(summed)}] " if summed else ""
        number = coefficient_text(tree.coefficient, self.sizes, factor=True)
        gap = " " if number[-1:].isalpha() or any(c in number for c in "/)√") else ""
        under = below[0] if len(below) == 1 else f"({' '.join(below)})"
        return number + gap + sign + (" ".join(parts) or "1") + (f" / {under}" if below else "")

    def _element(self, f: Tree, letters: str) -> str:
        """A factor of a product in index notation."""
        if isinstance(f, Regular) and isinstance(f.rule, Band):
            return bracket(f.rule, *letters)
        return f"{self(f, POWER)}[{','.join(letters)}]" if letters else self(f, POWER)


class SizedUnicode(Unicode):
    """The printer for operators: identities show their size."""

    def _identity(self, tree: Identity) -> str:
        return "I" + str(tree.size).translate(SUBSCRIPTS)


def is_elementary(name: str) -> bool:
    """Whether powers of a function are written behind its name: sin²(x), but det(X)²."""
    return name == "expit" or getattr(getattr(np, name, None), "nin", 0) == 1


def named_lengths(text: str, name: Callable[[int], str]) -> str:
    """A text with the numbers in it that are lengths by name: those too large to be others."""
    return re.sub(r"\d+", lambda m: name(int(m[0])) if int(m[0]) > SHORT else m[0], text)


def coefficient_text(
    value: Coefficient, sizes: dict[int, str] | None = None, factor: bool = False
) -> str:
    """A number; in front of a product, 1 is not printed."""
    if factor and value in (1, -1):
        return "" if value == 1 else "−"
    if isinstance(value, complex):
        return str(value)
    sign, names = "−" if value < 0 else "", sizes or {}
    found = parts_of_number(absolute(value), names)
    if found is None:
        return f"{value:.6g}".replace("-", "−")
    number, (top, bottom) = found
    above = " ".join(c.text for c in number.above)
    if number.below:
        below = "·".join([*([] if bottom == "1" else [bottom]), *(c.text for c in number.below)])
        if len(number.below) > 1 or is_product(below, {0: number.below[0].text}):
            below = f"({below})"
        return (
            f"{sign}{' '.join(([] if top == '1' and above else [top]) + [above]).strip()}/{below}"
        )
    text = _fraction_text(number.fraction, top, bottom, names)
    if not above:
        return sign + text
    if text == "1":
        return sign + above
    if bottom == "2" and not top.isdigit():
        text = f"½{top}"
    return f"{sign}{text}{'' if text.isdigit() or text == '½' else ' '}{above}"


def _fraction_text(value: Rational, top: str, bottom: str, sizes: dict[int, str]) -> str:
    """A positive fraction whose numerator and denominator are spelled already."""
    if bottom == "1":
        return top
    if top.isdigit() and bottom.isdigit():
        short = VULGAR.get((top, bottom)) or decimal(value)
        if short is not None:
            return short
        if len(top) + len(bottom) > DIGITS_OF_FRACTION:
            return f"{float(value):.6g}".replace("-", "−")
    below = f"({bottom})" if is_product(bottom, sizes) else bottom
    return f"{top}/{below}"


def superscript(text: str) -> str | None:
    """The text as superscripts, or None if there are none for it."""
    plain = text.replace("−", "-").replace(" ", "")
    if re.fullmatch(r"-?\d+", plain):
        return plain.translate(SUPERSCRIPTS)
    if re.fullmatch(r"[\d+\-a-pr-z]+", plain) and len(re.findall("[a-z]", plain)) <= 2:
        raised = "".join(LETTER_SUPERSCRIPTS.get(c, c) for c in plain)
        return raised.translate(SUPERSCRIPTS)
    return None


def symbol_text(name: str) -> str:
    """A Python name as one writes it: ``theta_1`` is θ₁."""
    return greek(name)


def join(parts: list[str], trees: Sequence[Tree], loose: bool) -> str:
    """Factors side by side, without a space where both are single letters or brackets; functions
    among scalars (``loose``) stand apart."""
    text = parts[0]
    for k in range(1, len(parts)):
        left = ")" if parts[k - 1].startswith("(") else edge(trees[k - 1], -1)
        right = "(" if parts[k].startswith("(") else edge(trees[k], 0)
        tight = {left, right} <= {"(", ")", "letter"} or (
            not loose and left != "word" and right in ("diag", "(", "letter")
        )
        tight = tight or (left == "function" and right == "(")
        text += parts[k] if tight else f" {parts[k]}"
    return text


def edge(tree: Tree, side: int) -> str:
    """What a formula begins (side 0) or ends (side −1) with: a letter, a word, a function, ..."""
    if isinstance(tree, Name):
        return (
            "letter"
            if len(parts_of(symbol_text(tree.text))[0].rstrip("₀₁₂₃₄₅₆₇₈₉")) < 2
            else "word"
        )
    if isinstance(tree, Flip | Inverse | Entry):
        return edge(tree.tree, side)
    if isinstance(tree, Pow):
        return edge(tree.base, side)
    if isinstance(tree, Chain | Times) and tree.parts:
        number = isinstance(tree, Times) and tree.coefficient != 1
        return "number" if side == 0 and number else edge(tree.parts[side], side)
    if isinstance(tree, Call):
        return "diag" if tree.name in ("diag", "tr") else "function"
    if isinstance(tree, Identity | Ones | Norm):
        return "letter"
    if isinstance(tree, Regular):
        return "function"
    if isinstance(tree, Indexed):
        return "word"
    return "("
