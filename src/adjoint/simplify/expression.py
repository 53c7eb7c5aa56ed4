"""Expressions in normal form: what a graph is while it is being simplified and printed.

An expression is an array of known shape.  Equal expressions are one object (they are interned), so
that common subexpressions are found by building them, and comparing is ``is``.

==========  =======================================================================================
`Symbol`    an input, or an array from outside with a name
`Term`      coefficient · Σ Π factors, in Einstein notation; an index that the result repeats is a
            Kronecker delta, one that no factor has broadcasts
`Sum`       terms of one shape, equal terms collected
`Power`     an elementwise power; quotients are powers with exponent −1
`Apply`     any other primitive
==========  =======================================================================================
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import count
from operator import attrgetter
from typing import Any
from weakref import ref

from adjoint.simplify.exact import MINUS, ONE, Coefficient, whole_or_fraction

Labels = tuple[int, ...]
Factor = tuple["Expr", Labels]
Key = tuple[Any, ...]

_serial = count().__next__


class Expr:
    """Base of all expressions; ``serial`` orders them by first appearance.

    What has been found out about an expression stays with it, as it never changes: what an
    evaluation costs (operations and bytes), whether it is a symmetric matrix, whether it is finite
    wherever its symbols are, and along which axes it differs.
    """

    __slots__ = ("__weakref__", "axes", "cost", "finite", "serial", "shape", "symmetric")

    serial: int
    shape: tuple[int, ...]
    axes: tuple[int, ...] | None
    cost: tuple[float, float] | None
    finite: bool | None
    symmetric: bool | None

    @property
    def rank(self) -> int:
        return len(self.shape)

    def children(self) -> tuple[Expr, ...]:
        return ()

    def __repr__(self) -> str:
        return f"{type(self).__name__}{list(self.shape)}"


class Symbol(Expr):
    """An input or a named array; ``origin`` tells two of one name apart, ``value`` is the array."""

    __slots__ = ("name", "origin", "value")

    name: str
    origin: Any
    value: Any

    def __repr__(self) -> str:
        return self.name


class Power(Expr):
    """base ** exponent, elementwise; the exponent is one number."""

    __slots__ = ("base", "exponent")

    base: Expr
    exponent: Expr

    def children(self) -> tuple[Expr, ...]:
        return (self.base, self.exponent)

    def __repr__(self) -> str:
        return f"({self.base!r})^{self.exponent!r}"


class Apply(Expr):
    """A primitive of operands."""

    __slots__ = ("args", "name", "params", "primitive")

    primitive: Any
    name: str
    args: tuple[Expr, ...]
    params: dict[str, Any]

    def children(self) -> tuple[Expr, ...]:
        return self.args

    def __repr__(self) -> str:
        return f"{self.name}({', '.join(map(repr, self.args))})"


class Term(Expr):
    """coefficient · Σ Π factors over the labels that are not in ``out``.

    ``rest`` is the same without its coefficient and ``core`` without the axes along which it does
    not differ, if these were asked for before.
    """

    __slots__ = ("coefficient", "core", "factors", "has_delta", "out", "rest", "sizes")

    coefficient: Coefficient
    factors: tuple[Factor, ...]
    out: Labels
    sizes: dict[int, int]
    has_delta: bool
    core: Expr | None
    rest: Expr | None

    @property
    def is_pointwise(self) -> bool:
        """Whether nothing is summed and nothing is a delta, so that the indices are 0, 1, 2 …"""
        return len(self.sizes) == len(self.out) and not self.has_delta

    def children(self) -> tuple[Expr, ...]:
        return tuple([f for f, _ in self.factors])

    def __repr__(self) -> str:
        parts = " ".join(f"{f!r}{list(labels)}" for f, labels in self.factors)
        return f"<{self.coefficient} {parts}->{list(self.out)}>"


class Sum(Expr):
    """The sum of expressions of one shape, in the order in which they were first added.

    ``content`` is the coefficient that its terms share, and what is left if that is something else;
    ``core`` is as for a term.
    """

    __slots__ = ("content", "core", "has_delta", "terms")

    terms: tuple[Expr, ...]
    has_delta: bool
    content: tuple[Coefficient, Expr | None] | None
    core: Expr | None

    def children(self) -> tuple[Expr, ...]:
        return self.terms

    def __repr__(self) -> str:
        return "(" + " + ".join(map(repr, self.terms)) + ")"


class _Entry(ref[Expr]):
    """A reference that keeps nothing alive, and knows where it is found."""

    __slots__ = ("key",)

    key: Key


_table: dict[Key, _Entry] = {}
# A WeakValueDictionary by hand: that one runs three Python functions for an entry, and making
# expressions is most of what simplifying does.


def _forget(entry: _Entry) -> None:
    if _table.get(entry.key) is entry:
        del _table[entry.key]


def _find(key: Key) -> Any:
    entry = _table.get(key)
    return None if entry is None else entry()


def _intern(found: Expr, key: Key, shape: tuple[int, ...]) -> None:
    found.shape, found.serial = shape, _serial()
    found.axes = found.cost = found.finite = None
    found.symmetric = None if len(shape) == 2 and shape[0] == shape[1] else False
    entry = _Entry(found, _forget)
    entry.key = key
    _table[key] = entry


def symbol(name: str, shape: tuple[int, ...], origin: Any = None, value: Any = None) -> Symbol:
    """A symbol; two calls with one name and one origin give the same."""
    key = (Symbol, name, shape, id(origin))
    found: Symbol | None = _find(key)
    if found is None:
        found = Symbol()
        found.name, found.origin, found.value = name, origin, value
        _intern(found, key, shape)
    return found


def raw_power(base: Expr, exponent: Expr) -> Power:
    """base ** exponent without any law applied."""
    key = (Power, base, exponent)
    found: Power | None = _find(key)
    if found is None:
        found = Power()
        found.base, found.exponent = base, exponent
        _intern(found, key, base.shape)
    return found


def raw_apply(
    primitive: Any, args: Iterable[Expr], params: dict[str, Any], shape: tuple[int, ...]
) -> Apply:
    """A primitive of operands without any law applied."""
    args = tuple(args)
    key = (Apply, primitive.name, args, shape, params_key(params) if params else ())
    found: Apply | None = _find(key)
    if found is None:
        found = Apply()
        found.primitive, found.name = primitive, primitive.name
        found.args, found.params = args, params
        _intern(found, key, shape)
    return found


def params_key(params: dict[str, Any]) -> tuple[Any, ...]:
    """Parameters as a key; what cannot be compared by its text is compared by identity."""
    plain = (int, float, str, bool, tuple, type(None), slice)
    return tuple((k, repr(v) if isinstance(v, plain) else id(v)) for k, v in sorted(params.items()))


def _term_key(
    coefficient: Coefficient, factors: tuple[Factor, ...], out: Labels, shape: tuple[int, ...]
) -> Key:
    """Sizes are those of the factors, and of the result for what is broadcast."""
    if type(coefficient) is Fraction:  # two ints are hashed much faster
        value = (coefficient.numerator, coefficient.denominator)
        return (Term, value, Fraction, factors, out, shape)
    return (Term, coefficient, type(coefficient), factors, out, shape)


def raw_term(
    coefficient: Coefficient, factors: tuple[Factor, ...], out: Labels, sizes: dict[int, int]
) -> Term:
    """A term whose labels are canonical already."""
    if type(coefficient) is Fraction:
        coefficient = whole_or_fraction(coefficient)
    shape = tuple([sizes[i] for i in out])
    key = _term_key(coefficient, factors, out, shape)
    found: Term | None = _find(key)
    if found is None:
        found = Term()
        found.coefficient, found.factors, found.out, found.sizes = coefficient, factors, out, sizes
        found.has_delta = len(out) > 1 and len(set(out)) < len(out)
        found.core = found.rest = None
        _intern(found, key, shape)
    return found


def raw_sum(terms: Iterable[Expr]) -> Sum:
    """A sum of at least two different terms."""
    terms = tuple(terms)
    key = _sum_key(terms)
    found: Sum | None = _find(key)
    if found is None:
        found = Sum()
        found.terms = terms
        found.has_delta = bool(terms[0].shape) and any(
            type(t) is Term and t.has_delta for t in terms
        )
        found.content = found.core = None
        _intern(found, key, terms[0].shape)
    return found


def _sum_key(terms: Sequence[Expr]) -> Key:
    if len(terms) == 2:
        a, b = terms
        return (Sum, a, b) if a.serial < b.serial else (Sum, b, a)
    return (Sum, *sorted(terms, key=attrgetter("serial")))


def known_negative(e: Sum) -> Sum | None:
    """−e, if it was built before."""
    negated = []
    for t in e.terms:
        other = _known_negative(t)
        if other is None:
            return None
        negated.append(other)
    found: Sum | None = _find(_sum_key(negated))
    return found


def _known_negative(e: Expr) -> Expr | None:
    """−e for an e that is no sum, if it was built before."""
    if isinstance(e, Term):
        if e.coefficient == -1:
            return split(e)[1]
        found: Expr | None = _find(_term_key(-e.coefficient, e.factors, e.out, e.shape))
        return found
    labels = tuple(range(len(e.shape)))
    found = _find(_term_key(MINUS, ((e, labels),), labels, e.shape))
    return found


def as_term(e: Expr) -> Term:
    """An expression as a term of one factor."""
    if type(e) is Term:
        return e
    labels = tuple(range(len(e.shape)))
    return raw_term(ONE, ((e, labels),), labels, dict(enumerate(e.shape)))


@lru_cache(maxsize=1024, typed=True)  # −0.0 is not 0
def number(value: Coefficient, shape: tuple[int, ...] = ()) -> Term:
    """One number, in every element of an array of this shape."""
    return raw_term(value, (), tuple(range(len(shape))), dict(enumerate(shape)))


def number_of(e: Expr) -> Coefficient | None:
    """The number that an expression is in all its elements, else None."""
    if type(e) is Term and not e.factors and not e.has_delta:
        return e.coefficient
    return None


def is_number(e: Expr) -> bool:
    """Whether an expression is the same number in all its elements."""
    return type(e) is Term and not e.factors and not e.has_delta


def coefficient_of(e: Expr) -> Coefficient:
    return e.coefficient if isinstance(e, Term) else ONE


def bare(e: Expr) -> tuple[Coefficient, Any]:
    """The coefficient of an expression, and what tells the rest of it from that of others of its
    shape: as `split`, but the rest need not be made."""
    if type(e) is not Term:
        return ONE, e
    if len(e.factors) == 1 and e.factors[0][1] == e.out and not e.has_delta:
        return e.coefficient, e.factors[0][0]
    return e.coefficient, (e.factors, e.out)


def split(e: Expr) -> tuple[Coefficient, Expr]:
    """The coefficient of an expression, and the rest of it."""
    if type(e) is not Term or e.coefficient == 1:
        return ONE, e
    rest = e.rest
    if rest is None:
        rest = e.rest = unwrapped(raw_term(ONE, e.factors, e.out, e.sizes))
    return e.coefficient, rest


def unwrapped(term: Term) -> Expr:
    """The factor itself, if the term is nothing but that."""
    if term.coefficient == 1 and len(term.factors) == 1:
        factor, labels = term.factors[0]
        if labels == term.out and not term.has_delta:
            return factor
    return term


def below(roots: Iterable[Expr], known: Container[Expr] = ()) -> list[Expr]:
    """Every expression below the roots, in the order in which they were made, so operands first;
    what is below those that are known is left out."""
    seen: set[Expr] = set()
    stack = list(roots)
    while stack:
        e = stack.pop()
        if e not in seen:
            seen.add(e)
            if e not in known:
                stack += e.children()
    return sorted(seen, key=attrgetter("serial"))


def walk(roots: Iterable[Expr], known: Container[Expr] = ()) -> list[Expr]:
    """As `below`, in the order in which one reads them."""
    seen: set[Expr] = set()
    order: list[Expr] = []
    stack: list[Expr | None] = list(roots)
    while stack:
        e = stack.pop()
        if e is None:  # the operands of the next one are in the order
            order.append(stack.pop())  # type: ignore[arg-type]
        elif e not in seen:
            seen.add(e)
            children = () if e in known else e.children()
            if children:
                stack += (e, None)
                stack += children
            else:
                order.append(e)
    return order
