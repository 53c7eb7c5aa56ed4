"""From expressions back to arrays or to a graph.

The operations are NumPy's, so on plain arrays they evaluate at once, and on traced values they make
nodes.  Contractions are multiplied pair by pair, in the cheapest order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from adjoint.graph.binding import PROJECTION
from adjoint.primitives.contraction import LETTERS, contract
from adjoint.simplify.contraction_order import pairwise
from adjoint.simplify.exact import HALF, Coefficient, is_exact, is_negative, plain
from adjoint.simplify.expression import (
    Apply,
    Expr,
    Labels,
    Power,
    Sum,
    Symbol,
    Term,
    number_of,
    split,
    walk,
)

REPEATED_PRODUCTS = 4
"""Powers up to this one are products, as NumPy's own power is exact for squares only."""


Find = Callable[[Expr, Mapping[Expr, Any]], Any]
"""The value of an expression, given those of its parts, or None."""


def evaluate(
    roots: Sequence[Expr],
    values: Mapping[Expr, Any],
    find: Find = lambda e, done: None,
) -> list[Any]:
    """The values of expressions, given those of their symbols; each part is computed once.

    ``find`` is asked first, with the values that there are so far.

    >>> import numpy as np
    >>> from adjoint.simplify.einstein import add, times
    >>> from adjoint.simplify.expression import symbol
    >>> x = symbol("x", (2,))
    >>> [y.tolist() for y in evaluate([add([times(x, x), x])], {x: np.array([2, 3])})]
    [[6, 12]]
    """
    done: dict[Expr, Any] = dict(values)
    for e in walk(roots, values):
        if e not in done:
            known = find(e, done)
            done[e] = _value(e, done) if known is None else known
    return [done[e] for e in roots]


def _value(e: Expr, done: Mapping[Expr, Any]) -> Any:
    value = number_of(e)
    if value is not None:
        # An array of floats: something may be written into a copy of it.
        return np.broadcast_to(1.0 * plain(value), e.shape) if e.rank else plain(value)
    if isinstance(e, Sum):
        return _sum(e, done)
    if isinstance(e, Power):
        return _power(done[e.base], number_of(e.exponent), done[e.exponent])
    if isinstance(e, Term):
        return _term(e, done)
    if isinstance(e, Symbol):
        return e.value
    assert isinstance(e, Apply)
    args = [1.0 * done[a] if number_of(a) is not None else done[a] for a in e.args]
    if e.primitive is PROJECTION:
        return args[0][e.params["index"]]
    if all(isinstance(a, np.ndarray | np.generic | int | float) for a in args):
        return e.primitive.evaluate(*args, **e.params)
    return e.primitive(*args, **e.params)


def _sum(e: Sum, done: Mapping[Expr, Any]) -> Any:
    total: Any = None
    for t in e.terms:
        c, rest = split(t)
        if total is not None and is_negative(c) and c == -1:
            total = total - (done[rest] if rest in done else _value(rest, done))
        else:
            total = done[t] if total is None else total + done[t]
    return total


def _power(base: Any, n: Coefficient | None, exponent: Any) -> Any:
    if not is_exact(n):
        return base**exponent
    if n == HALF:
        return np.sqrt(base)
    if n.denominator != 1:
        return base ** float(n)
    if n < 0:
        return 1 / _power(base, -n, None)
    if n <= REPEATED_PRODUCTS:
        half = base * base if n > 1 else base
        return half if n <= 2 else (half * base if n == 3 else half * half)
    return base ** int(n)


def _term(e: Term, done: Mapping[Expr, Any]) -> Any:
    factors = [(done[f], labels) for f, labels in e.factors]
    full = any(labels == e.out for _, labels in factors) and not e.has_delta
    if full and all(labels in ((), e.out) for _, labels in factors):
        result = factors[0][0]
        for value, _ in factors[1:]:
            result = result * value
    else:
        values = [v for v, _ in factors]
        small = _smallest(e)
        if small is not None:
            # Before the result is spread over deltas and broadcasts, there is less to multiply.
            values[small] = _scaled(e.coefficient, values[small])
            return _contraction(e, values)
        result = _contraction(e, values)
    return _scaled(e.coefficient, result)


def _scaled(c: Coefficient, value: Any) -> Any:
    if c == 1:
        return value
    return -value if c == -1 else value * plain(c)


def _smallest(e: Term) -> int | None:
    """The factor that has fewest elements, if those are fewer than the result has."""
    sizes = [math.prod(f.shape) for f, _ in e.factors]
    least = min(sizes, default=0)
    return sizes.index(least) if sizes and least < math.prod(e.shape) else None


def _contraction(e: Term, values: list[Any]) -> Any:
    """Pairs in the cheapest order; deltas and broadcasts in the last step."""
    terms: list[Labels] = [labels for _, labels in e.factors]
    if not terms:
        terms, values = [()], [1.0]
    names = _names(e)
    for i, j in pairwise(e)[0]:
        rest = [t for k, t in enumerate(terms) if k not in (i, j)]
        a, b = terms[i], terms[j]
        if rest:
            needed = set(e.out).union(*rest)
            result = tuple(k for k in dict.fromkeys((*a, *b)) if k in needed)
            value = contract(f"{names(a)},{names(b)}->{names(result)}", values[i], values[j])
            values = [v for k, v in enumerate(values) if k not in (i, j)] + [value]
            terms = [*rest, result]
    present = {i for t in terms for i in t}
    sizes = tuple(sorted((names((i,)), e.sizes[i]) for i in set(e.out) - present))
    spec = ",".join(map(names, terms)) + "->" + names(e.out)
    if len(terms) == 1 and terms[0] == e.out and not sizes and not e.has_delta:
        return values[0]
    return contract(spec, *values, sizes=sizes)


def _names(e: Term) -> Callable[[Labels], str]:
    letters = {i: LETTERS[k] for k, i in enumerate(e.sizes)}
    return lambda labels: "".join(letters[i] for i in labels)
