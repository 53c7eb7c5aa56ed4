"""Arithmetic: sums, products, quotients and powers, and the patterns built of them that have to be
differentiated as a whole."""

from __future__ import annotations

from typing import Any

import numpy as np

from adjoint.graph.ir import Constant, Node
from adjoint.graph.scope import NO_SCOPES
from adjoint.graph.tracer import Tracer, wrap
from adjoint.primitives.scalar import POSITIVE, REAL, recognises, row
from adjoint.primitives.undefined import notice

add = row(np.add, 1, 1, latex="{0} + {1}")
subtract = row(np.subtract, 1, -1, latex="{0} - {1}")
multiply = row(np.multiply, lambda a, b, y: b, lambda a, b, y: a, latex=r"{0} \, {1}")
divide = row(
    np.divide,
    lambda a, b, y: 1 / b,
    lambda a, b, y: -y / b,
    latex=r"\frac{{{0}}}{{{1}}}",
    domain=(*REAL, *POSITIVE),
)
negative = row(np.negative, -1, latex="-{0}")
positive = row(np.positive, 1, latex="{0}")
square = row(np.square, lambda x, y: 2 * x, latex="{0}^2")
reciprocal = row(np.reciprocal, lambda x, y: -y * y, latex=r"\frac{{1}}{{{0}}}", domain=POSITIVE)
sqrt = row(np.sqrt, lambda x, y: 0.5 / y, latex=r"\sqrt{{{0}}}", domain=POSITIVE)
cbrt = row(
    np.cbrt, lambda x, y: 1 / (3 * y * y), latex=r"\sqrt[3]{{{0}}}", domain=POSITIVE,
    holomorphic=False,
)  # fmt: skip


def _safe_reciprocal_root(x: Any, y: Any) -> Any:
    # Where the squares overflow, y/x is NaN and 1/y would be a silent 0.
    kink = notice(x == 0, "the root of a sum of squares at 0")
    return np.where(kink, 0.0, 0.5 * y / np.where(kink, 1.0, x))


root_of_squares = row(
    lambda x: np.sqrt(x),
    _safe_reciprocal_root,
    name="root_of_squares",
    latex=r"\sqrt{{{0}}}",
    domain=POSITIVE,
)
"""√u where u is a sum of squares: at u = 0 it has the kink of |x|, and its derivative is 0."""


x_log_x = row(
    lambda x: x * np.log(x),
    lambda x, y: np.log(x) + 1,
    name="x_log_x",
    latex=r"{0} \log {0}",
    domain=POSITIVE,
)
"""x log x as one function, for its derivative log x + 1 has no 0/0 in it."""


def _power_in_base(x: Any, n: Any, y: Any) -> Any:
    if not isinstance(n, Tracer) and np.ndim(n) == 0:
        n = n.item() if isinstance(n, np.generic | np.ndarray) else n
        # A constant exponent: n x^(n-1), exact at x = 0 in every order.
        if n == 0:
            return np.zeros_like(y)
        return n if n == 1 else n * x ** (n - 1)
    # At x = 0, n = 0 this is 0·∞.  Elsewhere n = 0 is a point like any other of an exponent that
    # varies: a constant in its place would lose the derivatives of n xⁿ⁻¹ there.
    edge: Any = n == 0
    if isinstance(n, Tracer):
        edge = edge & (x == 0)
    return np.where(edge, 0.0, n * x ** np.where(edge, 1.0, n - 1))


def _power_in_exponent(x: Any, n: Any, y: Any) -> Any:
    # xⁿ log x; for x = 0 and n ≥ 0 its limit 0 is the convention.
    at_zero = (x == 0) & (np.real(n) >= 0)
    return np.where(at_zero, 0.0, y * np.log(np.where(at_zero, 1.0, x)))


power = row(
    np.power, _power_in_base, _power_in_exponent, latex="{0}^{{{1}}}", domain=(*POSITIVE, *REAL)
)
float_power = row(
    np.float_power, _power_in_base, _power_in_exponent, latex="{0}^{{{1}}}",
    domain=(*POSITIVE, *REAL),
)  # fmt: skip


@recognises(power)
def _constant_power(x: Any, n: Any) -> Any:
    """x², √x and 1/x are rows of their own, as they are in NumPy's own power operator."""
    if type(n) in (int, float) and isinstance(x, Tracer) and x.dtype.kind in "fc":
        if n == 2:
            return square(x)
        if n == 1:
            return positive(x)
        if n == 0.5:
            return sqrt(x)
        if n == -1:
            return reciprocal(x)
    return None


# -- patterns -----------------------------------------------------------------------------------


