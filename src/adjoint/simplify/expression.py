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

from collections.abc import Container, Iterable
from itertools import count
from typing import Any
from weakref import WeakValueDictionary

from adjoint.simplify.exact import ONE, Coefficient

Labels = tuple[int, ...]
Factor = tuple["Expr", Labels]

_table: WeakValueDictionary[tuple[Any, ...], Expr] = WeakValueDictionary()
_serial = count().__next__


class Expr:
    """Base of all expressions; ``serial`` orders them by first appearance."""

    __slots__ = ("__weakref__", "serial", "shape")

    serial: int
    shape: tuple[int, ...]

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

    __slots__ = ("args", "params", "primitive")

    primitive: Any
    args: tuple[Expr, ...]
    params: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.primitive.name)

    def children(self) -> tuple[Expr, ...]:
        return self.args

    def __repr__(self) -> str:
        return f"{self.name}({', '.join(map(repr, self.args))})"


class Term(Expr):
    """coefficient · Σ Π factors over the labels that are not in ``out``."""

    __slots__ = ("coefficient", "factors", "out", "sizes")

    coefficient: Coefficient
    factors: tuple[Factor, ...]
    out: Labels
    sizes: dict[int, int]

    def children(self) -> tuple[Expr, ...]:
        return tuple(f for f, _ in self.factors)

    def __repr__(self) -> str:
        parts = " ".join(f"{f!r}{list(labels)}" for f, labels in self.factors)
        return f"<{self.coefficient} {parts}->{list(self.out)}>"


class Sum(Expr):
    """The sum of expressions of one shape, in the order in which they were first added."""

    __slots__ = ("terms",)

    terms: tuple[Expr, ...]

    def children(self) -> tuple[Expr, ...]:
        return self.terms

    def __repr__(self) -> str:
        return "(" + " + ".join(map(repr, self.terms)) + ")"


def _intern(cls: type[Expr], key: tuple[Any, ...], fields: dict[str, Any]) -> Any:
    found = _table.get(key)
    if found is None:
        found = cls()
        for name, value in fields.items():
            setattr(found, name, value)
        found.serial = _serial()
        _table[key] = found
    return found


def symbol(name: str, shape: tuple[int, ...], origin: Any = None, value: Any = None) -> Symbol:
    """A symbol; two calls with one name and one origin give the same."""
    key = ("symbol", name, shape, id(origin))
    fields = {"name": name, "shape": shape, "origin": origin, "value": value}
    found: Symbol = _intern(Symbol, key, fields)
    return found


def raw_power(base: Expr, exponent: Expr) -> Power:
    """base ** exponent without any law applied."""
    fields = {"base": base, "exponent": exponent, "shape": base.shape}
    found: Power = _intern(Power, ("power", base, exponent), fields)
    return found


def raw_apply(
    primitive: Any, args: Iterable[Expr], params: dict[str, Any], shape: tuple[int, ...]
) -> Apply:
    """A primitive of operands without any law applied."""
    args = tuple(args)
    key = ("apply", primitive.name, args, shape, params_key(params))
    fields = {"primitive": primitive, "args": args, "params": params, "shape": shape}
    found: Apply = _intern(Apply, key, fields)
    return found


def params_key(params: dict[str, Any]) -> tuple[Any, ...]:
    """Parameters as a key; what cannot be compared by its text is compared by identity."""
    plain = (int, float, str, bool, tuple, type(None), slice)
    return tuple((k, repr(v) if isinstance(v, plain) else id(v)) for k, v in sorted(params.items()))


def raw_term(
    coefficient: Coefficient, factors: tuple[Factor, ...], out: Labels, sizes: dict[int, int]
) -> Term:
    """A term whose labels are canonical already."""
    key = ("term", coefficient, type(coefficient), factors, out, tuple(sorted(sizes.items())))
    fields = {
        "coefficient": coefficient,
        "factors": factors,
        "out": out,
        "sizes": sizes,
        "shape": tuple(sizes[i] for i in out),
    }
    found: Term = _intern(Term, key, fields)
    return found


def raw_sum(terms: Iterable[Expr]) -> Sum:
    """A sum of at least two different terms."""
    terms = tuple(terms)
    key = ("sum", *sorted(terms, key=lambda t: t.serial))
    found: Sum = _intern(Sum, key, {"terms": terms, "shape": terms[0].shape})
    return found


def known_sum(terms: Iterable[Expr]) -> Sum | None:
    """The sum of these terms, if it was built before."""
    key = ("sum", *sorted(terms, key=lambda t: t.serial))
    found = _table.get(key)
    return found if isinstance(found, Sum) else None


def number(value: Coefficient, shape: tuple[int, ...] = ()) -> Term:
    """One number, in every element of an array of this shape."""
    labels = tuple(range(len(shape)))
    return raw_term(value, (), labels, dict(zip(labels, shape, strict=True)))


def number_of(e: Expr) -> Coefficient | None:
    """The number that an expression is in all its elements, else None."""
    if isinstance(e, Term) and not e.factors and len(set(e.out)) == len(e.out):
        return e.coefficient
    return None


def is_one(e: Expr) -> bool:
    return number_of(e) == ONE


def split(e: Expr) -> tuple[Coefficient, Expr]:
    """The coefficient of an expression, and the rest of it."""
    if isinstance(e, Term) and e.coefficient != 1:
        rest = raw_term(ONE, e.factors, e.out, e.sizes)
        return e.coefficient, unwrapped(rest)
    return ONE, e


def unwrapped(term: Term) -> Expr:
    """The factor itself, if the term is nothing but that."""
    if term.coefficient == 1 and len(term.factors) == 1:
        factor, labels = term.factors[0]
        if labels == term.out and len(set(labels)) == len(labels):
            return factor
    return term


def walk(roots: Iterable[Expr], known: Container[Expr] = ()) -> list[Expr]:
    """Every expression below the roots, operands first, without recursion; what is below those
    that are known is left out."""
    seen: set[Expr] = set()
    order: list[Expr] = []
    stack: list[tuple[Expr, bool]] = [(e, False) for e in roots]
    while stack:
        e, ready = stack.pop()
        if ready:
            order.append(e)
        elif e not in seen:
            seen.add(e)
            stack.append((e, True))
            if e not in known:
                stack.extend((c, False) for c in e.children() if c not in seen)
    return order
