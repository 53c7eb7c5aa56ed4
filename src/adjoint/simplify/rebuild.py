"""From expressions back to arrays or to a graph.

Contractions are multiplied pair by pair, in the cheapest order.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Protocol

import numpy as np

from adjoint.graph.binding import PROJECTION
from adjoint.primitives.contraction import LETTERS, Sizes, contract
from adjoint.simplify.contraction_order import cheapest_order
from adjoint.simplify.exact import HALF, Coefficient, is_exact, plain
from adjoint.simplify.expression import (
    Apply,
    Expr,
    Labels,
    Power,
    Sum,
    Symbol,
    Term,
    below,
    coefficient_of,
    is_number,
    number_of,
    split,
)

REPEATED_PRODUCTS = 4
"""Powers up to this one are products, as NumPy's own power is exact for squares only."""


Find = Callable[[Expr, Mapping[Expr, Any]], Any]
"""The value of an expression, given those of its parts, or None."""


class Operations(Protocol):
    """What expressions are built of, on one kind of value."""

    def outside(self, e: Symbol) -> Any:
        """A value that is used as it is."""

    def number(self, value: Any, shape: Labels) -> Any:
        """A number in all elements of an array."""

    def add(self, a: Any, b: Any) -> Any: ...

    def subtract(self, a: Any, b: Any) -> Any: ...

    def multiply(self, a: Any, b: Any) -> Any: ...

    def divide(self, a: Any, b: Any) -> Any: ...

    def negative(self, a: Any) -> Any: ...

    def sqrt(self, a: Any) -> Any: ...

    def power(self, a: Any, b: Any) -> Any: ...

    def contract(self, subscripts: str, operands: list[Any], sizes: Sizes) -> Any: ...

    def apply(self, e: Apply, args: list[Any]) -> Any:
        """A primitive of values."""


class OnArrays:
    """NumPy's operations: on plain arrays they evaluate, on traced values they make nodes."""

    add = staticmethod(operator.add)
    subtract = staticmethod(operator.sub)
    multiply = staticmethod(operator.mul)
    divide = staticmethod(operator.truediv)
    negative = staticmethod(operator.neg)
    power = staticmethod(operator.pow)
    sqrt = staticmethod(np.sqrt)

    def outside(self, e: Symbol) -> Any:
        return e.value

    def number(self, value: Any, shape: Labels) -> Any:
        # An array of floats: something may be written into a copy of it.
        return np.broadcast_to(1.0 * value, shape) if shape else value

    def contract(self, subscripts: str, operands: list[Any], sizes: Sizes) -> Any:
        return contract(subscripts, *operands, sizes=sizes)

    def apply(self, e: Apply, args: list[Any]) -> Any:
        if e.primitive is PROJECTION:
            return args[0][e.params["index"]]
        if all(isinstance(a, (np.ndarray, np.generic, int, float)) for a in args):
            return e.primitive.evaluate(*args, **e.params)
        return e.primitive(*args, **e.params)


ON_ARRAYS = OnArrays()


def evaluate(
    roots: Sequence[Expr],
    values: Mapping[Expr, Any],
    find: Find = lambda e, done: None,
    on: Operations = ON_ARRAYS,
    parts: Iterable[Expr] | None = None,
) -> list[Any]:
    """The values of expressions, given those of their symbols; each part is computed once.

    ``find`` is asked first, with the values that there are so far; ``parts`` is what `below` finds
    of the roots, if one has it already.

    >>> import numpy as np
    >>> from adjoint.simplify.einstein import add, times
    >>> from adjoint.simplify.expression import symbol
    >>> x = symbol("x", (2,))
    >>> [y.tolist() for y in evaluate([add([times(x, x), x])], {x: np.array([2, 3])})]
    [[6, 12]]
    """
    done: dict[Expr, Any] = dict(values)
    for e in below(roots, values) if parts is None else parts:
        if e not in done:
            known = find(e, done)
            done[e] = _value(e, done, on) if known is None else known
    return [done[e] for e in roots]


def _value(e: Expr, done: Mapping[Expr, Any], on: Operations) -> Any:
    if type(e) is Term:
        if not e.factors and not e.has_delta:
            return on.number(plain(e.coefficient), e.shape)
        return _term(e, done, on)
    if type(e) is Sum:
        return _sum(e, done, on)
    if type(e) is Power:
        return _power(done[e.base], number_of(e.exponent), done[e.exponent], on)
    if type(e) is Symbol:
        return on.outside(e)
    assert type(e) is Apply
    return on.apply(
        e, [on.number(1.0 * plain(coefficient_of(a)), a.shape) if is_number(a) else done[a]
            for a in e.args]
    )  # fmt: skip


