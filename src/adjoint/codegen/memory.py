"""The arena: where intermediate arrays live, planned when a program is compiled.

An array occupies its place from the step that makes it to the last step that reads it; places are
shared by arrays whose lives do not overlap (first fit, in the order in which they are made).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TypeVar

_ALIGNMENT = 64

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class Life:
    """How many bytes something needs, and the first and last step that touch it."""

    size: int
    first: int
    last: int


def plan(lives: Mapping[Key, Life]) -> tuple[dict[Key, int], int]:
    """An offset for each, and the size of the whole arena.

    >>> plan({"a": Life(64, 0, 1), "b": Life(64, 1, 2), "c": Life(64, 2, 3)})
    ({'a': 0, 'b': 64, 'c': 0}, 128)
    """
    offsets: dict[Key, int] = {}
    active: list[tuple[int, int, int]] = []  # (offset, end, last step)
    total = 0
    for key, life in sorted(lives.items(), key=lambda item: item[1].first):
        active = sorted(a for a in active if a[2] >= life.first)
        size = -(-max(life.size, 1) // _ALIGNMENT) * _ALIGNMENT
        offset = 0
        for start, end, _ in active:
            if start - offset >= size:
                break
            offset = max(offset, end)
        offsets[key] = offset
        active.append((offset, offset + size, life.last))
        total = max(total, offset + size)
    return offsets, total
