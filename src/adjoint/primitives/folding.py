"""Folds along an axis: trees and scans of an associative operation, and sequential folds.

The elements may be tuples of arrays, so that a rule can carry tangents or counts along with values.
Everything here is slicing, the operation itself and concatenation: it differentiates to any order,
runs on values that are not known yet, and batches.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Element = tuple[Any, ...]
Combine = Callable[[Element, Element], Element]


def slots(axis: int, part: Any) -> tuple[Any, ...]:
    """The index that takes a part of one axis and all of those before it."""
    return (slice(None),) * axis + (part,)


def _part(elements: Element, axis: int, part: Any) -> Element:
    index = slots(axis, part)
    return tuple(e[index] for e in elements)


def _join(first: Element, second: Element, axis: int) -> Element:
    return tuple(np.concatenate([a, b], axis=axis) for a, b in zip(first, second, strict=True))


def tree(combine: Combine, elements: Element, axis: int) -> Element:
    """The fold of an associative operation over a non-empty axis, which disappears.

    Halves are combined, so the cost is that of n − 1 operations in ⌈log₂ n⌉ calls.
    """
    n = elements[0].shape[axis]
    while n > 1:
        half = n // 2
        merged = combine(
            _part(elements, axis, slice(0, half)), _part(elements, axis, slice(half, 2 * half))
        )
        # An element left over goes last: the operation need not be commutative, but then the two
        # halves are in order, and what is left over follows both.
        if n % 2:
            merged = _join(merged, _part(elements, axis, slice(2 * half, n)), axis)
        elements, n = merged, half + n % 2
    return _part(elements, axis, 0)


def scan(combine: Combine, elements: Element, axis: int) -> Element:
    """All prefixes of the fold of an associative operation (Hillis and Steele 1986).

    n log₂ n operations in ⌈log₂ n⌉ calls on whole arrays.
    """
    n = elements[0].shape[axis]
    step = 1
    while step < n:
        later = combine(
            _part(elements, axis, slice(0, n - step)), _part(elements, axis, slice(step, n))
        )
        elements = _join(_part(elements, axis, slice(0, step)), later, axis)
        step *= 2
    return elements


def sequential(operation: Callable[[Any, Any], Any], x: Any, axis: int) -> list[Any]:
    """All prefixes of the fold of any operation, from the left, one call per element."""
    total = x[slots(axis, 0)]
    found = [total]
    for i in range(1, x.shape[axis]):
        total = operation(total, x[slots(axis, i)])
        found.append(total)
    return found


def flatten_axes(x: Any, axes: tuple[int, ...]) -> Any:
    """The given axes as one, in last place and in C order."""
    rest = tuple(i for i in range(x.ndim) if i not in axes)
    kept = tuple(x.shape[i] for i in rest)
    size = int(np.prod([x.shape[i] for i in axes]))
    if len(axes) == 1 and axes[0] == x.ndim - 1:
        return x
    return np.reshape(np.transpose(x, rest + axes), (*kept, size))
