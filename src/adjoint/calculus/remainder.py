"""Bounds of the remainder of a Taylor polynomial that hold, not only nearly.

With c(s) the Taylor coefficient of order n + 1 of g(t) = f(x0 + t δ) at t = s, the remainder is

    f(x0 + δ) − T(x0 + δ) = (n + 1) ∫₀¹ (1 − s)ⁿ c(s) ds.

The graph of c, evaluated on an interval of s, encloses c there.  So [0, 1] is cut into pieces, each
with its own enclosure [c] and its weight w = (1 − s₀)ⁿ⁺¹ − (1 − s₁)ⁿ⁺¹, and the remainder lies in
Σ w [c].  The weights add up to 1: no bound of this kind is larger than Lagrange's, max |c|, and
with shorter pieces it comes down to the error itself (Moore, Kearfott and Cloud, *Introduction to
Interval Analysis*, 2009, chapters 6 and 9; Tucker, *Validated Numerics*, 2011).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from adjoint.calculus.jets import coefficients_along
from adjoint.enclosure import Interval, evaluate
from adjoint.enclosure.interval import (
    add,
    everywhere,
    exactly,
    magnitude,
    multiply,
    subtract,
)
from adjoint.enclosure.walk import constant
from adjoint.errors import ArgumentError
from adjoint.graph.arraytype import describe
from adjoint.graph.binding import variable
from adjoint.graph.scope import Scope
from adjoint.graph.tracer import Tracer

_CALLED = "remainder_bound(x)"
_CLOSE = 0.02  # pieces are cut until the remainder is known to this fraction of the bound
_ROUNDS = 14  # a piece is halved so often at most
_TOGETHER = 128  # so many points are cut at a time, for the sake of memory
_SHORT_CUTS = 8  # pieces of the line to one part of a box
_EPS = float(np.finfo(float).eps)


class Remainder:
    """The remainder of the Taylor polynomial of f of a degree at a centre."""

    def __init__(self, f: Callable[[Any], Any], center: Any, order: int) -> None:
        self.center, self.order = np.asarray(center, np.float64), order
        self.scope = Scope(_CALLED, records=True)
        with self.scope:
            x = variable(self.scope, center)
            v = variable(self.scope, np.ones_like(center)[()])
            # The direction is a variable too: what is computed of it is then rounded outward.
            terms = coefficients_along(f, x, v, order + 2, _CALLED)
        if isinstance(terms[0], list | tuple | dict):
            raise ArgumentError(f"{_CALLED} needs f to return one array; it returned "
                                f"{describe(terms[0])}.")  # fmt: skip
        self.x, self.v = x.node, v.node
        # The value is no part of the coefficient, but its kinks are part of f.
        self.terms = terms[: order + 1]
        self.value = [t.node for t in terms[:1] if isinstance(t, Tracer)]
        self.constant = terms[order + 1]
        self.top = [t.node for t in terms[order + 1 :] if isinstance(t, Tracer)]
        if not isinstance(self.constant, Tracer):
            self.top = []  # a coefficient that is the same everywhere
        self.shape = np.shape(terms[0])
        self.decisions = list(self.scope.decisions or [])

    def bound(self, points: Any, pieces: int, computed: Any = None) -> Any:
        """For each of the points, an upper bound of |f(x) − T(x)|, or of |f(x) − p(x)| where the
        numbers p(x) are given; of shape ``(m, *f.shape)``."""
        parts = []
        for start in range(0, len(points), _TOGETHER):
            these = slice(start, start + _TOGETHER)
            some = exactly(np.asarray(points[these], np.float64))
            with np.errstate(all="ignore"):
                delta = subtract(some, exactly(self.center[None]))
            found = self._along(delta, pieces, signed=True)
            if computed is not None:
                off = subtract(self._polynomial(delta), exactly(np.asarray(computed[these])))
                found = np.nextafter(found + magnitude(off), np.inf)
            parts.append(found)
        return np.concatenate(parts) if parts else np.zeros((0, *self.shape))

    def _polynomial(self, delta: Interval) -> Interval:
        """T at x0 + δ, from exact coefficients."""
        count = len(delta.lo)
        nodes = [t.node for t in self.terms if isinstance(t, Tracer)]
        given = {self.v: delta, self.x: exactly(self.center[None])}
        found, holds = evaluate([], nodes, given, count, self.scope)
        total = exactly(np.zeros((count, *self.shape)))
        for t in (t for t in self.terms if not isinstance(t, Tracer)):
            total = add(total, constant(t))
        for c in reversed(found):
            total = add(total, c)
        return everywhere(total, ~holds.reshape((-1,) + (1,) * len(self.shape)))

    def bound_in_box(self, radius: Any, pieces: int) -> Any:
        """An upper bound of |f(x) − T(x)| for all x with |x − x0| ≤ radius in every variable.

        Σ w |c| grows along each ray from the centre, so only the faces of the box count.  They are
        cut until none of them stands out, or there are as many parts as ``pieces``.
        """
        parts = _faces(np.broadcast_to(np.asarray(radius, np.float64), self.center.shape))
        cuts = pieces if self.center.size == 1 else _SHORT_CUTS
        bounds = self._along(parts, cuts, signed=False)
        while True:
            worst = np.max(bounds.reshape(len(bounds), -1), axis=1, initial=0.0)
            wide = np.any(parts.lo != parts.hi, axis=tuple(range(1, parts.ndim)))
            large = wide & (worst >= (1 - _CLOSE) * np.max(worst, initial=0.0)) & (worst > 0)
            if not np.any(large) or len(worst) + np.count_nonzero(large) > pieces:
                return np.max(bounds, axis=0, initial=0.0)
            halves = _halved(Interval(parts.lo[large], parts.hi[large]))
            parts = Interval(*(np.concatenate([e[~large], h]) for e, h in
                               zip(parts, halves, strict=True)))  # fmt: skip
            more = self._along(halves, cuts, signed=False)
            bounds = np.concatenate([bounds[~large], more])

    def _along(self, deltas: Interval, pieces: int, *, signed: bool) -> Any:
        """The bounds along the lines from the centre to all displacements of each given set."""
        count = len(deltas.lo)
        table = self._enclosed(deltas, np.arange(count), np.zeros(count), np.ones(count))
        for _ in range(_ROUNDS):
            split = table.to_split(count, pieces, signed=signed)
            if not np.any(split):
                break
            owner, low, high = table.owner[split], table.low[split], table.high[split]
            middle = (low + high) / 2
            halves = self._enclosed(deltas, np.concatenate([owner, owner]),
                                    np.concatenate([low, middle]),
                                    np.concatenate([middle, high]))  # fmt: skip
            table = table.replaced(split, halves)
        found = table.bounds(count, signed=signed)
        here = ~np.any((deltas.lo != 0) | (deltas.hi != 0), axis=tuple(range(1, deltas.ndim)))
        found[here & ~np.any(found.reshape(count, -1) == np.inf, axis=1)] = 0.0  # at the centre
        return found

    def _enclosed(self, deltas: Interval, owner: Any, low: Any, high: Any) -> _Table:
        """The coefficient on pieces of lines."""
        if len(self.top) == 2:
            top, holds = self._centered(deltas, owner, low, high)
        else:  # its derivative is zero, or both are
            found, holds = self._evaluated(deltas, owner, low, high)
            top = found[0] if found else constant(self.constant)
        full = (len(owner), *self.shape)
        fails = ~holds.reshape((-1,) + (1,) * len(self.shape))
        weight = (1 - low) ** (self.order + 1)
        return _Table(
            owner, low, high,
            np.where(fails, -np.inf, np.broadcast_to(top.lo, full)),
            np.where(fails, np.inf, np.broadcast_to(top.hi, full)),
            weight - (1 - high) ** (self.order + 1), 8 * _EPS * weight,
        )  # fmt: skip

    def _centered(self, deltas: Interval, owner: Any, low: Any, high: Any) -> tuple[Interval, Any]:
        """The coefficient on pieces by itself, and by the mean value theorem from its middle, whose
        overestimate falls with the square of the length; the derivative of the coefficient of order
        k is k + 1 times the next."""
        count, middle = len(owner), (low + high) / 2
        twice = np.concatenate([owner, owner])
        found, holds = self._evaluated(deltas, twice, np.concatenate([low, middle]),
                                       np.concatenate([high, middle]))  # fmt: skip
        full = (2 * count, *self.shape)
        top, slope = (Interval(*(np.broadcast_to(e, full) for e in f)) for f in found)
        here = Interval(top.lo[:count], top.hi[:count])
        there = Interval(top.lo[count:], top.hi[count:])
        half = ((high - low) / 2).reshape((-1,) + (1,) * len(self.shape))
        steps = multiply(exactly(np.float64(self.order + 2)), Interval(-half, half))
        rise = Interval(slope.lo[:count], slope.hi[:count])
        with np.errstate(all="ignore"):
            other = add(there, multiply(steps, rise))
        both = Interval(np.maximum(here.lo, other.lo), np.minimum(here.hi, other.hi))
        return both, holds[:count]

    def _evaluated(
        self, deltas: Interval, owner: Any, low: Any, high: Any
    ) -> tuple[list[Interval], Any]:
        shape = (len(owner),) + (1,) * self.center.ndim
        v = Interval(deltas.lo[owner], deltas.hi[owner])
        s = Interval(low.reshape(shape), high.reshape(shape))
        with np.errstate(all="ignore"):
            given = {self.v: v, self.x: add(exactly(self.center[None]), multiply(s, v))}
        return evaluate(self.value, self.top, given, len(owner), self.scope, self.decisions)


@dataclass(frozen=True)
class _Table:
    """Pieces: whose they are, from where to where, the coefficient on them, and their weights with
    the error of these."""

    owner: Any
    low: Any
    high: Any
    lo: Any
    hi: Any
    weight: Any
    off: Any

    def bounds(self, count: int, *, signed: bool) -> Any:
        """|Σ w [c]| for each owner, or Σ w |c|, rounded up."""
        size = magnitude(Interval(self.lo, self.hi))
        w, off = self._beside(self.weight), self._beside(self.off)
        terms = np.bincount(self.owner, minlength=count).max(initial=1) + 8
        with np.errstate(all="ignore"):
            slack = self._total(count, size * (off + terms * _EPS * w))
            if signed:
                ends = self._total(count, w * self.lo), self._total(count, w * self.hi)
                found = np.maximum(np.abs(ends[0]), np.abs(ends[1]))
            else:
                found = self._total(count, w * size)
            found = np.nextafter(found + slack, np.inf)
            zero = self._total(count, size) == 0
        return np.where(zero, 0.0, np.where(np.isfinite(found), found, np.inf))

    def to_split(self, count: int, pieces: int, *, signed: bool) -> Any:
        """The pieces whose halves would tell more, those that would tell most first."""
        w = self._beside(self.weight)
        with np.errstate(all="ignore"):
            gap = w * (self.hi - self.lo)
            known = np.isfinite(gap)
            wanted = _CLOSE * self.bounds(count, signed=signed)[self.owner]
            have = np.bincount(self.owner, minlength=count)
            share = np.where(np.isfinite(wanted), wanted, 0.0) / self._beside(have[self.owner])
            excess = np.where(known, gap / np.where(share > 0, share, 1.0), np.inf)
            excess = np.where(known & (gap <= share), 0.0, np.maximum(excess, 1e-300))
        most = np.max(excess.reshape(len(excess), -1), axis=1, initial=0.0)
        order = np.lexsort((-most, self.owner))
        starts = np.searchsorted(self.owner[order], np.arange(count))
        rank = np.empty(len(order), np.intp)
        rank[order] = np.arange(len(order)) - starts[self.owner[order]]
        return (most > 0) & (rank < (pieces - have)[self.owner])

    def replaced(self, gone: Any, halves: _Table) -> _Table:
        """The table with some pieces left out and others put in."""
        pairs = zip(vars(self).values(), vars(halves).values(), strict=True)
        return _Table(*(np.concatenate([old[~gone], new]) for old, new in pairs))

    def _beside(self, values: Any) -> Any:
        return values.reshape((-1,) + (1,) * (self.lo.ndim - 1))

    def _total(self, count: int, values: Any) -> Any:
        found = np.zeros((count, *values.shape[1:]))
        np.add.at(found, self.owner, values)
        return found


def _faces(radius: Any) -> Interval:
    """The faces of the box |δᵢ| ≤ rᵢ: in one variable its two ends."""
    count = radius.size
    flat = radius.reshape(-1)
    lo, hi = np.tile(-flat, (2 * count, 1)), np.tile(flat, (2 * count, 1))
    each = np.arange(count)
    lo[each, each] = flat  # δᵢ = rᵢ
    hi[count + each, each] = -flat  # δᵢ = −rᵢ
    shape = (2 * count, *radius.shape)
    return Interval(lo.reshape(shape), hi.reshape(shape))


def _halved(parts: Interval) -> Interval:
    """Each box cut in two where it is widest."""
    lo, hi = (e.reshape(len(e), -1) for e in parts)
    rows, widest = np.arange(len(lo)), np.argmax(hi - lo, axis=1)
    middle = (lo[rows, widest] + hi[rows, widest]) / 2
    first, second = hi.copy(), lo.copy()
    first[rows, widest], second[rows, widest] = middle, middle
    shape = (2 * len(lo), *parts.lo.shape[1:])
    return Interval(np.concatenate([lo, second]).reshape(shape),
                    np.concatenate([first, hi]).reshape(shape))  # fmt: skip


__all__ = ["Remainder"]
