"""The notation of an expression: which tree each normal form is."""

from __future__ import annotations

from collections import Counter, abc
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from adjoint.graph.binding import PROJECTION
from adjoint.primitives.scalar import Elementwise
from adjoint.printing.array_notation import ARRAYS
from adjoint.printing.broadcasting import everywhere, is_uniform, operands, unspread
from adjoint.printing.kronecker import components, joined
from adjoint.printing.matrix_form import Network, NoMatrixForm
from adjoint.printing.places import index_text, options
from adjoint.printing.precedence import (
    MATRIX,
    SCALAR,
    TENSOR,
    Add,
    Call,
    Entry,
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
    Tree,
    kind_of,
)
from adjoint.printing.products import chain, flip, has_letters, times, transposes
from adjoint.simplify.canonical import is_symmetric
from adjoint.simplify.einstein import add, product
from adjoint.simplify.exact import HALF, ONE, exact, is_exact, is_negative
from adjoint.simplify.expression import (
    Apply,
    Expr,
    Factor,
    Power,
    Sum,
    Symbol,
    Term,
    as_term,
    number,
    number_of,
    raw_term,
    split,
    walk,
)
from adjoint.simplify.linear_algebra import is_log_det
from adjoint.simplify.regular import Rule, Sequence

LETTERS = "ijklpqrstuvwabcdefgh"


