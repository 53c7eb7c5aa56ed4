"""The expression language of the command line: Python's grammar, and of it only mathematics.

A text is parsed by Python itself into a syntax tree, which is checked against a whitelist node by
node and then evaluated by `adjoint.cli.evaluation`.  It is never compiled or executed.
"""

from __future__ import annotations

import ast
import keyword
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rich.cells import cell_len

from adjoint.cli import language
from adjoint.cli.language import CONSTANTS, FUNCTIONS, SHORT, SIGNS, Function
from adjoint.errors import ExpressionError, nearest

_WINDOW = 72

_NAMED = {
    ast.Lambda: "a lambda", ast.ListComp: "a comprehension", ast.SetComp: "a comprehension",
    ast.DictComp: "a comprehension", ast.GeneratorExp: "a comprehension", ast.IfExp: "if and else",
    ast.BoolOp: "and and or", ast.NamedExpr: "an assignment",
    ast.Dict: "a dictionary", ast.Set: "a set", ast.JoinedStr: "text", ast.Await: "await",
    ast.Yield: "yield", ast.YieldFrom: "yield", ast.Starred: "unpacking with *",
}  # fmt: skip

COMPARISONS = {
    ast.Gt: ">", ast.GtE: ">=", ast.Lt: "<", ast.LtE: "<=", ast.Eq: "==", ast.NotEq: "!=",
}  # fmt: skip

_OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow, ast.MatMult)


