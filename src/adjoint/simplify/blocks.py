"""Blocks: arrays that are filled part by part along one axis are the parts, joined.

``y = np.zeros_like(x); y[0] = a; y[1:] = v`` is [a, v].  The parts of a block are cut, read and
written to by integers: no index is compared but by what it selects.
"""

from __future__ import annotations

from collections.abc import Sequence

from adjoint.graph.registry import PRIMITIVES
from adjoint.simplify.einstein import product
from adjoint.simplify.exact import ONE
from adjoint.simplify.expression import Apply, Expr, Term, number, number_of, raw_apply
from adjoint.simplify.indices import spread
from adjoint.simplify.positions import as_part, ranges, selected
from adjoint.simplify.writing import WRITTEN_OUT, stack, take, takes

Piece = tuple[int, Expr | None]
"""How long a part is along the axis, and what it is; None for what was there before."""


def parts_along(e: Expr, axis: int) -> list[Piece] | None:
    """The parts of an array along an axis; None for an array that is not a block there."""
    n, value = e.shape[axis], number_of(e)
    if value is not None:
        return [(n, e)]
    if isinstance(e, Apply) and e.name == "concatenate" and e.params["axis"] == axis:
        return [(p.shape[axis], p) for p in e.args]
    if isinstance(e, Apply) and e.name == "stack" and e.params["axis"] == axis:
        return [(1, with_axis(p, axis)) for p in e.args]
    return None


def cut(pieces: Sequence[Piece], start: int, stop: int, axis: int) -> list[Piece]:
    """The parts between two places."""
    found: list[Piece] = []
    place = 0
    for n, p in pieces:
        a, b = max(start - place, 0), min(stop - place, n)
        if a < b:
            found.append((b - a, p if p is None else section(p, axis, range(a, b))))
        place += n
    return found


def joined(pieces: Sequence[Piece], axis: int) -> Expr:
    """The array that has these parts: a stack, if each is one place long."""
    merged: list[tuple[int, Expr]] = []
    for n, p in pieces:
        assert p is not None
        value = number_of(p)
        if merged and value is not None and number_of(merged[-1][1]) == value:
            n, shape = n + merged[-1][0], p.shape
            merged.pop()
            p = number(value, (*shape[:axis], n, *shape[axis + 1 :]))
        both = _neighbours(merged[-1][1], p, axis) if merged else None
        if both is not None:
            n += merged.pop()[0]
        merged.append((n, p if both is None else both))
    if len(merged) == 1:
        return merged[0][1]
    parts = [p for _, p in merged]
    shape = parts[0].shape
    total = sum(n for n, _ in merged)
    if all(n == 1 or number_of(p) is not None for n, p in merged) and (
        total == len(merged) or (total <= WRITTEN_OUT and len(shape) == 1)
    ):
        units = [take(p, axis, 0) for n, p in merged for _ in range(n)]
        if axis == 0:
            return stack(units)
        whole = (*shape[:axis], total, *shape[axis + 1 :])
        return raw_apply(PRIMITIVES["stack"], units, {"axis": axis}, whole)
    whole = (*shape[:axis], total, *shape[axis + 1 :])
    return raw_apply(PRIMITIVES["concatenate"], parts, {"axis": axis}, whole)


def _neighbours(a: Expr, b: Expr, axis: int) -> Expr | None:
    """x[:k] and x[k:], joined, are x; None for parts that are not side by side in one array."""
    if not (isinstance(a, Apply) and isinstance(b, Apply) and a.name == b.name == "getitem"):
        return None
    if len(a.args) > 1 or a.args != b.args:
        return None
    source = a.args[0]
    first, second = (ranges(p.params["template"], source.shape) for p in (a, b))
    if first is None or second is None:
        return None
    own = [k for k, p in enumerate(first) if not isinstance(p, int)][axis]
    p, q = first.pop(own), second.pop(own)
    if first != second or isinstance(q, int) or p.step != 1 or q.step != 1 or p.stop != q.start:  # type: ignore[union-attr]
        return None
    first.insert(own, range(p.start, q.stop))  # type: ignore[union-attr]
    return read_at(source, first)


def read_at(source: Expr, at: Sequence[int | range]) -> Expr:
    """The elements of an array at places given for each axis."""
    template = [as_part(p, n) for p, n in zip(at, source.shape, strict=True)]
    while template and template[-1] == slice(None):
        template.pop()
    if not template:
        return source
    shape = tuple(len(p) for p in at if not isinstance(p, int))
    return raw_apply(PRIMITIVES["getitem"], (source,), {"template": tuple(template)}, shape)


def join(e: Expr) -> Expr:
    """What is joined, with parts that are side by side as one."""
    if not (isinstance(e, Apply) and e.name == "concatenate"):
        return e
    return joined([(p.shape[e.params["axis"]], p) for p in e.args], e.params["axis"])


def section(e: Expr, axis: int, at: range) -> Expr:
    """The elements of an array at some places of one axis."""
    n = e.shape[axis]
    if at == range(n):
        return e
    shape = (*e.shape[:axis], len(at), *e.shape[axis + 1 :])
    value = number_of(e)
    if value is not None:
        return number(value, shape)
    if isinstance(e, Apply) and e.name in ("concatenate", "stack") and len(at) == 1:
        return with_axis(take(e, axis, at[0]), axis)
    if isinstance(e, Term) and e.out.count(e.out[axis]) == 1:
        label = e.out[axis]
        if all(label not in labels for _, labels in e.factors):
            return product(e.coefficient, e.factors, e.out, e.sizes | {label: len(at)})
    if isinstance(e, Apply) and e.name == "getitem" and len(e.args) == 1:
        found = _of_section(e, axis, at)
        if found is not None:
            return found
    template = (*[slice(None)] * axis, as_part(at, n))
    return raw_apply(PRIMITIVES["getitem"], (e,), {"template": template}, shape)