class Notation:
    """Builds trees; ``names`` are the parts that are printed by name, ``taken`` are letters that no
    index may have."""

    def __init__(
        self, names: Mapping[Expr, str] | None = None, taken: abc.Iterable[str] = ()
    ) -> None:
        self.names = dict(names or {})
        self.letters = "".join(c for c in LETTERS if c not in set(taken))
        self.trees: dict[Expr, Tree] = {}

    def tree(self, root: Expr) -> Tree:
        """The tree of an expression; vectors are columns."""
        for e in walk([root]):
            if e not in self.trees:
                self.trees[e] = self._tree(e)
        return self.trees[root]

    def definition(self, e: Expr) -> Tree:
        """The tree of a named part itself."""
        for child in e.children():
            self.tree(child)
        return self._form(e)

    def _tree(self, e: Expr) -> Tree:
        name = self.names.get(e)
        return Name(name, kind_of(e.rank)) if name is not None else self._form(e)

    def _form(self, e: Expr) -> Tree:
        if isinstance(e, Symbol):
            named = not isinstance(e.origin, Rule)
            return Name(e.name, kind_of(e.rank)) if named else Regular(e.origin, e.shape)
        if isinstance(e, Sum):
            return self._sum(e)
        if isinstance(e, Power):
            return self._power(e)
        if isinstance(e, Term):
            return self._term(e)
        assert isinstance(e, Apply)
        return self._apply(e)

    def _operand(self, e: Expr) -> Tree:
        found = self.trees.get(e)
        return found if found is not None else self.tree(e)

    # -- sums and powers ------------------------------------------------------------------------

    def _sum(self, e: Sum) -> Tree:
        parts = []
        if e.rank > 2 or (e.rank and any(map(self._has_letters, e.terms))):
            return self._tensor_sum(e)
        # Beside an identity, a number would be read as a multiple of it.
        beside = e.rank == 2 and any(_has_delta(t) for t in e.terms)
        for t in sorted(e.terms, key=lambda t: number_of(t) is not None):
            c, rest = split(t)
            if number_of(t) is not None and beside:
                parts.append((-1 if is_negative(c) else 1, _ones(abs(c), t.shape)))
            elif is_negative(c):
                parts.append((-1, self._scaled(-c, rest if beside else unspread(rest, self.names))))
            else:
                parts.append((1, self._operand(t if beside else unspread(t, self.names))))
        uniform = is_uniform(e, self.names)
        if uniform:
            parts = [(s, Number(p.value) if isinstance(p, Number) else p) for s, p in parts]
        symmetric = is_symmetric(e)
        if symmetric:
            parts.sort(key=lambda part: transposes(part[1]))
        if parts[0][0] < 0:
            first = next((k for k, (s, _) in enumerate(parts) if s > 0), 0)
            parts.insert(0, parts.pop(first))
        total = Add(tuple(parts), symmetric and not uniform)
        return everywhere(total, e.shape) if uniform else total

    def _tensor_sum(self, e: Sum) -> Tree:
        """Kronecker products if all terms are, else index notation for all."""
        signs = [-1 if is_negative(split(t)[0]) else 1 for t in e.terms]
        terms = [as_term(t) for t in e.terms]
        terms = [
            raw_term(-t.coefficient if s < 0 else t.coefficient, t.factors, t.out, t.sizes)
            for s, t in zip(signs, terms, strict=True)
        ]
        trees = [self._operand(t) for t in terms]
        if any(map(has_letters, trees)) or e.rank < 3:
            trees = [
                self._indexed(t if not isinstance(tree, Name) else self._alone(t, s))
                for t, s, tree in zip(terms, e.terms, trees, strict=True)
            ]
        else:
            return Add(tuple(sorted(joined(signs, trees), key=lambda part: part[0] < 0)))
        signed = sorted(zip(signs, trees, strict=True), key=lambda part: part[0] < 0)
        return Add(tuple(signed))

    def _has_letters(self, t: Expr) -> bool:
        """Whether a term of a sum is printed in index notation; its sign is that of the sum."""
        printed = split(t)[1] if is_negative(split(t)[0]) else t
        return has_letters(self._operand(printed))

    def _alone(self, term: Term, whole: Expr) -> Term:
        """A term that has a name, as a product of nothing but itself."""
        labels = tuple(range(whole.rank))
        return raw_term(ONE, ((term, labels),), labels, dict(enumerate(whole.shape)))

    def _scaled(self, c: Any, rest: Expr) -> Tree:
        value = number_of(rest)
        if value is not None:
            return Number(exact(c * value), rest.shape)
        return times(c, [], self._operand(rest))

    def _power(self, e: Power) -> Tree:
        n = number_of(e.exponent)
        base = self._operand(e.base)
        if n is None:
            return Pow(base, self._operand(e.exponent))
        if is_negative(n):
            return self._reciprocal(base, exact(-n))
        return self._positive_power(base, n)

    def _reciprocal(self, base: Tree, n: Any) -> Tree:
        if n == 1 and isinstance(base, Regular) and isinstance(base.rule, Sequence):
            return Regular(replace(base.rule, inverse=not base.rule.inverse), base.shape)
        return Quotient(Number(ONE), self._positive_power(base, n))

    def _positive_power(self, base: Tree, n: Any) -> Tree:
        if n == 1:
            return base
        if isinstance(base, Pow) and isinstance(base.base, Norm) and is_exact(n):
            inner = base.exponent
            assert isinstance(inner, Number)
            n = n * exact(inner.value)
            return base.base if n == 1 else Pow(base.base, Number(n))
        if n == HALF:
            return Root(base)
        return Pow(base, Number(n))

    # -- functions --------------------------------------------------------------------------------

    def _apply(self, e: Apply) -> Tree:
        args = [self._operand(a) for a in operands(e, self.names)]
        kind = kind_of(e.rank)
        if is_log_det(e):
            inner = Call("det", tuple(self._operand(a) for a in e.args[0].children()), SCALAR)
            return Call("log", (Call("abs", (inner,), SCALAR),), SCALAR, extra="logdet")
        if e.name == "inv" and e.rank == 2:
            return Inverse(args[0], is_symmetric(e))
        if e.primitive is PROJECTION:
            return Entry(args[0], f"[{e.params['index']}]", kind)
        if e.name in ARRAYS:
            found = ARRAYS[e.name](e, args, self.tree)
            if found is not None:
                return found
        if e.name == "getitem":
            index = index_text(e.params["template"], e.args[0].shape)
            return args[0] if index == "[:]" else Entry(args[0], index, kind)
        if e.name == "stack" and e.params["axis"] == 0:
            return Literal(tuple(args), kind)
        if e.name == "reshape" and isinstance(args[0], Kron):
            # np.kron(a, b): the axes 0 and 2 of the tensor are those of a.
            s = e.args[0].shape
            if e.shape == (s[0] * s[1], s[2] * s[3]):
                return Kron(args[0].right, args[0].left, MATRIX)
        if e.name in ("power", "float_power") and len(args) == 2:
            return Pow(*args)
        latex = e.primitive.latex if isinstance(e.primitive, Elementwise) else ""
        return Call(e.name, tuple(args), kind, latex, options(e), e)

    # -- terms --------------------------------------------------------------------------------

    def _term(self, e: Term) -> Tree:
        if not e.factors and len(set(e.out)) == len(e.out):
            return Number(e.coefficient, e.shape)
        above, below = self._fraction(e)
        if e.rank > 2 and len(e.factors) == 1 and isinstance(e.factors[0][0], Sum):
            spread = add([e])
            if isinstance(spread, Sum):
                return self._tensor_sum(spread)
        try:
            scalars, body = self._body(above, e)
        except NoMatrixForm:
            return self._indexed(e)
        top = times(e.coefficient, _in_order(scalars), body)
        if not below:
            return top
        return Quotient(top, times(ONE, _in_order(below), None))

    def _fraction(self, e: Term) -> tuple[list[Factor], list[Tree]]:
        """The factors above the line, and the scalars below it."""
        above: list[Factor] = []
        below: list[Tree] = []
        for f, labels in e.factors:
            n = number_of(f.exponent) if isinstance(f, Power) else None
            if not labels and n is not None and is_negative(n) and f not in self.names:
                assert isinstance(f, Power)
                below.append(self._positive_power(self._operand(f.base), exact(-n)))
            else:
                above.append((f, labels))
        return above, below

    def _body(self, factors: abc.Sequence[Factor], e: Term) -> tuple[list[Tree], Tree | None]:
        """Scalars and one array: the matrix form of the product."""
        out = e.out
        if len(out) > 2:
            return self._kronecker(factors, e)
        network = Network(dict(e.sizes), set(out))
        for f, labels in factors:
            network.attach(self._operand(f), labels)
        network.reduce()
        if not out:
            return network.scalars, None
        if len(out) == 1:
            return network.scalars, network.vector(out[0])
        return network.scalars, network.matrix(*out)

    def _kronecker(self, factors: abc.Sequence[Factor], e: Term) -> tuple[list[Tree], Tree | None]:
        """A tensor [i, a, j, b] that is A[i, j] B[a, b] is B ⊗ A, for columns stacked."""
        if len(e.out) != 4:
            raise NoMatrixForm
        groups = components(factors, e)
        outer, inner = ({groups[e.out[k]], groups[e.out[k + 2]]} for k in (0, 1))
        if outer & inner:
            raise NoMatrixForm
        halves = []
        for k, group in ((1, inner), (0, outer)):
            mine = [f for f in factors if f[1] and groups[f[1][0]] in group]
            half = product(ONE, mine, (e.out[k], e.out[k + 2]), _sizes(mine, e, k))
            value = number_of(half)
            halves.append(self.tree(half) if value is None else _ones(value, half.shape))
        scalars = [self._operand(f) for f, labels in factors if not labels]
        rest = [f for f in factors if f[1] and groups[f[1][0]] not in inner | outer]
        if rest:
            found = product(ONE, rest, (), _sizes(rest, e, None))
            scalars.append(self.tree(found))
        return scalars, Kron(halves[0], halves[1])

    def _indexed(self, e: Term, letters: str = "", taken: str = "") -> Tree:
        """Index notation; the letters of the result are the same in every term of a sum."""
        out = letters or self.letters[: e.rank]
        after = self.letters[2 * e.rank :] + self.letters[: 2 * e.rank]
        free = [c for c in after if c not in out + taken]
        above, below = self._fraction(e)
        large = [(f, ls) for f, ls in above if len(ls) > 2 or self._is_indexed(f)]
        network = Network(dict(e.sizes), set(e.out))
        for f, ls in above:
            if (f, ls) not in large:
                network.attach(self._operand(f), ls)
        network.reduce_partly({i for _, ls in large for i in ls})
        named: dict[int, str] = {}
        factors: list[tuple[Tree, str]] = []
        for label, letter in zip(e.out, out, strict=True):
            if named.setdefault(label, letter) != letter:
                factors.append((Name("δ", MATRIX), named[label] + letter))
        factors.sort(key=lambda pair: pair[1])
        for label in sorted(network.left(large) - set(named)):
            named[label] = free.pop(0)
        entries: list[Tree | None] = [None] * len(factors)
        for tree, ls in network.factors():
            factors.append(_upright(tree, "".join(named[i] for i in ls)))
            entries.append(None)
        used = "".join(named.values()) + taken
        for f, ls in large:
            factors.append((self._operand(f), "".join(named[i] for i in ls)))
            entries.append(self._entry(f, factors[-1][1], used))
        sizes = tuple((c, e.sizes[i]) for i, c in named.items())
        sizes += tuple((c, n) for c, n in zip(out, e.shape, strict=True) if c not in named.values())
        body = Indexed(ONE, tuple(factors), out, sizes, tuple(entries))
        scalars = _in_order(network.scalars)
        if not scalars and not below:
            return replace(body, coefficient=e.coefficient)
        top = times(e.coefficient, scalars, body)
        return Quotient(top, times(ONE, _in_order(below), None)) if below else top

    def _is_indexed(self, e: Expr) -> bool:
        """Whether the tree of a matrix or vector has index notation inside."""
        return bool(e.rank) and not isinstance(e, Symbol) and has_letters(self._operand(e))

    def _entry(self, e: Expr, letters: str, taken: str) -> Tree | None:
        """One entry of an array that is made elementwise: (X[i,k] − Y[j,k])²; None for others."""
        if isinstance(self._operand(e), Name) or (e.rank < 3 and not self._is_indexed(e)):
            return None
        exponent = number_of(e.exponent) if isinstance(e, Power) else None
        if isinstance(e, Power) and exponent is not None:
            base = self._entry(e.base, letters, taken)
            return None if base is None or is_negative(exponent) else Pow(base, Number(exponent))
        if isinstance(e, Apply) and len(e.args) == 1 and isinstance(e.primitive, Elementwise):
            inner = self._entry(e.args[0], letters, taken)
            return None if inner is None else Call(e.name, (inner,), SCALAR, e.primitive.latex)
        if not isinstance(e, Sum | Term):
            return None
        parts = []
        for t in e.terms if isinstance(e, Sum) else (e,):
            sign, view = (-1 if is_negative(split(t)[0]) else 1), as_term(t)
            view = raw_term(sign * view.coefficient, view.factors, view.out, view.sizes)
            parts.append((sign, self._indexed(view, letters, taken)))
        if len(parts) == 1 and parts[0][0] > 0:
            return parts[0][1]
        return Add(tuple(sorted(parts, key=lambda part: part[0] < 0)))


