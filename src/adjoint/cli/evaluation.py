"""The value of a checked expression, on plain arrays or on traced values.

Each node of the tree is answered by NumPy.  Integers stay integers as long as they are exact (they
serve as exponents, indices and sizes) and become float64 before they could grow without bound.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from adjoint.cli import language
from adjoint.cli.expressions import Expression, Source, dotted, lookup
from adjoint.cli.language import CONSTANTS, implementation
from adjoint.errors import AdjointError
from adjoint.graph.arraytype import describe
from adjoint.graph.tracer import Tracer

EXACT = 2**53

_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul,
    ast.Div: operator.truediv, ast.Pow: operator.pow, ast.MatMult: operator.matmul,
}  # fmt: skip

_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Gt: np.greater, ast.GtE: np.greater_equal, ast.Lt: np.less, ast.LtE: np.less_equal,
    ast.Eq: np.equal, ast.NotEq: np.not_equal,
}  # fmt: skip

_SIGN: dict[type[ast.operator], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**", ast.MatMult: "@",
}  # fmt: skip


class EvaluationError(AdjointError, ValueError):
    """An expression cannot be evaluated at a point."""


def evaluate(expression: Expression, values: Mapping[str, Any]) -> Any:
    """The value of an expression, given its variables.

    Raises
    ------
    EvaluationError: NumPy or Adjoint refuse a step; the message has a caret under that step.

    >>> from adjoint.cli.expressions import parse
    >>> float(evaluate(parse("x**2 + 1"), {"x": 3.0}))
    10.0
    """
    with np.errstate(all="ignore"):
        value = _Evaluation(expression.source, values).value(expression.body)
    return np.float64(value) if isinstance(value, int | float) else value


class _Evaluation:
    def __init__(self, source: Source, values: Mapping[str, Any]) -> None:
        self.source = source
        self.values = values

    def value(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant():
                return _number(node.value)
            case ast.Name():
                return self.values[node.id] if node.id in self.values else CONSTANTS[node.id]
            case ast.BinOp():
                left, right = self.value(node.left), self.value(node.right)
                return self._step(node, lambda: _fitting(node.op, left, right))
            case ast.Compare():
                sides = self.value(node.left), self.value(node.comparators[0])
                return self._step(node, lambda: _COMPARE[type(node.ops[0])](*sides))
            case ast.UnaryOp():
                operand = self.value(node.operand)
                return operand if isinstance(node.op, ast.UAdd) else self._step(
                    node, lambda: -operand
                )  # fmt: skip
            case ast.Call():
                return self._call(node)
            case ast.Attribute():
                return self._attribute(node)
            case ast.Subscript():
                array, index = self.value(node.value), _index(node.slice)
                return self._step(node, lambda: np.asanyarray(array)[index]
                                  if isinstance(array, int | float) else array[index])  # fmt: skip
            case ast.List():
                elements = [self.value(element) for element in node.elts]
                return self._step(node, lambda: np.stack(elements))
            case ast.Tuple():
                return tuple(_integer(element) for element in node.elts)
        raise AssertionError(f"{type(node).__name__} passed the check of the language")

    def _call(self, node: ast.Call) -> Any:
        function = lookup(dotted(node.func))
        assert function is not None
        arguments = [self.value(argument) for argument in node.args]
        options = {str(k.arg): _option(k.value) for k in node.keywords}
        if function.sizes:
            self._bound(node, function.path, arguments)
        called = implementation(function)
        return self._step(node, lambda: called(*arguments, **options), arguments)

    def _bound(self, node: ast.Call, path: str, arguments: list[Any]) -> None:
        limit = language.MAX_POWER if path == "linalg.matrix_power" else language.MAX_ELEMENTS
        for argument in arguments:
            size = 1
            for n in argument if isinstance(argument, tuple) else (argument,):
                size *= max(1, abs(n)) if isinstance(n, int) else 1
            if size > limit:
                raise self._refuse(node, f"{path} goes up to {limit} here; got {argument}")

    def _attribute(self, node: ast.Attribute) -> Any:
        if isinstance(node.value, ast.Name) and node.value.id not in self.values:
            return CONSTANTS[node.attr]
        operand = self.value(node.value)
        return self._step(node, lambda: np.transpose(operand))

    def _step(
        self, node: ast.expr, compute: Callable[[], Any], operands: Sequence[Any] = ()
    ) -> Any:
        """One operation, its failure shown where it stands in the text, with what it got."""
        try:
            result = compute()
        except EvaluationError:
            raise
        except AdjointError as error:
            raise self._refuse(node, error.headline.rstrip("."), error.hint) from error
        except (ArithmeticError, IndexError, TypeError, ValueError) as error:
            words = str(error).rstrip(".") or type(error).__name__
            raise self._refuse(node, words + _got(operands)) from error
        size = getattr(result, "size", 1)
        if size > language.MAX_ELEMENTS and not _is_abstract(result):
            raise self._refuse(
                node,
                f"an expression goes up to {language.MAX_ELEMENTS} elements; this has {size}",
                "put it in a file and use file.py:function.",
            )
        return result

    def _refuse(self, node: ast.expr, words: str, hint: str = "") -> EvaluationError:
        column = (
            self.source.operator_column(node, _SIGN[type(node.op)])
            if isinstance(node, ast.BinOp)
            else self.source.column(node)
        )
        error = EvaluationError(f"{words}.", where=self.source.caret(column), hint=hint)
        error.column = column  # type: ignore[attr-defined]
        return error


def _got(operands: Sequence[Any]) -> str:
    """The arrays among the operands of a function, for the message of NumPy."""
    arrays = [describe(np.asarray(v)) for v in operands if np.ndim(v)]
    return f"; got {' and '.join(arrays)}" if arrays else ""


def _is_abstract(value: Any) -> bool:
    """Whether a value stands for all of its shape, and needs no memory."""
    return isinstance(value, Tracer) and value.node.value is None


def _number(value: Any) -> Any:
    if not isinstance(value, int) or abs(value) <= EXACT:
        return value
    try:
        return float(value)
    except OverflowError:
        return np.inf if value > 0 else -np.inf


def _fitting(op: ast.operator, left: Any, right: Any) -> Any:
    """The operation, refused in terms of both shapes where they do not fit."""
    try:
        return _binary(op, left, right)
    except ValueError as error:
        if isinstance(error, AdjointError) and "needs shapes that fit; got" in error.headline:
            raise
        sides = " and ".join(describe(np.asarray(v) if isinstance(v, list) else v)
                             for v in (left, right))  # fmt: skip
        raise ValueError(f"{_SIGN[type(op)]} needs shapes that fit; got {sides}") from error


def _binary(op: ast.operator, left: Any, right: Any) -> Any:
    plain = isinstance(left, int | float) and isinstance(right, int | float)
    if not plain:
        return _BINARY[type(op)](left, right)
    exact = isinstance(left, int) and isinstance(right, int)
    if exact and isinstance(op, ast.Add | ast.Sub | ast.Mult):
        return _number(_BINARY[type(op)](left, right))
    found = float(_BINARY[type(op)](np.float64(left), np.float64(right)))
    whole = exact and isinstance(op, ast.Pow) and right >= 0 and abs(found) < EXACT
    return int(found) if whole else found


def _integer(node: ast.expr) -> int:
    if isinstance(node, ast.UnaryOp):
        return -_integer(node.operand)
    assert isinstance(node, ast.Constant) and isinstance(node.value, int)
    return node.value


def _option(node: ast.expr) -> Any:
    if isinstance(node, ast.Name):
        return np.inf
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        return node.value
    return _integer(node)


def _index(node: ast.expr) -> Any:
    if isinstance(node, ast.Tuple):
        return tuple(_index(part) for part in node.elts)
    if isinstance(node, ast.Slice):
        bounds = (node.lower, node.upper, node.step)
        return slice(*(None if b is None else _integer(b) for b in bounds))
    return _integer(node)
