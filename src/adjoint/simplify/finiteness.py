"""Whether an expression is finite: where it is not, zero times it is not zero."""

from __future__ import annotations

from adjoint.simplify.expression import Apply, Expr, Power, Sum, Symbol, Term, number_of, walk

TRUTH = frozenset((
    "equal", "not_equal", "less", "less_equal", "greater", "greater_equal", "isnan", "isinf",
    "isfinite", "logical_and", "logical_or", "logical_not", "logical_xor", "bitwise_and",
    "bitwise_or", "invert",
))  # fmt: skip
"""Primitives that answer a question for each element."""

_BOUNDED = frozenset((
    "maximum", "minimum", "fmax", "fmin", "clip", "max", "min", "absolute", "negative", "tanh",
    "sin", "cos", "arctan", "expit", "erf", "arcsinh", "sign",
))  # fmt: skip
"""Functions that are finite wherever their operands are."""


_ENTIRE = frozenset((
    "exp", "expm1", "sinh", "cosh", "stack", "getitem", "setitem", "scatter_add", "reshape",
    "concatenate", "sum", "cumsum", "heaviside", "floor", "ceil", "convert", "softmax", "logsumexp",
))  # fmt: skip
"""Functions that grow without bound, but have no pole; and arrangements of elements."""


def stays_finite(root: Expr) -> bool:
    """Whether an expression is finite for all finite values of its symbols, but for overflow of
    sums and products."""
    if root.finite is None:
        for e in walk([root], _Decided()):
            if e.finite is None:
                e.finite = _is_finite(e) and all(c.finite for c in _followed(e))
    return bool(root.finite)


def has_no_pole(root: Expr) -> bool:
    """Whether an expression is finite for all finite values of its symbols, exponentials that
    overflow aside."""
    return all(_is_finite(e) or (isinstance(e, Apply) and e.name in _ENTIRE) for e in walk([root]))


class _Decided:
    """The expressions of which it is known whether they are finite."""

    def __contains__(self, e: object) -> bool:
        return isinstance(e, Expr) and e.finite is not None


def _followed(e: Expr) -> tuple[Expr, ...]:
    """The operands that matter: a choice is as finite as its branches."""
    if isinstance(e, Apply) and e.name in TRUTH:
        return ()
    return e.children()[1:] if isinstance(e, Apply) and e.name == "where" else e.children()


def _is_finite(e: Expr) -> bool:
    if isinstance(e, Apply):
        return e.name in _BOUNDED or e.name in TRUTH or e.name == "where"
    if isinstance(e, Power):
        n = number_of(e.exponent)
        return n is not None and not isinstance(n, complex) and n >= 0 and n == int(n)
    return isinstance(e, Symbol | Sum | Term)