def _of_section(e: Apply, axis: int, at: range) -> Expr | None:
    """A slice of a slice is one slice."""
    (source,) = e.args
    inner = ranges(e.params["template"], source.shape)
    if inner is None:
        return None
    kept = [k for k, p in enumerate(inner) if not isinstance(p, int)]
    own = inner[kept[axis]]
    assert isinstance(own, range)
    inner[kept[axis]] = own[as_part(at, len(own))]
    return read_at(source, inner)


def slice_of_slice(e: Apply) -> Expr | None:
    """x[a:b][c:d] is one slice of x."""
    source = e.args[0]
    if not (isinstance(source, Apply) and source.name == "getitem" and len(source.args) == 1):
        return None
    outer = ranges(e.params["template"], source.shape)
    inner = ranges(source.params["template"], source.args[0].shape)
    if inner is None or outer is None:
        return None
    kept = [k for k, p in enumerate(inner) if not isinstance(p, int)]
    for k, p, n in zip(kept, outer, source.shape, strict=True):
        own = inner[k]
        assert isinstance(own, range)
        inner[k] = own[p] if isinstance(p, int) else own[as_part(p, n)]
    return read_at(source.args[0], inner)


def with_axis(e: Expr, axis: int) -> Expr:
    """An array with one more axis, of length 1."""
    labels = tuple(range(e.rank))
    shape = (*e.shape[:axis], 1, *e.shape[axis:])
    value = number_of(e)
    if value is not None:
        return number(value, shape)
    out = (*labels[:axis], e.rank, *labels[axis:])
    return product(ONE, [(e, labels)], out, dict(zip(out, shape, strict=True)))


# -- writing to a block ----------------------------------------------------------------------------


def in_blocks(e: Apply) -> Expr | None:
    """A write as a block: where nothing is left of what was written to, or only numbers and other
    parts."""
    found = _place_of(e)
    if found is None:
        return None
    axis, at = found
    if axis is None:
        return spread(e.args[1], e.shape)
    if at == range(e.shape[axis]):
        return written(e, axis, at)
    pieces = _painted(e, axis, at)
    if any(p is None for _, p in pieces):
        return None
    return joined(pieces, axis)


def _place_of(e: Apply) -> tuple[int | None, range] | None:
    """The only axis along which a write does not fill everything, and where it does there."""
    at = ranges(e.params["template"], e.shape)
    if at is None:
        return None
    partial = [k for k, (p, n) in enumerate(zip(at, e.shape, strict=True)) if p != range(n)]
    if not partial:
        return None, range(0)
    if len(partial) > 1:
        return None
    (axis,) = partial
    p = at[axis]
    p = range(p, p + 1) if isinstance(p, int) else p
    return (axis, p) if p and p.step == 1 else None


def written(e: Apply, axis: int, at: range) -> Expr:
    """What is written, in the shape of the places where it is."""
    v = spread(e.args[1], selected(e))
    return with_axis(v, axis) if v.rank < e.rank else v


def _painted(e: Expr, axis: int, at: range | None = None) -> list[Piece]:
    """The parts of an array to which was written, one write after the other."""
    known = parts_along(e, axis)
    if known is not None:
        return known
    n = e.shape[axis]
    if isinstance(e, Apply) and e.name == "setitem":
        if at is None:
            found = _place_of(e)
            at = found[1] if found is not None and found[0] == axis else None
        if at is not None:
            base = _painted(e.args[0], axis)
            piece = (len(at), written(e, axis, at))
            return [*cut(base, 0, at.start, axis), piece, *cut(base, at.stop, n, axis)]
    return [(n, None)]


# -- reading from a block --------------------------------------------------------------------------


def read_block(e: Apply) -> Expr | None:
    """Parts of what was joined along an axis."""
    source = e.args[0]
    if not isinstance(source, Apply) or source.name not in ("concatenate", "stack"):
        return None
    axis = source.params["axis"]
    at = ranges(e.params["template"], source.shape)
    if at is None:
        return None
    own = at[axis]
    pieces = parts_along(source, axis)
    assert pieces is not None
    if isinstance(own, int):
        found = take(source, axis, own)
    elif own == range(source.shape[axis]) or own.step != 1 or not own:
        return None
    else:
        found = joined(cut(pieces, own.start, own.stop, axis), axis)
    rest = [slice(None) if k == axis else as_part(p, source.shape[k]) for k, p in enumerate(at)]
    if isinstance(own, int):
        del rest[axis]
    if all(p == slice(None) for p in rest):
        return found
    return raw_apply(e.primitive, (found,), {"template": tuple(rest)}, e.shape)


@takes("concatenate")
def _take_part(e: Apply, axis: int, index: int) -> Expr:
    own = e.params["axis"]
    if axis != own:
        parts = [take(p, axis, index) for p in e.args]
        return joined([(p.shape[own - (axis < own)], p) for p in parts], own - (axis < own))
    for p in e.args:
        if index < p.shape[axis]:
            return take(p, axis, index)
        index -= p.shape[axis]
    raise IndexError(index)


__all__ = [
    "in_blocks", "join", "joined", "parts_along", "read_block", "section", "slice_of_slice",
    "with_axis",
]  # fmt: skip