@recognises(square)
def _square_of_root(x: Any) -> Any:
    """(√u)² of a sum of squares is u, and |x|² is x²: smooth at 0, where the roots are not."""
    squares = operands_of(x, "root_of_squares")
    if squares is not None:
        return positive(squares[0])
    inner = operands_of(x, "absolute")
    if inner is None:
        return None
    z = inner[0]
    if z.dtype.kind != "c":
        return square(z)
    return square(z.real) + square(z.imag)


@recognises(multiply)
def _product_with_itself(a: Any, b: Any) -> Any:
    """|x|·|x| is |x|², and x·log x is differentiated as a whole: its derivative at 0 is −∞."""
    if not (isinstance(a, Tracer) and isinstance(b, Tracer)):
        return None
    left, right = a.node, b.node
    kind, other = left.primitive.name, right.primitive.name
    if kind == other and kind in ("absolute", "root_of_squares"):
        return square(a) if same_value(left.inputs[0], right.inputs[0]) else None
    if other == "log" and right.inputs[0] is left:
        return x_log_x(a) if a.dtype.kind == "f" else None
    if kind == "log" and left.inputs[0] is right:
        return x_log_x(b) if b.dtype.kind == "f" else None
    return None


@recognises(sqrt)
def _root(x: Any) -> Any:
    if isinstance(x, Tracer) and is_sum_of_squares(x.node):
        return root_of_squares(x)
    return None


def is_sum_of_squares(node: Node) -> bool:
    """Whether a node is visibly ≥ 0 with gradient 0 wherever it is 0: sums, means and sums over
    axes of squares of anything."""
    pending = [node]
    seen = 0
    while pending:
        node = pending.pop()
        seen += 1
        if seen > 32:
            return False
        name, inputs = node.primitive.name, node.inputs
        if name == "square" or (name in ("multiply", "abs_squared") and inputs[0] is inputs[-1]):
            if node.type.dtype.kind != "f":
                return False
        elif name == "einsum" and len(inputs) == 2 and inputs[0] is inputs[1]:
            terms = node.params["subscripts"].split("->")[0].split(",")
            if terms[0] != terms[1] or node.type.dtype.kind != "f":
                return False
        elif name == "getitem":
            pending.append(inputs[0])
        elif name in ("add", "positive", "reshape", "variable", "convert") or (
            name == "einsum" and len(inputs) == 1
        ):
            if not inputs or node.type.dtype.kind != "f":
                return False
            pending.extend(inputs)
        elif name in ("divide", "multiply"):
            scales = [n for n in inputs if _is_positive_constant(n)]
            rest = [n for n in inputs if n not in scales]
            if len(rest) != 1 or (name == "divide" and rest[0] is not inputs[0]):
                return False
            pending.extend(rest)
        else:
            return False
    return True


def same_value(a: Node, b: Node) -> bool:
    """Whether two nodes visibly compute the same from the same nodes, as an expression that is
    written twice does."""
    pending = [(a, b)]
    for _ in range(32):
        if not pending:
            return True
        a, b = pending.pop()
        if a is b or _same_constant(a, b):
            continue
        if a.primitive is not b.primitive or not a.inputs or len(a.inputs) != len(b.inputs):
            return False
        # Two variables may stand for one value, but a derivative takes one of them only.
        if a.primitive.name == "variable" or not _same_params(a.params, b.params):
            return False
        pending += zip(a.inputs, b.inputs, strict=True)
    return False


def _same_constant(a: Node, b: Node) -> bool:
    if not (isinstance(a, Constant) and isinstance(b, Constant)):
        return False
    if isinstance(a.value, np.ndarray) and a.source is not b.source:
        return False  # two arrays of the user's, equal only now
    return type(a.value) is type(b.value) and bool(np.array_equal(a.value, b.value))


def _same_params(a: dict[str, Any], b: dict[str, Any]) -> bool:
    plain = (str, int, float, tuple, np.dtype, type(None))
    return a is b or (
        a.keys() == b.keys() and all(isinstance(v, plain) and v == b[k] for k, v in a.items())
    )


def _is_positive_constant(node: Node) -> bool:
    return node.scopes is NO_SCOPES and node.value is not None and bool(np.all(node.value > 0))


def constant_value(operand: Any) -> Any:
    """The Python number a constant scalar operand is, or None."""
    if isinstance(operand, Tracer):
        node = operand.node
        operand = node.value if node.scopes is NO_SCOPES else None
    if operand is None or np.ndim(operand) != 0:
        return None
    return operand if not hasattr(operand, "item") else operand.item()


def operands_of(value: Any, primitive: str) -> tuple[Any, ...] | None:
    """The operands of a traced value that was made by the named primitive."""
    if not isinstance(value, Tracer):
        return None
    node = value.node
    if node.primitive.name != primitive or node.scopes.dead:
        return None
    return tuple(n.value if n.scopes is NO_SCOPES else wrap(n) for n in node.inputs)
