"""Values for the variables of a formula, and the lengths of the dimensions that they give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from adjoint.errors import ArgumentError, ShapeMismatchError, UnknownNameError, nearest
from adjoint.graph.arraytype import describe
from adjoint.graph.containers import flatten, leaf_names
from adjoint.simplify.expression import Symbol

CALL = "operator(...)"


@dataclass(frozen=True)
class Point:
    """Arrays by the names of symbols, and lengths by the names of dimensions."""

    arrays: dict[str, Any]
    lengths: dict[str, int]

    def value(self, s: Symbol) -> Any:
        """The value of a symbol: the one given, or that of an array from outside."""
        if s.name in self.arrays:
            return self.arrays[s.name]
        if s.value is not None:
            return s.value
        raise ArgumentError(
            f"{CALL} needs a value of {s.name}, which the formula contains.",
            hint=f"use operator({s.name}=..., ...).",
        )


def point_of(
    shapes: Mapping[str, tuple[int, ...]], sizes: Mapping[int, str], values: Sequence[Any],
    named: Mapping[str, Any],
) -> Point:  # fmt: skip
    """The values of the variables, checked against their shapes.

    ``shapes`` gives the shape of each symbol, ``sizes`` the names of dimensions by the lengths that
    stand for them there.
    """
    given = _by_name(list(dict.fromkeys(_stem(name) for name in shapes)), values, named)
    arrays: dict[str, Any] = {}
    lengths: dict[str, int] = {}
    seen: dict[str, str] = {}
    for parameter, value in given.items():
        leaves, structure = flatten(value)
        for leaf, place in zip(leaves, leaf_names(structure, len(leaves)), strict=True):
            name = parameter + place
            if name not in shapes:
                raise UnknownNameError(f"{CALL} got {name}, which the formula does not have.")
            arrays[name] = _array(name, leaf)
            _measure(name, arrays[name], shapes[name], sizes, lengths, seen)
    absent = [name for name in sizes.values() if name not in lengths]
    if absent:
        holders = [s for s, shape in shapes.items() if any(sizes.get(n) == absent[0]
                                                           for n in shape)]  # fmt: skip
        raise ArgumentError(
            f"{CALL} needs the length of {absent[0]}, which {' and '.join(holders)} "
            f"{'has' if len(holders) == 1 else 'have'}.",
            hint=f"use operator({holders[0]}=..., ...).",
        )
    return Point(arrays, lengths)


def _stem(name: str) -> str:
    return name.split("[")[0].split(".")[0]


def _by_name(
    known: list[str], values: Sequence[Any], named: Mapping[str, Any]
) -> dict[str, Any]:  # fmt: skip
    if len(values) > len(known):
        raise ArgumentError(f"{CALL} got {len(values)} values; f has {len(known)} variables.")
    given = dict(zip(known, values, strict=False))
    for name, value in named.items():
        if name not in known:
            close = nearest(name, known) or known
            raise UnknownNameError(
                f"{CALL} needs values of the variables of f ({', '.join(known) or 'none'}); "
                f"got {name}.",
                hint=f"use {close[0]}=..." if close else "",
            )
        if name in given:
            raise ArgumentError(f"{CALL} got two values of {name}.")
        given[name] = value
    return given


def _array(name: str, value: Any) -> Any:
    found = np.asarray(value)
    if found.dtype.kind not in "fiub":
        raise ArgumentError(f"{CALL} needs real numbers for {name}; got {describe(value)}.")
    return found.astype(np.float64, copy=False)[()]


def _measure(
    name: str, value: Any, shape: tuple[int, ...], sizes: Mapping[int, str],
    lengths: dict[str, int], seen: dict[str, str],
) -> None:  # fmt: skip
    """Reads the lengths of named dimensions off a value; others have to be those of the formula."""
    fits = np.ndim(value) == len(shape)
    for wanted, n in zip(shape, np.shape(value), strict=False):
        dimension = sizes.get(wanted)
        if dimension is None:
            fits = fits and n == wanted
        elif lengths.setdefault(dimension, n) != n:
            raise ShapeMismatchError(
                f"{CALL} needs one length of {dimension}; {name} is {describe(value)}, but "
                f"{seen[dimension]} has {dimension} = {lengths[dimension]}."
            )
        seen.setdefault(str(dimension), name)
    if not fits:
        dims = ",".join(str(sizes.get(n, n)) for n in shape)
        raise ShapeMismatchError(f"{CALL} needs {name} as f64[{dims}]; got {describe(value)}.")


__all__ = ["Point", "point_of"]