@dataclass(frozen=True)
class Source:
    """A typed text, and where in it the syntax tree begins."""

    text: str
    shift: int = 0

    def column(self, node: ast.AST) -> int:
        """The character at which a node begins."""
        line = " " * self.shift + self.text
        before = line.encode()[: getattr(node, "col_offset", 0)]
        return max(0, len(before.decode(errors="ignore")) - self.shift)

    def operator_column(self, node: ast.BinOp, sign: str) -> int:
        """The character at which the sign between two operands stands."""
        line = (" " * self.shift + self.text).encode()
        first = len(line[: node.left.end_col_offset].decode(errors="ignore")) - self.shift
        last = self.column(node.right)
        at = self.text.find(sign, first, last)
        return at if at >= 0 else self.column(node)

    def caret(self, column: int) -> str:
        """The text with a caret under a column; of a long text, the part around it."""
        column = min(max(column, 0), len(self.text))
        first = max(0, column - _WINDOW // 2) if len(self.text) > _WINDOW else 0
        last = first + _WINDOW
        shown = "…" * (first > 0) + self.text[first:last] + "…" * (last < len(self.text))
        before = "…" * (first > 0) + self.text[first:column]
        return f"{shown}\n{' ' * cell_len(before)}^"

    def error(self, headline: str, at: ast.AST | int, hint: str = "") -> ExpressionError:
        column = at if isinstance(at, int) else self.column(at)
        error = ExpressionError(headline, where=self.caret(column), hint=hint)
        error.column = column  # type: ignore[attr-defined]
        return error


@dataclass(frozen=True)
class Expression:
    """A checked expression: its tree holds nothing but the language, its names are its variables
    in the order of mathematics (x1, x2, x10)."""

    source: Source
    body: ast.expr
    names: tuple[str, ...]

    @property
    def text(self) -> str:
        return self.source.text


def parse(text: str, given: Mapping[str, Any] | None = None) -> Expression:
    """The expression that a text stands for.

    ``given`` holds the names that have a value; such a name is a variable even if the language has
    a constant of that name.

    Raises
    ------
    ExpressionError: the text does not parse, or contains something outside the language.  It shows
        the place with a caret.

    >>> parse("exp(x1*x2**2)").names
    ('x1', 'x2')
    """
    source = Source(_one_line(text))
    body = _syntax_tree(source, source.text)
    known = frozenset(given or ())
    found = _Check(source, known).names(body)
    return Expression(source, body, tuple(sorted(found, key=natural)))


def parse_assignments(text: str) -> tuple[dict[str, Expression], list[Expression]]:
    """``x1=1, A=[[1, 2], [3, 4]]`` as an expression for each name, and those without a name.

    >>> named, unnamed = parse_assignments("x=1, y=[2, 3]")
    >>> list(named), unnamed
    (['x', 'y'], [])
    """
    source = Source(_one_line(text), shift=2)
    call = _syntax_tree(source, f"_({source.text})")
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
        raise source.error("a point is written as name=value, name=value.", 0)
    named: dict[str, Expression] = {}
    check = _Check(source, frozenset())
    for entry in call.keywords:
        if entry.arg is None:
            raise source.error("a point has no **.", entry.value)
        if entry.arg in named:
            raise source.error(f"{entry.arg} is given twice.", entry)
        check.without_names(entry.value, entry.arg)
        named[entry.arg] = Expression(source, entry.value, ())
    for value in call.args:
        check.without_names(value, "a point")
    return named, [Expression(source, value, ()) for value in call.args]


def natural(name: str) -> tuple[Any, ...]:
    """A key that sorts x2 before x10."""
    return tuple((int(p), "") if p.isdigit() else (-1, p) for p in re.split(r"(\d+)", name) if p)


def _one_line(text: str) -> str:
    joined = re.sub(r"\s", " ", text).strip()
    if not joined:
        raise ExpressionError("the expression is empty.", hint='write one: "x**2 + sin(x)".')
    if len(joined) > language.MAX_TEXT:
        raise ExpressionError(
            f"an expression has at most {language.MAX_TEXT} characters; this one has {len(joined)}."
        )
    return joined


def _syntax_tree(source: Source, text: str) -> ast.expr:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # SyntaxWarning: 1(x), x is 1; the check answers those
            return ast.parse(text, mode="eval").body
    except SyntaxError as error:
        raise _explain(source, error) from None
    except (MemoryError, RecursionError):
        raise source.error("the expression is nested too deeply.", 0) from None
    except (ValueError, OverflowError) as error:
        raise source.error(f"the expression cannot be read: {error}.", 0) from None


def _explain(source: Source, error: SyntaxError) -> ExpressionError:
    """A syntax error in words of mathematics where Python's are about programs."""
    column = max(0, (error.offset or 1) - 1 - source.shift)
    text = source.text
    place = min(column, max(0, len(text) - 1))
    for sign, (words, _) in SIGNS.items():
        at = text.find(sign)
        if at >= 0 and not (sign == "=" and ("==" in text or source.shift)):
            return source.error(f"{sign} cannot be read: {words}.", at)
    juxtaposed = re.search(r"(?<![\w.])(\d[\d.]*)([^\W\d]\w*)", text)
    if "decimal literal" in (error.msg or "") and juxtaposed:
        number, name = juxtaposed.groups()
        return source.error("a product needs its sign.", place, f"write {number}*{name}.")
    neighbours = re.search(r"[\w)\]]( +)(?=[\w(\[])", text)
    if "Perhaps you forgot a comma" in (error.msg or "") or (neighbours and not _reserved(text)):
        at = neighbours.start(1) if neighbours else place
        called = re.search(r"(\w+) *$", text[:at])
        if called and called[1] in SHORT:
            hint = f"write {called[1]}(...) with brackets, and * between factors."
            return source.error("a function needs brackets around its argument.", at, hint)
        return source.error("two values stand side by side.", at, "write * between them.")
    message = (error.msg or "it does not parse").removesuffix(" (<unknown>, line 1)")
    return source.error(f"the expression does not parse: {message}.", column)


def _reserved(text: str) -> bool:
    return any(keyword.iskeyword(word) for word in re.findall(r"\w+", text))


class _Check:
    """Walks a tree, and refuses what is not on the list; collects the names of variables."""

    def __init__(self, source: Source, given: frozenset[str]) -> None:
        self.source = source
        self.given = given
        self.found: set[str] = set()
        self.rules: dict[type[ast.AST], Callable[[Any, int], None]] = {
            ast.Constant: self._constant, ast.Name: self._name, ast.BinOp: self._binary,
            ast.UnaryOp: self._unary, ast.Call: self._call, ast.Attribute: self._attribute,
            ast.Subscript: self._subscript, ast.List: self._list, ast.Tuple: self._tuple,
            ast.Compare: self._compare,
        }  # fmt: skip

    def names(self, body: ast.expr) -> set[str]:
        self._visit(body, 0)
        return self.found

    def without_names(self, body: ast.expr, what: str) -> None:
        for name in sorted(self.names(body)):
            node = next(n for n in ast.walk(body) if isinstance(n, ast.Name) and n.id == name)
            raise self.source.error(f"{what} needs a value; {name} is a name.", node)

    def _visit(self, node: ast.AST, depth: int) -> None:
        if depth > language.MAX_DEPTH:
            raise self.source.error(
                f"the expression is nested more than {language.MAX_DEPTH} deep.", node
            )
        rule = self.rules.get(type(node))
        if rule is None:
            name = _NAMED.get(type(node), type(node).__name__)
            raise self.source.error(
                f"the language of expressions has no place for {name}.",
                node,
                "put it in a file and use file.py:function.",
            )
        rule(node, depth + 1)

    def _constant(self, node: ast.Constant, depth: int) -> None:
        if isinstance(node.value, bool) or not isinstance(node.value, int | float):
            kind = {str: "text", bytes: "text", complex: "an imaginary number"}.get(
                type(node.value), repr(node.value)
            )
            raise self.source.error(f"an expression is made of real numbers; this is {kind}.", node)

    def _name(self, node: ast.Name, depth: int) -> None:
        name = node.id
        if name.startswith("_"):
            raise self.source.error(f"names of variables begin with a letter, not {name!r}.", node)
        if name in self.given:
            self.found.add(name)
        elif SHORT.get(name, "").startswith("np."):
            raise self.source.error(
                f"{name} is a function and needs its argument.", node, f"write {name}(x)."
            )
        elif name in language.ROOTS:
            raise self.source.error(f"{name} needs a function after it.", node, "write np.sin(x).")
        elif name not in CONSTANTS:
            self.found.add(name)

    def _binary(self, node: ast.BinOp, depth: int) -> None:
        if not isinstance(node.op, _OPERATORS):
            hint = "powers are written with **." if isinstance(node.op, ast.BitXor) else ""
            signs = {ast.BitXor: "^", ast.FloorDiv: "//", ast.Mod: "%", ast.BitAnd: "&",
                     ast.BitOr: "|", ast.LShift: "<<", ast.RShift: ">>"}  # fmt: skip
            sign = signs.get(type(node.op), "this")
            at = self.source.text.find(sign, self.source.column(node.left))
            raise self.source.error(
                f"the operators are + - * / ** @, and {sign} is not one of them.",
                at if at >= 0 else node,
                hint,
            )
        self._visit(node.left, depth)
        self._visit(node.right, depth)

    def _unary(self, node: ast.UnaryOp, depth: int) -> None:
        if not isinstance(node.op, ast.UAdd | ast.USub):
            raise self.source.error("the signs before a value are + and -.", node)
        self._visit(node.operand, depth)

    def _compare(self, node: ast.Compare, depth: int) -> None:
        if len(node.ops) > 1 or type(node.ops[0]) not in COMPARISONS:
            raise self.source.error(
                f"a comparison is one of {' '.join(COMPARISONS.values())}, between two values.",
                node,
                "write where(x > 0, where(x < 1, a, b), b) for 0 < x < 1.",
            )
        self._visit(node.left, depth)
        self._visit(node.comparators[0], depth)

    def _call(self, node: ast.Call, depth: int) -> None:
        function = self.function(node.func)
        for argument in node.args:
            self._visit(argument, depth)
        for entry in node.keywords:
            if entry.arg is None or entry.arg not in function.keywords:
                allowed = ", ".join(sorted(function.keywords)) or "none"
                raise self.source.error(
                    f"{function.path} takes the options {allowed}; got {entry.arg or '**'}.",
                    entry.value,
                )
            if not _is_option(entry.value):
                raise self.source.error(f"the option {entry.arg} is an integer.", entry.value)
        count = len(node.args)
        if not function.fewest <= count <= function.most:
            needs = " or ".join(str(n) for n in sorted({function.fewest, function.most}))
            raise self.source.error(
                f"{function.path} takes {needs} argument{'s' * (needs != '1')}; got {count}.", node
            )
        for option in node.args[function.operands :]:
            if not _is_option(option):
                raise self.source.error(
                    f"the second argument of {function.path} is an integer or inf.", option
                )

    def function(self, node: ast.expr) -> Function:
        """The function of the language that a call names."""
        path = _dotted(node)
        if path is None:
            raise self.source.error(
                "only functions can be called.", node, "write * for a product: x*(y + 1)."
            )
        found = lookup(path)
        if found is None:
            raise self._unknown(path, node)
        return found

    def _unknown(self, path: str, node: ast.expr) -> ExpressionError:
        last = path.rpartition(".")[2]
        alias = language.OTHER_NAMES.get(last)
        if last in language.WRITTEN_AS:
            return self.source.error(f"{path} is not a function of the language.", node,
                                     f"write {language.WRITTEN_AS[last]}.")  # fmt: skip
        if path.startswith("_"):
            return self.source.error(
                f"{path} is not a function of the language; names of functions begin with a "
                "letter.",
                node,
                "`adjoint derive --help` lists the functions.",
            )
        close = [alias] if alias else nearest(last, SHORT)
        if re.fullmatch(r"[^\W\d]\d*", path) or not (alias or close or "." in path):
            return self.source.error(
                f"{path} is not a function of the language.", node,
                "write * for a product: x*(y + 1); `adjoint derive --help` lists the functions.",
            )  # fmt: skip
        question = f" Did you mean {' or '.join(close)}?" if close else ""
        return self.source.error(f"{path} is not a function of the language.{question}", node)

    def _attribute(self, node: ast.Attribute, depth: int) -> None:
        path = _dotted(node)
        root, _, rest = path.partition(".") if path else ("", "", "")
        if path and root in ("np", "numpy") and root not in self.given:
            if rest in CONSTANTS:
                return
            known = lookup(path)
            hint = f"write {path}(x)." if known else ""
            raise self.source.error(f"{path} is not a number.", node, hint)
        if node.attr != "T":
            raise self.source.error(
                f"the only attribute of a value is .T; got .{node.attr}.", node.value,
                "functions are called as np.sum(x), not x.sum().",
            )  # fmt: skip
        self._visit(node.value, depth)

    def _subscript(self, node: ast.Subscript, depth: int) -> None:
        self._visit(node.value, depth)
        index = node.slice
        for part in index.elts if isinstance(index, ast.Tuple) else (index,):
            bounds = (part.lower, part.upper, part.step) if isinstance(part, ast.Slice) else (part,)
            for bound in bounds:
                if bound is not None and not _is_integer(bound):
                    raise self.source.error("an index is an integer or a slice.", bound)

    def _list(self, node: ast.List, depth: int) -> None:
        if not node.elts:
            raise self.source.error("a vector needs an element.", node)
        for element in node.elts:
            self._visit(element, depth)

    def _tuple(self, node: ast.Tuple, depth: int) -> None:
        if not node.elts or not all(map(_is_integer, node.elts)):
            raise self.source.error("vectors are written [1, 2], with brackets.", node)


def lookup(path: str) -> Function | None:
    """The function of a typed name, short (``sin``) or with its module (``np.sin``)."""
    root, dot, rest = path.partition(".")
    if not dot:
        return FUNCTIONS.get(SHORT.get(path, ""))
    full = f"{language.ROOTS.get(root, '')}.{rest}"
    return FUNCTIONS.get(full) or (FUNCTIONS.get(f"np.{path}") if root == "linalg" else None)


def _dotted(node: ast.expr) -> str | None:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else None


def dotted(node: ast.expr) -> str:
    """``np.linalg.norm`` as it was typed; the tree has been checked."""
    return _dotted(node) or ""


def _is_integer(node: ast.expr) -> bool:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        node = node.operand
    return isinstance(node, ast.Constant) and type(node.value) is int and abs(node.value) < 2**31


def _is_option(node: ast.expr) -> bool:
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        return True
    if isinstance(node, ast.Name) and node.id == "inf":
        return True
    return _is_integer(node)


def functions_by_module() -> Iterator[tuple[str, list[str]]]:
    """The language's functions, for the help."""
    for root in ("np", "np.linalg", "scipy.special"):
        names = [full.rpartition(".")[2] for full in FUNCTIONS if full.rpartition(".")[0] == root]
        yield root, sorted(names)