def _sum(e: Sum, done: Mapping[Expr, Any], on: Operations) -> Any:
    total: Any = None
    for t in e.terms:
        if total is None:
            total = done[t]
        elif coefficient_of(t) == -1:
            rest = split(t)[1]
            total = on.subtract(total, done[rest] if rest in done else _value(rest, done, on))
        else:
            total = on.add(total, done[t])
    return total


def _power(base: Any, n: Coefficient | None, exponent: Any, on: Operations) -> Any:
    if not is_exact(n):
        return on.power(base, exponent)
    if n == HALF:
        return on.sqrt(base)
    if n.denominator != 1:
        return on.power(base, on.number(float(n), ()))
    if n < 0:
        return on.divide(on.number(1, ()), _power(base, -n, None, on))
    if n <= REPEATED_PRODUCTS:
        half = on.multiply(base, base) if n > 1 else base
        return half if n <= 2 else on.multiply(half, base if n == 3 else half)
    return on.power(base, on.number(int(n), ()))


def _term(e: Term, done: Mapping[Expr, Any], on: Operations) -> Any:
    out = e.out
    if (
        not e.has_delta
        and all(ls in ((), out) for _, ls in e.factors)
        and (any(ls == out for _, ls in e.factors))
    ):
        result: Any = None
        for f, _ in e.factors:
            result = done[f] if result is None else on.multiply(result, done[f])
        return _scaled(e.coefficient, result, on)
    values = [done[f] for f, _ in e.factors]
    small = _smallest(e)
    if small is not None:
        # Before the result is spread over deltas and broadcasts, there is less to multiply.
        values[small] = _scaled(e.coefficient, values[small], on)
        return _contraction(e, values, on)
    return _scaled(e.coefficient, _contraction(e, values, on), on)


def _scaled(c: Coefficient, value: Any, on: Operations) -> Any:
    if c == 1:
        return value
    return on.negative(value) if c == -1 else on.multiply(value, on.number(plain(c), ()))


def _smallest(e: Term) -> int | None:
    """The factor that has fewest elements, if those are fewer than the result has."""
    sizes = [math.prod(f.shape) for f, _ in e.factors]
    least = min(sizes, default=0)
    return sizes.index(least) if sizes and least < math.prod(e.shape) else None


def _contraction(e: Term, values: list[Any], on: Operations) -> Any:
    """Pairs in the cheapest order; deltas and broadcasts in the last step."""
    terms: tuple[Labels, ...] = tuple([labels for _, labels in e.factors])
    if not terms:
        terms, values = ((),), [on.number(1.0, ())]
    pairs, spec, sizes = _plan(terms, e.out, tuple(e.sizes.items()))
    for i, j, pair in pairs:
        value = on.contract(pair, [values[i], values[j]], ())
        values = [v for k, v in enumerate(values) if k not in (i, j)] + [value]
    return values[0] if spec is None else on.contract(spec, values, sizes)


@lru_cache(maxsize=4096)
def _plan(
    terms: tuple[Labels, ...], out: Labels, extents: tuple[tuple[int, int], ...]
) -> tuple[tuple[tuple[int, int, str], ...], str | None, Sizes]:
    """The pairs of operands to multiply, with subscripts, each product put at the end of the list;
    and the last step, if there is anything left to do."""
    letters = {i: LETTERS[k] for k, (i, _) in enumerate(extents)}

    def named(labels: Labels) -> str:
        return "".join([letters[i] for i in labels])

    pairs: list[tuple[int, int, str]] = []
    for i, j in cheapest_order(terms, out, extents)[0]:
        rest = [t for k, t in enumerate(terms) if k not in (i, j)]
        if not rest:
            break
        a, b = terms[i], terms[j]
        needed = set(out).union(*rest)
        result = tuple([k for k in dict.fromkeys((*a, *b)) if k in needed])
        pairs.append((i, j, f"{named(a)},{named(b)}->{named(result)}"))
        terms = (*rest, result)
    present = {i for t in terms for i in t}
    sizes = tuple(sorted([(letters[i], n) for i, n in extents if i in out and i not in present]))
    if terms == (out,) and not sizes and len(set(out)) == len(out):
        return tuple(pairs), None, ()
    return tuple(pairs), ",".join(map(named, terms)) + "->" + named(out), sizes