def _upright(tree: Tree, letters: str) -> tuple[Tree, str]:
    """A[j,i] for Aᵀ[i,j]."""
    turned = flip(tree)
    fewer = len(letters) == 2 and transposes(turned) < transposes(tree)
    return (turned, letters[::-1]) if fewer else (tree, letters)


def _has_delta(e: Expr) -> bool:
    return isinstance(e, Term) and len(set(e.out)) < len(e.out)


def _ones(value: Any, shape: tuple[int, ...]) -> Tree:
    """A matrix of one number: value 𝟏𝟏ᵀ."""
    return times(value, [], chain([Ones(shape[0]), flip(Ones(shape[1]))], MATRIX))


def _sizes(factors: abc.Sequence[Factor], e: Term, place: int | None) -> dict[int, int]:
    used = {i for _, labels in factors for i in labels}
    if place is not None:
        used |= {e.out[place], e.out[place + 2]}
    return {i: e.sizes[i] for i in used}


def _in_order(scalars: list[Tree]) -> list[Tree]:
    """Scalars as one writes them: names, then powers, then products, then functions; equal ones as
    a power."""
    times_each = Counter(scalars)
    powers = [t if n == 1 else Pow(t, Number(n)) for t, n in times_each.items()]
    return sorted(powers, key=_rank)


_ORDER: tuple[type[Tree], ...] = (Name, Entry, Norm, Call, Root, Add)


def _rank(tree: Tree) -> int:
    base = tree.base if isinstance(tree, Pow) else tree
    return next((k for k, cls in enumerate(_ORDER) if isinstance(base, cls)), len(_ORDER))


def row(tree: Tree) -> Tree:
    """A column as the row it is in numerator layout; index notation has neither."""
    parts = [t for _, t in tree.parts] if isinstance(tree, Add) else [tree]
    if any(isinstance(t, Indexed) for t in parts):
        return tree
    if isinstance(tree, Add):
        return Add(tuple((s, flip(t)) for s, t in tree.parts))
    return flip(tree)


Namer = Callable[[Expr], str]
__all__ = ["TENSOR", "Namer", "Notation", "number", "row"]
