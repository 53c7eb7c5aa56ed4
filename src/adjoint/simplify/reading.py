"""From a graph to expressions: what each primitive is in the normal form.

A primitive without a row here stays what it is, an `Apply` of its operands.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from operator import attrgetter

import numpy as np

from adjoint.graph.binding import PROJECTION, VARIABLE
from adjoint.graph.ir import Node
from adjoint.graph.registry import PRIMITIVES
from adjoint.primitives.contraction import parse
from adjoint.primitives.scalar import Elementwise
from adjoint.simplify.constants import Namer, constant
from adjoint.simplify.einstein import (
    add,
    elementwise,
    linear_combination,
    pointwise,
    power,
    product,
    scale,
    times,
)
from adjoint.simplify.exact import HALF, MINUS, ONE, ZERO, Coefficient
from adjoint.simplify.expression import (
    Expr,
    Factor,
    Labels,
    Symbol,
    Term,
    is_number,
    number,
    number_of,
    raw_apply,
    raw_power,
    symbol,
)
from adjoint.simplify.finiteness import TRUTH, has_no_pole
from adjoint.simplify.indices import (
    aligned,
    full_template,
    spread,
    vanishes_outside,
    without_new_axes,
)
from adjoint.simplify.writing import WRITTEN_OUT, literal, take, unit

Reader = Callable[[tuple[Expr, ...], Node], Expr | None]

ROWS: dict[str, Reader] = {}
"""Per primitive; a reader that returns None leaves the primitive as it is."""


_TAKES_NUMBERS = frozenset(("add", "subtract", "multiply"))
"""Primitives for which a Python integer among floats is a float."""

ARITHMETIC = frozenset((
    "einsum", "add", "subtract", "negative", "multiply", "square", "divide",
))  # fmt: skip
"""Primitives whose operands may be multiplied and summed in another order."""


def reads(*names: str) -> Callable[[Reader], Reader]:
    """Decorator: this function gives the normal form of these primitives."""

    def decorate(function: Reader) -> Reader:
        for name in names:
            ROWS[name] = function
        return function

    return decorate


def read(
    outputs: Sequence[Node],
    known: Mapping[Node, Expr],
    name_of: Namer = lambda node, needed: None,
) -> list[Expr]:
    """The outputs as expressions to be read; ``known`` gives those of the inputs, ``name_of`` the
    names of arrays from outside."""
    found = read_all(_ordered(outputs, known), known, name_of)
    return [found[n] for n in outputs]


def read_all(
    nodes: Iterable[Node],
    known: Mapping[Node, Expr],
    name_of: Namer = lambda node, needed: None,
    rows: Mapping[str, Reader] = ROWS,
    computed: bool = False,
) -> dict[Node, Expr]:
    """As `read`, for nodes each of which stands behind its inputs; those that are known and these,
    as expressions.

    ``rows`` are all there are, or fewer, such as those that hold without a condition.  What is to
    be ``computed`` keeps the types and the functions of its nodes.
    """
    nodes = list(nodes)
    found: dict[Node, Expr] = dict(known)
    floats = set(filter(_is_float_array, (*found, *nodes)))
    # Where there are several float types, each product says in which it is computed.
    one_type = not computed or len({n.type.dtype for n in floats if not n.type.weak}) < 2
    numbers: set[Node] = set()
    for node in nodes:
        if node in known:
            continue
        inputs = node.inputs
        if not inputs:
            found[node] = constant(node, name_of)
            if type(node.value) is int:
                numbers.add(node)
            continue
        if node.primitive is VARIABLE:
            found[node] = found[inputs[0]]
            continue
        args = tuple([found[n] for n in inputs])
        if (
            one_type
            and node in floats
            and (
                floats.issuperset(inputs)
                or (
                    node.primitive.name in _TAKES_NUMBERS and floats.issuperset({*inputs} - numbers)
                )
            )
        ):
            found[node] = _read_floats(node, args, rows, computed)
        else:
            found[node] = _read_mixed(node, args, rows, computed)
    return found


def _ordered(outputs: Sequence[Node], known: Mapping[Node, Expr]) -> list[Node]:
    seen: set[Node] = set()
    stack = list(outputs)
    while stack:
        node = stack.pop()
        if node not in seen and node not in known:
            seen.add(node)
            stack.extend(node.inputs)
    return sorted(seen, key=attrgetter("serial"))


def _read_floats(
    node: Node, args: tuple[Expr, ...], rows: Mapping[str, Reader], computed: bool
) -> Expr:
    primitive = node.primitive
    reader = rows.get(primitive.name)
    result = None if reader is None else reader(args, node)
    if result is not None:
        return result
    if not computed and len(args) == 1 and isinstance(primitive, Elementwise):
        return elementwise(primitive, args[0])
    return raw_apply(primitive, args, node.params, node.type.shape)


def _is_float_array(node: Node) -> bool:
    return not node.primitive.multiple_results and node.type.dtype.kind == "f"


def _read_mixed(
    node: Node, args: tuple[Expr, ...], rows: Mapping[str, Reader], computed: bool
) -> Expr:
    """Where types differ, or there are several results."""
    reader = rows.get(node.primitive.name)
    # What is counted keeps its type where the expression is computed.
    kept = computed and not _is_no_count(node) and node.primitive.name not in TRUTH
    if computed and node.primitive.name in ARITHMETIC:
        args = tuple(_as_float(e, n, node) for e, n in zip(args, node.inputs, strict=True))
    if reader is not None and not kept and (node.primitive is PROJECTION or _is_real(node)):
        result = reader(args, node)
        if result is not None:
            return result
    shape = () if node.primitive.multiple_results else node.type.shape
    if not computed:
        if isinstance(node.primitive, Elementwise) and len(args) == 1:
            return elementwise(node.primitive, args[0])
    elif any(map(_is_whole, node.inputs)):
        pairs = zip(node.inputs, args, strict=True)
        args = tuple(_typed(n) if _is_whole(n) and is_number(e) else e for n, e in pairs)
    return raw_apply(node.primitive, args, node.params, shape)


def _as_float(e: Expr, operand: Node, node: Node) -> Expr:
    """An operand of a float operation as floats of its type: the sum of truth values is a truth
    value, and x · 1 is no longer x where that has fewer digits."""
    if number_of(e) is not None or not _is_no_count(node) or operand.type.dtype == node.type.dtype:
        return e
    return raw_apply(PRIMITIVES["convert"], (e,), {"dtype": node.type.dtype}, e.shape)


def _is_no_count(node: Node) -> bool:
    """Whether a node holds floats, or several results, each of which is looked at by itself."""
    return node.primitive.multiple_results or node.type.dtype.kind == "f"


def _is_whole(node: Node) -> bool:
    return not node.inputs and node.value is not None and node.type.dtype.kind in "iub"


def _typed(node: Node) -> Expr:
    """An integer or a truth value from outside, which a number would make a float."""
    return symbol("", node.type.shape, node, node.value)


def _is_real(node: Node) -> bool:
    """Whether the laws hold as they are written: for real numbers."""
    for n in (node, *node.inputs):
        if not n.primitive.multiple_results and n.type.dtype.kind not in "fiub":
            return False
    return True


@reads("einsum")
def _einsum(args: tuple[Expr, ...], node: Node) -> Expr:
    terms, out, names = _numbered(node.params["subscripts"])
    sizes = {names[c]: n for c, n in node.params.get("sizes", ())}
    for labels, e in zip(terms, args, strict=True):
        sizes |= zip(labels, e.shape, strict=True)
    return product(ONE, zip(args, terms, strict=True), out, sizes)


@lru_cache(maxsize=1024)
def _numbered(subscripts: str) -> tuple[tuple[Labels, ...], Labels, dict[str, int]]:
    """Subscripts with numbers for letters: the operands' terms, the result's, and the numbers."""
    terms, result = parse(subscripts)
    names = {c: k for k, c in enumerate(dict.fromkeys("".join((*terms, result))))}
    numbered = [tuple([names[c] for c in term]) for term in (*terms, result)]
    return tuple(numbered[:-1]), numbered[-1], names


@reads("add", "subtract")
def _sum(args: tuple[Expr, ...], node: Node) -> Expr:
    a, b = args
    if a.shape != b.shape:
        a, b = spread(a, node.type.shape), spread(b, node.type.shape)
    return linear_combination(((ONE, a), (ONE if node.primitive.name == "add" else MINUS, b)))


@reads("negative")
def _negative(args: tuple[Expr, ...], node: Node) -> Expr:
    return scale(MINUS, args[0])


@reads("positive", "convert", "conjugate", "real")
def _same(args: tuple[Expr, ...], node: Node) -> Expr | None:
    if node.type.dtype.kind != "f" or node.inputs[0].type.dtype.kind not in "fiu":
        return None
    return args[0]


@reads("multiply")
def _multiply(args: tuple[Expr, ...], node: Node) -> Expr:
    shape = node.type.shape
    if args[0].shape == args[1].shape:
        return times(*args)
    for c, e in (args, args[::-1]):
        value = number_of(c)
        if value is not None:
            return scale(value, spread(e, shape))
    sizes = dict(enumerate(shape))
    factors = [aligned(e, shape, sizes) for e in args]
    if len(sizes) == len(shape):
        return pointwise(ONE, factors, shape)
    return product(ONE, factors, tuple(range(len(shape))), sizes)


@reads("divide")
def _divide(args: tuple[Expr, ...], node: Node) -> Expr:
    a, b = (spread(e, node.type.shape) for e in args)
    return times(a, power(b, number(MINUS)))


@reads("square", "reciprocal", "sqrt", "root_of_squares")
def _fixed_power(args: tuple[Expr, ...], node: Node) -> Expr:
    exponents: dict[str, Coefficient] = {"square": 2, "reciprocal": MINUS}
    return power(args[0], number(exponents.get(node.primitive.name, HALF)))


@reads("power", "float_power")
def _power(args: tuple[Expr, ...], node: Node) -> Expr | None:
    base, exponent = args
    value = number_of(exponent)
    if value is not None:
        return power(spread(base, node.type.shape), number(value))
    if exponent.rank:
        return None
    return spread(raw_power(base, exponent), node.type.shape)


@reads("x_log_x")
def _x_log_x(args: tuple[Expr, ...], node: Node) -> Expr:
    return times(args[0], elementwise(PRIMITIVES["log"], args[0]))


@reads("log1p", "expm1")
def _shifted(args: tuple[Expr, ...], node: Node) -> Expr:
    """For reading: log(1 + x) and eˣ − 1."""
    (x,) = args
    if node.primitive.name == "log1p":
        return elementwise(PRIMITIVES["log"], add([number(ONE, x.shape), x]))
    return add([elementwise(PRIMITIVES["exp"], x), number(MINUS, x.shape)])


@reads("reshape")
def _reshape(args: tuple[Expr, ...], node: Node) -> Expr | None:
    """Axes of length 1 come and go; any other reshape stays one."""
    (e,), shape = args, node.type.shape
    value = number_of(e)
    if value is not None:
        return number(value, shape)
    if [n for n in e.shape if n != 1] != [n for n in shape if n != 1]:
        return None
    sizes = dict(enumerate(shape))
    places = [k for k, n in enumerate(shape) if n != 1]
    labels = []
    for n in e.shape:
        if n != 1:
            labels.append(places.pop(0))
        else:
            labels.append(len(sizes))
            sizes[len(sizes)] = 1
    return product(ONE, [(e, tuple(labels))], tuple(range(len(shape))), sizes)


@reads("getitem")
def _getitem(args: tuple[Expr, ...], node: Node) -> Expr | None:
    """Indices that only add axes of length 1, or read the only element of one."""
    e, template = args[0], node.params["template"]
    if len(args) > 1:
        return None
    integers = full_template(template, e.rank)
    if integers is not None and len(integers) == e.rank:
        for axis in reversed(range(e.rank)):
            index = integers[axis]
            if isinstance(index, int) and (e.shape[axis] <= WRITTEN_OUT or not _is_delta(e)):
                e = take(e, axis, index % e.shape[axis])
        if e is not args[0] or all(not isinstance(p, int) for p in integers):
            return e
    used = sum(1 for p in template if p is not None and p is not Ellipsis)
    out: list[int] = []
    labels: list[int] = []
    sizes: dict[int, int] = {}
    axes = iter(e.shape)

    def keep(n: int) -> None:
        label = len(sizes)
        sizes[label] = n
        labels.append(label)
        out.append(label)

    for part in template:
        if part is None:
            sizes[len(sizes)] = 1
            out.append(len(sizes) - 1)
        elif part is Ellipsis:
            for _ in range(e.rank - used):
                keep(next(axes))
        elif isinstance(part, slice) and part == slice(None):
            keep(next(axes))
        elif isinstance(part, int) and next(axes) == 1:
            sizes[len(sizes)] = 1
            labels.append(len(sizes) - 1)
        else:
            return None
    for n in axes:
        keep(n)
    return product(ONE, [(e, tuple(labels))], tuple(out), sizes)


def _is_delta(e: Expr) -> bool:
    return isinstance(e, Term) and len(set(e.out)) < len(e.out)


@reads("scatter_add")
def _scatter(args: tuple[Expr, ...], node: Node) -> Expr | None:
    """Adding to zeros at an index: a product with unit vectors."""
    total, part, *arrays = args
    template = node.params["template"]
    if arrays or number_of(total) != 0:
        return None
    value = number_of(part)
    if value == 0:
        return number(ZERO, total.shape)
    if any(p is None for p in template):
        return without_new_axes(template, part, node.type.shape)
    full = full_template(template, total.rank)
    if full is None or any(
        isinstance(p, int) and n > WRITTEN_OUT for p, n in zip(full, total.shape, strict=True)
    ):
        return None
    factors: list[Factor] = [
        (unit(total.shape[k], p % total.shape[k]), (k,))
        for k, p in enumerate(full)
        if isinstance(p, int)
    ]
    kept = tuple(k for k, p in enumerate(full) if not isinstance(p, int))
    part = spread(part, tuple(total.shape[k] for k in kept))
    factors.append((part, kept))
    return product(ONE, factors, tuple(range(total.rank)), dict(enumerate(total.shape)))


@reads("where")
def _where(args: tuple[Expr, ...], node: Node) -> Expr | None:
    """A choice that a plain array has made between values and zero, element by element."""
    mask, a, b = args
    if number_of(mask) is not None:
        return spread(a if number_of(mask) else b, node.type.shape)
    if not isinstance(mask, Symbol) or mask.value is None:
        return None
    if np.all(mask.value) or not np.any(mask.value):
        return spread(a if np.all(mask.value) else b, node.type.shape)
    if number_of(b) != 0:
        return None
    if vanishes_outside(a, np.broadcast_to(mask.value, node.type.shape)):
        return a
    if math.prod(mask.shape) > WRITTEN_OUT or not has_no_pole(a):
        return None  # 0 times infinity is not 0
    ones = literal(np.asarray(mask.value) != 0)
    return times(spread(ones, node.type.shape), spread(a, node.type.shape))


@reads("projection")
def _projection(args: tuple[Expr, ...], node: Node) -> Expr:
    shape = node.type.shape
    return raw_apply(PROJECTION, args, node.params, shape)
