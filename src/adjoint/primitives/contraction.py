"""Contractions: one multilinear primitive in Einstein notation.

Sums, transposes, traces, diagonals, broadcasts, outer and matrix products are all this primitive,
and it is closed under transposition: an index of the result may be absent from the operands (it
broadcasts, with its size in ``sizes``) and may be repeated (a Kronecker delta: the result is zero
off that diagonal).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from adjoint.graph.arraytype import ArrayType
from adjoint.graph.binding import adopt, bind
from adjoint.graph.primitive import Hole, Primitive
from adjoint.graph.registry import register

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

Sizes = tuple[tuple[str, int], ...]


def letter(index: int) -> str:
    """The index-th symbol for an axis; beyond the alphabet, further Unicode letters."""
    return LETTERS[index] if index < 52 else chr(0xC0 + index - 52)


@lru_cache(maxsize=4096)
def parse(subscripts: str) -> tuple[tuple[str, ...], str]:
    """The operands' terms and the result's term."""
    left, right = subscripts.split("->")
    return tuple(left.split(",")), right


class Einsum(Primitive):
    """Σ over the indices that are not in the result, of the product of the operands."""

    name = "einsum"
    linear = "all"
    structural = True

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        return _plan(params["subscripts"], params.get("sizes", ()))(*operands)

    def infer(self, *types: ArrayType, **params: Any) -> ArrayType:
        terms, result = parse(params["subscripts"])
        sizes = dict(params.get("sizes", ()))
        for position, (term, type_) in enumerate(zip(terms, types, strict=True)):
            for index, size in zip(term, type_.shape, strict=True):
                if sizes.setdefault(index, size) != size:
                    raise ValueError(
                        f"index {index} of operand {position} has size {size}, "
                        f"but {sizes[index]} before"
                    )
        dtype = np.result_type(*(t.dtype for t in types))
        return ArrayType(tuple(sizes[i] for i in result), dtype)

    def selective(self, **params: Any) -> bool:
        """A diagonal leaves out what is beside it."""
        return any(len(set(t)) != len(t) for t in parse(params["subscripts"])[0])

    def transpose(self, ct: Any, operands: tuple[Any, ...], position: int, **params: Any) -> Any:
        terms, result = parse(params["subscripts"])
        hole: Hole = operands[position]
        others = [o for i, o in enumerate(operands) if i != position]
        other_terms = [t for i, t in enumerate(terms) if i != position]
        # A delta in the result reads the diagonal of the cotangent, which einsum does by itself.
        present = set(result).union(*other_terms) if other_terms else set(result)
        sizes = {i: n for i, n in zip(terms[position], hole.shape, strict=True) if i not in present}
        subscripts = ",".join([result, *other_terms]) + "->" + terms[position]
        return contract(subscripts, ct, *others, sizes=tuple(sorted(sizes.items())))

    def batch(
        self, operands: tuple[Any, ...], batched: tuple[bool, ...], size: int, **params: Any
    ) -> Any:
        terms, result = parse(params["subscripts"])
        used = set(params["subscripts"])
        new = next(letter(i) for i in range(200) if letter(i) not in used)
        terms = tuple(new + t if b else t for t, b in zip(terms, batched, strict=True))
        subscripts = ",".join(terms) + "->" + new + result
        return contract(subscripts, *operands, sizes=params.get("sizes", ()))


EINSUM = register(Einsum())

RECOGNISERS: list[Callable[[str, tuple[Any, ...]], Any]] = []
"""Asked at every contraction whether it is part of a pattern that has to be differentiated as a
whole; empty unless a value that such patterns are made of is around."""


def contract(subscripts: str, *operands: Any, sizes: Sizes = ()) -> Any:
    """Applies the contraction; ``sizes`` gives the extent of indices only the result has.

    A repeated index of the result is a Kronecker delta, which `np.einsum` does not have.

    >>> import numpy as np
    >>> from adjoint.extend import contract
    >>> contract("i->ii", np.array([1.0, 2.0]))
    array([[1., 0.],
           [0., 2.]])
    """
    operands = tuple(map(adopt, operands))
    for recognise in RECOGNISERS:
        found = None if sizes else recognise(subscripts, operands)
        if found is not None:
            return found
    if sizes:
        return bind(EINSUM, operands, {"subscripts": subscripts, "sizes": sizes})
    return bind(EINSUM, operands, {"subscripts": subscripts})


# -- evaluation: a plan per pattern, made once ----------------------------------------------------


@lru_cache(maxsize=4096)
def _plan(subscripts: str, sizes: Sizes) -> Callable[..., Any]:
    terms, result = parse(subscripts)
    present = set("".join(terms))
    core = "".join(dict.fromkeys(i for i in result if i in present))
    inner = _core_plan(terms, core)
    if core == result:
        return inner
    expand = _expansion(core, result, dict(sizes))
    return lambda *operands: expand(inner(*operands))


def _core_plan(terms: tuple[str, ...], core: str) -> Callable[..., Any]:
    if len(terms) == 1:
        return _unary_plan(terms[0], core)
    if len(terms) == 2:
        return _binary_plan(terms[0], terms[1], core)
    spec = ",".join(terms) + "->" + core

    def many(*operands: Any) -> Any:
        import opt_einsum

        return opt_einsum.contract(spec, *operands)[()]

    return many


def _unary_plan(term: str, core: str) -> Callable[[Any], Any]:
    """Diagonals first, then sums, then the order of the axes."""
    kept = "".join(dict.fromkeys(term))
    diagonal = f"{term}->{kept}" if kept != term else ""
    axes = tuple(k for k, i in enumerate(kept) if i not in core)
    left = "".join(i for i in kept if i in core)
    order = tuple(left.index(i) for i in core)
    permute = order != tuple(range(len(order)))

    def unary(x: Any) -> Any:
        if diagonal:
            x = np.einsum(_ascii(diagonal), x)
        if axes:
            x = np.add.reduce(x, axis=axes, dtype=x.dtype)
        return x.transpose(order) if permute else x

    return unary


def _ascii(subscripts: str) -> str:
    """The same pattern in the 52 letters that np.einsum knows."""
    names = dict.fromkeys(c for c in subscripts if c not in ",->")
    table = {ord(c): LETTERS[k] for k, c in enumerate(names)}
    return subscripts.translate(table)


def _binary_plan(a: str, b: str, core: str) -> Callable[[Any, Any], Any]:
    """A matrix product where indices are contracted, else a broadcasted product."""
    only_a = [i for i in dict.fromkeys(a) if i not in b and i not in core]
    only_b = [i for i in dict.fromkeys(b) if i not in a and i not in core]
    ra = "".join(i for i in dict.fromkeys(a) if i not in only_a)
    rb = "".join(i for i in dict.fromkeys(b) if i not in only_b)
    pre_a = _unary_plan(a, ra) if ra != a else None
    pre_b = _unary_plan(b, rb) if rb != b else None
    product = _product_plan(ra, rb, core)
    if pre_a is None and pre_b is None:
        return product

    def prepared(x: Any, y: Any) -> Any:
        return product(pre_a(x) if pre_a else x, pre_b(y) if pre_b else y)

    return prepared


def _direct(a: str, b: str, core: str) -> Callable[[Any, Any], Any] | None:
    """The patterns that one call of NumPy answers, transposes being views."""
    names = {i: LETTERS[k] for k, i in enumerate(dict.fromkeys(a + b))}
    key = tuple("".join(names[i] for i in t) for t in (a, b, core))
    patterns: dict[tuple[str, ...], Callable[[Any, Any], Any]] = {
        ("a", "a", ""): np.dot,
        ("ab", "b", "a"): np.dot,
        ("ab", "a", "b"): lambda x, y: np.dot(y, x),
        ("a", "ab", "b"): np.dot,
        ("a", "ba", "b"): lambda x, y: np.dot(y, x),
        ("ab", "bc", "ac"): np.dot,
        ("ab", "ac", "bc"): lambda x, y: np.dot(x.T, y),
        ("ab", "cb", "ac"): lambda x, y: np.dot(x, y.T),
        ("ab", "bc", "ca"): lambda x, y: np.dot(x, y).T,
        ("ab", "ca", "cb"): lambda x, y: np.dot(y, x),
        ("ab", "ca", "bc"): lambda x, y: np.dot(y, x).T,
        ("ab", "ac", "cb"): lambda x, y: np.dot(y.T, x),
        ("ab", "cb", "ca"): lambda x, y: np.dot(y, x.T),
        ("a", "b", "ab"): np.multiply.outer,
        ("a", "b", "ba"): lambda x, y: np.multiply.outer(y, x),
        ("", "", ""): np.multiply,
    }
    return patterns.get(key)


def _product_plan(a: str, b: str, core: str) -> Callable[[Any, Any], Any]:
    direct = _direct(a, b, core)
    if direct is not None:
        return direct
    summed = [i for i in a if i in b and i not in core]
    if not summed:
        return _broadcast_plan(a, b, core)
    shared = [i for i in core if i in a and i in b]
    left = [i for i in a if i in core and i not in b]
    right = [i for i in b if i in core and i not in a]
    order_a = tuple(a.index(i) for i in (*shared, *left, *summed))
    order_b = tuple(b.index(i) for i in (*shared, *summed, *right))
    produced = (*shared, *left, *right)
    back = tuple(produced.index(i) for i in core)
    ns, nl, nc = len(shared), len(left), len(summed)

    def matrix_product(x: Any, y: Any) -> Any:
        x, y = np.transpose(x, order_a), np.transpose(y, order_b)
        batch, rows, cols = x.shape[:ns], x.shape[ns : ns + nl], y.shape[ns + nc :]
        inner = x.shape[ns + nl :]
        count = int(np.prod(inner))
        xm = x.reshape((*batch, int(np.prod(rows)), count))
        ym = y.reshape((*batch, count, int(np.prod(cols))))
        return np.matmul(xm, ym).reshape((*batch, *rows, *cols)).transpose(back)[()]

    return matrix_product


def _broadcast_plan(a: str, b: str, core: str) -> Callable[[Any, Any], Any]:
    order_a = tuple(a.index(i) for i in core if i in a)
    order_b = tuple(b.index(i) for i in core if i in b)
    slots_a = tuple(slice(None) if i in a else None for i in core)
    slots_b = tuple(slice(None) if i in b else None for i in core)

    def product(x: Any, y: Any) -> Any:
        x, y = np.asarray(x), np.asarray(y)
        return x.transpose(order_a)[slots_a] * y.transpose(order_b)[slots_b]

    return product


def _expansion(core: str, result: str, sizes: dict[str, int]) -> Callable[[Any], Any]:
    """Broadcasts the indices that only the result has, and puts repeated ones on the diagonal."""
    unique = "".join(dict.fromkeys(result))
    slots = tuple(slice(None) if i in core else None for i in unique)
    order = tuple(core.index(i) for i in unique if i in core)
    repeated = len(unique) != len(result)

    def expand(x: Any) -> Any:
        x = np.asarray(x)
        extents = dict(zip(core, x.shape, strict=True)) | sizes
        x = np.broadcast_to(x.transpose(order)[slots], tuple(extents[i] for i in unique))
        if not repeated:
            return x
        out = np.zeros(tuple(extents[i] for i in result), x.dtype)
        # np.einsum returns a writeable view of the generalised diagonal.
        np.einsum(_ascii(f"{result}->{unique}"), out)[...] = x
        return out

    return expand
