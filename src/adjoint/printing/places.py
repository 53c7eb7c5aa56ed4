"""Indices and parameters of primitives as text: ``[1:]`` and ``axis=1``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adjoint.primitives.indexing import HOLE
from adjoint.printing.precedence import Tree
from adjoint.simplify.expression import Apply, number_of

NEAR_END, LONG_AXIS = 4, 16
"""Slices of axes longer than the one end so many places before the end, counted from there."""


def filled(
    template: Sequence[Any], arrays: list[Tree], shape: tuple[int, ...] = ()
) -> tuple[Tree | str, ...]:
    """The parts of an index of an array of this shape, its arrays in their places."""
    found = iter(arrays)
    parts, sizes = _sized_parts(template, shape)
    while len(parts) > 1 and parts[-1] == slice(None):
        parts.pop()
    pairs = zip(parts, sizes, strict=False)
    return tuple(next(found) if p == HOLE else _part_text(p, n) for p, n in pairs)


def _sized_parts(
    template: Sequence[Any], shape: tuple[int, ...]
) -> tuple[list[Any], Sequence[int | None]]:
    """The parts of an index, and the lengths of their axes where each has one."""
    parts = list(template)
    if Ellipsis in parts and len(parts) == len(shape) + 1:
        parts.remove(Ellipsis)
    plain = len(parts) <= len(shape) and None not in parts and Ellipsis not in parts
    return parts, shape if plain else [None] * len(parts)


def index_text(template: Sequence[Any], shape: tuple[int, ...] = ()) -> str:
    """``[0, :]`` for the template of an index of an array of this shape."""
    given, sizes = _sized_parts(template, shape)
    parts = [_part_text(p, n) for p, n in zip(given, sizes, strict=False)]
    while len(parts) > 1 and parts[-1] == ":":
        parts.pop()
    return "[" + ", ".join(parts) + "]"


def _part_text(part: Any, size: int | None = None) -> str:
    if isinstance(part, slice):
        start, stop = part.start, part.stop
        if size is not None and part.step in (None, 1):
            start = None if start == 0 else _from_end(start, size)
            stop = None if stop == size else _from_end(stop, size)
        bounds = ["" if v is None else str(v) for v in (start, stop)]
        text = ":".join(bounds)
        return text if part.step is None else f"{text}:{part.step}"
    if part is Ellipsis:
        return "..."
    return "None" if part is None else str(part)


def _from_end(place: int | None, size: int) -> int | None:
    """A place near the end of a long axis, counted from there."""
    near = place is not None and 0 < size - place <= NEAR_END and size > LONG_AXIS
    return place - size if place is not None and near else place


def padding(e: Apply) -> str | None:
    """How many zeros stand before and after what is added to zeros at a slice, as np.pad takes
    them; None where it is another index."""
    index = e.params["template"]
    if number_of(e.args[0]) != 0 or len(e.args) > 2 or len(index) != e.rank:
        return None
    if not all(isinstance(p, slice) and p.step in (None, 1) for p in index):
        return None
    bounds = [p.indices(n) for p, n in zip(index, e.shape, strict=True)]
    widths = [(start, n - stop) for (start, stop, _), n in zip(bounds, e.shape, strict=True)]
    if e.args[1].shape != tuple(stop - start for start, stop, _ in bounds):
        return None
    return str(widths[0] if e.rank == 1 else tuple(widths))


USUAL = {"norm": "backward", "UPLO": "L"}
"""Parameters of transforms and factorisations that one does not write."""

TRANSFORMS = ("fft", "ifft", "rfft")
"""Transforms of as many points as there are, if no number is given."""


def told(e: Apply) -> dict[str, Any]:
    """The parameters of a primitive without those that go without saying."""
    params = {k: v for k, v in e.params.items() if k not in USUAL or USUAL[k] != v}
    if e.name in TRANSFORMS and e.args[0].shape[params["axis"]] == params["n"]:
        del params["n"]
    if e.name in (*TRANSFORMS, "irfft") and e.rank == 1:
        del params["axis"]
    return params


def options(e: Apply) -> tuple[str, ...]:
    """The parameters of a primitive that tell it from others of its name."""
    rank = e.args[0].rank if e.args else 0
    shown = []
    for name, value in told(e).items():
        if name == "axes":
            if len(value) < rank:
                shown.append(f"axis={value[0] if len(value) == 1 else tuple(value)}")
        elif name == "axis":
            if rank > 1 and not (value == rank - 1 and e.name == "softmax"):
                shown.append(f"axis={value}")
        elif name == "template":
            shown.append(index_text(value))
        elif name != "dtype" and value is not False and value is not None:
            shown.append(f"{name}={value}")
    return tuple(shown)


__all__ = ["filled", "index_text", "options", "padding"]
